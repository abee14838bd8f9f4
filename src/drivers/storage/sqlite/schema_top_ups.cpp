#include "drivers/storage/sqlite/migrations.h"

// What wallets ask of the billing service by themselves.
namespace aimeter::drivers::sqlite {

const char* const kSchemaTopUps = R"sql(
-- What a wallet asks of the billing driver by itself. claim: the key of what is under way.
CREATE TABLE ai_credit_top_ups(
  wallet INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, below_nanos INTEGER NOT NULL,
  amount_nanos INTEGER NOT NULL, claim TEXT NOT NULL DEFAULT '',
  claimed_nanos INTEGER NOT NULL DEFAULT 0, claimed_at INTEGER NOT NULL DEFAULT 0,
  not_before INTEGER NOT NULL DEFAULT 0, declined INTEGER NOT NULL DEFAULT 0) STRICT;
)sql";

}  // namespace aimeter::drivers::sqlite
