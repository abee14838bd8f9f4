#include "drivers/storage/sqlite/credits.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/storage/sqlite/catalogue_json.h"
#include "drivers/storage/sqlite/purses.h"
#include "drivers/storage/sqlite/rows.h"
#include "store/bound.h"

// Top-ups, withdrawals, refunds and expiry: one transaction of the lane each.
namespace aimeter::drivers::sqlite {
namespace {

using store::Amount;
using store::Changed;

std::int64_t micros(Instant at) { return at.time_since_epoch().count(); }

constexpr const char* kTransaction =
    "SELECT id, cause, amount_nanos, balance_after_nanos, at, usage, ref, reason, meta, wallet,"
    " tenant FROM ai_credit_transactions WHERE id = ?1";

// One wallet under change. `budget`: its counter, written with its transactions.
class Teller {
 public:
  Teller(Lane& lane, Instant now)
      : connection_(*lane.connection), purses_(connection_, now), now_(now) {}

  [[nodiscard]] Status open(const WalletId& id, store::BudgetKey key);
  [[nodiscard]] Result<wallet::Purse*> purse() { return purses_.of(id_); }
  [[nodiscard]] const store::BudgetState& budget() const { return budget_; }
  [[nodiscard]] Amount balance() const { return budget_.credited - budget_.used; }
  [[nodiscard]] const std::string& currency() const { return budget_.key.currency; }
  struct Words {
    CreditCause cause = CreditCause::top_up;
    std::int64_t usage_id = 0, refers_to = 0;
    std::string reason = {};
    Meta meta = {};
  };
  // The balance changes, with its transaction.
  [[nodiscard]] Result<store::CreditMove> move(Amount change, const Words& words);
  void add_lot(wallet::Lot lot) { purses_.add_lot(id_, std::move(lot)); }
  [[nodiscard]] Result<Amount> give_back(Amount amount) { return purses_.give_back(id_, amount); }
  [[nodiscard]] Result<std::vector<store::CreditMove>> expire();
  [[nodiscard]] Status close();

