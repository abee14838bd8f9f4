#include <fmt/format.h>

#include <algorithm>

#include "tenancy/host.h"
#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

// acme.example.com under the base domain example.com is tenant acme.
class Driver final : public TenantResolver {
 public:
  // Longest base first: eu.example.com goes before example.com.
  Driver(std::vector<std::string> bases, std::vector<std::string> central)
      : bases_(std::move(bases)), central_(std::move(central)) {
    std::ranges::sort(bases_, std::ranges::greater{}, &std::string::size);
  }

  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context& context) const override {
    if (context.host.empty()) return std::nullopt;
    AIMETER_TRY(const std::string host, tenancy::parse_host("host", context.host));
    if (std::ranges::find(central_, host) != central_.end()) return std::nullopt;
    for (const std::string& base : bases_) {
      if (host == base) return std::nullopt;
      if (!host.ends_with("." + base)) continue;
      const std::string label = host.substr(0, host.size() - base.size() - 1);
      if (label.find('.') != std::string::npos) break;
      AIMETER_TRY(TenantId tenant, TenantId::parse(label));
      return tenant;
    }
    return fail(Code::not_found,
                fmt::format("host: \"{}\" is not accepted; expected one name in front of {}", host,
                            fmt::join(bases_, " or ")));
  }

 private:
  std::vector<std::string> bases_, central_;
};

Result<std::vector<std::string>> hosts_of(std::string_view field,
                                          const std::vector<std::string>& texts) {
  std::vector<std::string> hosts;
  for (const std::string& text : texts) {
    AIMETER_TRY(hosts.emplace_back(), tenancy::parse_host(field, text));
    if (tenancy::is_address(hosts.back())) return bad_input(field, text, "a name, no address");
  }
  return hosts;
}

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_subdomain(
    const tenancy::ResolverSetup& setup) {
  AIMETER_TRY(std::vector<std::string> bases,
              hosts_of("tenancy.base_domains", setup.options.base_domains));
  AIMETER_TRY(std::vector<std::string> central,
              hosts_of("tenancy.central_domains", setup.options.central_domains));
  if (bases.empty()) {
    return bad_input("tenancy.base_domains", "", "at least one domain such as \"example.com\"");
  }
  return std::make_unique<Driver>(std::move(bases), std::move(central));
}

}  // namespace aimeter::drivers
