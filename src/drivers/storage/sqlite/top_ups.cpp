#include <utility>

#include "drivers/storage/sqlite/counters.h"
#include "drivers/storage/sqlite/credits.h"
#include "drivers/storage/sqlite/rows.h"
#include "drivers/storage/sqlite/sqlite_store.h"

// What wallets ask of the billing driver by themselves: rules, claims and how they ended.
namespace aimeter::drivers::sqlite {
namespace {

using store::Changed;
using store::EndTopUp;
using store::TopUpState;

std::int64_t micros(Instant at) { return at.time_since_epoch().count(); }

template <class T>
std::optional<std::string> text_of(const std::optional<T>& given, std::string T::* member) {
  return given ? std::optional((*given).*member) : std::nullopt;
}

// Columns: wallet, below, amount, claim, not_before, declined, balance, claimed, claimed_at.
Result<TopUpState> read_state(Rows& rows, const Query& query, Instant now) {
  AIMETER_TRY(const store::BudgetKey key, rows.budget(query.integer(0)));
  TopUpState state{.account = key.account,
                   .rule = {.below = {query.integer(1), key.currency},
                            .amount = {query.integer(2), key.currency}},
                   .key = query.text(3),
                   .amount = {query.integer(7), key.currency},
                   .claimed_at = Instant(Duration(query.integer(8))),
                   .not_before = Instant(Duration(query.integer(4))),
                   .declined = query.integer(5)};
  if (state.key.empty()) state.amount = state.rule.amount;
  state.due = query.integer(6) < state.rule.below.nanos && state.not_before <= now;
  return state;
}

}  // namespace

Result<Changed> put(Lane& lane, const store::PutAutoTopUp& change, Instant /*now*/) {
  AIMETER_CHECK_OK(store::check(change));
  Connection& connection = *lane.connection;
  AIMETER_TRY(std::string currency, wallet_currency_of(connection, change.account));
  if (!change.rule) {
    AIMETER_TRY(const auto wallet,
                find_budget(connection, store::wallet_key(change.account, currency)));
    AIMETER_TRY(const auto gone,
                run(connection, "DELETE FROM ai_credit_top_ups WHERE wallet = ?1", wallet));
    return Changed{.rows = gone};
  }
  const AutoTopUp& rule = *change.rule;
  if (currency.empty()) currency = rule.amount.currency;
  if (currency != rule.amount.currency) {
    return bad_input("currency", rule.amount.currency, currency + ", the wallet's");
  }
  AIMETER_TRY(const BudgetIds ids, lane.names.ids_of(store::wallet_key(change.account, currency)));
  AIMETER_TRY(const std::int64_t wallet, lane.names.budget(ids));
  AIMETER_CHECK_OK(run(connection,
                       "INSERT INTO ai_credit_top_ups(wallet, tenant, below_nanos, amount_nanos)"
                       " VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET below_nanos ="
                       " excluded.below_nanos, amount_nanos = excluded.amount_nanos",
                       wallet, ids.tenant, rule.below.nanos, rule.amount.nanos));
  return Changed{.rows = 1};
}

Result<Changed> put(Lane& lane, const store::BeginTopUps& change, Instant now) {
  Connection& connection = *lane.connection;
  Changed changed;
  std::vector<std::pair<std::int64_t, TopUpState>> due;
  Rows rows(connection);
  {
    Query query(connection,
                "SELECT t.wallet, t.below_nanos, t.amount_nanos, t.claim, t.not_before, t.declined,"
                " b.credited - b.used, t.claimed_nanos, t.claimed_at FROM ai_credit_top_ups t JOIN"
                " ai_budgets b ON b.budget = t.wallet WHERE b.credited - b.used < t.below_nanos "
                "AND t.not_before <= ?1 ORDER"
                " BY t.wallet LIMIT ?2",
                micros(now), change.limit + 1);
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) break;
      AIMETER_TRY(TopUpState state, read_state(rows, query, now));
      due.emplace_back(query.integer(0), std::move(state));
    }
  }
  changed.more = due.size() > change.limit;
  if (changed.more) due.pop_back();
  for (auto& [wallet, state] : due) {
    if (state.key.empty()) {
      state.key = store::new_top_up_key();
      state.claimed_at = now;
    }
    state.not_before = now + change.again_after;
    state.due = false;
    AIMETER_CHECK_OK(run(connection,
                         "UPDATE ai_credit_top_ups SET claim = ?2, not_before = ?3, claimed_nanos ="
                         " ?4, claimed_at = ?5 WHERE wallet = ?1",
                         wallet, state.key, micros(state.not_before), state.amount.nanos,
                         micros(state.claimed_at)));
    changed.top_ups.push_back(std::move(state));
    changed.rows += 1;
  }
  return changed;
}

Result<Changed> put(Lane& lane, const EndTopUp& change, Instant now) {
  Connection& connection = *lane.connection;
  Changed changed;
  if (change.how == EndTopUp::How::paid) {
    AIMETER_TRY(changed, put(lane, store::credits_of(change), now));
  }
  AIMETER_TRY(const std::string currency, wallet_currency_of(connection, change.account));
  AIMETER_TRY(const auto wallet,
              find_budget(connection, store::wallet_key(change.account, currency)));
  AIMETER_TRY(const auto declined,
              find_integer(connection,
                           "SELECT declined FROM ai_credit_top_ups WHERE wallet = ?1 AND claim ="
                           " ?2",
                           wallet, change.key));
  if (!declined) return changed;
  if (std::exchange(changed.repeated, false)) changed.credits.clear();  // told when they came in
  struct {
    std::string key = {};
    Instant not_before = {};
    std::int64_t declined = 0;
  } next;
  if (change.how == EndTopUp::How::declined) {
    next.declined = *declined + 1;
    next.not_before = now + store::top_up_back_off(next.declined);
  } else if (change.how == EndTopUp::How::unknown) {
    next = {change.key, now + store::kTopUpFirstBackOff, *declined};
  }
  AIMETER_CHECK_OK(run(connection,
                       "UPDATE ai_credit_top_ups SET claim = ?2, not_before = ?3, declined = ?4"
                       " WHERE wallet = ?1",
                       wallet, next.key, micros(next.not_before), next.declined));
  return changed;
}

Result<std::vector<TopUpState>> SqliteStore::top_ups(const store::TopUpFilter& filter) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Rows rows(*use);
  std::vector<TopUpState> all;
  Query query(*use,
              "SELECT x.wallet, x.below_nanos, x.amount_nanos, x.claim, x.not_before, x.declined,"
              " b.credited - b.used, x.claimed_nanos, x.claimed_at FROM ai_credit_top_ups x JOIN"
              " ai_budgets b ON b.budget = x.wallet JOIN ai_tenants t ON t.tenant = x.tenant JOIN"
              " ai_accounts a ON a.account = b.account WHERE (?1 IS NULL OR t.name = ?1) AND (?2 IS"
              " NULL OR (a.type = ?2 AND a.id = ?3)) AND (?4 = 0 OR (b.credited - b.used <"
              " x.below_nanos AND x.not_before <= ?5)) ORDER BY x.wallet",
              text_of(filter.tenant, &TenantId::text), text_of(filter.billable, &Billable::type),
              text_of(filter.billable, &Billable::id), filter.due ? 1 : 0, micros(now()));
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return all;
    AIMETER_TRY(all.emplace_back(), read_state(rows, query, now()));
  }
}

}  // namespace aimeter::drivers::sqlite
