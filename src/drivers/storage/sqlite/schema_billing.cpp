#include "drivers/storage/sqlite/migrations.h"

// Events of a billing service that were applied, and what they tell of its subscriptions.
namespace aimeter::drivers::sqlite {

const char* const kSchemaBilling = R"sql(
CREATE TABLE ai_billing_events(
  event TEXT PRIMARY KEY, type TEXT NOT NULL, created_at INTEGER NOT NULL,
  applied_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE ai_billing_objects(
  object TEXT PRIMARY KEY,                -- "sub_1"
  facts TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX ai_subscriptions_stripe
  ON ai_subscriptions(json_extract(meta, '$.stripe_subscription_id'));
CREATE INDEX ai_subscriptions_customer
  ON ai_subscriptions(json_extract(meta, '$.stripe_customer_id'));
)sql";

}  // namespace aimeter::drivers::sqlite
