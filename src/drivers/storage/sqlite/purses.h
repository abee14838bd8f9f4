// Package:       drivers
// Units:         nano-units of each wallet's currency; budgets and tenants by their numbers.
// Errors:        the connection's; corrupt: a lot that is damaged.
// Thread safety: belongs to one write connection, inside one transaction.
// Ownership:     borrows the connection.
//
// The wallets that a transaction touches: lots and debts are read once, changed in memory by the
// rules of wallet/purse.h and written once; transactions are written as they come, so that they
// have their numbers.
#pragma once

#include <map>
#include <vector>

#include "drivers/storage/sqlite/connection.h"
#include "store/store.h"
#include "wallet/purse.h"

namespace aimeter::drivers::sqlite {

struct WalletId {
  std::int64_t wallet = 0, tenant = 0, account = 0;  // wallet: the budget's number
};

struct WalletMove {
  store::Amount change = 0;         // signed: more than 0 is a credit
  store::Amount balance_after = 0;  // of the budget, with the change
  CreditCause cause = CreditCause::usage;
  std::int64_t usage_id = 0, refers_to = 0;
  std::string_view reason = {}, meta = {};  // meta: JSON, or ""
};

// Numbers of lots that are not stored yet: newer than all that are.
constexpr std::int64_t kNewLots = std::int64_t{1} << 62;

class Purses {
 public:
  Purses(Connection& connection, Instant now) : connection_(connection), now_(now) {}

  [[nodiscard]] Result<wallet::Purse*> of(const WalletId& id);
  // The id of the transaction.
  [[nodiscard]] Result<std::int64_t> move(const WalletId& id, const WalletMove& move);
  void add_lot(const WalletId& id, wallet::Lot lot);
  [[nodiscard]] Result<store::Amount> give_back(const WalletId& id, store::Amount amount);
  [[nodiscard]] Status write();  // debts, counts and lots, sorted

 private:
  struct Entry {
    WalletId id = {};
    wallet::Purse purse = {};
    std::int64_t debt_before = 0, moves = 0;
    bool is_new = true, all_lots = false;
  };
  [[nodiscard]] Result<Entry*> entry(const WalletId& id);
  [[nodiscard]] Result<std::vector<wallet::Lot>> read_lots(const char* sql, std::int64_t wallet);
  [[nodiscard]] Status write_entry(Entry& entry);

  Connection& connection_;
  Instant now_;
  std::map<std::int64_t, Entry> entries_;
  std::int64_t next_new_ = kNewLots;
};

// What may still be given back of a usage: what it and its corrections took of its wallet, less
// what refunds gave of them. Less than 0: that was given twice. `dead`: what it took if it is dead.
[[nodiscard]] Result<store::Amount> left_of_usage(Connection& connection, std::int64_t usage,
                                                  store::Amount dead);
// What is left in lots of a wallet that are over.
[[nodiscard]] Result<store::Amount> over_in(Connection& connection, std::int64_t wallet,
                                            Instant now);
[[nodiscard]] wallet::Lot read_lot(const Query& query);  // as kLotsOf
constexpr const char* kLotsOf =
    "SELECT lot, kind, priority, granted_at, expires_at, amount_nanos, remaining_nanos, source"
    " FROM ai_credit_lots WHERE wallet = ?1 ORDER BY lot";
constexpr const char* kOpenLotsOf =
    "SELECT lot, kind, priority, granted_at, expires_at, amount_nanos, remaining_nanos, source"
    " FROM ai_credit_lots WHERE wallet = ?1 AND remaining_nanos > 0 ORDER BY lot";

// A transaction's columns: id, cause, amount, balance after, at, usage, ref, reason, meta.
[[nodiscard]] Result<CreditTransaction> read_transaction(const Query& query,
                                                         const std::string& currency);

}  // namespace aimeter::drivers::sqlite
