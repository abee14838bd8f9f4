// Package:       tenancy
// Units:         seconds of leeway
// Errors:        unauthenticated (no tenant where one is required), permission_denied (a tenant
//                inside the scope of another), invalid_argument (a bad id), what the resolver says.
// Thread safety: a Tenancy may be used from any thread.
// Ownership:     Tenancy owns its resolver; the ports and the clock are borrowed and outlive it.
//
// Which tenant a call is for: the explicit one, else what the resolver finds, else the scope of the
// thread, else none. Whatever is found is checked here once more: a resolver may be the host's own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/tenant.h"
#include "aimeter/time.h"
#include "tenancy/api_key.h"
#include "tenancy/scope.h"

namespace aimeter::tenancy {

enum class OnMismatch { refuse, explicit_wins };
[[nodiscard]] Result<OnMismatch> parse_on_mismatch(std::string_view field, std::string_view text);

struct JwtOptions {
  std::string claim = "tenant_id";
  std::string key_file = {};               // PEM of a public key; for HS256 ... the secret's bytes
  std::string key = {};                    // in place of key_file
  std::string issuer = {}, audience = {};  // empty: not asked for
  std::vector<std::string> algorithms = {};  // at least one; never "none"
  int leeway_s = 60;                         // for clocks that differ: 0 .. 300
};

struct ResolverOptions {  // [tenancy] of the configuration
  std::string resolver = "null";
  std::optional<bool> required = {};  // empty: as soon as a resolver is chosen
  OnMismatch on_mismatch = OnMismatch::refuse;
  std::vector<std::string> trusted_proxies = {};  // CIDR
  std::vector<std::string> base_domains = {}, central_domains = {};
  int path_segment = 1;          // counted from 1
  std::string path_prefix = {};  // "/t": the segment behind it; wins over path_segment
  std::string header = "X-Tenant", query = "tenant", cookie = "tenant";
  std::vector<std::string> chain = {};
  JwtOptions jwt = {};
};

// Port: whose domain it is. The host is normalised (tenancy/host.h).
class DomainLookup {
 public:
  virtual ~DomainLookup() = default;
  [[nodiscard]] virtual Result<std::optional<TenantId>> tenant_of_domain(
      std::string_view host) const = 0;
};

struct ResolverPorts {
  const DomainLookup* domains = nullptr;  // of domain
  const ApiKeyLookup* keys = nullptr;     // of api_key, and of header for act_as_tenant
  const Clock* clock = nullptr;           // of api_key and jwt
};

// What a resolver is made of; failed_precondition when a port that it needs is not there.
struct ResolverSetup {
  const ResolverOptions& options;
  const ResolverPorts& ports;
  // By name, the host's own first: for chain.
  std::function<Result<std::unique_ptr<TenantResolver>>(std::string_view)> make = {};
};

// A resolver that asks others says which one answered.
class TracingResolver : public TenantResolver {
 public:
  struct Found {
    std::optional<TenantId> tenant = {};
    std::string by = {};
  };
  [[nodiscard]] virtual Result<Found> trace(const Context& context) const = 0;
};

// Who asks: taken when a Meter is made.
struct Asked {
  std::optional<TenantId> explicit_tenant = {};
  Ambient ambient = {};
  const Context* context = nullptr;  // nullptr: no request; the resolver sees an empty one
};

struct Resolved {
  TenantId tenant = {};       // "" when there is none
  std::string found_by = {};  // "explicit", "ambient", "resolver:domain", "none"
  friend bool operator==(const Resolved&, const Resolved&) = default;
};

class Tenancy {
 public:
  struct Rules {
    std::string resolver = "null";
    bool required = false;
    OnMismatch on_mismatch = OnMismatch::refuse;
  };
  [[nodiscard]] static Rules rules_of(const ResolverOptions& options);

  Tenancy(Rules rules, std::unique_ptr<TenantResolver> resolver);  // nullptr: the null resolver
  [[nodiscard]] Result<Resolved> resolve(const Asked& asked) const;
  // The same, but nobody (tenant "") is no error where a tenant is required.
  [[nodiscard]] Result<Resolved> find(const Asked& asked) const;
  [[nodiscard]] bool required() const { return rules_.required; }

 private:
  [[nodiscard]] Result<Resolved> from_resolver(const Asked& asked) const;
  [[nodiscard]] Status check_mismatch(const Resolved& found, const Ambient& ambient) const;

  Rules rules_;
  std::unique_ptr<TenantResolver> resolver_;
};

}  // namespace aimeter::tenancy
