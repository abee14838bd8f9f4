#include <fmt/format.h>

#include "drivers/storage/sqlite/audit.h"

// Wallets: every transaction again, from the first; lots and debts against the balance.
namespace aimeter::drivers::sqlite {

Status Audit::transactions() {
  Query query(connection_,
              "SELECT id, wallet, amount_nanos, balance_after_nanos FROM ai_credit_transactions"
              " ORDER BY id");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return {};
    Ledger& ledger = ledgers_[query.integer(1)];
    ledger.balance += query.integer(2);
    ledger.transactions += 1;
    if (ledger.balance == query.integer(3)) continue;
    find("chain", place_of_wallet(query.integer(1)),
         fmt::format("transaction {} says a balance of {}, the chain has {}", query.integer(0),
                     query.integer(3), ledger.balance));
    ledger.balance = query.integer(3);
  }
}

Status Audit::wallets() {
  Query query(connection_,
              "SELECT b.budget, b.credited - b.used, coalesce(w.debt_nanos, 0),"
              " coalesce(w.transactions, 0), (SELECT coalesce(sum(remaining_nanos), 0) FROM"
              " ai_credit_lots l WHERE l.wallet = b.budget) FROM ai_budgets b LEFT JOIN"
              " ai_credit_wallets w ON w.wallet = b.budget WHERE b.kind = 4 ORDER BY b.budget");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    const std::int64_t wallet = query.integer(0), balance = query.integer(1);
    const Ledger ledger = ledgers_[wallet];
    ledgers_.erase(wallet);
    if (ledger.balance != balance || ledger.transactions != query.integer(3)) {
      find("transactions = balance", place_of_wallet(wallet),
           fmt::format("the balance is {}, {} transactions of {} come to {}", balance,
                       ledger.transactions, query.integer(3), ledger.balance));
    }
    if (query.integer(4) - query.integer(2) != balance) {
      find("lots = balance", place_of_wallet(wallet),
           fmt::format("the balance is {}, lots have {} and {} is owed", balance, query.integer(4),
                       query.integer(2)));
    }
  }
  for (const auto& [wallet, ledger] : ledgers_) {
    find("transactions = balance", fmt::format("budget {}", wallet),
         fmt::format("there is no wallet, transactions come to {}", ledger.balance));
  }
  return {};
}

std::string Audit::place_of_wallet(std::int64_t wallet) {
  const auto key = names_.budget(wallet);
  if (!key) return fmt::format("budget {}", wallet);
  return fmt::format("tenant \"{}\", {} {}, wallet in {}", key->account.tenant.text,
                     key->account.billable.type, key->account.billable.id, key->currency);
}

}  // namespace aimeter::drivers::sqlite
