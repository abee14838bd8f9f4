// Package:       plans
// Units:         Instants.
// Errors:        failed_precondition (nothing to cancel, nothing to take back).
// Thread safety: pure functions.
// Ownership:     none.
//
// What becomes of a subscription by time: a change that was to come, its end, its next renewal.
// Limits follow from the times alone; writing them down is for people and events, and is done once.
#pragma once

#include <optional>
#include <string>

#include "aimeter/plan.h"

namespace aimeter::plans {

// When it has to be looked at next; empty: never.
[[nodiscard]] std::optional<Instant> due_at(const Subscription& subscription);

struct Due {
  Subscription after = {};
  bool changes_plan = false, expires = false, renews = false;
  [[nodiscard]] bool any() const { return changes_plan || expires || renews; }
};
// What is due `now`. `period` is that of its plan: a renewal is its next start.
[[nodiscard]] Due due_of(const Subscription& subscription, const Period::Options& period,
                         Instant now);

// The end of what is paid for: renews_at, else the end of the plan's period.
[[nodiscard]] Instant paid_until(const Subscription& subscription, const Period::Options& period,
                                 Instant now);
// Ends at `end`, without grace; a change that was to come is off.
[[nodiscard]] Result<Subscription> cancelled(Subscription subscription, Instant end);
[[nodiscard]] Result<Subscription> renewed(Subscription subscription, Instant now);

}  // namespace aimeter::plans
