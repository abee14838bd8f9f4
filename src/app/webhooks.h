// Package:       app
// Units:         none
// Errors:        see Engine::webhook.
// Thread safety: any thread.
// Ownership:     borrows the core.
//
// What a billing service tells, applied to the store, then said on the bus.
#pragma once

#include "aimeter/billing.h"
#include "meter/core.h"

namespace aimeter::app {

[[nodiscard]] Status take_webhook(meter::Core& core, const Webhook& webhook);
// The same of an event that is already proved. Says whether it was new.
[[nodiscard]] Result<store::Changed> take_event(meter::Core& core, const BillingEvent& event);

}  // namespace aimeter::app
