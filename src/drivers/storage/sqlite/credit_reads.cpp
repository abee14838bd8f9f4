#include <algorithm>

#include "drivers/storage/sqlite/counters.h"
#include "drivers/storage/sqlite/credits.h"
#include "drivers/storage/sqlite/purses.h"
#include "drivers/storage/sqlite/sqlite_store.h"
#include "store/record.h"

namespace aimeter::drivers::sqlite {
namespace {

template <class T>
std::optional<std::string> text_of(const std::optional<T>& given, std::string T::* member) {
  return given ? std::optional((*given).*member) : std::nullopt;
}

constexpr const char* kOldestFirst =
    "SELECT x.id, x.cause, x.amount_nanos, x.balance_after_nanos, x.at, x.usage, x.ref, x.reason,"
    " x.meta, x.wallet FROM ai_credit_transactions x WHERE x.id > ?5 AND (?4 IS NULL OR x.id = ?4)"
    " AND (?1 IS NULL OR x.wallet IN (SELECT w.wallet FROM ai_credit_wallets w JOIN ai_tenants t"
    " ON t.tenant = w.tenant JOIN ai_accounts a ON a.account = w.account WHERE t.name = ?1 AND"
    " (?2 IS NULL OR (a.type = ?2 AND a.id = ?3)))) AND (?1 IS NOT NULL OR ?2 IS NULL OR x.wallet"
    " IN (SELECT w.wallet FROM ai_credit_wallets w JOIN ai_accounts a ON a.account = w.account"
    " WHERE a.type = ?2 AND a.id = ?3)) ORDER BY x.id LIMIT ?6";
constexpr const char* kNewestFirst =
    "SELECT x.id, x.cause, x.amount_nanos, x.balance_after_nanos, x.at, x.usage, x.ref, x.reason,"
    " x.meta, x.wallet FROM ai_credit_transactions x WHERE x.id < ?5 AND (?4 IS NULL OR x.id = ?4)"
    " AND (?1 IS NULL OR x.wallet IN (SELECT w.wallet FROM ai_credit_wallets w JOIN ai_tenants t"
    " ON t.tenant = w.tenant JOIN ai_accounts a ON a.account = w.account WHERE t.name = ?1 AND"
    " (?2 IS NULL OR (a.type = ?2 AND a.id = ?3)))) AND (?1 IS NOT NULL OR ?2 IS NULL OR x.wallet"
    " IN (SELECT w.wallet FROM ai_credit_wallets w JOIN ai_accounts a ON a.account = w.account"
    " WHERE a.type = ?2 AND a.id = ?3)) ORDER BY x.id DESC LIMIT ?6";

}  // namespace

Result<std::vector<store::WalletState>> SqliteStore::wallets(
    const store::WalletFilter& filter) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Rows rows(*use);
  std::vector<store::WalletState> all;
  Query query(*use,
              "SELECT b.budget, b.credited, b.used, b.leased, w.debt_nanos, w.transactions FROM"
              " ai_budgets b JOIN ai_tenants t ON t.tenant = b.tenant JOIN ai_accounts a ON"
              " a.account = b.account LEFT JOIN ai_credit_wallets w ON w.wallet = b.budget WHERE"
              " b.kind = 4 AND (?1 IS NULL OR t.name = ?1) AND (?2 IS NULL OR (a.type = ?2 AND"
              " a.id = ?3))",
              text_of(filter.tenant, &TenantId::text), text_of(filter.billable, &Billable::type),
              text_of(filter.billable, &Billable::id));
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    AIMETER_TRY(const store::BudgetKey key, rows.budget(query.integer(0)));
    all.push_back({.account = key.account,
                   .currency = key.currency,
                   .credited = query.integer(1),
                   .used = query.integer(2),
                   .leased = query.integer(3),
                   .debt = query.integer(4),
                   .transactions = query.integer(5)});
  }
  std::ranges::sort(all, {}, &store::WalletState::account);
  return all;
}

Result<std::vector<store::CreditMove>> SqliteStore::credit_transactions(
    const store::CreditFilter& filter, std::size_t limit) const {
  AIMETER_CHECK_OK(store::check_page(limit));
  AIMETER_TRY(const Pool::Use use, pool_.take());
  const bool newest = filter.order == store::CreditOrder::newest_first;
  const std::int64_t after = newest && filter.after == 0 ? INT64_MAX : filter.after;
  const store::WalletFilter& wallet = filter.wallet;
  Query query(*use, newest ? kNewestFirst : kOldestFirst, text_of(wallet.tenant, &TenantId::text),
              text_of(wallet.billable, &Billable::type), text_of(wallet.billable, &Billable::id),
              filter.id, after, limit);
  Rows rows(*use);
  std::vector<store::CreditMove> moves;
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return moves;
    AIMETER_TRY(const store::BudgetKey key, rows.budget(query.integer(9)));
    store::CreditMove& move = moves.emplace_back();
    move.account = key.account;
    AIMETER_TRY(move.transaction, read_transaction(query, key.currency));
  }
}

Result<std::vector<CreditLot>> SqliteStore::credit_lots(const Account& account,
                                                        store::Lots which) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  std::vector<CreditLot> lots;
  AIMETER_TRY(const std::string currency, wallet_currency_of(*use, account));
  if (currency.empty()) return lots;
  AIMETER_TRY(const auto number, find_budget(*use, store::wallet_key(account, currency)));
  Query query(*use, which == store::Lots::open ? kOpenLotsOf : kLotsOf, number);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return lots;
    const wallet::Lot lot = read_lot(query);
    lots.push_back({.id = lot.number,
                    .terms = lot.terms,
                    .granted_at = lot.granted_at,
                    .amount = {lot.amount, currency},
                    .remaining = {lot.remaining, currency}});
  }
}

}  // namespace aimeter::drivers::sqlite
