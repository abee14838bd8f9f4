// Package:       billing
// Units:         Instants of the billing service's clock.
// Errors:        corrupt: bytes that are no facts.
// Thread safety: pure functions, values.
// Ownership:     none.
//
// What is known of one subscription at the billing service, learned from its events in any order:
// the same events give the same facts however they are shuffled, doubled or late. Our subscription
// is a function of the facts, so an older event never undoes a newer one.
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/billing.h"
#include "aimeter/plan.h"

namespace aimeter::billing {

// When an event stands among those of its object. Events of one second go by what they say: a
// payment after its failure, an end after all else; then by their ids.
struct EventOrder {
  Instant at = {};
  int rank = 0;
  std::string id = {};
  auto operator<=>(const EventOrder&) const = default;
};
[[nodiscard]] EventOrder order_of(const BillingEvent& event);

struct PriceSeen {
  EventOrder order = {};
  std::string price = {};
  friend bool operator==(const PriceSeen&, const PriceSeen&) = default;
};
struct InstantSeen {
  EventOrder order = {};
  Instant value = {};
  friend bool operator==(const InstantSeen&, const InstantSeen&) = default;
};

struct SubscriptionFacts {
  EventOrder newest = {};           // of the events about the subscription itself
  std::string status = {};          // "": none has come, only about invoices
  std::optional<Instant> end = {};  // of access: ended, or cancelled at a time
  std::string customer = {};
  Meta metadata = {};
  std::optional<Instant> started_at = {};
  std::optional<InstantSeen> renews = {}, trial_end = {};
  EventOrder restored = {};               // the newest payment or active status
  std::vector<EventOrder> failures = {};  // after it, oldest first
  std::vector<PriceSeen> prices = {};     // oldest first
  friend bool operator==(const SubscriptionFacts&, const SubscriptionFacts&) = default;
};
constexpr std::size_t kFailuresKept = 64, kPricesKept = 64;

// Requires: an event of kind subscription, invoice_paid or payment_failed.
void learn(SubscriptionFacts& facts, const BillingEvent& event);

struct FollowRules {
  int grace_days = 7;
  // Slug of the plan with that price; "": no plan has it, the subscription keeps its own.
  std::function<std::string(std::string_view price)> plan_of_price = {};
};
// Our subscription as the facts say. started_at, the billing mode and the meta stay.
[[nodiscard]] Subscription followed(const Subscription& subscription,
                                    const SubscriptionFacts& facts, const FollowRules& rules);

[[nodiscard]] std::string text_of(const SubscriptionFacts& facts);  // JSON
[[nodiscard]] Result<SubscriptionFacts> parse_facts(std::string_view text);

}  // namespace aimeter::billing
