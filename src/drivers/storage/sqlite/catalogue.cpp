#include "drivers/storage/sqlite/catalogue.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"
#include "drivers/storage/sqlite/catalogue_json.h"
#include "plans/lifecycle.h"

namespace aimeter::drivers::sqlite {
namespace {

using store::Changed;

std::int64_t micros(Instant at) { return at.time_since_epoch().count(); }

std::optional<std::int64_t> micros(const std::optional<Instant>& at) {
  if (!at) return std::nullopt;
  return micros(*at);
}

std::optional<std::int64_t> nanos(const std::optional<Money>& money) {
  if (!money) return std::nullopt;
  return money->nanos;
}

std::optional<std::string> currency(const std::optional<Money>& money) {
  if (!money) return std::nullopt;
  return money->currency;
}

// "" is single-tenant use; every other tenant is an id.
Status check_tenant(std::string_view tenant) {
  return tenant.empty() ? Status() : base::check_id("tenant", tenant);
}

Status check_account(const Account& account) {
  AIMETER_CHECK_OK(check_tenant(account.tenant.text));
  AIMETER_CHECK_OK(base::check_id("billable_type", account.billable.type));
  return base::check_id("billable_id", account.billable.id);
}

Result<std::int64_t> next_id(Connection& connection) {
  AIMETER_TRY(const auto id,
              find_integer(connection,
                           "UPDATE ai_catalogue SET last_id = last_id + 1 WHERE one = 1 RETURNING "
                           "last_id"));
  return id.value_or(0);
}

// A subscription that names the slug and means this plan: its own tenant's goes first.
Result<bool> is_referenced(Connection& connection, const Plan& plan) {
  AIMETER_TRY(
      const auto found,
      find_integer(connection,
                   "SELECT 1 FROM ai_subscriptions s JOIN ai_tenants t USING(tenant) WHERE "
                   "(s.plan = ?2 OR s.next_plan = ?2) AND (t.name = ?1 OR (?1 = '' AND NOT "
                   "EXISTS(SELECT 1 FROM "
                   "ai_plans p WHERE p.tenant = s.tenant AND p.slug = ?2 AND p.newest = 1)))"
                   " LIMIT 1",
                   plan.tenant, plan.slug));
  return found.has_value();
}

struct PlanPlace {
  std::int64_t id = 0, version = 0;
};

Result<std::optional<PlanPlace>> place_of(Connection& connection, std::int64_t tenant,
                                          std::string_view slug) {
  Query query(connection,
              "SELECT plan, version FROM ai_plans WHERE tenant = ?1 AND slug = ?2 AND newest = 1",
              tenant, slug);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return std::nullopt;
  return PlanPlace{query.integer(0), query.integer(1)};
}

// The version before leaves its place; a plan whose slug changes must not be named by anybody.
Result<std::int64_t> retire_version(Connection& connection, std::int64_t tenant, const Plan& plan) {
  std::string slug;
  std::int64_t version = 0;
  {
    Query query(connection,
                "SELECT slug, version FROM ai_plans WHERE plan = ?1 AND tenant = ?2 AND newest = 1",
                plan.id, tenant);
    AIMETER_TRY(const bool there, query.step());
    if (!there) return fail(Code::not_found, fmt::format("no plan {}", plan.id));
    slug = query.text(0);
    version = query.integer(1);
  }
  if (slug != plan.slug) {
    AIMETER_TRY(const bool named, is_referenced(connection, {.slug = slug, .tenant = plan.tenant}));
    if (named) {
      return fail(Code::failed_precondition,
                  fmt::format("plan \"{}\" has subscriptions: its slug stays", slug));
    }
  }
  AIMETER_CHECK_OK(run(connection, "UPDATE ai_plans SET newest = 0 WHERE plan = ?1 AND tenant = ?2",
                       plan.id, tenant));
  return version;
}

Status insert_plan(Connection& connection, std::int64_t tenant, const Plan& plan, Instant now) {
  const auto period = plan.period ? std::optional(json_of(*plan.period)) : std::nullopt;
  const auto overage = plan.overage_behavior
                           ? std::optional(static_cast<std::int64_t>(*plan.overage_behavior))
                           : std::nullopt;
  const auto markup =
      plan.overage_markup ? std::optional(plan.overage_markup->hundredths) : std::nullopt;
  const auto tokens =
      plan.monthly_token_limit ? std::optional(plan.monthly_token_limit->count) : std::nullopt;
  AIMETER_CHECK_OK(run(
      connection,
      "INSERT INTO ai_plans(plan, version, newest, tenant, slug, name, monthly_token_limit,"
      " monthly_cost_limit_nanos, cost_currency, overage_price_per_1k_tokens_nanos,"
      " overage_currency, features, is_active, trial_days, stripe_price_id, period,"
      " overage_behavior, enforcement, budgets, changed_at, overage_cap_nanos,"
      " overage_cap_currency, overage_markup) VALUES(?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
      " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
      plan.id, plan.version, tenant, plan.slug, plan.name, tokens, nanos(plan.monthly_cost_limit),
      currency(plan.monthly_cost_limit), nanos(plan.overage_price_per_1k_tokens),
      currency(plan.overage_price_per_1k_tokens), json_of(plan.features), plan.is_active ? 1 : 0,
      plan.trial_days, plan.stripe_price_id, period, overage,
      static_cast<std::int64_t>(plan.enforcement), json_of(plan.budgets), micros(now),
      nanos(plan.overage_cap), currency(plan.overage_cap), markup));
  return {};
}

// A new number, or the given one when it is this account's in `find`.
Result<std::int64_t> place_for(Connection& connection, const char* find, const AccountIds& owner,
                               std::int64_t id) {
  if (id == 0) return next_id(connection);
  AIMETER_TRY(const auto there, find_integer(connection, find, owner.tenant, owner.account, id));
  if (!there) return fail(Code::not_found, fmt::format("the account has no {}", id));
  return id;
}

}  // namespace

Result<Changed> put(Lane& lane, const store::PutPlan& change, Instant now) {
  Connection& connection = *lane.connection;
  Plan plan = change.plan;
  AIMETER_CHECK_OK(check_tenant(plan.tenant));
  AIMETER_CHECK_OK(base::check_id("slug", plan.slug));
  AIMETER_TRY(const std::int64_t tenant, lane.names.tenant(plan.tenant));
  AIMETER_TRY(const auto taken, place_of(connection, tenant, plan.slug));
  if (taken && taken->id != plan.id) {
    return fail(Code::conflict, fmt::format("a plan \"{}\" is there already", plan.slug));
  }
  plan.version = 1;
  if (plan.id == 0) {
    AIMETER_TRY(plan.id, next_id(connection));
  } else {
    AIMETER_TRY(const std::int64_t before, retire_version(connection, tenant, plan));
    plan.version = before + 1;
  }
  AIMETER_CHECK_OK(insert_plan(connection, tenant, plan, now));
  return Changed{.id = plan.id};
}

Result<Changed> put(Lane& lane, const store::DeletePlan& change, Instant /*now*/) {
  Connection& connection = *lane.connection;
  AIMETER_TRY(const std::int64_t tenant, lane.names.tenant(change.tenant));
  AIMETER_TRY(const auto place, place_of(connection, tenant, change.slug));
  if (!place) return fail(Code::not_found, fmt::format("no plan \"{}\"", change.slug));
  AIMETER_TRY(const bool named,
              is_referenced(connection, {.slug = change.slug, .tenant = change.tenant}));
  if (named) {
    return fail(Code::failed_precondition,
                fmt::format("plan \"{}\" has subscriptions", change.slug));
  }
  // Its versions stay: usages name them.
  AIMETER_CHECK_OK(run(connection, "UPDATE ai_plans SET newest = 0 WHERE plan = ?1 AND tenant = ?2",
                       place->id, tenant));
  return Changed{.id = place->id};
}

Result<Changed> put(Lane& lane, const store::PutSubscription& change, Instant /*now*/) {
  Connection& connection = *lane.connection;
  const Subscription& subscription = change.subscription;
  const Account account{change.tenant, subscription.billable};
  AIMETER_CHECK_OK(check_account(account));
  AIMETER_TRY(const auto plan, find_plan_in(connection, account.tenant.text, subscription.plan));
  if (!subscription.plan.empty() && !plan) {
    return fail(Code::not_found, fmt::format("no plan \"{}\"", subscription.plan));
  }
  if (plan && !plan->is_active && subscription.id == 0) {
    return fail(Code::failed_precondition,
                fmt::format("plan \"{}\" takes no new subscriptions", subscription.plan));
  }
  AIMETER_TRY(const AccountIds owner, lane.names.account(account));
  AIMETER_TRY(const std::int64_t id,
              place_for(connection,
                        "SELECT subscription FROM ai_subscriptions WHERE tenant = ?1 AND account = "
                        "?2 AND subscription = ?3",
                        owner, subscription.id));
  if (change.expect) {
    AIMETER_TRY(const plans::Contract contract, contract_of(connection, account));
    if (std::ranges::find(contract.subscriptions, *change.expect) == contract.subscriptions.end()) {
      return fail(Code::conflict, fmt::format("subscription {} has changed", id));
    }
  }
  AIMETER_CHECK_OK(
      run(connection,
          "INSERT OR REPLACE INTO ai_subscriptions(subscription, tenant, account, plan,"
          " billing_mode, started_at, renews_at, ends_at, trial_ends_at, grace_period_ends_at,"
          " previous_plan, meta, next_plan, changes_at, expired_at, due_at) VALUES(?1, ?2, ?3, ?4,"
          " ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
          id, owner.tenant, owner.account, subscription.plan,
          static_cast<std::int64_t>(subscription.billing_mode), micros(subscription.started_at),
          micros(subscription.renews_at), micros(subscription.ends_at),
          micros(subscription.trial_ends_at), micros(subscription.grace_period_ends_at),
          subscription.previous_plan, json_of(subscription.meta), subscription.next_plan,
          micros(subscription.changes_at), micros(subscription.expired_at),
          micros(plans::due_at(subscription))));
  return Changed{.id = id};
}

Result<Changed> put(Lane& lane, const store::PutOverride& change, Instant /*now*/) {
  Connection& connection = *lane.connection;
  const UsageLimitOverride& limits = change.limits;
  const Account account{change.tenant, limits.billable};
  AIMETER_CHECK_OK(check_account(account));
  if (limits.period_end <= limits.period_start) {
    return bad_input("period_end", text_of(limits.period_end), "a time after its start");
  }
  AIMETER_TRY(const AccountIds owner, lane.names.account(account));
  AIMETER_TRY(const std::int64_t id,
              place_for(connection,
                        "SELECT override FROM ai_usage_limit_overrides WHERE tenant = ?1 AND "
                        "account = ?2 AND override = ?3",
                        owner, limits.id));
  const auto tokens = limits.token_limit ? std::optional(limits.token_limit->count) : std::nullopt;
  AIMETER_CHECK_OK(
      run(connection,
          "INSERT OR REPLACE INTO ai_usage_limit_overrides(override, tenant, account, period_start,"
          " period_end, token_limit, cost_limit_nanos, cost_currency, unlimited_tokens,"
          " unlimited_cost) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
          id, owner.tenant, owner.account, micros(limits.period_start), micros(limits.period_end),
          tokens, nanos(limits.cost_limit), currency(limits.cost_limit),
          limits.unlimited_tokens ? 1 : 0, limits.unlimited_cost ? 1 : 0));
  return Changed{.id = id};
}

Result<Changed> put(Lane& lane, const store::PutTenant& change, Instant /*now*/) {
  AIMETER_CHECK_OK(base::check_id("tenant", change.tenant.text));
  AIMETER_CHECK_OK(lane.names.tenant(change.tenant.text));
  return Changed{};
}

Result<Changed> put(Lane& lane, const store::PutDomain& change, Instant /*now*/) {
  Connection& connection = *lane.connection;
  AIMETER_CHECK_OK(base::check_id("host", change.host));
  AIMETER_CHECK_OK(base::check_id("tenant", change.tenant.text));
  AIMETER_TRY(const std::int64_t tenant, lane.names.tenant(change.tenant.text));
  AIMETER_TRY(const auto owner,
              find_integer(connection, "SELECT tenant FROM ai_tenant_domains WHERE host = ?1",
                           change.host));
  if (owner && *owner != tenant) {
    return fail(Code::conflict, fmt::format("\"{}\" is another tenant's", change.host));
  }
  AIMETER_CHECK_OK(run(connection, "INSERT OR IGNORE INTO ai_tenant_domains VALUES(?1, ?2)",
                       change.host, tenant));
  return Changed{};
}

Result<Changed> put(Lane& lane, const store::PutApiKey& change, Instant /*now*/) {
  Connection& connection = *lane.connection;
  const store::ApiKeyRow& key = change.key;
  AIMETER_CHECK_OK(base::check_id("id", key.id));
  AIMETER_CHECK_OK(check_tenant(key.tenant));
  AIMETER_TRY(const std::int64_t tenant, lane.names.tenant(key.tenant));
  AIMETER_TRY(
      const auto added,
      run(connection,
          "INSERT OR IGNORE INTO ai_api_keys(id, tenant, name, secret_sha256, scopes,"
          " created_at, revoked_at, expires_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
          key.id, tenant, key.name, Blob{base::view_of(key.secret_sha256)}, json_of(key.scopes),
          micros(key.created_at), micros(key.revoked_at), micros(key.expires_at)));
  if (added == 0) {
    return fail(Code::conflict, fmt::format("a key \"{}\" is there already", key.id));
  }
  return Changed{};
}

Result<Changed> put(Lane& lane, const store::RevokeApiKey& change, Instant now) {
  AIMETER_TRY(const auto revoked,
              run(*lane.connection,
                  "UPDATE ai_api_keys SET revoked_at = coalesce(revoked_at, ?3) WHERE id = ?2 AND "
                  "tenant = (SELECT tenant FROM ai_tenants WHERE name = ?1)",
                  change.tenant.text, change.id, micros(now)));
  if (revoked == 0) return fail(Code::not_found, fmt::format("no key \"{}\"", change.id));
  return Changed{};
}

Result<Changed> put(Lane& lane, const store::PutPrices& change, Instant /*now*/) {
  Connection& connection = *lane.connection;
  const store::PriceBookRow& book = change.book;
  AIMETER_CHECK_OK(base::check_id("version", book.version));
  AIMETER_CHECK_OK(run(connection, "INSERT OR IGNORE INTO ai_prices VALUES(?1, ?2, ?3)",
                       book.version, micros(book.effective_from), book.document));
  AIMETER_TRY(const auto same,
              find_integer(connection,
                           "SELECT 1 FROM ai_prices WHERE version = ?1 AND effective_from = ?2 AND "
                           "document = ?3",
                           book.version, micros(book.effective_from), book.document));
  if (!same) {
    return fail(Code::conflict,
                fmt::format("version \"{}\" is there with other prices", book.version));
  }
  return Changed{};
}

}  // namespace aimeter::drivers::sqlite
