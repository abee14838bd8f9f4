#include "drivers/storage/sqlite/migrations.h"

// Overage batches: what goes to a billing service as one charge.
namespace aimeter::drivers::sqlite {

const char* const kSchemaBatches = R"sql(
CREATE TABLE ai_overage_batches(
  id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, account INTEGER NOT NULL,
  period_start INTEGER NOT NULL, period_end INTEGER NOT NULL, currency INTEGER NOT NULL,
  key TEXT NOT NULL UNIQUE,               -- of its charge there
  units INTEGER NOT NULL,                 -- signed, minor units of the currency
  amount_nanos INTEGER NOT NULL,          -- the same
  quantity INTEGER NOT NULL, lines INTEGER NOT NULL,
  lines_nanos INTEGER NOT NULL,           -- sum of its lines, not rounded
  description TEXT NOT NULL, ids TEXT NOT NULL,
  attempt INTEGER NOT NULL, state INTEGER NOT NULL,  -- 0 open, 1 sending, 2 charged
  frozen_at INTEGER NOT NULL, sent_at INTEGER, sender TEXT NOT NULL, claimed_until INTEGER,
  receipt TEXT NOT NULL, error TEXT NOT NULL, charged_at INTEGER) STRICT;
CREATE INDEX ai_overage_batches_cell
  ON ai_overage_batches(tenant, account, period_start, period_end, currency);
CREATE INDEX ai_overage_batches_to_send ON ai_overage_batches(id) WHERE state <> 2;
CREATE INDEX ai_overages_open ON ai_overages(tenant, account) WHERE batch IS NULL;

CREATE VIEW ai_overage_batches_view AS
  SELECT o.id, t.name AS tenant, a.type AS billable_type, a.id AS billable_id,
    strftime('%Y-%m-%dT%H:%M:%S', o.period_start / 1000000, 'unixepoch') AS period_starts,
    iif(o.amount_nanos < 0, '-', '') || printf('%d.%09d', abs(o.amount_nanos) / 1000000000,
      abs(o.amount_nanos) % 1000000000) AS amount, n.text AS currency, o.lines, o.attempt,
    CASE o.state WHEN 0 THEN 'open' WHEN 1 THEN 'sending' ELSE 'charged' END AS state, o.receipt,
    o.error
  FROM ai_overage_batches o JOIN ai_tenants t USING(tenant)
    JOIN ai_accounts a ON a.account = o.account LEFT JOIN ai_names n ON n.name = o.currency;
)sql";

}  // namespace aimeter::drivers::sqlite
