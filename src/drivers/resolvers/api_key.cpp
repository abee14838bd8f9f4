#include "tenancy/api_key.h"

#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

// The tenant of the key. The operator's key belongs to none: then a chain goes on.
class Driver final : public TenantResolver {
 public:
  Driver(const tenancy::ApiKeyLookup& keys, const Clock& clock) : keys_(keys), clock_(clock) {}

  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context& context) const override {
    AIMETER_TRY(const std::optional<std::string> key, tenancy::api_key_of(context));
    if (!key) return std::nullopt;
    AIMETER_TRY(tenancy::ApiKeyRecord record, tenancy::authenticate(*key, keys_, clock_.now()));
    if (record.tenant.text.empty()) return std::nullopt;
    return std::move(record.tenant);
  }

 private:
  const tenancy::ApiKeyLookup& keys_;
  const Clock& clock_;
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_api_key(const tenancy::ResolverSetup& setup) {
  if (setup.ports.keys == nullptr || setup.ports.clock == nullptr) {
    return fail(Code::failed_precondition, "tenancy.resolver api_key: needs a store of keys");
  }
  return std::make_unique<Driver>(*setup.ports.keys, *setup.ports.clock);
}

}  // namespace aimeter::drivers
