#include "drivers/resolvers.h"

#include <fmt/format.h>

namespace aimeter::drivers {

using Setup = tenancy::ResolverSetup;
using Made = Result<std::unique_ptr<TenantResolver>>;

#define AIMETER_RESOLVER(name) Made make_resolver_##name(const Setup& setup);
#include "drivers/builtin.inc"

namespace {

struct Row {
  std::string_view name;
  Made (*make)(const Setup&);
};

constexpr Row kResolvers[] = {
#define AIMETER_RESOLVER(name) Row{#name, make_resolver_##name},
#include "drivers/builtin.inc"
};

}  // namespace

std::vector<std::string_view> resolver_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kResolvers) names.push_back(row.name);
  return names;
}

Made make_resolver(std::string_view name, const Setup& setup) {
  for (const Row& row : kResolvers) {
    if (row.name != name) continue;
    if (setup.make) return row.make(setup);
    Setup with_built_in = setup;
    with_built_in.make = [&setup](std::string_view other) { return make_resolver(other, setup); };
    return row.make(with_built_in);
  }
  return bad_input(
      "tenancy.resolver", name,
      fmt::format("{} or one that the application registers", fmt::join(resolver_names(), ", ")));
}

}  // namespace aimeter::drivers
