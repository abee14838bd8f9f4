#include "billing/facts.h"

#include <algorithm>
#include <array>

#include "plans/limits.h"

namespace aimeter::billing {
namespace {

using Kind = BillingEvent::Kind;

enum class Standing { good, failing, barred, ended, unknown };

// Source: docs.stripe.com/api/subscriptions/object, attribute `status`, read 2026-11-24.
Standing standing_of(std::string_view status) {
  struct Row {
    std::string_view status;
    Standing standing;
  };
  constexpr std::array<Row, 8> kRows = {{{"active", Standing::good},
                                         {"trialing", Standing::good},
                                         {"past_due", Standing::failing},
                                         {"unpaid", Standing::failing},
                                         {"incomplete", Standing::barred},
                                         {"paused", Standing::barred},
                                         {"canceled", Standing::ended},
                                         {"incomplete_expired", Standing::ended}}};
  const auto* const row = std::ranges::find(kRows, status, &Row::status);
  return row == kRows.end() ? Standing::unknown : row->standing;
}

// When access ends; empty: it does not.
std::optional<Instant> end_of(const BillingEvent& event) {
  const Standing standing = standing_of(event.status);
  if (event.deleted || standing == Standing::ended)
    return event.ended_at.value_or(event.created_at);
  if (standing == Standing::barred) return event.created_at;
  if (event.cancel_at) return event.cancel_at;
  if (event.cancel_at_period_end) return event.period_end;  // access until then
  return std::nullopt;
}

void forget_old_failures(SubscriptionFacts& facts) {
  std::erase_if(facts.failures, [&](const EventOrder& one) { return one <= facts.restored; });
}

void add_failure(SubscriptionFacts& facts, const EventOrder& order) {
  if (order <= facts.restored) return;
  const auto at = std::ranges::lower_bound(facts.failures, order);
  if (at != facts.failures.end() && *at == order) return;
  facts.failures.insert(at, order);
  // The oldest decide.
  if (facts.failures.size() > kFailuresKept) facts.failures.pop_back();
}

void add_restored(SubscriptionFacts& facts, const EventOrder& order) {
  facts.restored = std::max(facts.restored, order);
  forget_old_failures(facts);
}

void add_price(SubscriptionFacts& facts, const EventOrder& order, const std::string& price) {
  if (price.empty()) return;
  const auto at = std::ranges::lower_bound(facts.prices, order, {}, &PriceSeen::order);
  if (at != facts.prices.end() && at->order == order) return;
  facts.prices.insert(at, {order, price});
  if (facts.prices.size() <= kPricesKept) return;
  // Of the older half only the first of each run is kept: what comes so late is not waited for.
  const auto half = facts.prices.begin() + kPricesKept / 2;
  const auto kept = std::unique(facts.prices.begin(), half,
                                [](const auto& a, const auto& b) { return a.price == b.price; });
  facts.prices.erase(kept, half);
  if (facts.prices.size() > kPricesKept) facts.prices.erase(facts.prices.begin());
}

void keep_newest(std::optional<InstantSeen>& kept, const EventOrder& order,
                 const std::optional<Instant>& value) {
  if (value && (!kept || kept->order < order)) kept = {order, *value};
}

void learn_subscription(SubscriptionFacts& facts, const BillingEvent& event,
                        const EventOrder& order) {
  const Standing standing = standing_of(event.status);
  if (standing == Standing::good && !event.deleted) add_restored(facts, order);
  if (standing == Standing::failing) add_failure(facts, order);
  add_price(facts, order, event.price);
  keep_newest(facts.renews, order, event.period_end);
  keep_newest(facts.trial_end, order, event.trial_end);
  if (!facts.status.empty() && order <= facts.newest) return;
  facts.newest = order;
  facts.status = event.deleted ? "canceled" : event.status;
  facts.end = end_of(event);
  facts.customer = event.customer;
  facts.metadata = event.metadata;
  facts.started_at = event.started_at;
}

// The plans that the prices meant, one after the other, without those that mean none.
std::vector<std::string> plans_of(const SubscriptionFacts& facts, const FollowRules& rules) {
  std::vector<std::string> plans;
  for (const PriceSeen& seen : facts.prices) {
    std::string plan = rules.plan_of_price ? rules.plan_of_price(seen.price) : "";
    if (!plan.empty() && (plans.empty() || plans.back() != plan)) plans.push_back(std::move(plan));
  }
  return plans;
}

// A status of a later day tells nothing about access, and no event at all neither.
Subscription with_access(Subscription subscription, const SubscriptionFacts& facts,
                         int grace_days) {
  const Standing standing = standing_of(facts.status);
  const bool told =
      standing != Standing::unknown || !facts.failures.empty() || facts.restored != EventOrder{};
  if (!told) return subscription;
  Subscription after = plans::payment_restored(std::move(subscription));
  if (!facts.failures.empty())
    after = plans::payment_failed(std::move(after), facts.failures.front().at, grace_days);
  if (!facts.end) return after;
  const bool for_good = standing == Standing::ended || standing == Standing::barred;
  if (for_good || !after.ends_at || *facts.end <= *after.ends_at) {
    after.ends_at = facts.end;
    after.grace_period_ends_at.reset();
  } else if (after.grace_period_ends_at) {
    after.grace_period_ends_at = std::min(after.grace_period_ends_at, facts.end);
  }
  return after;
}

}  // namespace

EventOrder order_of(const BillingEvent& event) {
  int rank = 0;
  switch (event.kind) {
    case Kind::subscription:
      rank = event.deleted ? 5 : event.type.ends_with(".created") ? 1 : 2;
      break;
    case Kind::payment_failed:
      rank = 3;
      break;
    case Kind::invoice_paid:
      rank = 4;
      break;
    default:
      break;
  }
  return {event.created_at, rank, event.id};
}

void learn(SubscriptionFacts& facts, const BillingEvent& event) {
  const EventOrder order = order_of(event);
  if (event.kind == Kind::payment_failed) return add_failure(facts, order);
  if (event.kind == Kind::invoice_paid) return add_restored(facts, order);
  learn_subscription(facts, event, order);
}

Subscription followed(const Subscription& subscription, const SubscriptionFacts& facts,
                      const FollowRules& rules) {
  Subscription after = subscription;
  const std::vector<std::string> plans = plans_of(facts, rules);
  if (!plans.empty()) {
    if (plans.size() > 1) {
      after.previous_plan = plans[plans.size() - 2];
    } else if (plans.back() != after.plan) {
      after.previous_plan = after.plan;
    }
    after.plan = plans.back();
  }
  if (facts.renews) after.renews_at = facts.renews->value;
  if (facts.trial_end) after.trial_ends_at = facts.trial_end->value;
  return with_access(std::move(after), facts, rules.grace_days);
}

}  // namespace aimeter::billing
