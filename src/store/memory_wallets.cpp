#include "store/memory_wallets.h"

#include <fmt/format.h>

#include <algorithm>

namespace aimeter::store::memory {
namespace {

std::string where_of(const BudgetKey& key) {
  return fmt::format("tenant \"{}\", {} {}, wallet in {}", key.account.tenant.text,
                     key.account.billable.type, key.account.billable.id, key.currency);
}

void new_lot(State& state, const BudgetKey& key, wallet::Lot lot) {
  lot.number = ++state.last_lot;
  state.wallets[key].purse.add(std::move(lot));
}

Amount change_of(const CreditTransaction& one) {
  return one.is_credit() ? one.amount.nanos : -one.amount.nanos;
}

// The wallet's limit is what was credited: said again after each change of it.
void credit(State& state, const BudgetKey& key, Amount change) {
  BudgetState& budget = budget_at(state, key).state;
  budget.credited += change;
  if (budget.limit) name_limit(budget, {.limit = budget.credited, .blocking = budget.blocking});
}

Result<BudgetKey> wallet_for(const State& state, const Account& account,
                             std::string_view currency) {
  const std::optional<BudgetKey> known = wallet_of(state, account);
  if (!known) return wallet_key(account, currency);
  if (known->currency == currency) return *known;
  return bad_input("currency", currency, known->currency + ", the wallet's");
}

template <class Change>
Result<std::optional<Changed>> repeat_of(const State& state, const Change& change) {
  const auto key = key_of(change);
  if (!key) return std::nullopt;
  const auto seen = state.credit_keys.find(*key);
  if (seen == state.credit_keys.end()) return std::nullopt;
  if (seen->second.content != content_of(change)) {
    return fail(Code::conflict,
                "idempotency_key: was used before with other content; expected the same, or "
                "another key");
  }
  const CreditRow& row = state.credits.at(seen->second.row);
  return Changed{.id = row.transaction.id,
                 .credits = {{row.wallet.account, row.transaction}},
                 .repeated = true};
}

template <class Change>
Changed done(State& state, const Change& change, CreditMove move) {
  if (const auto key = key_of(change)) {
    state.credit_keys[*key] = {.row = move.transaction.id, .content = content_of(change)};
  }
  Changed changed{.id = move.transaction.id, .rows = 1};
  changed.credits.push_back(std::move(move));
  return changed;
}

std::vector<CreditMove> expire_wallet(State& state, const BudgetKey& key, Instant now) {
  std::vector<CreditMove> moves;
  const Amount leased = budget_at(state, key).state.leased;
  for (const auto& expired : state.wallets[key].purse.expire(now, leased)) {
    credit(state, key, -expired.amount);
    moves.push_back(write_move(state, key,
                               {.change = -expired.amount,
                                .cause = CreditCause::expiry,
                                .refers_to = expired.lot,
                                .reason = "expired",
                                .at = now}));
  }
  return moves;
}

// What a usage and its corrections took, less what refunds gave of them; a dead one took `debit`.
Amount left_of_usage(const State& state, std::int64_t usage, Amount debit) {
  Amount left = debit;
  if (const auto row = state.rows.find(usage); row != state.rows.end()) {
    const std::vector<BudgetPart>& budgets = row->second.settlement.budgets;
    const auto part =
        std::ranges::find_if(budgets, [](const BudgetPart& one) { return is_wallet(one.key); });
    AIMETER_ASSERT(part != budgets.end());
    left = row->second.left.parts[static_cast<std::size_t>(part - budgets.begin())];
  }
  for (const auto& [id, row] : state.credits) {
    const CreditTransaction& one = row.transaction;
    if (one.cause == CreditCause::refund && one.usage_id == usage) left -= change_of(one);
  }
  return left;
}

Amount left_of_debit(const State& state, const CreditTransaction& debit) {
  Amount left = debit.amount.nanos;
  for (const auto& [id, row] : state.credits) {
    const CreditTransaction& one = row.transaction;
    if (one.cause == CreditCause::refund && one.refers_to == debit.id) left -= change_of(one);
  }
  const std::int64_t usage = usage_of(debit);
  return usage == 0 ? left : std::min(left, left_of_usage(state, usage, debit.amount.nanos));
}

bool is_of(const WalletFilter& filter, const Account& account) {
  return (!filter.tenant || account.tenant == *filter.tenant) &&
         (!filter.billable || account.billable == *filter.billable);
}

}  // namespace

CreditMove write_move(State& state, const BudgetKey& key, const WalletMove& move) {
  const BudgetState& budget = budget_at(state, key).state;
  Wallet& wallet = state.wallets[key];
  const std::int64_t id = ++state.last_credit;
  const CreditTransaction transaction{
      .id = id,
      .direction = move.change < 0 ? Direction::debit : Direction::credit,
      .amount = {move.change < 0 ? -move.change : move.change, key.currency},
      .balance_after = {budget.credited - budget.used, key.currency},
      .reason = move.reason,
      .meta = move.meta,
      .created_at = move.at,
      .cause = move.cause,
      .usage_id = move.usage_id,
      .refers_to = move.refers_to};
  state.credits[id] = {key, transaction};
  ++wallet.transactions;
  return {key.account, transaction};
}

std::vector<CreditMove> settle_wallet(State& state, const BudgetPart& part, Amount covered,
                                      const Settled& settled) {
  const bool adjusts = (settled.row.flags & kAdjustment) != 0;
  const std::int64_t usage = settled.row.adjusts;
  wallet::Purse& purse = state.wallets[part.key].purse;
  Amount rest = 0, twice = 0;
  if (part.actual >= 0) {
    purse.spend({.amount = part.actual, .at = settled.row.occurred_at, .covered = covered});
  } else {
    if (adjusts) twice = std::max<Amount>(0, -left_of_usage(state, usage, 0));
    rest = purse.give_back(-part.actual - twice, settled.now);
  }
  std::vector<CreditMove> moves{
      write_move(state, part.key,
                 {.change = -part.actual,
                  .cause = adjusts ? CreditCause::correction : CreditCause::usage,
                  .usage_id = settled.id,
                  .refers_to = usage,
                  .reason = adjusts ? "correction" : "usage",
                  .at = settled.now})};
  const std::int64_t correction = moves[0].transaction.id;
  if (rest > 0) {
    new_lot(state, part.key, {.granted_at = settled.now, .amount = rest, .source = correction});
  }
  if (twice == 0) return moves;
  credit(state, part.key, -twice);
  moves.push_back(write_move(state, part.key,
                             {.change = -twice,
                              .cause = CreditCause::refund,
                              .usage_id = usage,
                              .refers_to = correction,
                              .reason = std::string(kRefundedBefore),
                              .at = settled.now}));
  return moves;
}

Result<Changed> put(State& state, const AddCredits& change, Instant now) {
  AIMETER_TRY(std::optional<Changed> first, repeat_of(state, change));
  if (first) return *std::move(first);  // also when its lot has ended meanwhile
  AIMETER_CHECK_OK(check(change, now));
  AIMETER_TRY(const BudgetKey key, wallet_for(state, change.account, change.amount.currency));
  if (!sum_of(budget_at(state, key).state.credited, change.amount.nanos)) {
    return bad_input("amount", change.amount.text(), "a balance that is in range");
  }
  credit(state, key, change.amount.nanos);
  CreditMove move = write_move(state, key,
                               {.change = change.amount.nanos,
                                .cause = change.cause,
                                .reason = change.reason,
                                .meta = change.meta,
                                .at = now});
  new_lot(state, key,
          {.terms = change.terms,
           .granted_at = now,
           .amount = change.amount.nanos,
           .source = move.transaction.id});
  return done(state, change, std::move(move));
}

Result<Changed> put(State& state, const DeductCredits& change, Instant now) {
  AIMETER_CHECK_OK(check(change));
  AIMETER_TRY(std::optional<Changed> first, repeat_of(state, change));
  if (first) return *std::move(first);
  AIMETER_TRY(const BudgetKey key, wallet_for(state, change.account, change.amount.currency));
  const auto known = state.budgets.find(key);
  const BudgetState budget = known == state.budgets.end() ? BudgetState{} : known->second.state;
  const auto wallet = state.wallets.find(key);
  const Amount expires =
      wallet == state.wallets.end() ? 0 : wallet->second.purse.expirable(now, budget.leased);
  const Amount balance = budget.credited - budget.used - expires;
  if (balance - budget.leased < change.amount.nanos) {
    return not_enough_credits({balance, key.currency}, budget.leased, change.amount);
  }
  std::vector<CreditMove> expired = expire_wallet(state, key, now);
  state.wallets[key].purse.spend({.amount = change.amount.nanos, .at = now});
  credit(state, key, -change.amount.nanos);
  Changed changed = done(state, change,
                         write_move(state, key,
                                    {.change = -change.amount.nanos,
                                     .cause = CreditCause::withdrawal,
                                     .reason = change.reason,
                                     .meta = change.meta,
                                     .at = now}));
  changed.credits.insert(changed.credits.end(), expired.begin(), expired.end());
  return changed;
}

Result<Changed> put(State& state, const RefundCredits& change, Instant now) {
  AIMETER_CHECK_OK(check(change));
  AIMETER_TRY(std::optional<Changed> first, repeat_of(state, change));
  if (first) return *std::move(first);
  const auto debit = state.credits.find(change.debit);
  if (debit == state.credits.end() || debit->second.wallet.account != change.account) {
    return fail(Code::not_found, fmt::format("debit: there is no transaction {}", change.debit));
  }
  const BudgetKey key = debit->second.wallet;
  const CreditTransaction& transaction = debit->second.transaction;
  AIMETER_TRY(const Amount amount,
              refund_amount(change, transaction, left_of_debit(state, transaction)));
  credit(state, key, amount);
  const Amount rest = state.wallets[key].purse.give_back(amount, now);
  CreditMove move = write_move(state, key,
                               {.change = amount,
                                .cause = CreditCause::refund,
                                .usage_id = usage_of(transaction),
                                .refers_to = change.debit,
                                .reason = change.reason,
                                .meta = change.meta,
                                .at = now});
  if (rest > 0) {
    new_lot(state, key, {.granted_at = now, .amount = rest, .source = move.transaction.id});
  }
  return done(state, change, std::move(move));
}

Changed put(State& state, const ExpireCredits& change, Instant now) {
  Changed changed;
  std::vector<BudgetKey> due;
  for (const auto& [key, wallet] : state.wallets) {
    if (wallet.purse.over(now) > 0) due.push_back(key);
  }
  for (const BudgetKey& key : due) {
    std::vector<CreditMove> moves = expire_wallet(state, key, now);
    if (wallet::Purse& purse = state.wallets[key].purse; purse.over(now) > 0) {
      for (auto& [lease_key, lease] : state.leases) {  // the rest when it comes back
        if (lease_key.budget == key && lease.leased > 0) lease.recall = true;
      }
    }
    if (moves.empty()) continue;
    ++changed.rows;
    changed.credits.insert(changed.credits.end(), moves.begin(), moves.end());
    if (static_cast<std::size_t>(changed.rows) == change.limit) {
      changed.more = key != due.back();
      break;
    }
  }
  return changed;
}

Amount over_in(const State& state, const BudgetKey& key, Instant now) {
  const auto found = state.wallets.find(key);
  return found == state.wallets.end() ? 0 : found->second.purse.over(now);
}

bool credits_due(const State& state, Instant now) {
  return std::ranges::any_of(state.wallets,
                             [now](const auto& one) { return one.second.purse.over(now) > 0; });
}

std::optional<BudgetKey> wallet_of(const State& state, const Account& account) {
  for (const auto& [key, budget] : state.budgets) {
    if (is_wallet(key) && key.account == account) return key;
  }
  return std::nullopt;
}

std::vector<WalletState> wallets_in(const State& state, const WalletFilter& filter) {
  std::vector<WalletState> all;
  for (const auto& [key, budget] : state.budgets) {
    if (!is_wallet(key) || !is_of(filter, key.account)) continue;
    WalletState& one = all.emplace_back();
    one.account = key.account;
    one.currency = key.currency;
    one.credited = budget.state.credited;
    one.used = budget.state.used;
    one.leased = budget.state.leased;
    const auto wallet = state.wallets.find(key);
    if (wallet == state.wallets.end()) continue;
    one.debt = wallet->second.purse.debt();
    one.transactions = wallet->second.transactions;
  }
  return all;
}

std::vector<CreditMove> transactions_in(const State& state, const CreditFilter& filter,
                                        std::size_t limit) {
  std::vector<CreditMove> found;
  const bool newest = filter.order == CreditOrder::newest_first;
  const auto take = [&](const CreditRow& row) {
    const std::int64_t id = row.transaction.id;
    if (found.size() == limit || !is_of(filter.wallet, row.wallet.account)) return;
    if (filter.id && *filter.id != id) return;
    if (filter.after != 0 && (newest ? id >= filter.after : id <= filter.after)) return;
    found.push_back({row.wallet.account, row.transaction});
  };
  if (newest) {
    for (auto row = state.credits.rbegin(); row != state.credits.rend(); ++row) take(row->second);
  } else {
    for (const auto& [id, row] : state.credits) take(row);
  }
  return found;
}

std::vector<CreditLot> lots_in(const State& state, const Account& account, Lots which) {
  std::vector<CreditLot> lots;
  const std::optional<BudgetKey> key = wallet_of(state, account);
  if (!key || !state.wallets.contains(*key)) return lots;
  for (const wallet::Lot& lot : state.wallets.at(*key).purse.lots()) {
    if (which == Lots::open && lot.remaining == 0) continue;
    lots.push_back({.id = lot.number,
                    .terms = lot.terms,
                    .granted_at = lot.granted_at,
                    .amount = {lot.amount, key->currency},
                    .remaining = {lot.remaining, key->currency}});
  }
  std::ranges::sort(lots, {}, &CreditLot::id);
  return lots;
}

void verify_wallets(const State& state, std::vector<Finding>& findings) {
  std::map<BudgetKey, Amount> balances;
  std::map<BudgetKey, std::int64_t> counts;
  for (const auto& [id, row] : state.credits) {
    const CreditTransaction& one = row.transaction;
    Amount& balance = balances[row.wallet];
    balance += one.is_credit() ? one.amount.nanos : -one.amount.nanos;
    ++counts[row.wallet];
    if (balance == one.balance_after.nanos) continue;
    findings.push_back({"chain", where_of(row.wallet),
                        fmt::format("transaction {} says a balance of {}, the chain has {}", id,
                                    one.balance_after.nanos, balance)});
    balance = one.balance_after.nanos;
  }
  for (const auto& [key, budget] : state.budgets) {
    if (!is_wallet(key)) continue;
    const Amount balance = budget.state.credited - budget.state.used;
    const auto wallet = state.wallets.find(key);
    const wallet::Purse purse =
        wallet == state.wallets.end() ? wallet::Purse() : wallet->second.purse;
    const std::int64_t written = wallet == state.wallets.end() ? 0 : wallet->second.transactions;
    if (balances[key] != balance || counts[key] != written) {
      findings.push_back({"transactions = balance", where_of(key),
                          fmt::format("the balance is {}, {} transactions come to {}", balance,
                                      counts[key], balances[key])});
    }
    if (purse.balance() != balance) {
      findings.push_back({"lots = balance", where_of(key),
                          fmt::format("the balance is {}, lots have {} and {} is owed", balance,
                                      purse.total(), purse.debt())});
    }
  }
}

}  // namespace aimeter::store::memory
