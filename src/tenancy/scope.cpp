#include "tenancy/scope.h"

#include <vector>

#include "base/ids.h"

namespace aimeter {
namespace {

using tenancy::Ambient;

std::vector<Ambient>& stack() {
  thread_local std::vector<Ambient> scopes;
  return scopes;
}

Ambient ambient_of(std::string_view id) {
  const bool good = base::check_id("tenant", id).has_value();
  return {.state = good ? Ambient::State::tenant : Ambient::State::bad, .text = std::string(id)};
}

std::size_t push(Ambient ambient) {
  stack().push_back(std::move(ambient));
  return stack().size();
}

}  // namespace

Result<TenantId> TenantId::parse(std::string_view text) {
  AIMETER_CHECK_OK(base::check_id("tenant", text));
  return TenantId{std::string(text)};
}

TenantScope::TenantScope(std::string_view id) : thread_(&stack()), depth_(push(ambient_of(id))) {}

TenantScope::TenantScope(TenantId id)
    : thread_(&stack()),
      depth_(push(id.text.empty() ? Ambient{.state = Ambient::State::central}
                                  : ambient_of(id.text))) {}

TenantScope::~TenantScope() {
  AIMETER_ASSERT(thread_ == &stack());
  AIMETER_ASSERT(depth_ == stack().size());
  stack().pop_back();
}

std::optional<TenantId> TenantScope::current() {
  const Ambient now = tenancy::ambient();
  switch (now.state) {
    case Ambient::State::none:
    case Ambient::State::central:
      return std::nullopt;
    case Ambient::State::tenant:
      return TenantId{now.text};
    case Ambient::State::bad:
      break;
  }
  // An empty one must not turn into "", which is a tenant: single-tenant use.
  return TenantId{now.text.empty() ? std::string(1, '\0') : now.text};
}

namespace tenancy {

Ambient ambient() { return stack().empty() ? Ambient{} : stack().back(); }

}  // namespace tenancy
}  // namespace aimeter
