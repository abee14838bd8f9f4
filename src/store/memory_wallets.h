// Package:       store
// Units:         nano-units of the wallet's currency; Instants of the store's clock.
// Errors:        as in credits.h: nothing changed.
// Thread safety: none: MemoryStore's mutex guards the state.
// Ownership:     none.
//
// Wallets of the memory store: what changes them, what reads them, and what verify asks of them.
#pragma once

#include "store/memory_state.h"

namespace aimeter::store::memory {

struct WalletMove {
  Amount change = 0;  // signed: more than 0 is a credit
  CreditCause cause = CreditCause::usage;
  std::int64_t usage_id = 0, refers_to = 0;
  std::string reason = {};
  Meta meta = {};
  Instant at = {};
};
// Writes the transaction; the budget's state has the change already.
CreditMove write_move(State& state, const BudgetKey& key, const WalletMove& move);
struct Settled {
  const Settlement& row;
  std::int64_t id = 0;
  Instant now = {};
};
// What a settlement's part did to its wallet: spends or gives back, and writes the transaction.
// `covered`: what its lease gave up. What a correction gives of money that was refunded before goes
// back by a second transaction, and comes into no lot.
std::vector<CreditMove> settle_wallet(State& state, const BudgetPart& part, Amount covered,
                                      const Settled& settled);

[[nodiscard]] Result<Changed> put(State& state, const AddCredits& change, Instant now);
[[nodiscard]] Result<Changed> put(State& state, const DeductCredits& change, Instant now);
[[nodiscard]] Result<Changed> put(State& state, const RefundCredits& change, Instant now);
[[nodiscard]] Changed put(State& state, const ExpireCredits& change, Instant now);

// memory_top_ups.cpp
[[nodiscard]] Result<Changed> put(State& state, const PutAutoTopUp& change, Instant now);
[[nodiscard]] Result<Changed> put(State& state, const BeginTopUps& change, Instant now);
[[nodiscard]] Result<Changed> put(State& state, const EndTopUp& change, Instant now);
[[nodiscard]] std::vector<TopUpState> top_ups_in(const State& state, const TopUpFilter& filter,
                                                 Instant now);

[[nodiscard]] Amount over_in(const State& state, const BudgetKey& key, Instant now);
[[nodiscard]] bool credits_due(const State& state, Instant now);
[[nodiscard]] std::optional<BudgetKey> wallet_of(const State& state, const Account& account);

[[nodiscard]] std::vector<WalletState> wallets_in(const State& state, const WalletFilter& filter);
[[nodiscard]] std::vector<CreditMove> transactions_in(const State& state,
                                                      const CreditFilter& filter,
                                                      std::size_t limit);
[[nodiscard]] std::vector<CreditLot> lots_in(const State& state, const Account& account,
                                             Lots which);
void verify_wallets(const State& state, std::vector<Finding>& findings);

}  // namespace aimeter::store::memory
