#include <algorithm>
#include <cstring>

#include "drivers/storage/sqlite/catalogue.h"
#include "drivers/storage/sqlite/catalogue_json.h"
#include "drivers/storage/sqlite/counters.h"
#include "drivers/storage/sqlite/credits.h"
#include "drivers/storage/sqlite/sqlite_store.h"

namespace aimeter::drivers::sqlite {
namespace {

Instant instant(std::int64_t micros) { return Instant(Duration(micros)); }

std::optional<Instant> optional_instant(std::optional<std::int64_t> micros) {
  if (!micros) return std::nullopt;
  return instant(*micros);
}

std::optional<Money> optional_money(const Query& query, int nanos, int currency) {
  if (query.is_null(nanos)) return std::nullopt;
  return Money{query.integer(nanos), query.text(currency)};
}

std::optional<std::string> text_of(const std::optional<TenantId>& tenant) {
  if (!tenant) return std::nullopt;
  return tenant->text;
}

// ?1 is the tenant's name or NULL for all; ?2 a slug or NULL.
constexpr const char* kPlans =
    "SELECT p.plan, p.version, t.name, p.slug, p.name, p.monthly_token_limit,"
    " p.monthly_cost_limit_nanos, p.cost_currency, p.overage_price_per_1k_tokens_nanos,"
    " p.overage_currency, p.features, p.is_active, p.trial_days, p.stripe_price_id, p.period,"
    " p.overage_behavior, p.enforcement, p.budgets, p.overage_cap_nanos,"
    " p.overage_cap_currency, p.overage_markup FROM ai_plans p JOIN ai_tenants t USING(tenant)"
    " WHERE p.newest = 1 AND (?1 IS NULL OR t.name IN (?1, '')) AND (?2 IS NULL OR p.slug = ?2)"
    " ORDER BY p.plan";

Result<Plan> plan_of(const Query& query) {
  Plan plan{.id = query.integer(0), .name = query.text(4), .slug = query.text(3)};
  plan.version = query.integer(1);
  plan.tenant = query.text(2);
  if (!query.is_null(5)) plan.monthly_token_limit = Tokens{query.integer(5)};
  plan.monthly_cost_limit = optional_money(query, 6, 7);
  plan.overage_price_per_1k_tokens = optional_money(query, 8, 9);
  AIMETER_TRY(plan.features, read_texts(query.bytes(10)));
  plan.is_active = query.integer(11) != 0;
  if (!query.is_null(12)) plan.trial_days = static_cast<int>(query.integer(12));
  plan.stripe_price_id = query.text(13);
  if (!query.is_null(14)) {
    AIMETER_TRY(plan.period, read_period(query.bytes(14)));
  }
  if (!query.is_null(15)) plan.overage_behavior = static_cast<OverageBehavior>(query.integer(15));
  plan.enforcement = static_cast<Enforcement>(query.integer(16));
  AIMETER_TRY(plan.budgets, read_rules(query.bytes(17)));
  plan.overage_cap = optional_money(query, 18, 19);
  if (!query.is_null(20)) plan.overage_markup = Percent{query.integer(20)};
  return plan;
}

Result<std::vector<Plan>> plans_where(Connection& connection, const std::optional<std::string>& in,
                                      const std::optional<std::string>& slug) {
  std::vector<Plan> plans;
  Query query(connection, kPlans, in, slug);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return plans;
    AIMETER_TRY(plans.emplace_back(), plan_of(query));
  }
}

// ?1 a tenant's name or NULL, ?2 and ?3 a billable or NULL.
constexpr const char* kSubscriptions =
    "SELECT t.name, a.type, a.id, s.subscription, s.plan, s.billing_mode, s.started_at,"
    " s.renews_at, s.ends_at, s.trial_ends_at, s.grace_period_ends_at, s.previous_plan, s.meta,"
    " s.next_plan, s.changes_at, s.expired_at"
    " FROM ai_subscriptions s JOIN ai_tenants t USING(tenant) JOIN ai_accounts a ON a.account ="
    " s.account WHERE (?1 IS NULL OR t.name = ?1) ORDER BY s.subscription";
constexpr const char* kSubscriptionsDue =
    "SELECT t.name, a.type, a.id, s.subscription, s.plan, s.billing_mode, s.started_at,"
    " s.renews_at, s.ends_at, s.trial_ends_at, s.grace_period_ends_at, s.previous_plan, s.meta,"
    " s.next_plan, s.changes_at, s.expired_at FROM ai_subscriptions s JOIN ai_tenants t"
    " USING(tenant) JOIN ai_accounts a ON a.account = s.account WHERE s.due_at <= ?1 ORDER BY"
    " s.due_at, s.subscription LIMIT ?2";
constexpr const char* kSubscriptionsOfAccount =
    "SELECT t.name, a.type, a.id, s.subscription, s.plan, s.billing_mode, s.started_at,"
    " s.renews_at, s.ends_at, s.trial_ends_at, s.grace_period_ends_at, s.previous_plan, s.meta,"
    " s.next_plan, s.changes_at, s.expired_at"
    " FROM ai_tenants t JOIN ai_accounts a USING(tenant) JOIN ai_subscriptions s ON s.tenant ="
    " t.tenant AND s.account = a.account WHERE t.name = ?1 AND a.type = ?2 AND a.id = ?3 ORDER BY"
    " s.subscription";
constexpr const char* kOverrides =
    "SELECT t.name, a.type, a.id, o.override, o.period_start, o.period_end, o.token_limit,"
    " o.cost_limit_nanos, o.cost_currency, o.unlimited_tokens, o.unlimited_cost FROM"
    " ai_usage_limit_overrides o JOIN ai_tenants t USING(tenant) JOIN ai_accounts a ON a.account ="
    " o.account WHERE (?1 IS NULL OR t.name = ?1) ORDER BY o.override";
constexpr const char* kOverridesOfAccount =
    "SELECT t.name, a.type, a.id, o.override, o.period_start, o.period_end, o.token_limit,"
    " o.cost_limit_nanos, o.cost_currency, o.unlimited_tokens, o.unlimited_cost FROM ai_tenants t"
    " JOIN ai_accounts a USING(tenant) JOIN ai_usage_limit_overrides o ON o.tenant = t.tenant AND"
    " o.account = a.account WHERE t.name = ?1 AND a.type = ?2 AND a.id = ?3 ORDER BY o.override";

Account account_of(const Query& query) {
  return {.tenant = {query.text(0)}, .billable = {query.text(1), query.text(2)}};
}

Result<Subscription> subscription_of(const Query& query) {
  Subscription subscription{.id = query.integer(3), .billable = account_of(query).billable};
  subscription.plan = query.text(4);
  subscription.billing_mode = static_cast<BillingMode>(query.integer(5));
  subscription.started_at = instant(query.integer(6));
  subscription.renews_at = optional_instant(query.optional_integer(7));
  subscription.ends_at = optional_instant(query.optional_integer(8));
  subscription.trial_ends_at = optional_instant(query.optional_integer(9));
  subscription.grace_period_ends_at = optional_instant(query.optional_integer(10));
  subscription.previous_plan = query.text(11);
  AIMETER_TRY(subscription.meta, read_meta(query.bytes(12)));
  subscription.next_plan = query.text(13);
  subscription.changes_at = optional_instant(query.optional_integer(14));
  subscription.expired_at = optional_instant(query.optional_integer(15));
  return subscription;
}

UsageLimitOverride override_of(const Query& query) {
  UsageLimitOverride limits{.billable = account_of(query).billable,
                            .period_start = instant(query.integer(4)),
                            .period_end = instant(query.integer(5))};
  limits.id = query.integer(3);
  if (!query.is_null(6)) limits.token_limit = Tokens{query.integer(6)};
  limits.cost_limit = optional_money(query, 7, 8);
  limits.unlimited_tokens = query.integer(9) != 0;
  limits.unlimited_cost = query.integer(10) != 0;
  return limits;
}

Result<std::vector<Owned<Subscription>>> all_subscriptions(Query& query) {
  std::vector<Owned<Subscription>> all;
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return all;
    AIMETER_TRY(Subscription subscription, subscription_of(query));
    all.emplace_back(account_of(query), std::move(subscription));
  }
}

