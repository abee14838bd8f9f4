// Package:       drivers
// Units:         none
// Errors:        invalid_argument (an unknown name), failed_precondition (a setting is missing).
// Thread safety: pure functions.
// Ownership:     a driver borrows the clock of its setup.
//
// The built-in billing drivers by name: each is a file in billing/ and a line in builtin.inc.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "aimeter/billing.h"
#include "billing/setup.h"

namespace aimeter::drivers {

[[nodiscard]] std::vector<std::string_view> billing_driver_names();
[[nodiscard]] Result<std::unique_ptr<BillingDriver>> make_billing_driver(
    std::string_view name, const billing::DriverSetup& setup);

}  // namespace aimeter::drivers
