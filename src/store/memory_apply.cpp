#include "store/memory_apply.h"

#include <algorithm>

#include "store/memory_wallets.h"

namespace aimeter::store::memory {
namespace {

bool has(const Settlement& settlement, Flag flag) { return (settlement.flags & flag) != 0; }

// What an adjustment leaves of one amount; empty: it would take more than is left.
bool take_from(Amount& left, Amount change) {
  const auto after = sum_of(left, change);
  if (!after || *after < 0) return false;
  left = *after;
  return true;
}

Left left_of(const Settlement& row) {
  Left left;
  for (const BudgetPart& part : row.budgets) left.parts.push_back(part.actual);
  if (has(row, kDuplicate)) return left;
  left.input_tokens = row.usage.input_tokens.count;
  left.cached_input_tokens = row.usage.cached_input_tokens.count;
  left.output_tokens = row.usage.output_tokens.count;
  left.total_tokens = row.usage.total_tokens.count;
  left.cost_nanos = row.total_cost.nanos;
  return left;
}

Status check_parts(const Settlement& row) {
  for (const BudgetPart& part : row.budgets) {
    if (part.key.account != row.account) {
      return fail(Code::invalid_argument, "a budget of another account");
    }
    if (part.held < 0) return fail(Code::invalid_argument, "a negative hold");
    if (part.actual < 0 && !has(row, kAdjustment)) {
      return fail(Code::invalid_argument, "a negative amount that is no adjustment");
    }
  }
  return {};
}

// The form in which a dead settlement counts: its hold stands in for what it used.
Settlement counted_with_hold(const Settlement& given) {
  Settlement counted = given;
  std::erase_if(counted.budgets,
                [&](const BudgetPart& part) { return part.key.account != given.account; });
  for (BudgetPart& part : counted.budgets) {
    part.held = std::max<Amount>(0, part.held);
    part.actual = part.held;
  }
  return counted;
}

}  // namespace

void Batch::take(const Settlement& given) {
  if (has(given, kDetach)) return detach(given);
  Settlement row = given;
  const Repeat repeat = repeat_of(given);
  if (repeat.yes) {
    row.flags |= kDuplicate;
    for (BudgetPart& part : row.budgets) part.actual = 0;
  }
  Result<Draft> drafted = draft(row);
  if (!drafted) return bury(given, drafted.error().message);
  if (drafted->late) drafted->row.flags |= kLate;
  write(*drafted);
  write_row(*drafted);
  pay(*drafted, row_id(engine_, row.seq));
  if (repeat.yes) {
    take_token(row, row_id(engine_, row.seq));
    odd_.push_back({.seq = given.seq, .what = Odd::duplicate, .original = repeat.original});
  } else {
    take_keys(row, row_id(engine_, row.seq));
    note(row);
  }
  if (drafted->late) odd_.push_back({.seq = given.seq, .what = Odd::late});
}

Batch::Repeat Batch::repeat_of(const Settlement& given) const {
  if (given.key) {
    const auto seen = state_.keys.find(given.key->key);
    if (seen != state_.keys.end()) return {.yes = true, .original = seen->second.row};
  }
  if (!given.token.empty()) {
    const auto ended = state_.keys.find(hold_key_of(given.account.tenant, given.token));
    if (ended != state_.keys.end() && ended->second.row != 0) {
      return {.yes = true, .original = ended->second.row};
    }
  }
  return {.yes = has(given, kDuplicate)};
}

// Its detached hold was released or has expired: it counts, late.
bool Batch::hold_is_over(const Settlement& row) const {
  if (row.token.empty() || has(row, kDuplicate)) return false;
  const auto ended = state_.keys.find(hold_key_of(row.account.tenant, row.token));
  return ended != state_.keys.end() && ended->second.row == 0;
}

Result<Batch::Draft> Batch::draft(const Settlement& row) const {
  Draft draft{.row = row};
  AIMETER_CHECK_OK(check_parts(row));
  AIMETER_CHECK_OK(draft_parts(draft));
  if (has(row, kDuplicate)) return draft;
  if (has(row, kAdjustment)) AIMETER_CHECK_OK(draft_left(draft));
  AIMETER_CHECK_OK(draft_cell(draft));
  return draft;
}

Status Batch::draft_parts(Draft& draft) const {
  const Settlement& row = draft.row;
  const auto hold = row.token.empty()
                        ? state_.holds.end()
                        : state_.holds.find(hold_key_of(row.account.tenant, row.token));
  draft.ends_hold = hold != state_.holds.end();
  draft.late = hold_is_over(row);
  if (draft.ends_hold) {
    for (const LeaseBack& kept : hold->second.parts) {
      budget_in(draft, kept.key).state.leased -= kept.amount;
    }
  }
  for (const BudgetPart& part : row.budgets) {
    const Amount given_up = give_up(draft, part);
    Counted counted = counted_of(part, given_up);
    draft.covered.push_back(given_up);
    if (draft.ends_hold) counted.leased = 0;  // all of the hold is off already
    if (counted.late > 0) draft.late = true;
    Budget& budget = budget_in(draft, part.key);
    if (!add_to(budget.state, counted)) {
      return fail(Code::invalid_argument, "a counter is out of range");
    }
    AIMETER_CHECK_OK(draft_overage(draft, part, budget));
  }
  return {};
}

// What the hold's row or its engine's lease still has of the part; takes it off the lease.
Amount Batch::give_up(Draft& draft, const BudgetPart& part) const {
  const Settlement& row = draft.row;
  if (part.held == 0) return 0;
  if (!row.token.empty()) {
    const base::Key16 token = hold_key_of(row.account.tenant, row.token);
    const auto hold = state_.holds.find(token);
    if (hold != state_.holds.end()) {
      for (const LeaseBack& kept : hold->second.parts) {
        if (kept.key == part.key) return std::min(kept.amount, part.held);
      }
      return 0;
    }
    if (state_.keys.contains(token)) return 0;  // released, expired or settled
  }
  const LeaseKey key{.budget = part.key, .engine = row.hold_engine};
  if (!draft.leases.contains(key)) {
    const auto lease = state_.leases.find(key);
    if (lease == state_.leases.end()) return 0;
    draft.leases[key] = lease->second;
  }
  Lease& lease = draft.leases[key];
  if (lease.epoch != row.epoch) return 0;
  const Amount given_up = std::min(lease.leased, part.held);
  lease.leased -= given_up;
  return given_up;
}

Budget& Batch::budget_in(Draft& draft, const BudgetKey& key) const {
  const auto [budget, fresh] = draft.budgets.try_emplace(key);
  if (fresh) {
    const auto stored = state_.budgets.find(key);
    if (stored != state_.budgets.end()) budget->second = stored->second;
    budget->second.state.key = key;
  }
  return budget->second;
}

// An adjustment counts where its usage counted, and takes no more than is left of it.
Status Batch::draft_left(Draft& draft) const {
  const Settlement& row = draft.row;
  const auto found = state_.rows.find(row.adjusts);
  if (found == state_.rows.end() || found->second.settlement.account != row.account) {
    return fail(Code::not_found, "the usage that it adjusts is not there");
  }
  const Settlement& usage = found->second.settlement;
  if (has(usage, kAdjustment) || has(usage, kDuplicate)) {
    return fail(Code::failed_precondition, "it adjusts no counted usage");
  }
  if (row.total_cost.nanos != 0 && row.total_cost.currency != usage.total_cost.currency) {
    return fail(Code::invalid_argument, "it is in another currency than its usage");
  }
  Left left = found->second.left;
  bool enough = take_from(left.input_tokens, row.usage.input_tokens.count);
  enough = take_from(left.cached_input_tokens, row.usage.cached_input_tokens.count) && enough;
  enough = take_from(left.output_tokens, row.usage.output_tokens.count) && enough;
  enough = take_from(left.total_tokens, row.usage.total_tokens.count) && enough;
  enough = take_from(left.cost_nanos, row.total_cost.nanos) && enough;
  for (const BudgetPart& part : row.budgets) {
    const auto same = [&](const BudgetPart& of_usage) { return of_usage.key == part.key; };
    const auto counted = std::ranges::find_if(usage.budgets, same);
    if (counted == usage.budgets.end()) {
      return fail(Code::invalid_argument, "its usage did not count in that budget");
    }
    const auto index = static_cast<std::size_t>(counted - usage.budgets.begin());
    enough = take_from(left.parts[index], part.actual) && enough;
  }
  if (!enough) return fail(Code::invalid_argument, "it takes more than is left of its usage");
  draft.left = left;
  return {};
}

Status Batch::draft_cell(Draft& draft) const {
  const RollupRow cell = cell_of(draft.row);
  const auto stored = state_.rollups.find(key_of(cell));
  RollupRow sum = cell;
  if (stored != state_.rollups.end()) {
    sum = stored->second;
    if (!add_to(sum, cell)) return fail(Code::invalid_argument, "a roll-up is out of range");
  }
  draft.cell = sum;
  return {};
}

void Batch::write(const Draft& draft) {
  for (const auto& [key, budget] : draft.budgets) {
    state_.budgets[key] = budget;
    touched_.try_emplace(key);
  }
  for (const auto& [key, lease] : draft.leases) state_.leases[key] = lease;
  if (draft.ends_hold) state_.holds.erase(hold_key_of(draft.row.account.tenant, draft.row.token));
  std::ranges::move(write_lines(state_, draft.overage), std::back_inserter(overages_));
}

// What it counts in wallets moves money.
void Batch::pay(const Draft& draft, std::int64_t id) {
  for (std::size_t i = 0; i < draft.row.budgets.size(); ++i) {
    const BudgetPart& part = draft.row.budgets[i];
    if (!is_wallet(part.key) || part.actual == 0) continue;
    std::ranges::move(settle_wallet(state_, part, draft.covered[i], {draft.row, id, now_}),
                      std::back_inserter(credits_));
  }
}

void Batch::write_row(const Draft& draft) {
  if (draft.cell) state_.rollups[key_of(*draft.cell)] = *draft.cell;
  if (draft.left) state_.rows.at(draft.row.adjusts).left = *draft.left;
  state_.rows[row_id(engine_, draft.row.seq)] = {draft.row, left_of(draft.row)};
}

// Dead: kept with its reason and counted with its hold. Where not even that fits it counts 0 and
// gives its hold up.
void Batch::bury(const Settlement& given, const std::string& reason) {
  const std::int64_t id = row_id(engine_, given.seq);
  Settlement counted = counted_with_hold(given);
  if (has(given, kDetach)) counted.token.clear();  // not from another's row of holds
  Draft draft{.row = counted, .counts = Counts::uncharged};
  if (!draft_parts(draft)) {
    for (BudgetPart& part : counted.budgets) part.actual = 0;
    draft = Draft{.row = counted, .counts = Counts::uncharged};
    AIMETER_ASSERT(draft_parts(draft).has_value());
  }
  write(draft);
  pay(draft, id);
  Dead dead{.dead = {.id = id, .reason = reason, .settlement = given}, .engine = engine_};
  for (const BudgetPart& part : counted.budgets) dead.counted.push_back({part.key, part.actual});
  state_.dead[id] = dead;
  if (!has(given, kAdjustment) && !has(given, kDetach)) take_keys(given, id);
  odd_.push_back({.seq = given.seq, .what = Odd::dead, .reason = reason});
}

// First wins. A dead call keeps its key: it counts, and a repeat of it must not count again.
void Batch::take_keys(const Settlement& row, std::int64_t id) {
  if (row.key) state_.keys.try_emplace(row.key->key, KeySeen{id, row.key->content});
  take_token(row, id);
}

void Batch::take_token(const Settlement& row, std::int64_t id) {
  if (!row.token.empty()) {
    KeySeen& seen = state_.keys[hold_key_of(row.account.tenant, row.token)];
    if (seen.row == 0)
      seen.row = id;  // a hold that was over: a second settlement of it is a repeat
  }
}

void Batch::note(const Settlement& row) {
  if (has(row, kAdjustment)) return;
  for (const BudgetPart& part : row.budgets) {
    touched_[part.key] = Naming{.limit = part.limit, .blocking = part.blocking};
  }
}

// Moves `held` from the lease to a row of holds; `leased` of the budget stays. A hold that ended
// before its detach arrived: released or expired, its part leaves the lease; settled, it left then.
void Batch::detach(const Settlement& given) {
  const base::Key16 token = hold_key_of(given.account.tenant, given.token);
  if (given.token.empty()) return bury(given, "a detach without a token");
  if (state_.holds.contains(token)) return bury(given, "its token has a hold already");
  if (const Status parts = check_parts(given); !parts) return bury(given, parts.error().message);
  const auto ended = state_.keys.find(token);
  const bool over = ended != state_.keys.end();
  const bool settled = over && ended->second.row != 0 && ended->second.content != kHoldReleased;
  Settlement moved = given;
  moved.token.clear();  // from the lease, not from a row of holds
  Draft draft{.row = moved};
  DetachedHold hold{.account = given.account, .expires_at = given.expires_at};
  for (const BudgetPart& part : given.budgets) {
    Budget& budget = budget_in(draft, part.key);
    if (settled) continue;
    const Amount given_up = give_up(draft, part);
    if (over) budget.state.leased -= given_up;
    hold.parts.push_back({part.key, given_up});
  }
  write(draft);
  if (!over) state_.holds[token] = hold;
  state_.engines.at(engine_).rowless += 1;
}

Applied Batch::finish(Seq last) {
  Applied applied{.last = last};
  for (const auto& [key, named] : touched_) {
    Budget& budget = state_.budgets.at(key);
    if (named) name_limit(budget.state, naming_of(budget.state, *named));
    const auto crossed =
        static_cast<std::uint8_t>(thresholds_of(budget.state) & ~unsigned{budget.told});
    budget.told |= crossed;
    if ((crossed & kToldApproaching) != 0) applied.crossed.push_back({key, false});
    if ((crossed & kToldReached) != 0) applied.crossed.push_back({key, true});
    applied.budgets.push_back(budget.state);
  }
  applied.odd = odd_;
  applied.credits = std::move(credits_);
  applied.overages = overages_;
  EngineState& engine = state_.engines.at(engine_);
  engine.last_seq = last;
  engine.applied_at = now_;
  return applied;
}

}  // namespace aimeter::store::memory
