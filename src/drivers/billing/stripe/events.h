// Package:       drivers
// Units:         Instants; Money made of minor units.
// Errors:        invalid_argument naming the member that is missing or of a wrong type.
// Thread safety: pure functions.
// Ownership:     none.
//
// A webhook's body as facts. A type that nobody asked for is kind `other`, never an error; what a
// known type needs and lacks is an error; nothing is guessed. Shapes of old and new API versions.
#pragma once

#include <string_view>

#include "aimeter/billing.h"

namespace aimeter::drivers::stripe {

[[nodiscard]] Result<BillingEvent> parse_event(std::string_view body);

}  // namespace aimeter::drivers::stripe