Result<std::vector<Owned<UsageLimitOverride>>> all_overrides(Query& query) {
  std::vector<Owned<UsageLimitOverride>> all;
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return all;
    all.emplace_back(account_of(query), override_of(query));
  }
}

}  // namespace

Result<std::optional<Plan>> find_plan_in(Connection& connection, std::string_view tenant,
                                         std::string_view slug) {
  AIMETER_TRY(const auto plans, plans_where(connection, std::string(tenant), std::string(slug)));
  std::optional<Plan> best;
  for (const Plan& plan : plans) {
    if (!best || plan.tenant == tenant) best = plan;
  }
  return best;
}

Result<std::vector<Plan>> plans_in(Connection& connection, const std::optional<TenantId>& tenant) {
  return plans_where(connection, text_of(tenant), std::nullopt);
}

Result<std::vector<Owned<Subscription>>> subscriptions_in(Connection& connection,
                                                          const std::optional<TenantId>& tenant) {
  Query query(connection, kSubscriptions, text_of(tenant));
  return all_subscriptions(query);
}

Result<std::vector<Owned<UsageLimitOverride>>> overrides_in(Connection& connection,
                                                            const std::optional<TenantId>& tenant) {
  Query query(connection, kOverrides, text_of(tenant));
  return all_overrides(query);
}

