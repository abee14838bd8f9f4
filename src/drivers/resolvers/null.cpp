#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

class Driver final : public TenantResolver {
 public:
  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context&) const override {
    return std::nullopt;
  }
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_null(const tenancy::ResolverSetup&) {
  return std::make_unique<Driver>();
}

}  // namespace aimeter::drivers
