#include <fmt/format.h>

#include <algorithm>

#include "tenancy/host.h"
#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

// The tenant whose domain the host is (table ai_tenant_domains).
class Driver final : public TenantResolver {
 public:
  Driver(const tenancy::DomainLookup& domains, std::vector<std::string> central)
      : domains_(domains), central_(std::move(central)) {}

  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context& context) const override {
    if (context.host.empty()) return std::nullopt;
    AIMETER_TRY(const std::string host, tenancy::parse_host("host", context.host));
    if (std::ranges::find(central_, host) != central_.end()) return std::nullopt;
    AIMETER_TRY(std::optional<TenantId> tenant, domains_.tenant_of_domain(host));
    if (tenant) return tenant;
    return fail(Code::not_found,
                fmt::format("host: no tenant has the domain \"{}\"; expected a known domain or one "
                            "of tenancy.central_domains",
                            host));
  }

 private:
  const tenancy::DomainLookup& domains_;
  std::vector<std::string> central_;
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_domain(const tenancy::ResolverSetup& setup) {
  if (setup.ports.domains == nullptr) {
    return fail(Code::failed_precondition, "tenancy.resolver domain: needs a store of domains");
  }
  std::vector<std::string> central;
  for (const std::string& text : setup.options.central_domains) {
    AIMETER_TRY(central.emplace_back(), tenancy::parse_host("tenancy.central_domains", text));
  }
  return std::make_unique<Driver>(*setup.ports.domains, std::move(central));
}

}  // namespace aimeter::drivers