Status read_prices(Connection& connection, std::int64_t plan,
                   std::vector<plans::DatedPrice>& into) {
  Query query(connection,
              "SELECT changed_at, overage_price_per_1k_tokens_nanos, overage_currency,"
              " overage_markup FROM ai_plans WHERE plan = ?1 ORDER BY version",
              plan);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return {};
    plans::DatedPrice price{.plan = plan,
                            .from = instant(query.integer(0)),
                            .per_1k_tokens = optional_money(query, 1, 2)};
    if (!query.is_null(3)) price.markup = Percent{query.integer(3)};
    into.push_back(std::move(price));
  }
}

Result<plans::Contract> contract_of(Connection& connection, const Account& account) {
  plans::Contract contract;
  {
    Query query(connection, kSubscriptionsOfAccount, account.tenant.text, account.billable.type,
                account.billable.id);
    AIMETER_TRY(auto owned, all_subscriptions(query));
    for (auto& [owner, subscription] : owned) {
      contract.subscriptions.push_back(std::move(subscription));
    }
  }
  for (const Subscription& subscription : contract.subscriptions) {
    for (const std::string& slug : {subscription.plan, subscription.next_plan}) {
      if (slug.empty()) continue;
      AIMETER_TRY(const auto plan, find_plan_in(connection, account.tenant.text, slug));
      const auto same = [&](const Plan& known) { return known.id == plan->id; };
      if (plan && std::ranges::none_of(contract.plans, same)) contract.plans.push_back(*plan);
    }
  }
  Query query(connection, kOverridesOfAccount, account.tenant.text, account.billable.type,
              account.billable.id);
  AIMETER_TRY(auto owned, all_overrides(query));
  for (auto& [owner, limits] : owned) contract.overrides.push_back(std::move(limits));
  for (const Plan& plan : contract.plans) {
    AIMETER_CHECK_OK(read_prices(connection, plan.id, contract.prices));
  }
  return contract;
}

