// Package:       store
// Units:         Instants of the billing service and of the store.
// Errors:        the source's.
// Thread safety: inside one change, on its thread.
// Ownership:     borrows its source.
//
// What an event of the billing service does to a subscription of ours: the same for every store.
// Which subscription: the one whose meta name it; else one of the account that the metadata name,
// or of the customer, which is not bound yet; else a new one, where a plan has its price.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aimeter/billing.h"
#include "aimeter/plan.h"
#include "billing/facts.h"

namespace aimeter::store {

// Applies an event once, by its id, whenever and however often it comes. Catalogue.
struct ApplyBillingEvent {
  BillingEvent event = {};
  int grace_days = 7;                             // billing.payment_failure_grace_period_days
  enum class Ids { keep, fill } ids = Ids::fill;  // stripe.auto_sync_ids
};
// Puts what the billing service calls an account into its newest subscription's meta. Catalogue.
struct PutBillingIds {
  Account account = {};
  Meta ids = {};
};
struct Followed {  // what ApplyBillingEvent did
  Account account = {};
  std::optional<Subscription> before = {};  // empty: it is new
  Subscription after = {};
};

using OwnedSubscription = std::pair<Account, Subscription>;
class FollowSource {
 public:
  virtual ~FollowSource() = default;
  [[nodiscard]] virtual Result<std::vector<OwnedSubscription>> with_meta(
      std::string_view key, std::string_view value) = 0;
  [[nodiscard]] virtual Result<std::vector<Subscription>> of(const Account& account) = 0;
  // Slug of a plan of the tenant, else of the operator's catalogue; "": none.
  [[nodiscard]] virtual Result<std::string> plan_of_price(const TenantId& tenant,
                                                          std::string_view price) = 0;
};

// True for the events of which facts are kept.
[[nodiscard]] bool is_followed(const BillingEvent& event);
// Nothing: no subscription of ours is meant, or it stays as it is.
[[nodiscard]] Result<std::optional<Followed>> follow(const ApplyBillingEvent& change,
                                                     const billing::SubscriptionFacts& facts,
                                                     FollowSource& source);
// The newest subscription, with the ids; nothing: there is none, or it has them.
[[nodiscard]] std::optional<Subscription> with_ids(const std::vector<Subscription>& all,
                                                   const Meta& ids);

}  // namespace aimeter::store
