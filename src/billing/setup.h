// Package:       billing
// Units:         Durations.
// Errors:        none: values.
// Thread safety: values.
// Ownership:     borrows the clock.
//
// What a built-in driver is made of. Secrets are in no message of a driver.
#pragma once

#include <functional>
#include <string>

#include "aimeter/time.h"

namespace aimeter::billing {

struct StripeOptions {
  std::string secret_key = {}, webhook_secret = {};
  std::string api_base = {};     // empty: https://api.stripe.com
  std::string meter_event = {};  // name of a meter: overage goes there, not to invoice items
  Duration timeout = std::chrono::seconds(30);
  std::function<void(Duration)> pause = {};  // between two tries; empty: the thread sleeps
};
struct DriverSetup {
  StripeOptions stripe = {};
  const Clock* clock = nullptr;
};

}  // namespace aimeter::billing