Result<std::vector<store::ApiKeyRow>> api_keys_in(Connection& connection,
                                                  std::optional<std::string> tenant,
                                                  std::optional<std::string> id) {
  std::vector<store::ApiKeyRow> keys;
  Query query(
      connection,
      "SELECT k.id, t.name, k.name, k.secret_sha256, k.scopes, k.created_at, k.revoked_at,"
      " k.expires_at FROM ai_api_keys k JOIN ai_tenants t USING(tenant) WHERE (?1 IS NULL OR"
      " t.name = ?1) AND (?2 IS NULL OR k.id = ?2) ORDER BY k.id",
      tenant, id);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return keys;
    store::ApiKeyRow& key = keys.emplace_back();
    key.id = query.text(0);
    key.tenant = query.text(1);
    key.name = query.text(2);
    const std::string_view digest = query.bytes(3);
    if (digest.size() != key.secret_sha256.size()) {
      return fail(Code::corrupt, connection.path() + ": the digest of a key is damaged");
    }
    std::memcpy(key.secret_sha256.data(), digest.data(), digest.size());
    AIMETER_TRY(key.scopes, read_texts(query.bytes(4)));
    key.created_at = instant(query.integer(5));
    key.revoked_at = optional_instant(query.optional_integer(6));
    key.expires_at = optional_instant(query.optional_integer(7));
  }
}

Result<std::vector<Owned<Subscription>>> SqliteStore::due(Instant now, std::size_t limit) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Query query(*use, kSubscriptionsDue, now.time_since_epoch().count(), limit);
  return all_subscriptions(query);
}

Result<store::AccountState> SqliteStore::load_account(const Account& account, Instant at) {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  store::AccountState state{.store_now = now()};
  AIMETER_TRY(state.contract, contract_of(*use, account));
  if (plans::has_cap(state.contract)) {
    AIMETER_TRY(state.contract.overages, overages_of(*use, account, at));
  }
  AIMETER_TRY(const auto version,
              find_integer(*use, "SELECT version FROM ai_catalogue WHERE one = 1"));
  state.catalogue = static_cast<std::uint64_t>(version.value_or(0));
  AIMETER_TRY(state.wallet_currency, wallet_currency_of(*use, account));
  return state;
}

Result<std::optional<Plan>> SqliteStore::find_plan(const TenantId& tenant,
                                                   std::string_view slug) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  return find_plan_in(*use, tenant.text, slug);
}

Result<std::vector<Plan>> SqliteStore::plans(const std::optional<TenantId>& tenant) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  return plans_in(*use, tenant);
}

Result<std::vector<std::pair<Account, Subscription>>> SqliteStore::subscriptions(
    const std::optional<TenantId>& tenant) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  return subscriptions_in(*use, tenant);
}

Result<std::vector<std::pair<Account, UsageLimitOverride>>> SqliteStore::overrides(
    const std::optional<TenantId>& tenant) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  return overrides_in(*use, tenant);
}

Result<std::vector<TenantId>> SqliteStore::tenants() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  std::vector<TenantId> tenants;
  Query query(*use, "SELECT name FROM ai_tenants WHERE name <> '' ORDER BY name");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return tenants;
    tenants.push_back({query.text(0)});
  }
}

Result<std::optional<TenantId>> SqliteStore::tenant_of_domain(std::string_view host) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Query query(*use,
              "SELECT t.name FROM ai_tenant_domains d JOIN ai_tenants t USING(tenant) WHERE d.host "
              "= ?1",
              host);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return std::nullopt;
  return TenantId{query.text(0)};
}

Result<std::optional<store::ApiKeyRow>> SqliteStore::find_api_key(std::string_view id) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  AIMETER_TRY(auto keys, api_keys_in(*use, std::nullopt, std::string(id)));
  if (keys.empty()) return std::nullopt;
  return std::move(keys.front());
}

Result<std::vector<store::ApiKeyRow>> SqliteStore::api_keys(
    const std::optional<TenantId>& tenant) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  return api_keys_in(*use, text_of(tenant), std::nullopt);
}

Result<std::vector<store::PriceBookRow>> SqliteStore::price_books() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  std::vector<store::PriceBookRow> books;
  Query query(*use,
              "SELECT version, effective_from, document FROM ai_prices ORDER BY effective_from, "
              "version");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return books;
    books.push_back({.version = query.text(0),
                     .effective_from = instant(query.integer(1)),
                     .document = query.text(2)});
  }
}

}  // namespace aimeter::drivers::sqlite
