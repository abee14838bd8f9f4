// Package:       tenancy
// Units:         ids are 1..191 bytes of UTF-8, compared byte by byte.
// Errors:        invalid_argument for a bad id; what a resolver returns.
// Thread safety: values, but TenantScope: it belongs to the thread that made it.
// Ownership:     a Context borrows the request that it was made of.
//
// Who is asking and who pays. Every row and query carries a tenant; "" is single-tenant use.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeindex>
#include <utility>
#include <vector>

#include "aimeter/result.h"

namespace aimeter {

// What a host hangs onto a call or a subscription; ours only to keep.
using Meta = std::map<std::string, std::string>;

struct TenantId {
  std::string text = {};
  // The only checked way in. Errors: invalid_argument.
  [[nodiscard]] static Result<TenantId> parse(std::string_view text);
  auto operator<=>(const TenantId&) const = default;
};

struct Billable {  // who pays. Any host type becomes one through billable_of() (ADL)
  std::string type = {}, id = {};
  auto operator<=>(const Billable&) const = default;
};

struct Account {
  TenantId tenant = {};
  Billable billable = {};
  auto operator<=>(const Account&) const = default;
};

// Customisation points, found by argument-dependent lookup beside the host's own types:
//   std::string tenant_id_of(const T&), user_id_of(const T&);  Billable billable_of(const T&);
//   Context context_of(const T&)
template <class T>
concept HasTenantId = requires(const T& x) {
  { tenant_id_of(x) } -> std::convertible_to<std::string>;
};
template <class T>
concept HasUserId = requires(const T& x) {
  { user_id_of(x) } -> std::convertible_to<std::string>;
};
template <class T>
concept HasBillable = requires(const T& x) {
  { billable_of(x) } -> std::convertible_to<Billable>;
};

// What a resolver may read of a request; built by context_of().
class Context {
 public:
  using Lookup = std::function<std::optional<std::string>(std::string_view)>;
  std::string method, host, path;
  Lookup header = none(), query = none(), cookie = none();
  std::string user;  // the authenticated user's id, if the host knows it
  std::string peer;  // address of the direct peer ("10.0.0.7"), for trusted_proxies
  bool expects_json = true;

  template <class Request>
  Context& carry(const Request& request) {  // borrowed for the call
    native_ = &request;
    native_type_ = typeid(Request);
    return *this;
  }
  template <class Request>
  const Request* request_as() const {
    return native_type_ == typeid(Request) ? static_cast<const Request*>(native_) : nullptr;
  }

 private:
  static Lookup none() {
    return [](std::string_view) { return std::optional<std::string>(); };
  }
  const void* native_ = nullptr;
  std::type_index native_type_ = typeid(void);
};
template <class T>
concept HasContext = requires(const T& x) {
  { context_of(x) } -> std::convertible_to<Context>;
};

class TenantResolver {
 public:
  virtual ~TenantResolver() = default;
  // A tenant, or nothing (no tenant in this request), or an error (the call is refused). Any
  // thread.
  [[nodiscard]] virtual Result<std::optional<TenantId>> resolve(const Context& context) const = 0;
};

// The current tenant of this thread, until destroyed. Scopes nest and end in the reverse order, on
// the thread where they began (asserted); they must not live over a co_await. A bad id is kept and
// makes the next call refuse (invalid_argument): a scope never silently means "no tenant".
class [[nodiscard]] TenantScope {
 public:
  explicit TenantScope(std::string_view id);
  explicit TenantScope(TenantId id);  // TenantId{} is central()
  template <HasTenantId T>
  explicit TenantScope(const T& tenant) : TenantScope(std::string_view(tenant_id_of(tenant))) {}
  ~TenantScope();
  TenantScope(const TenantScope&) = delete;
  TenantScope& operator=(const TenantScope&) = delete;

  // No tenant, inside a tenant's scope too.
  static TenantScope central() { return TenantScope(TenantId{}); }
  // Nothing without a scope and in central(). In the scope of a bad id: a text that no check
  // accepts.
  [[nodiscard]] static std::optional<TenantId> current();

 private:
  const void* thread_;
  std::size_t depth_;
};

}  // namespace aimeter
