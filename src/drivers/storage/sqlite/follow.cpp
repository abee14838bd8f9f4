#include "drivers/storage/sqlite/catalogue.h"

// Events of the billing service, inside the lane's transaction.
namespace aimeter::drivers::sqlite {
namespace {

using store::Changed;
using store::OwnedSubscription;

class Source final : public store::FollowSource {
 public:
  explicit Source(Connection& connection) : connection_(connection) {}

  Result<std::vector<OwnedSubscription>> with_meta(std::string_view key,
                                                   std::string_view value) override {
    std::vector<OwnedSubscription> found;
    const bool customer = key == "stripe_customer_id";
    AIMETER_TRY(
        const std::vector<Account> accounts,
        customer ? accounts_in("SELECT DISTINCT t.name, a.type, a.id FROM ai_subscriptions s JOIN"
                               " ai_tenants t USING(tenant) JOIN ai_accounts a ON a.account ="
                               " s.account WHERE json_extract(s.meta, '$.stripe_customer_id') = ?1",
                               value)
                 : accounts_in("SELECT DISTINCT t.name, a.type, a.id FROM ai_subscriptions s JOIN"
                               " ai_tenants t USING(tenant) JOIN ai_accounts a ON a.account ="
                               " s.account WHERE"
                               " json_extract(s.meta, '$.stripe_subscription_id') = ?1",
                               value));
    for (const Account& account : accounts) {
      AIMETER_TRY(const std::vector<Subscription> all, of(account));
      for (const Subscription& one : all) {
        const auto at = one.meta.find(std::string(key));
        if (at != one.meta.end() && at->second == value) found.emplace_back(account, one);
      }
    }
    return found;
  }
  Result<std::vector<Subscription>> of(const Account& account) override {
    AIMETER_TRY(plans::Contract contract, contract_of(connection_, account));
    return std::move(contract.subscriptions);
  }
  Result<std::string> plan_of_price(const TenantId& tenant, std::string_view price) override {
    Query query(connection_,
                "SELECT p.slug FROM ai_plans p JOIN ai_tenants t USING(tenant) WHERE p.newest = 1"
                " AND p.stripe_price_id = ?2 AND t.name IN (?1, '') ORDER BY t.name = '', p.plan"
                " LIMIT 1",
                tenant.text, price);
    AIMETER_TRY(const bool there, query.step());
    return there ? query.text(0) : std::string();
  }

 private:
  Result<std::vector<Account>> accounts_in(const char* sql, std::string_view value) {
    std::vector<Account> accounts;
    Query query(connection_, sql, value);
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) return accounts;
      accounts.push_back({{query.text(0)}, {query.text(1), query.text(2)}});
    }
  }

  Connection& connection_;
};

Result<billing::SubscriptionFacts> facts_of(Connection& connection, std::string_view object) {
  Query query(connection, "SELECT facts FROM ai_billing_objects WHERE object = ?1", object);
  AIMETER_TRY(const bool known, query.step());
  if (!known) return billing::SubscriptionFacts{};
  return billing::parse_facts(query.bytes(0));
}

}  // namespace

Result<Changed> put(Lane& lane, const store::ApplyBillingEvent& change, Instant now) {
  Connection& connection = *lane.connection;
  const BillingEvent& event = change.event;
  AIMETER_TRY(const std::int64_t fresh,
              run(connection,
                  "INSERT INTO ai_billing_events(event, type, created_at, applied_at)"
                  " VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                  event.id, event.type, event.created_at.time_since_epoch().count(),
                  now.time_since_epoch().count()));
  Changed changed{.rows = fresh};
  if (fresh == 0 || !store::is_followed(event)) return changed;
  AIMETER_TRY(billing::SubscriptionFacts facts, facts_of(connection, event.subscription));
  billing::learn(facts, event);
  AIMETER_CHECK_OK(run(connection,
                       "INSERT INTO ai_billing_objects(object, facts) VALUES(?1, ?2) ON"
                       " CONFLICT(object) DO UPDATE SET facts = excluded.facts",
                       event.subscription, billing::text_of(facts)));
  Source source(connection);
  AIMETER_TRY(std::optional<store::Followed> done, store::follow(change, facts, source));
  if (!done) return changed;
  AIMETER_TRY(const Changed kept,
              put(lane, store::PutSubscription{done->account.tenant, done->after}, now));
  changed.id = done->after.id = kept.id;
  changed.followed.push_back(*std::move(done));
  return changed;
}

Result<Changed> put(Lane& lane, const store::PutBillingIds& change, Instant now) {
  AIMETER_TRY(const plans::Contract contract, contract_of(*lane.connection, change.account));
  const auto known = store::with_ids(contract.subscriptions, change.ids);
  if (!known) return Changed{};
  return put(lane, store::PutSubscription{change.account.tenant, *known}, now);
}

}  // namespace aimeter::drivers::sqlite
