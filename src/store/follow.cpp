#include "store/follow.h"

#include <algorithm>

namespace aimeter::store {
namespace {

constexpr const char* kSubscriptionId = "stripe_subscription_id";
constexpr const char* kCustomerId = "stripe_customer_id";

std::string text_at(const Meta& meta, const std::string& key) {
  const auto found = meta.find(key);
  return found == meta.end() ? "" : found->second;
}

std::optional<Account> account_in(const Meta& metadata) {
  const Account account{.tenant = {text_at(metadata, "aimeter_tenant")},
                        .billable = {text_at(metadata, "aimeter_billable_type"),
                                     text_at(metadata, "aimeter_billable_id")}};
  if (account.billable.type.empty() || account.billable.id.empty()) return std::nullopt;
  return account;
}

bool is_bound(const Subscription& subscription) {
  return !text_at(subscription.meta, kSubscriptionId).empty();
}

// The newest that is bound to nothing yet.
template <class T, class Of>
std::optional<T> newest_free(const std::vector<T>& all, Of subscription_of) {
  std::optional<T> newest;
  for (const T& one : all) {
    if (is_bound(subscription_of(one))) continue;
    if (!newest || subscription_of(*newest).started_at <= subscription_of(one).started_at)
      newest = one;
  }
  return newest;
}

// Ours, or a new one (id 0) without a plan yet; nothing: it is nobody's here.
Result<std::optional<OwnedSubscription>> meant_by(const ApplyBillingEvent& change,
                                                  const billing::SubscriptionFacts& facts,
                                                  FollowSource& source) {
  const BillingEvent& event = change.event;
  AIMETER_TRY(std::vector<OwnedSubscription> bound,
              source.with_meta(kSubscriptionId, event.subscription));
  if (!bound.empty()) return std::optional(std::move(bound.front()));
  const auto itself = [](const auto& one) -> const Subscription& {
    if constexpr (requires { one.second; }) {
      return one.second;
    } else {
      return one;
    }
  };
  const std::optional<Account> named = account_in(facts.metadata);
  if (!named) {
    if (event.customer.empty()) return std::optional<OwnedSubscription>();
    AIMETER_TRY(const auto of_customer, source.with_meta(kCustomerId, event.customer));
    return newest_free(of_customer, itself);
  }
  AIMETER_TRY(const std::vector<Subscription> of_account, source.of(*named));
  if (const auto free = newest_free(of_account, itself))
    return std::optional(OwnedSubscription{*named, *free});
  if (facts.status.empty()) return std::optional<OwnedSubscription>();
  Subscription made{.billable = named->billable,
                    .started_at = facts.started_at.value_or(event.created_at)};
  return std::optional(OwnedSubscription{*named, std::move(made)});
}

void fill_ids(Subscription& subscription, const ApplyBillingEvent& change,
              const billing::SubscriptionFacts& facts) {
  const bool is_new = subscription.id == 0;
  if (!is_new && change.ids == ApplyBillingEvent::Ids::keep) return;
  subscription.meta[kSubscriptionId] = change.event.subscription;
  if (!facts.customer.empty()) subscription.meta[kCustomerId] = facts.customer;
}

bool same(const Subscription& a, const Subscription& b) {
  return a.plan == b.plan && a.previous_plan == b.previous_plan && a.ends_at == b.ends_at &&
         a.renews_at == b.renews_at && a.trial_ends_at == b.trial_ends_at &&
         a.grace_period_ends_at == b.grace_period_ends_at && a.meta == b.meta;
}

}  // namespace

bool is_followed(const BillingEvent& event) {
  const bool known = event.kind == BillingEvent::Kind::subscription ||
                     event.kind == BillingEvent::Kind::invoice_paid ||
                     event.kind == BillingEvent::Kind::payment_failed;
  return known && !event.subscription.empty();
}

Result<std::optional<Followed>> follow(const ApplyBillingEvent& change,
                                       const billing::SubscriptionFacts& facts,
                                       FollowSource& source) {
  AIMETER_TRY(std::optional<OwnedSubscription> ours, meant_by(change, facts, source));
  if (!ours) return std::optional<Followed>();
  std::optional<Error> failed;
  const billing::FollowRules rules{
      .grace_days = change.grace_days, .plan_of_price = [&](std::string_view price) {
        Result<std::string> plan = source.plan_of_price(ours->first.tenant, price);
        if (!plan) failed = plan.error();
        return plan.value_or("");
      }};
  Followed done{.account = ours->first, .after = billing::followed(ours->second, facts, rules)};
  if (failed) return std::unexpected(*failed);
  fill_ids(done.after, change, facts);
  if (ours->second.id == 0) {
    if (done.after.plan.empty()) return std::optional<Followed>();  // no plan of ours has the price
    return std::optional(std::move(done));
  }
  done.before = std::move(ours->second);
  if (same(*done.before, done.after)) return std::optional<Followed>();
  return std::optional(std::move(done));
}

std::optional<Subscription> with_ids(const std::vector<Subscription>& all, const Meta& ids) {
  if (all.empty() || ids.empty()) return std::nullopt;
  Subscription newest = *std::ranges::max_element(all, {}, &Subscription::started_at);
  Meta meta = newest.meta;
  for (const auto& [key, id] : ids) meta[key] = id;
  if (meta == newest.meta) return std::nullopt;
  newest.meta = std::move(meta);
  return newest;
}

}  // namespace aimeter::store
