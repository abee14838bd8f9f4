#include "drivers/storage/sqlite/migrations.h"

// The schema of version 1. STRICT tables: a sum that leaves int64 becomes a REAL in SQLite and is
// refused by the column instead of being stored, so no counter ever wraps.
namespace aimeter::drivers::sqlite {

const char* const kSchema1 = R"sql(
CREATE TABLE ai_catalogue(
  one INTEGER PRIMARY KEY CHECK(one = 1), version INTEGER NOT NULL,
  names INTEGER NOT NULL DEFAULT 1,       -- grows when an interned name changes: caches are dropped
  last_id INTEGER NOT NULL DEFAULT 0,     -- of plans, subscriptions and overrides
  store_id BLOB NOT NULL, hold_key BLOB NOT NULL) STRICT;
INSERT INTO ai_catalogue(one, version, store_id, hold_key)
  VALUES(1, 1, randomblob(16), randomblob(32));

CREATE TABLE ai_engines(
  engine INTEGER PRIMARY KEY, host TEXT NOT NULL, journal TEXT NOT NULL, epoch INTEGER NOT NULL,
  last_seq INTEGER NOT NULL DEFAULT 0,
  rowless INTEGER NOT NULL DEFAULT 0,     -- seqs without a row: detached holds, pruned rows
  applied_at INTEGER NOT NULL, renewed_at INTEGER NOT NULL, closed_at INTEGER) STRICT;

CREATE TABLE ai_tenants(tenant INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE ai_accounts(
  account INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
  UNIQUE(tenant, type, id)) STRICT;
CREATE TABLE ai_names(
  name INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, kind INTEGER NOT NULL, text TEXT NOT NULL,
  UNIQUE(tenant, kind, text)) STRICT;
-- What many settlements pin alike, with the budgets they touch; `digest` of body. closes_at: the
-- end of the period and of all of its budgets' periods.
CREATE TABLE ai_pins(
  pins INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, digest BLOB NOT NULL,
  period_start INTEGER NOT NULL, period_end INTEGER NOT NULL, closes_at INTEGER NOT NULL,
  body BLOB NOT NULL,
  UNIQUE(tenant, digest)) STRICT;

CREATE TABLE ai_budgets(
  budget INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, account INTEGER NOT NULL,
  kind INTEGER NOT NULL, scope INTEGER NOT NULL, currency INTEGER NOT NULL,
  period_start INTEGER NOT NULL, period_end INTEGER NOT NULL, plan INTEGER NOT NULL,
  limit_amount INTEGER,                   -- the last one that a lease or a settlement named
  blocking INTEGER NOT NULL DEFAULT 0,
  credited INTEGER NOT NULL DEFAULT 0,
  used INTEGER NOT NULL DEFAULT 0,
  leased INTEGER NOT NULL DEFAULT 0 CHECK(leased >= 0),  -- its ai_leases + its ai_holds
  over_hold INTEGER NOT NULL DEFAULT 0, late INTEGER NOT NULL DEFAULT 0,
  fallen INTEGER NOT NULL DEFAULT 0,
  overage_t INTEGER, overage_b INTEGER NOT NULL DEFAULT 0,
  told INTEGER NOT NULL DEFAULT 0,        -- 1 approaching, 2 reached
  UNIQUE(tenant, account, kind, scope, currency, period_start, period_end, plan)) STRICT;
CREATE TABLE ai_leases(
  engine INTEGER NOT NULL, budget INTEGER NOT NULL, epoch INTEGER NOT NULL,
  leased INTEGER NOT NULL CHECK(leased >= 0), held INTEGER NOT NULL DEFAULT 0,
  recall INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(engine, budget)) STRICT, WITHOUT ROWID;
CREATE INDEX ai_leases_budget ON ai_leases(budget);
-- Detached holds by the key of their token; parts: budget and amount, as of a lease.
CREATE TABLE ai_holds(
  hold BLOB PRIMARY KEY, tenant INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  parts BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX ai_holds_expire ON ai_holds(expires_at);

CREATE TABLE ai_usages(
  id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, account INTEGER NOT NULL,
  occurred_at INTEGER NOT NULL, model INTEGER NOT NULL, feature INTEGER NOT NULL,
  user INTEGER NOT NULL, flags INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
  cost_nanos INTEGER NOT NULL, currency INTEGER NOT NULL, pins INTEGER NOT NULL, ref INTEGER,
  key BLOB, extra BLOB NOT NULL) STRICT;
CREATE INDEX ai_usages_ref ON ai_usages(ref) WHERE ref IS NOT NULL;
CREATE TABLE ai_usages_by_account(
  tenant INTEGER NOT NULL, account INTEGER NOT NULL, occurred_at INTEGER NOT NULL,
  id INTEGER NOT NULL, PRIMARY KEY(tenant, account, occurred_at, id)) STRICT, WITHOUT ROWID;
CREATE TABLE ai_usage_rollups(
  tenant INTEGER NOT NULL, bucket INTEGER NOT NULL, account INTEGER NOT NULL,
  model INTEGER NOT NULL, feature INTEGER NOT NULL, currency INTEGER NOT NULL,
  calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL, cost_nanos INTEGER NOT NULL, estimated INTEGER NOT NULL,
  provisional INTEGER NOT NULL,
  PRIMARY KEY(tenant, bucket, account, model, feature, currency)) STRICT, WITHOUT ROWID;

-- Tables ai_keys_seen_N of about a million keys each; the newest takes new keys.
CREATE TABLE ai_key_tables(
  number INTEGER PRIMARY KEY, keys INTEGER NOT NULL, newest_at INTEGER NOT NULL) STRICT;

CREATE TABLE ai_dead_settlements(
  id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, reason TEXT NOT NULL, counted BLOB NOT NULL,
  frame BLOB NOT NULL) STRICT;
CREATE TABLE ai_orphans(
  engine INTEGER NOT NULL, hold INTEGER NOT NULL, tenant INTEGER NOT NULL, frame BLOB NOT NULL,
  PRIMARY KEY(engine, hold)) STRICT, WITHOUT ROWID;
CREATE TABLE ai_outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL, at INTEGER NOT NULL,
  kind TEXT NOT NULL, budget INTEGER NOT NULL, used INTEGER NOT NULL, limit_amount INTEGER) STRICT;

-- Sums of the rows that pruning took, per account, period and currency ...
CREATE TABLE ai_seals(
  tenant INTEGER NOT NULL, account INTEGER NOT NULL, period_start INTEGER NOT NULL,
  period_end INTEGER NOT NULL, currency INTEGER NOT NULL, rows INTEGER NOT NULL,
  calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL, cost_nanos INTEGER NOT NULL, estimated INTEGER NOT NULL,
  provisional INTEGER NOT NULL, sealed_at INTEGER NOT NULL,
  PRIMARY KEY(tenant, account, period_start, period_end, currency)) STRICT, WITHOUT ROWID;
-- ... per budget ...
CREATE TABLE ai_seal_budgets(
  budget INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, actual INTEGER NOT NULL) STRICT;
-- ... and per engine, with the range of the ids that went.
CREATE TABLE ai_seal_engines(
  engine INTEGER PRIMARY KEY, rows INTEGER NOT NULL, first_id INTEGER NOT NULL,
  last_id INTEGER NOT NULL) STRICT;

CREATE TABLE ai_plans(
  plan INTEGER NOT NULL, version INTEGER NOT NULL, newest INTEGER NOT NULL,
  tenant INTEGER NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL, monthly_token_limit INTEGER,
  monthly_cost_limit_nanos INTEGER, cost_currency TEXT,
  overage_price_per_1k_tokens_nanos INTEGER, overage_currency TEXT, features TEXT NOT NULL,
  is_active INTEGER NOT NULL, trial_days INTEGER, stripe_price_id TEXT NOT NULL, period TEXT,
  overage_behavior INTEGER, enforcement INTEGER NOT NULL, budgets TEXT NOT NULL,
  changed_at INTEGER NOT NULL, PRIMARY KEY(plan, version)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ai_plans_slug ON ai_plans(tenant, slug) WHERE newest = 1;
CREATE TABLE ai_subscriptions(
  subscription INTEGER PRIMARY KEY, tenant INTEGER NOT NULL,
  account INTEGER NOT NULL, plan TEXT NOT NULL, billing_mode INTEGER NOT NULL,
  started_at INTEGER NOT NULL, renews_at INTEGER, ends_at INTEGER, trial_ends_at INTEGER,
  grace_period_ends_at INTEGER, previous_plan TEXT NOT NULL, meta TEXT NOT NULL) STRICT;
CREATE INDEX ai_subscriptions_account ON ai_subscriptions(tenant, account);
CREATE INDEX ai_subscriptions_plan ON ai_subscriptions(plan);
CREATE TABLE ai_usage_limit_overrides(
  override INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, account INTEGER NOT NULL,
  period_start INTEGER NOT NULL, period_end INTEGER NOT NULL, token_limit INTEGER,
  cost_limit_nanos INTEGER, cost_currency TEXT, unlimited_tokens INTEGER NOT NULL,
  unlimited_cost INTEGER NOT NULL) STRICT;
CREATE INDEX ai_usage_limit_overrides_account ON ai_usage_limit_overrides(tenant, account);
CREATE TABLE ai_tenant_domains(host TEXT PRIMARY KEY, tenant INTEGER NOT NULL) STRICT;
CREATE TABLE ai_api_keys(
  id TEXT PRIMARY KEY, tenant INTEGER NOT NULL, name TEXT NOT NULL, secret_sha256 BLOB NOT NULL,
  scopes TEXT NOT NULL, created_at INTEGER NOT NULL, revoked_at INTEGER,
  expires_at INTEGER) STRICT;
CREATE INDEX ai_api_keys_tenant ON ai_api_keys(tenant);
CREATE TABLE ai_prices(
  version TEXT PRIMARY KEY, effective_from INTEGER NOT NULL, document TEXT NOT NULL) STRICT;
CREATE TABLE ai_audit(
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, actor TEXT NOT NULL,
  action TEXT NOT NULL, tenant TEXT NOT NULL, details TEXT NOT NULL) STRICT;

-- For people: money as decimals, names as text.
CREATE VIEW ai_usages_view AS
  SELECT u.id, t.name AS tenant, a.type AS billable_type, a.id AS billable_id,
    strftime('%Y-%m-%dT%H:%M:%S', u.occurred_at / 1000000, 'unixepoch') AS occurred_at,
    m.text AS provider_model, f.text AS feature, n.text AS user, u.flags, u.input_tokens,
    u.cached_input_tokens, u.output_tokens,
    iif(u.cost_nanos < 0, '-', '') || printf('%d.%09d', abs(u.cost_nanos) / 1000000000,
      abs(u.cost_nanos) % 1000000000) AS cost, c.text AS currency
  FROM ai_usages u JOIN ai_tenants t USING(tenant) JOIN ai_accounts a ON a.account = u.account
    LEFT JOIN ai_names m ON m.name = u.model LEFT JOIN ai_names f ON f.name = u.feature
    LEFT JOIN ai_names n ON n.name = u.user LEFT JOIN ai_names c ON c.name = u.currency;
CREATE VIEW ai_usage_rollups_view AS
  SELECT t.name AS tenant, strftime('%Y-%m-%dT%H:%M:%S', r.bucket / 1000000, 'unixepoch') AS bucket,
    a.type AS billable_type, a.id AS billable_id, m.text AS provider_model, f.text AS feature,
    r.calls, r.input_tokens, r.cached_input_tokens, r.output_tokens,
    iif(r.cost_nanos < 0, '-', '') || printf('%d.%09d', abs(r.cost_nanos) / 1000000000,
      abs(r.cost_nanos) % 1000000000) AS cost, c.text AS currency, r.estimated, r.provisional
  FROM ai_usage_rollups r JOIN ai_tenants t USING(tenant)
    JOIN ai_accounts a ON a.account = r.account
    LEFT JOIN ai_names m ON m.name = r.model LEFT JOIN ai_names f ON f.name = r.feature
    LEFT JOIN ai_names c ON c.name = r.currency;
CREATE VIEW ai_budgets_view AS
  SELECT b.budget, t.name AS tenant, a.type AS billable_type, a.id AS billable_id, b.kind,
    n.text AS scope, strftime('%Y-%m-%dT%H:%M:%S', b.period_start / 1000000, 'unixepoch') AS starts,
    strftime('%Y-%m-%dT%H:%M:%S', b.period_end / 1000000, 'unixepoch') AS ends, b.limit_amount,
    b.used, b.leased, iif(b.kind IN (2, 4), iif(b.used < 0, '-', '') ||
      printf('%d.%09d', abs(b.used) / 1000000000, abs(b.used) % 1000000000), NULL) AS used_money,
    c.text AS currency
  FROM ai_budgets b JOIN ai_tenants t USING(tenant) JOIN ai_accounts a ON a.account = b.account
    LEFT JOIN ai_names n ON n.name = b.scope LEFT JOIN ai_names c ON c.name = b.currency;
CREATE VIEW ai_plans_view AS
  SELECT p.plan, p.version, t.name AS tenant, p.slug, p.name, p.monthly_token_limit,
    printf('%d.%09d', p.monthly_cost_limit_nanos / 1000000000,
      p.monthly_cost_limit_nanos % 1000000000) AS monthly_cost_limit, p.cost_currency, p.is_active
  FROM ai_plans p JOIN ai_tenants t USING(tenant) WHERE p.newest = 1;
)sql";

}  // namespace aimeter::drivers::sqlite
