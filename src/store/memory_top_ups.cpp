#include <utility>

#include "store/memory_wallets.h"

namespace aimeter::store::memory {
namespace {

bool is_due(const State& state, const BudgetKey& key, const TopUp& top_up, Instant now) {
  const auto budget = state.budgets.find(key);
  const Amount balance =
      budget == state.budgets.end() ? 0 : budget->second.state.credited - budget->second.state.used;
  return balance < top_up.rule.below.nanos && top_up.not_before <= now;
}

TopUpState state_of(const State& state, const BudgetKey& key, const TopUp& top_up, Instant now) {
  return {.account = key.account,
          .rule = top_up.rule,
          .key = top_up.key,
          .amount = {top_up.key.empty() ? top_up.rule.amount.nanos : top_up.claimed, key.currency},
          .claimed_at = top_up.claimed_at,
          .not_before = top_up.not_before,
          .declined = top_up.declined,
          .due = is_due(state, key, top_up, now)};
}

}  // namespace

Result<Changed> put(State& state, const PutAutoTopUp& change, Instant /*now*/) {
  AIMETER_CHECK_OK(check(change));
  const std::optional<BudgetKey> known = wallet_of(state, change.account);
  if (!change.rule) {
    return Changed{.rows = known ? static_cast<std::int64_t>(state.top_ups.erase(*known)) : 0};
  }
  const BudgetKey key = known ? *known : wallet_key(change.account, change.rule->amount.currency);
  if (key.currency != change.rule->amount.currency) {
    return bad_input("currency", change.rule->amount.currency, key.currency + ", the wallet's");
  }
  (void)budget_at(state, key);             // it is there from now on
  state.top_ups[key].rule = *change.rule;  // a claim under way stays
  return Changed{.rows = 1};
}

Result<Changed> put(State& state, const BeginTopUps& change, Instant now) {
  Changed changed;
  for (auto& [key, top_up] : state.top_ups) {
    if (!is_due(state, key, top_up, now)) continue;
    if (static_cast<std::size_t>(changed.rows) == change.limit) {
      changed.more = true;
      break;
    }
    if (top_up.key.empty()) {
      top_up.key = new_top_up_key();
      top_up.claimed = top_up.rule.amount.nanos;
      top_up.claimed_at = now;
    }
    top_up.not_before = now + change.again_after;
    changed.top_ups.push_back(state_of(state, key, top_up, now));
    changed.rows += 1;
  }
  return changed;
}

Result<Changed> put(State& state, const EndTopUp& change, Instant now) {
  Changed changed;
  if (change.how == EndTopUp::How::paid) {
    AIMETER_TRY(changed, put(state, credits_of(change), now));
  }
  const std::optional<BudgetKey> key = wallet_of(state, change.account);
  const auto found = key ? state.top_ups.find(*key) : state.top_ups.end();
  if (found == state.top_ups.end() || found->second.key != change.key) return changed;
  TopUp& top_up = found->second;
  if (std::exchange(changed.repeated, false)) changed.credits.clear();  // told when they came in
  switch (change.how) {
    case EndTopUp::How::paid:
      top_up = {.rule = top_up.rule};
      break;
    case EndTopUp::How::declined:
      top_up.key.clear();
      top_up.declined += 1;
      top_up.not_before = now + top_up_back_off(top_up.declined);
      break;
    case EndTopUp::How::unknown:
      top_up.not_before = now + kTopUpFirstBackOff;
      break;
  }
  return changed;
}

std::vector<TopUpState> top_ups_in(const State& state, const TopUpFilter& filter, Instant now) {
  std::vector<TopUpState> all;
  for (const auto& [key, top_up] : state.top_ups) {
    if (filter.tenant && key.account.tenant != *filter.tenant) continue;
    if (filter.billable && key.account.billable != *filter.billable) continue;
    if (filter.due && !is_due(state, key, top_up, now)) continue;
    all.push_back(state_of(state, key, top_up, now));
  }
  return all;
}

}  // namespace aimeter::store::memory
