#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

constexpr std::size_t kChainMax = 16;

// The first that finds a tenant. An error stops the chain: a bad key is never overruled by a
// header.
class Driver final : public tenancy::TracingResolver {
 public:
  struct Link {
    std::string name;
    std::unique_ptr<TenantResolver> resolver;
  };
  explicit Driver(std::vector<Link> links) : links_(std::move(links)) {}

  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context& context) const override {
    AIMETER_TRY(Found found, trace(context));
    return std::move(found.tenant);
  }

  [[nodiscard]] Result<Found> trace(const Context& context) const override {
    for (const Link& link : links_) {
      AIMETER_TRY(std::optional<TenantId> tenant, link.resolver->resolve(context));
      if (tenant) return Found{.tenant = std::move(tenant), .by = link.name};
    }
    return Found{};
  }

 private:
  std::vector<Link> links_;
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_chain(const tenancy::ResolverSetup& setup) {
  const std::vector<std::string>& names = setup.options.chain;
  if (names.empty() || names.size() > kChainMax) {
    return bad_input("tenancy.chain", "", "1 to 16 names of resolvers");
  }
  std::vector<Driver::Link> links;
  for (const std::string& name : names) {
    if (name == "chain" || name == "null") {
      return bad_input("tenancy.chain", name, "a resolver that can find a tenant by itself");
    }
    AIMETER_TRY(auto resolver, setup.make(name));
    links.push_back({.name = name, .resolver = std::move(resolver)});
  }
  return std::make_unique<Driver>(std::move(links));
}

}  // namespace aimeter::drivers
