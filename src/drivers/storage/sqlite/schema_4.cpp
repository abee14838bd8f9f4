#include "drivers/storage/sqlite/migrations.h"

// Lines of overage, and what a budget knows of its own (overage_t and overage_b are older).
namespace aimeter::drivers::sqlite {

const char* const kSchema4 = R"sql(
ALTER TABLE ai_budgets ADD COLUMN overage_rest INTEGER NOT NULL DEFAULT 500000;  -- of a nano, / 1e6
ALTER TABLE ai_budgets ADD COLUMN overage_catalogue INTEGER NOT NULL DEFAULT 0;  -- how new T is
ALTER TABLE ai_budgets ADD COLUMN overage_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ai_budgets ADD COLUMN overage_cost INTEGER NOT NULL DEFAULT 0;       -- of its lines
ALTER TABLE ai_plans ADD COLUMN overage_cap_nanos INTEGER;
ALTER TABLE ai_plans ADD COLUMN overage_cap_currency TEXT;
ALTER TABLE ai_plans ADD COLUMN overage_markup INTEGER;                          -- percent, * 100
ALTER TABLE ai_subscriptions ADD COLUMN next_plan TEXT NOT NULL DEFAULT '';
ALTER TABLE ai_subscriptions ADD COLUMN changes_at INTEGER;
ALTER TABLE ai_subscriptions ADD COLUMN expired_at INTEGER;                      -- when it was told
ALTER TABLE ai_subscriptions ADD COLUMN due_at INTEGER;                          -- NULL: never
-- What ended before the file was last written is not told any more.
UPDATE ai_subscriptions SET expired_at = max(ends_at, ifnull(grace_period_ends_at, ends_at))
  WHERE max(ends_at, ifnull(grace_period_ends_at, ends_at)) <=
    (SELECT max(applied_at) FROM ai_engines);
UPDATE ai_subscriptions SET due_at = min(
    ifnull(max(ends_at, ifnull(grace_period_ends_at, ends_at)), renews_at),
    ifnull(renews_at, max(ends_at, ifnull(grace_period_ends_at, ends_at))))
  WHERE expired_at IS NULL;
CREATE INDEX ai_subscriptions_due ON ai_subscriptions(due_at) WHERE due_at IS NOT NULL;

CREATE TABLE ai_overages(
  id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, account INTEGER NOT NULL,
  budget INTEGER NOT NULL, usage INTEGER NOT NULL,
  amount INTEGER NOT NULL,                -- signed: tokens, or nano-units of cost
  price_nanos INTEGER NOT NULL,           -- of a million of these
  currency INTEGER NOT NULL,
  cost_nanos INTEGER NOT NULL,            -- of a budget together: their money, rounded once
  remaining INTEGER NOT NULL CHECK(remaining >= 0),  -- that no later line took back
  batch INTEGER,                          -- of the billing driver; NULL: open for the next
  created_at INTEGER NOT NULL) STRICT;
CREATE INDEX ai_budgets_overage ON ai_budgets(period_end) WHERE overage_b > 0;
CREATE INDEX ai_overages_account ON ai_overages(tenant, account, id);
CREATE INDEX ai_overages_remaining ON ai_overages(budget, id) WHERE remaining > 0;

CREATE VIEW ai_overages_view AS
  SELECT o.id, t.name AS tenant, a.type AS billable_type, a.id AS billable_id, b.kind,
    strftime('%Y-%m-%dT%H:%M:%S', b.period_start / 1000000, 'unixepoch') AS period_starts,
    o.usage, o.amount, iif(o.cost_nanos < 0, '-', '') || printf('%d.%09d',
      abs(o.cost_nanos) / 1000000000, abs(o.cost_nanos) % 1000000000) AS cost,
    n.text AS currency, o.remaining, o.batch,
    strftime('%Y-%m-%dT%H:%M:%S', o.created_at / 1000000, 'unixepoch') AS created_at
  FROM ai_overages o JOIN ai_tenants t USING(tenant) JOIN ai_accounts a ON a.account = o.account
    JOIN ai_budgets b USING(budget) LEFT JOIN ai_names n ON n.name = o.currency;
)sql";

}  // namespace aimeter::drivers::sqlite
