#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

class Driver final : public TenantResolver {
 public:
  explicit Driver(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context& context) const override {
    const std::optional<std::string> text = context.query(name_);
    if (!text) return std::nullopt;
    AIMETER_TRY(TenantId tenant, TenantId::parse(*text));
    return tenant;
  }

 private:
  std::string name_;
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_query(const tenancy::ResolverSetup& setup) {
  if (setup.options.query.empty()) return bad_input("tenancy.query", "", "a parameter's name");
  return std::make_unique<Driver>(setup.options.query);
}

}  // namespace aimeter::drivers
