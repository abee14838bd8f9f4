#include "plans/lifecycle.h"

#include <algorithm>
#include <utility>

namespace aimeter::plans {
namespace {

// Past its grace.
std::optional<Instant> end_of(const Subscription& subscription) {
  if (!subscription.ends_at) return std::nullopt;
  return std::max(*subscription.ends_at,
                  subscription.grace_period_ends_at.value_or(*subscription.ends_at));
}

// Its end was told. One that goes on after that, to end again, is told again.
bool told(const Subscription& subscription) {
  const std::optional<Instant> end = end_of(subscription);
  return end && subscription.expired_at && *subscription.expired_at >= *end;
}

Period period_of(Period::Options options, const Subscription& subscription) {
  options.anchor = subscription.started_at;
  return Period(std::move(options));
}

bool renews(const Subscription& subscription) {
  return subscription.renews_at &&
         (!subscription.ends_at || *subscription.renews_at < *subscription.ends_at);
}

}  // namespace

std::optional<Instant> due_at(const Subscription& subscription) {
  std::optional<Instant> due;
  const auto take = [&due](std::optional<Instant> at) {
    if (at && (!due || *at < *due)) due = at;
  };
  if (!subscription.next_plan.empty()) take(subscription.changes_at);
  if (told(subscription)) return due;
  take(end_of(subscription));
  if (renews(subscription)) take(subscription.renews_at);
  return due;
}

Due due_of(const Subscription& subscription, const Period::Options& period, Instant now) {
  Due due{.after = subscription};
  Subscription& after = due.after;
  if (!after.next_plan.empty() && after.changes_at && *after.changes_at <= now) {
    after.previous_plan = std::exchange(after.plan, std::exchange(after.next_plan, ""));
    after.changes_at.reset();
    due.changes_plan = true;
  }
  const std::optional<Instant> end = end_of(after);
  if (end && *end <= now && !told(after)) {
    after.expired_at = now;
    due.expires = true;
  }
  if (!due.expires && !told(after) && renews(after) && *after.renews_at <= now) {
    after.renews_at = period_of(period, after).at(now).end;
    due.renews = true;
  }
  return due;
}

Instant paid_until(const Subscription& subscription, const Period::Options& period, Instant now) {
  if (subscription.renews_at && *subscription.renews_at > now) return *subscription.renews_at;
  return period_of(period, subscription).at(std::max(now, subscription.started_at)).end;
}

Result<Subscription> cancelled(Subscription subscription, Instant end) {
  if (subscription.ends_at && *subscription.ends_at <= end) {
    return fail(Code::failed_precondition,
                "subscription: it ends at " + text_of(*subscription.ends_at) + " already");
  }
  subscription.ends_at = std::max(end, subscription.started_at);
  subscription.grace_period_ends_at.reset();
  subscription.next_plan.clear();
  subscription.changes_at.reset();
  return subscription;
}

Result<Subscription> renewed(Subscription subscription, Instant now) {
  if (!subscription.ends_at && subscription.next_plan.empty()) {
    return fail(Code::failed_precondition,
                "subscription: it has no end and no change to come that could be taken back");
  }
  if (!subscription.is_active(now)) {
    return fail(Code::failed_precondition, "subscription: it is over; make a new one");
  }
  subscription.ends_at.reset();
  subscription.grace_period_ends_at.reset();
  subscription.expired_at.reset();
  subscription.next_plan.clear();
  subscription.changes_at.reset();
  return subscription;
}

}  // namespace aimeter::plans
