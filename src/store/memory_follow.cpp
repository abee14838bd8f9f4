#include "store/memory_follow.h"

#include "store/memory_catalogue.h"

namespace aimeter::store::memory {
namespace {

class Source final : public FollowSource {
 public:
  explicit Source(const Catalogue& catalogue) : catalogue_(catalogue) {}

  Result<std::vector<OwnedSubscription>> with_meta(std::string_view key,
                                                   std::string_view value) override {
    std::vector<OwnedSubscription> found;
    for (const auto& [id, owned] : catalogue_.subscriptions) {
      const auto at = owned.value.meta.find(std::string(key));
      if (at != owned.value.meta.end() && at->second == value)
        found.emplace_back(owned.account, owned.value);
    }
    return found;
  }
  Result<std::vector<Subscription>> of(const Account& account) override {
    return contract_of(catalogue_, account).subscriptions;
  }
  Result<std::string> plan_of_price(const TenantId& tenant, std::string_view price) override {
    for (const std::string& owner : {tenant.text, std::string()}) {
      for (const auto& [id, versions] : catalogue_.plans) {
        const Plan& plan = versions.back();
        if (plan.tenant == owner && plan.stripe_price_id == price) return plan.slug;
      }
    }
    return std::string();
  }

 private:
  const Catalogue& catalogue_;
};

}  // namespace

Result<Changed> apply(State& state, const ApplyBillingEvent& change) {
  Changed changed;
  if (state.billing_events.contains(change.event.id)) return changed;
  if (is_followed(change.event)) {
    billing::SubscriptionFacts facts;
    const auto known = state.billing_facts.find(change.event.subscription);
    if (known != state.billing_facts.end()) facts = known->second;
    billing::learn(facts, change.event);
    Source source(state.catalogue);
    AIMETER_TRY(std::optional<Followed> done, follow(change, facts, source));
    if (done) {
      AIMETER_TRY(const Changed kept,
                  put(state.catalogue, PutSubscription{done->account.tenant, done->after}));
      changed.id = done->after.id = kept.id;
      changed.followed.push_back(*std::move(done));
    }
    state.billing_facts[change.event.subscription] = std::move(facts);
  }
  state.billing_events.insert(change.event.id);
  changed.rows = 1;
  return changed;
}

Result<Changed> put(State& state, const PutBillingIds& change) {
  const auto known =
      with_ids(contract_of(state.catalogue, change.account).subscriptions, change.ids);
  if (!known) return Changed{};
  return put(state.catalogue, PutSubscription{change.account.tenant, *known});
}

}  // namespace aimeter::store::memory
