#include "drivers/storage/sqlite/purses.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/storage/sqlite/catalogue_json.h"
#include "drivers/storage/sqlite/rows.h"

namespace aimeter::drivers::sqlite {
namespace {

std::optional<std::int64_t> known(std::int64_t id) {
  return id != 0 ? std::optional(id) : std::nullopt;
}

std::int64_t micros(Instant at) { return at.time_since_epoch().count(); }

}  // namespace

wallet::Lot read_lot(const Query& query) {
  wallet::Lot lot{.number = query.integer(0),
                  .granted_at = Instant(Duration(query.integer(3))),
                  .amount = query.integer(5),
                  .remaining = query.integer(6),
                  .source = query.integer(7)};
  lot.terms.kind = static_cast<LotKind>(query.integer(1));
  lot.terms.priority = static_cast<int>(query.integer(2));
  if (!query.is_null(4)) lot.terms.expires_at = Instant(Duration(query.integer(4)));
  return lot;
}

Result<CreditTransaction> read_transaction(const Query& query, const std::string& currency) {
  const std::int64_t change = query.integer(2);
  CreditTransaction transaction{.id = query.integer(0),
                                .direction = change < 0 ? Direction::debit : Direction::credit,
                                .amount = {change < 0 ? -change : change, currency},
                                .balance_after = {query.integer(3), currency},
                                .reason = query.text(7),
                                .created_at = Instant(Duration(query.integer(4))),
                                .cause = static_cast<CreditCause>(query.integer(1)),
                                .usage_id = query.integer(5),
                                .refers_to = query.integer(6)};
  if (const std::string_view meta = query.bytes(8); !meta.empty()) {
    AIMETER_TRY(transaction.meta, read_meta(meta));
  }
  return transaction;
}

Result<store::Amount> left_of_usage(Connection& connection, std::int64_t usage,
                                    store::Amount dead) {
  AIMETER_TRY(const auto refunded,
              find_integer(connection,
                           "SELECT sum(amount_nanos) FROM ai_credit_transactions WHERE usage = ?1"
                           " AND cause = 6",
                           usage));
  AIMETER_TRY(const auto row, Rows(connection).read(usage));
  if (!row) return dead - refunded.value_or(0);
  const std::vector<store::BudgetPart>& budgets = row->settlement.budgets;
  const auto part = std::ranges::find_if(
      budgets, [](const store::BudgetPart& one) { return store::is_wallet(one.key); });
  if (part == budgets.end()) {
    return fail(Code::corrupt, connection.path() + ": a debit is of a row without credits");
  }
  AIMETER_TRY(const auto corrected,
              find_integer(connection,
                           "SELECT sum(amount_nanos) FROM ai_credit_transactions WHERE ref = ?1"
                           " AND cause = 4",
                           usage));
  return part->actual - corrected.value_or(0) - refunded.value_or(0);
}

Result<store::Amount> over_in(Connection& connection, std::int64_t wallet, Instant now) {
  AIMETER_TRY(const auto sum,
              find_integer(connection,
                           "SELECT sum(remaining_nanos) FROM ai_credit_lots WHERE wallet = ?1 AND"
                           " remaining_nanos > 0 AND expires_at <= ?2",
                           wallet, micros(now)));
  return sum.value_or(0);
}

Result<std::vector<wallet::Lot>> Purses::read_lots(const char* sql, std::int64_t wallet) {
  std::vector<wallet::Lot> lots;
  Query query(connection_, sql, wallet);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return lots;
    lots.push_back(read_lot(query));
  }
}

Result<Purses::Entry*> Purses::entry(const WalletId& id) {
  const auto [found, fresh] = entries_.try_emplace(id.wallet);
  Entry& entry = found->second;
  if (!fresh) return &entry;
  entry.id = id;
  Query query(connection_, "SELECT debt_nanos FROM ai_credit_wallets WHERE wallet = ?1", id.wallet);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return &entry;
  entry.is_new = false;
  entry.debt_before = query.integer(0);
  AIMETER_TRY(std::vector<wallet::Lot> lots, read_lots(kOpenLotsOf, id.wallet));
  entry.purse = wallet::Purse(entry.debt_before, std::move(lots));
  return &entry;
}

