#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

// The TenantScope of the calling thread.
class Driver final : public TenantResolver {
 public:
  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context&) const override {
    return TenantScope::current();
  }
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_current(const tenancy::ResolverSetup&) {
  return std::make_unique<Driver>();
}

}  // namespace aimeter::drivers
