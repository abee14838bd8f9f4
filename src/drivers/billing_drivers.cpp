#include "drivers/billing_drivers.h"

#include <fmt/format.h>

namespace aimeter::drivers {

using Made = Result<std::unique_ptr<BillingDriver>>;

#define AIMETER_BILLING(name) Made make_billing_##name(const billing::DriverSetup& setup);
#include "drivers/builtin.inc"

namespace {

struct Row {
  std::string_view name;
  Made (*make)(const billing::DriverSetup&);
};

constexpr Row kDrivers[] = {
#define AIMETER_BILLING(name) Row{#name, make_billing_##name},
#include "drivers/builtin.inc"
};

}  // namespace

std::vector<std::string_view> billing_driver_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kDrivers) names.push_back(row.name);
  return names;
}

Made make_billing_driver(std::string_view name, const billing::DriverSetup& setup) {
  for (const Row& row : kDrivers) {
    if (row.name == name) return row.make(setup);
  }
  return bad_input("billing.driver", name,
                   fmt::format("{} or one that the application registers",
                               fmt::join(billing_driver_names(), ", ")));
}

}  // namespace aimeter::drivers