Result<wallet::Purse*> Purses::of(const WalletId& id) {
  AIMETER_TRY(Entry* const found, entry(id));
  return &found->purse;
}

Result<std::int64_t> Purses::move(const WalletId& id, const WalletMove& move) {
  AIMETER_TRY(Entry* const found, entry(id));
  Query insert(connection_,
               "INSERT INTO ai_credit_transactions(tenant, wallet, cause, amount_nanos,"
               " balance_after_nanos, at, usage, ref, reason, meta) VALUES(?1, ?2, ?3, ?4, ?5, ?6,"
               " ?7, ?8, ?9, ?10)");
  AIMETER_CHECK_OK(insert.again(id.tenant, id.wallet, static_cast<int>(move.cause), move.change,
                                move.balance_after, micros(now_), known(move.usage_id),
                                known(move.refers_to), move.reason, move.meta));
  ++found->moves;
  return connection_.last_id();
}

void Purses::add_lot(const WalletId& id, wallet::Lot lot) {
  lot.number = next_new_++;
  entries_.at(id.wallet).purse.add(std::move(lot));
}

Result<store::Amount> Purses::give_back(const WalletId& id, store::Amount amount) {
  AIMETER_TRY(Entry* const found, entry(id));
  if (!found->all_lots) {
    AIMETER_CHECK_OK(write_entry(*found));
    AIMETER_TRY(std::vector<wallet::Lot> lots, read_lots(kLotsOf, id.wallet));
    found->purse = wallet::Purse(found->purse.debt(), std::move(lots));
    found->all_lots = true;
  }
  return found->purse.give_back(amount, now_);
}

Status Purses::write() {
  for (auto& [wallet, entry] : entries_) AIMETER_CHECK_OK(write_entry(entry));
  return {};
}

Status Purses::write_entry(Entry& entry) {
  const WalletId& id = entry.id;
  if (entry.is_new || entry.moves != 0 || entry.purse.debt() != entry.debt_before) {
    AIMETER_CHECK_OK(run(connection_,
                         "INSERT INTO ai_credit_wallets(wallet, tenant, account, debt_nanos,"
                         " transactions) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET"
                         " debt_nanos = excluded.debt_nanos, transactions = transactions +"
                         " excluded.transactions",
                         id.wallet, id.tenant, id.account, entry.purse.debt(), entry.moves));
  }
  entry.is_new = false;
  entry.moves = 0;
  entry.debt_before = entry.purse.debt();
  bool renumbered = false;
  std::vector<wallet::Lot> lots = entry.purse.lots();
  for (wallet::Lot& lot : lots) {
    if (lot.number >= kNewLots) {
      const auto expires =
          lot.terms.expires_at ? std::optional(micros(*lot.terms.expires_at)) : std::nullopt;
      AIMETER_CHECK_OK(run(connection_,
                           "INSERT INTO ai_credit_lots(tenant, wallet, kind, priority, granted_at,"
                           " expires_at, amount_nanos, remaining_nanos, source) VALUES(?1, ?2, ?3,"
                           " ?4, ?5, ?6, ?7, ?8, ?9)",
                           id.tenant, id.wallet, static_cast<int>(lot.terms.kind),
                           lot.terms.priority, micros(lot.granted_at), expires, lot.amount,
                           lot.remaining, lot.source));
      lot.number = connection_.last_id();
      renumbered = true;
    } else if (lot.changed) {
      AIMETER_CHECK_OK(run(connection_,
                           "UPDATE ai_credit_lots SET remaining_nanos = ?2 WHERE lot = ?1",
                           lot.number, lot.remaining));
    }
    lot.changed = false;
  }
  if (renumbered) {
    entry.purse = wallet::Purse(entry.purse.debt(), std::move(lots));
  } else {
    entry.purse.forget_changes();
  }
  return {};
}

}  // namespace aimeter::drivers::sqlite
