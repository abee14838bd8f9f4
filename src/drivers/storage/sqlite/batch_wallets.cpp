#include "drivers/storage/sqlite/batch.h"

// What settlements do to wallets: lots are spent or filled up, and each is a transaction.
namespace aimeter::drivers::sqlite {

Status Batch::pay(const Line& line, const store::Settlement& row) {
  const std::vector<WalletPart> parts = std::move(wallet_parts_);
  wallet_parts_.clear();
  for (const WalletPart& part : parts) AIMETER_CHECK_OK(pay_part(line, row, part));
  return {};
}

Status Batch::pay_part(const Line& line, const store::Settlement& row, const WalletPart& part) {
  const Counter& counter = counters_[part.counter];
  const WalletId id{counter.budget, line.tenant, line.account};
  const bool adjusts = (row.flags & store::kAdjustment) != 0;
  store::Amount rest = 0;
  if (part.actual >= 0) {
    AIMETER_TRY(wallet::Purse* const purse, purses_.of(id));
    purse->spend({.amount = part.actual, .at = row.occurred_at, .covered = part.covered});
  } else {
    AIMETER_TRY(rest, purses_.give_back(id, -part.actual));
  }
  const WalletMove move{.change = -part.actual,
                        .balance_after = counter.state.credited - counter.state.used,
                        .cause = adjusts ? CreditCause::correction : CreditCause::usage,
                        .usage_id = line.id,
                        .refers_to = row.adjusts,
                        .reason = adjusts ? "correction" : "usage"};
  AIMETER_TRY(const std::int64_t number, purses_.move(id, move));
  if (rest > 0) purses_.add_lot(id, {.granted_at = now_, .amount = rest, .source = number});
  if (counter.key == nullptr) return {};
  const std::string& currency = counter.key->currency;
  credits_.push_back({row.account,
                      {.id = number,
                       .direction = move.change < 0 ? Direction::debit : Direction::credit,
                       .amount = {move.change < 0 ? -move.change : move.change, currency},
                       .balance_after = {move.balance_after, currency},
                       .reason = std::string(move.reason),
                       .created_at = now_,
                       .cause = move.cause,
                       .usage_id = line.id,
                       .refers_to = row.adjusts}});
  return {};
}

}  // namespace aimeter::drivers::sqlite