 private:
  Connection& connection_;
  Purses purses_;
  Instant now_;
  WalletId id_ = {};
  store::BudgetState budget_ = {};
};

Status Teller::open(const WalletId& id, store::BudgetKey key) {
  id_ = id;
  Query query(connection_,
              "SELECT used, leased, over_hold, late, fallen, limit_amount, blocking, credited FROM"
              " ai_budgets WHERE tenant = ?1 AND budget = ?2",
              id.tenant, id.wallet);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return fail(Code::corrupt, connection_.path() + ": a wallet has vanished");
  budget_ = {.key = std::move(key),
             .used = query.integer(0),
             .leased = query.integer(1),
             .over_hold = query.integer(2),
             .late = query.integer(3),
             .fallen = query.integer(4),
             .limit = query.optional_integer(5),
             .blocking = query.integer(6) != 0,
             .credited = query.integer(7)};
  return {};
}

Result<store::CreditMove> Teller::move(Amount change, const Words& words) {
  budget_.credited += change;
  if (budget_.limit) {
    store::name_limit(budget_, {.limit = budget_.credited, .blocking = budget_.blocking});
  }
  const std::string meta = words.meta.empty() ? "" : json_of(words.meta);
  AIMETER_TRY(const std::int64_t number, purses_.move(id_, {.change = change,
                                                            .balance_after = balance(),
                                                            .cause = words.cause,
                                                            .usage_id = words.usage_id,
                                                            .refers_to = words.refers_to,
                                                            .reason = words.reason,
                                                            .meta = meta}));
  return store::CreditMove{budget_.key.account,
                           {.id = number,
                            .direction = change < 0 ? Direction::debit : Direction::credit,
                            .amount = {change < 0 ? -change : change, currency()},
                            .balance_after = {balance(), currency()},
                            .reason = words.reason,
                            .meta = words.meta,
                            .created_at = now_,
                            .cause = words.cause,
                            .usage_id = words.usage_id,
                            .refers_to = words.refers_to}};
}

Result<std::vector<store::CreditMove>> Teller::expire() {
  std::vector<store::CreditMove> moves;
  AIMETER_TRY(wallet::Purse* const purse, purses_.of(id_));
  for (const auto& expired : purse->expire(now_, budget_.leased)) {
    AIMETER_TRY(moves.emplace_back(), move(-expired.amount, {.cause = CreditCause::expiry,
                                                             .refers_to = expired.lot,
                                                             .reason = "expired"}));
  }
  if (purse->over(now_) > 0) {  // the rest when it comes back
    AIMETER_CHECK_OK(run(connection_,
                         "UPDATE ai_leases SET recall = 1 WHERE budget = ?1 AND leased > 0",
                         id_.wallet));
  }
  return moves;
}

Status Teller::close() {
  AIMETER_CHECK_OK(
      run(connection_,
          "UPDATE ai_budgets SET credited = ?3, fallen = ?4, limit_amount = ?5 WHERE tenant = ?1"
          " AND budget = ?2",
          id_.tenant, id_.wallet, budget_.credited, budget_.fallen, budget_.limit));
  return purses_.write();
}

Result<std::optional<store::BudgetKey>> find_wallet(Connection& connection,
                                                    const Account& account) {
  AIMETER_TRY(const std::string currency, wallet_currency_of(connection, account));
  if (currency.empty()) return std::nullopt;
  return store::wallet_key(account, currency);
}

// The wallet of an account, made when it has none.
Status open_wallet(Lane& lane, Teller& teller, const Account& account,
                   const std::string& currency) {
  AIMETER_TRY(auto key, find_wallet(*lane.connection, account));
  if (key && key->currency != currency) {
    return bad_input("currency", currency, key->currency + ", the wallet's");
  }
  if (!key) key = store::wallet_key(account, currency);
  AIMETER_TRY(const BudgetIds ids, lane.names.ids_of(*key));
  AIMETER_TRY(const std::int64_t wallet, lane.names.budget(ids));
  return teller.open({wallet, ids.tenant, ids.account}, *std::move(key));
}

template <class Change>
Result<std::optional<Changed>> repeat_of(Connection& connection, const Change& change) {
  const auto key = store::key_of(change);
  if (!key) return std::nullopt;
  Query seen(connection, "SELECT id, content FROM ai_credit_keys WHERE key = ?1", blob_of(*key));
  AIMETER_TRY(const bool there, seen.step());
  if (!there) return std::nullopt;
  if (static_cast<std::uint64_t>(seen.integer(1)) != store::content_of(change)) {
    return fail(Code::conflict,
                "idempotency_key: was used before with other content; expected the same, or "
                "another key");
  }
  Changed changed{.id = seen.integer(0), .repeated = true};
  Query query(connection, kTransaction, changed.id);
  AIMETER_TRY(const bool found, query.step());
  if (!found) return fail(Code::corrupt, connection.path() + ": a transaction has vanished");
  AIMETER_TRY(const std::string currency, wallet_currency_of(connection, change.account));
  store::CreditMove& move = changed.credits.emplace_back();
  move.account = change.account;
  AIMETER_TRY(move.transaction, read_transaction(query, currency));
  return changed;
}

template <class Change>
Result<Changed> done(Connection& connection, const Change& change, store::CreditMove move) {
  if (const auto key = store::key_of(change)) {
    AIMETER_CHECK_OK(run(connection, "INSERT INTO ai_credit_keys VALUES(?1, ?2, ?3)", blob_of(*key),
                         move.transaction.id, store::content_of(change)));
  }
  Changed changed{.id = move.transaction.id, .rows = 1};
  changed.credits.push_back(std::move(move));
  return changed;
}

Result<Amount> left_of_debit(Connection& connection, const CreditTransaction& debit) {
  AIMETER_TRY(const auto refunded,
              find_integer(connection,
                           "SELECT sum(amount_nanos) FROM ai_credit_transactions WHERE ref = ?1 AND"
                           " cause = 6",
                           debit.id));
  const Amount left = debit.amount.nanos - refunded.value_or(0);
  const std::int64_t usage = store::usage_of(debit);
  if (usage == 0) return left;
  AIMETER_TRY(const Amount of_usage, left_of_usage(connection, usage, debit.amount.nanos));
  return std::min(left, of_usage);
}

}  // namespace

Result<std::string> wallet_currency_of(Connection& connection, const Account& account) {
  Query query(connection,
              "SELECT n.text FROM ai_tenants t JOIN ai_accounts a ON a.tenant = t.tenant JOIN"
              " ai_budgets b ON b.tenant = t.tenant AND b.account = a.account AND b.kind = 4 JOIN"
              " ai_names n ON n.name = b.currency WHERE t.name = ?1 AND a.type = ?2 AND a.id = ?3"
              " ORDER BY b.budget LIMIT 1",
              account.tenant.text, account.billable.type, account.billable.id);
  AIMETER_TRY(const bool there, query.step());
  return there ? query.text(0) : std::string();
}

Result<Changed> put(Lane& lane, const store::AddCredits& change, Instant now) {
  AIMETER_TRY(std::optional<Changed> first, repeat_of(*lane.connection, change));
  if (first) return *std::move(first);  // also when its lot has ended meanwhile
  AIMETER_CHECK_OK(store::check(change, now));
  Teller teller(lane, now);
  AIMETER_CHECK_OK(open_wallet(lane, teller, change.account, change.amount.currency));
  if (!store::sum_of(teller.budget().credited, change.amount.nanos)) {
    return bad_input("amount", change.amount.text(), "a balance that is in range");
  }
  AIMETER_TRY(store::CreditMove move,
              teller.move(change.amount.nanos,
                          {.cause = change.cause, .reason = change.reason, .meta = change.meta}));
  teller.add_lot({.terms = change.terms,
                  .granted_at = now,
                  .amount = change.amount.nanos,
                  .source = move.transaction.id});
  AIMETER_CHECK_OK(teller.close());
  return done(*lane.connection, change, std::move(move));
}

Result<Changed> put(Lane& lane, const store::DeductCredits& change, Instant now) {
  AIMETER_CHECK_OK(store::check(change));
  AIMETER_TRY(std::optional<Changed> first, repeat_of(*lane.connection, change));
  if (first) return *std::move(first);
  Teller teller(lane, now);
  AIMETER_CHECK_OK(open_wallet(lane, teller, change.account, change.amount.currency));
  AIMETER_TRY(std::vector<store::CreditMove> expired, teller.expire());
  const Amount leased = teller.budget().leased;
  if (teller.balance() - leased < change.amount.nanos) {
    return store::not_enough_credits({teller.balance(), teller.currency()}, leased, change.amount);
  }
  AIMETER_TRY(wallet::Purse* const purse, teller.purse());
  purse->spend({.amount = change.amount.nanos, .at = now});
  AIMETER_TRY(store::CreditMove move,
              teller.move(-change.amount.nanos, {.cause = CreditCause::withdrawal,
                                                 .reason = change.reason,
                                                 .meta = change.meta}));
  AIMETER_CHECK_OK(teller.close());
  AIMETER_TRY(Changed changed, done(*lane.connection, change, std::move(move)));
  changed.credits.insert(changed.credits.end(), expired.begin(), expired.end());
  return changed;
}

Result<Changed> put(Lane& lane, const store::RefundCredits& change, Instant now) {
  AIMETER_CHECK_OK(store::check(change));
  Connection& connection = *lane.connection;
  AIMETER_TRY(std::optional<Changed> first, repeat_of(connection, change));
  if (first) return *std::move(first);
  Rows rows(connection);
  CreditTransaction debit;
  WalletId id;
  store::BudgetKey key;
  {
    Query query(connection, kTransaction, change.debit);
    AIMETER_TRY(const bool there, query.step());
    if (there) {
      id = {.wallet = query.integer(9), .tenant = query.integer(10)};
      AIMETER_TRY(key, rows.budget(id.wallet));
      AIMETER_TRY(debit, read_transaction(query, key.currency));
    }
    if (!there || key.account != change.account) {
      return fail(Code::not_found, fmt::format("debit: there is no transaction {}", change.debit));
    }
  }
  AIMETER_TRY(const AccountIds owner, lane.names.account(change.account));
  id.account = owner.account;
  AIMETER_TRY(const Amount left, left_of_debit(connection, debit));
  AIMETER_TRY(const Amount amount, store::refund_amount(change, debit, left));
  Teller teller(lane, now);
  AIMETER_CHECK_OK(teller.open(id, key));
  AIMETER_TRY(const Amount rest, teller.give_back(amount));
  AIMETER_TRY(store::CreditMove move, teller.move(amount, {.cause = CreditCause::refund,
                                                           .usage_id = store::usage_of(debit),
                                                           .refers_to = change.debit,
                                                           .reason = change.reason,
                                                           .meta = change.meta}));
  if (rest > 0) {
    teller.add_lot({.granted_at = now, .amount = rest, .source = move.transaction.id});
  }
  AIMETER_CHECK_OK(teller.close());
  return done(connection, change, std::move(move));
}

Result<Changed> put(Lane& lane, const store::ExpireCredits& change, Instant now) {
  Connection& connection = *lane.connection;
  std::vector<std::int64_t> due;
  {
    Query query(connection,
                "SELECT DISTINCT wallet FROM ai_credit_lots WHERE remaining_nanos > 0 AND"
                " expires_at IS NOT NULL AND expires_at <= ?1 ORDER BY wallet",
                micros(now));
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) break;
      due.push_back(query.integer(0));
    }
  }
  Changed changed;
  Rows rows(connection);
  for (const std::int64_t wallet : due) {
    AIMETER_TRY(store::BudgetKey key, rows.budget(wallet));
    AIMETER_TRY(const AccountIds owner, lane.names.account(key.account));
    Teller teller(lane, now);
    AIMETER_CHECK_OK(teller.open({wallet, owner.tenant, owner.account}, std::move(key)));
    AIMETER_TRY(std::vector<store::CreditMove> moves, teller.expire());
    AIMETER_CHECK_OK(teller.close());
    if (moves.empty()) continue;
    changed.rows += 1;
    changed.credits.insert(changed.credits.end(), moves.begin(), moves.end());
    if (static_cast<std::size_t>(changed.rows) == change.limit) {
      changed.more = wallet != due.back();
      break;
    }
  }
  return changed;
}

}  // namespace aimeter::drivers::sqlite
