#include <algorithm>

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
  const WalletId id{counters_[part.counter].budget, line.tenant, line.account};
  const bool adjusts = (row.flags & store::kAdjustment) != 0;
  store::Amount rest = 0, twice = 0;
  if (part.actual >= 0) {
    AIMETER_TRY(wallet::Purse* const purse, purses_.of(id));
    purse->spend({.amount = part.actual, .at = row.occurred_at, .covered = part.covered});
  } else {
    AIMETER_TRY(twice, given_twice(row, part));
    AIMETER_TRY(rest, purses_.give_back(id, -part.actual - twice));
  }
  AIMETER_TRY(const std::int64_t number,
              move_wallet(id, row, part,
                          {.change = -part.actual,
                           .cause = adjusts ? CreditCause::correction : CreditCause::usage,
                           .usage_id = line.id,
                           .refers_to = row.adjusts,
                           .reason = adjusts ? "correction" : "usage"}));
  if (rest > 0) purses_.add_lot(id, {.granted_at = now_, .amount = rest, .source = number});
  if (twice == 0) return {};
  store::BudgetState& state = counters_[part.counter].state;
  state.credited -= twice;
  if (state.limit) {
    store::name_limit(state, {.limit = state.credited, .blocking = state.blocking});
  }
  AIMETER_CHECK_OK(
      run(connection_,
          "UPDATE ai_budgets SET credited = credited - ?3 WHERE tenant = ?1 AND budget = ?2",
          id.tenant, id.wallet, twice));
  AIMETER_CHECK_OK(move_wallet(id, row, part,
                               {.change = -twice,
                                .cause = CreditCause::refund,
                                .usage_id = row.adjusts,
                                .refers_to = number,
                                .reason = store::kRefundedBefore}));
  return {};
}

// What a correction gives of money that was refunded before; no more than it gives, whatever an
// older program gave twice.
Result<store::Amount> Batch::given_twice(const store::Settlement& row, const WalletPart& part) {
  if (row.adjusts == 0) return 0;
  AIMETER_TRY(const store::Amount left, left_of_usage(connection_, row.adjusts, 0));
  return std::clamp<store::Amount>(-part.actual - left, 0, -part.actual);
}

Result<std::int64_t> Batch::move_wallet(const WalletId& id, const store::Settlement& row,
                                        const WalletPart& part, WalletMove move) {
  const Counter& counter = counters_[part.counter];
  move.balance_after = counter.state.credited - counter.state.used;
  AIMETER_TRY(const std::int64_t number, purses_.move(id, move));
  if (counter.key == nullptr) return number;
  const std::string& currency = counter.key->currency;
  credits_.push_back({row.account,
                      {.id = number,
                       .direction = move.change < 0 ? Direction::debit : Direction::credit,
                       .amount = {move.change < 0 ? -move.change : move.change, currency},
                       .balance_after = {move.balance_after, currency},
                       .reason = std::string(move.reason),
                       .created_at = now_,
                       .cause = move.cause,
                       .usage_id = move.usage_id,
                       .refers_to = move.refers_to}});
  return number;
}

}  // namespace aimeter::drivers::sqlite
