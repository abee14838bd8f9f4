#include "drivers/storage/sqlite/migrations.h"

// The schema of version 2: wallets. A wallet is the budget of that number, of kind credits (4).
namespace aimeter::drivers::sqlite {

const char* const kSchema2 = R"sql(
CREATE TABLE ai_credit_wallets(
  wallet INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, account INTEGER NOT NULL,
  debt_nanos INTEGER NOT NULL DEFAULT 0 CHECK(debt_nanos >= 0),
  transactions INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX ai_credit_wallets_account ON ai_credit_wallets(tenant, account);

-- usage: the row that it settles; ref: of a refund its debit, of a correction the row it corrects.
CREATE TABLE ai_credit_transactions(
  id INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL, wallet INTEGER NOT NULL,
  cause INTEGER NOT NULL, amount_nanos INTEGER NOT NULL, balance_after_nanos INTEGER NOT NULL,
  at INTEGER NOT NULL, usage INTEGER, ref INTEGER, reason TEXT NOT NULL,
  meta TEXT NOT NULL) STRICT;
CREATE INDEX ai_credit_transactions_wallet ON ai_credit_transactions(wallet);
CREATE INDEX ai_credit_transactions_ref ON ai_credit_transactions(ref) WHERE ref IS NOT NULL;

CREATE TABLE ai_credit_lots(
  lot INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL, wallet INTEGER NOT NULL,
  kind INTEGER NOT NULL, priority INTEGER NOT NULL, granted_at INTEGER NOT NULL,
  expires_at INTEGER, amount_nanos INTEGER NOT NULL,
  remaining_nanos INTEGER NOT NULL CHECK(remaining_nanos BETWEEN 0 AND amount_nanos),
  source INTEGER NOT NULL) STRICT;
CREATE INDEX ai_credit_lots_wallet ON ai_credit_lots(wallet);
CREATE INDEX ai_credit_lots_open ON ai_credit_lots(wallet) WHERE remaining_nanos > 0;
CREATE INDEX ai_credit_lots_due ON ai_credit_lots(expires_at)
  WHERE remaining_nanos > 0 AND expires_at IS NOT NULL;

-- Idempotency keys of what moves money; never dropped.
CREATE TABLE ai_credit_keys(
  key BLOB PRIMARY KEY, id INTEGER NOT NULL, content INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX ai_budgets_wallets ON ai_budgets(tenant, account) WHERE kind = 4;

CREATE VIEW ai_credit_wallets_view AS
  SELECT b.budget AS wallet, t.name AS tenant, a.type AS billable_type, a.id AS billable_id,
    iif(b.credited < b.used, '-', '') || printf('%d.%09d', abs(b.credited - b.used) / 1000000000,
      abs(b.credited - b.used) % 1000000000) AS balance, c.text AS currency, w.transactions
  FROM ai_budgets b JOIN ai_tenants t USING(tenant) JOIN ai_accounts a ON a.account = b.account
    LEFT JOIN ai_credit_wallets w ON w.wallet = b.budget
    LEFT JOIN ai_names c ON c.name = b.currency WHERE b.kind = 4;
CREATE VIEW ai_credit_transactions_view AS
  SELECT x.id, t.name AS tenant, a.type AS billable_type, a.id AS billable_id, x.cause,
    strftime('%Y-%m-%dT%H:%M:%S', x.at / 1000000, 'unixepoch') AS at,
    iif(x.amount_nanos < 0, '-', '') || printf('%d.%09d', abs(x.amount_nanos) / 1000000000,
      abs(x.amount_nanos) % 1000000000) AS amount,
    iif(x.balance_after_nanos < 0, '-', '') || printf('%d.%09d',
      abs(x.balance_after_nanos) / 1000000000, abs(x.balance_after_nanos) % 1000000000)
      AS balance_after, c.text AS currency, x.usage, x.ref, x.reason
  FROM ai_credit_transactions x JOIN ai_budgets b ON b.budget = x.wallet
    JOIN ai_tenants t ON t.tenant = x.tenant JOIN ai_accounts a ON a.account = b.account
    LEFT JOIN ai_names c ON c.name = b.currency;
)sql";

}  // namespace aimeter::drivers::sqlite
