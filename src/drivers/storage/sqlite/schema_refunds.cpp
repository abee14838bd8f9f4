#include "drivers/storage/sqlite/migrations.h"

// Refunds know the usage of their debit.
namespace aimeter::drivers::sqlite {

const char* const kSchemaRefunds = R"sql(
-- usage, of a refund: the row that its debit is of, itself or as a correction (cause 4).
UPDATE ai_credit_transactions SET usage = (SELECT iif(debit.cause = 4, debit.ref, debit.usage)
  FROM ai_credit_transactions debit WHERE debit.id = ai_credit_transactions.ref) WHERE cause = 6;
CREATE INDEX ai_credit_transactions_refunded ON ai_credit_transactions(usage) WHERE cause = 6;
)sql";

}  // namespace aimeter::drivers::sqlite
