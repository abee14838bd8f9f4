#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "plans/limits.h"

namespace aimeter::plans {

std::optional<Subscription> active_at(std::span<const Subscription> all, Instant at) {
  const auto rank = [at](const Subscription& one) {
    return std::tuple(!one.is_in_grace_period(at), one.started_at, one.id);
  };
  const Subscription* best = nullptr;
  for (const Subscription& one : all) {
    if (!one.is_active(at)) continue;
    if (best == nullptr || rank(*best) < rank(one)) best = &one;
  }
  return best == nullptr ? std::nullopt : std::optional(*best);
}

Subscription payment_failed(Subscription subscription, Instant now, int grace_days) {
  // In grace, or over: a repeated failure neither prolongs nor reopens it.
  if (subscription.ends_at && *subscription.ends_at <= now) return subscription;
  // One that has not begun ends where it would have begun.
  const Instant end = std::max(now, subscription.started_at);
  subscription.ends_at = end;
  subscription.grace_period_ends_at.reset();
  if (grace_days > 0) subscription.grace_period_ends_at = end + std::chrono::days(grace_days);
  return subscription;
}

Subscription payment_restored(Subscription subscription) {
  subscription.ends_at.reset();
  subscription.grace_period_ends_at.reset();
  subscription.expired_at.reset();
  return subscription;
}

Subscription with_trial(Subscription wanted, const Plan& plan,
                        std::span<const Subscription> earlier) {
  const int trial_days = plan.trial_days.value_or(0);
  if (wanted.trial_ends_at || trial_days == 0) return wanted;
  const bool had_one = std::ranges::any_of(earlier, [&plan](const Subscription& other) {
    return other.trial_ends_at && (other.plan == plan.slug || other.previous_plan == plan.slug);
  });
  if (!had_one) wanted.trial_ends_at = wanted.started_at + std::chrono::days(trial_days);
  return wanted;
}

Result<Subscription> migrated(Subscription subscription, const Move& move) {
  if (subscription.plan == move.to) {
    return fail(Code::failed_precondition,
                fmt::format("plan: the subscription is on \"{}\" already", move.to));
  }
  if (!move.expect_from.empty() && subscription.plan != move.expect_from) {
    return fail(Code::conflict, fmt::format("plan: the subscription is on \"{}\"; expected \"{}\"",
                                            subscription.plan, move.expect_from));
  }
  subscription.previous_plan = std::exchange(subscription.plan, move.to);
  return subscription;
}

}  // namespace aimeter::plans
