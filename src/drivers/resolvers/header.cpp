#include <fmt/format.h>

#include "tenancy/api_key.h"
#include "tenancy/network.h"
#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

// Believed from a trusted proxy, or together with a key of scope act_as_tenant; a tenant's own key
// may only name its own tenant.
class Driver final : public TenantResolver {
 public:
  Driver(std::string name, tenancy::Networks trusted, const tenancy::ResolverPorts& ports)
      : name_(std::move(name)), trusted_(std::move(trusted)), ports_(ports) {}

  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context& context) const override {
    const std::optional<std::string> text = context.header(name_);
    if (!text) return std::nullopt;
    AIMETER_TRY(TenantId tenant, TenantId::parse(*text));
    if (!trusted_.contain(context.peer)) AIMETER_CHECK_OK(check_key(context, tenant));
    return tenant;
  }

 private:
  [[nodiscard]] Status check_key(const Context& context, const TenantId& tenant) const {
    AIMETER_TRY(const std::optional<std::string> key, tenancy::api_key_of(context));
    if (!key || ports_.keys == nullptr || ports_.clock == nullptr) {
      return fail(Code::permission_denied,
                  fmt::format("{}: is not believed from here; expected a peer of "
                              "tenancy.trusted_proxies or an api key of scope act_as_tenant",
                              name_));
    }
    AIMETER_TRY(const tenancy::ApiKeyRecord record,
                tenancy::authenticate(*key, *ports_.keys, ports_.clock->now()));
    AIMETER_CHECK_OK(tenancy::require_scope(record, tenancy::ApiScope::act_as_tenant));
    if (record.tenant.text.empty() || record.tenant == tenant) return {};
    return fail(Code::permission_denied,
                fmt::format("{}: api key {} belongs to another tenant; expected the operator's key",
                            name_, record.id));
  }

  std::string name_;
  tenancy::Networks trusted_;
  tenancy::ResolverPorts ports_;
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_header(const tenancy::ResolverSetup& setup) {
  const tenancy::ResolverOptions& options = setup.options;
  if (options.header.empty()) return bad_input("tenancy.header", "", "a header's name");
  AIMETER_TRY(tenancy::Networks trusted,
              tenancy::Networks::parse("tenancy.trusted_proxies", options.trusted_proxies));
  return std::make_unique<Driver>(options.header, std::move(trusted), setup.ports);
}

}  // namespace aimeter::drivers
