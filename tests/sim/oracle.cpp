#include "tests/sim/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "store/bound.h"

namespace aimeter::sim {
namespace {

// Holds that the writer can be behind with: far more than one step begins.
constexpr std::size_t kUnwrittenMax = 64;
constexpr std::string_view kMetaBegins = "{\"n\":\"";

std::string label_of(const store::BudgetKey& key) {
  return fmt::format("{}/{} {} {} \"{}\" of {}", key.account.tenant.text, key.account.billable.id,
                     name_of(key.scope), name_of(key.kind), key.name, text_of(key.span.start));
}

std::optional<std::size_t> number_of(const store::Settlement& row) {
  if (!row.meta.starts_with(kMetaBegins)) return std::nullopt;
  std::size_t number = 0;
  const char* begin = row.meta.data() + kMetaBegins.size();
  if (std::from_chars(begin, row.meta.data() + row.meta.size(), number).ec != std::errc{}) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

void Oracle::fail(std::string message) {
  if (!failure_) failure_ = std::move(message);
}

// ---------------------------------------------------------------- callers

std::size_t Oracle::intern(const store::BudgetKey& key) {
  const auto [at, fresh] = numbers_.try_emplace(key, budgets_.size());
  if (fresh) budgets_.push_back({.key = key});
  return at->second;
}

Amount Oracle::used(const store::BudgetKey& key) { return budgets_[intern(key)].used; }

std::size_t Oracle::add(Attempt attempt) {
  attempts_.push_back(std::move(attempt));
  open_.push_back(attempts_.size() - 1);
  return attempts_.size() - 1;
}

void Oracle::begin_hold(std::size_t number, Hold hold) {
  Attempt& attempt = attempts_[number];
  attempt.epoch = hold.epoch;
  attempt.hold = hold.number;
  attempt.held = std::move(hold.held);
  attempt.state = Attempt::State::holding;
  if (std::ranges::find(open_, number) == open_.end()) open_.push_back(number);
}

void Oracle::not_acked(std::size_t number, Code code) {
  if (code == Code::unavailable) {
    attempts_[number].state = Attempt::State::refused;
  } else if (code != Code::in_doubt) {
    fail(fmt::format("call {} settled with code {}", number, static_cast<int>(code)));
  }
}

void Oracle::granted(std::size_t number, Duration renewed) {
  const Attempt& attempt = attempts_[number];
  const bool leased = std::ranges::any_of(attempt.held, &HeldOf::leased);
  if (!leased) return;
  if (view_.now - renewed >= view_.lease_ttl) {
    fail(fmt::format("engine {} grants {} s after it sent its last renewal", attempt.engine,
                     (view_.now - renewed).count() / 1'000'000));
  }
  const auto engines = view_.store->engines();
  for (const store::EngineState& state : *engines) {
    if (state.ref.engine != attempt.engine) continue;
    if (state.ref.epoch != attempt.epoch) {
      fail(fmt::format("engine {} grants from epoch {}, {} is in force", attempt.engine,
                       attempt.epoch, state.ref.epoch));
    }
    if (state.closed_at) fail(fmt::format("engine {} grants, but is closed", attempt.engine));
  }
}

void Oracle::acked(std::size_t number, std::int64_t row) {
  Attempt& attempt = attempts_[number];
  attempt.state = Attempt::State::acked;
  attempt.row = row;
  if (attempt.durability != ledger::Durability::store || attempt.landed != 0) return;
  const auto found = view_.store->settlement(row, std::nullopt);
  if (found && *found) return;
  const auto dead = view_.store->dead();
  const bool buried =
      std::ranges::any_of(*dead, [row](const store::DeadSettlement& one) { return one.id == row; });
  if (!buried) fail(fmt::format("row {} was said to be in the store, and is not", row));
}

void Oracle::lost_process(store::EngineId engine) {
  alive_.erase(engine);
  for (const std::size_t number : open_) {
    Attempt& attempt = attempts_[number];
    if (attempt.engine == engine && attempt.state == Attempt::State::holding) {
      attempt.state = Attempt::State::ended;
      if (attempt.begun) orphans_.emplace(engine, attempt.hold);
    }
  }
}

void Oracle::lost_power(store::EngineId engine) {
  std::erase_if(orphans_, [engine](const auto& orphan) { return orphan.first == engine; });
  for (Attempt& attempt : attempts_) {
    if (attempt.engine == engine) attempt.begun = attempt.ended = false;
  }
}

std::vector<std::size_t> Oracle::unwritten(store::EngineId engine) const {
  std::vector<std::size_t> found;
  for (std::size_t i = attempts_.size(); i-- > 0;) {
    const Attempt& attempt = attempts_[i];
    if (attempt.engine != engine || attempt.hold == 0) continue;
    if (!attempt.begun || attempt.released != attempt.ended) found.push_back(i);
    if (found.size() >= kUnwrittenMax) break;
  }
  return found;
}

void Oracle::written(const std::vector<std::size_t>& attempts) {
  for (const std::size_t number : attempts) {
    attempts_[number].begun = true;
    attempts_[number].ended = attempts_[number].released;
  }
}

void Oracle::key_seen(const store::KeyRef& key, const store::KeySeen& seen) {
  if (seen.content != key.content) fail("a key was found with other content, without a conflict");
  promised_.emplace_back(key.key, seen.row);
}

bool Oracle::other_content(const store::KeyRef& key) const {
  const auto known = contents_.find(key.key);
  return known != contents_.end() &&
         (known->second.size() > 1 || !known->second.contains(key.content));
}

void Oracle::orphan(const store::Orphan& orphan) {
  for (std::size_t i = attempts_.size(); i-- > 0;) {
    const Attempt& attempt = attempts_[i];
    if (attempt.engine != orphan.engine || attempt.hold != orphan.hold) continue;
    if (attempt.state == Attempt::State::acked &&
        attempt.durability == ledger::Durability::journal) {
      fail(fmt::format("hold {} of engine {} is listed as an orphan, but its call was acknowledged",
                       orphan.hold, orphan.engine));
    }
    if (attempt.ended) {
      fail(fmt::format("hold {} of engine {} is listed as an orphan, but was released", orphan.hold,
                       orphan.engine));
    }
    return;
  }
  // Nobody was told of it: it had begun when its process died, its caller was not answered yet.
}

// ---------------------------------------------------------------- rows

Amount Oracle::part_amount(const Attempt& attempt, BudgetKind kind) const {
  constexpr Amount kNanosPerToken = 10;
  switch (kind) {
    case BudgetKind::tokens:
      return attempt.tokens;
    case BudgetKind::requests:
      return attempt.what == Attempt::What::adjustment ? 0 : 1;
    case BudgetKind::cost:
    case BudgetKind::credits:
      return attempt.tokens * kNanosPerToken;
  }
  return 0;
}

void Oracle::check_parts(const Attempt& attempt, const store::Settlement& row) {
  int whole = 0;
  for (const store::BudgetPart& part : row.budgets) {
    if (part.key.account != attempt.account) return fail("a row counts in another account");
    if (!part.key.span.contains(attempt.occurred_at)) {
      return fail(fmt::format("row of {} counts in the period of {}", text_of(attempt.occurred_at),
                              label_of(part.key)));
    }
    if (part.actual != part_amount(attempt, part.key.kind)) {
      return fail(fmt::format("a row counts {} in {}, its caller said {}", part.actual,
                              label_of(part.key), part_amount(attempt, part.key.kind)));
    }
    if (part.key.scope == BudgetScope::account && part.key.kind == BudgetKind::tokens) ++whole;
  }
  if (whole != 1) return fail("a row does not count in its account's tokens once");
  if (attempt.what != Attempt::What::call) return;
  if (row.budgets.size() != attempt.held.size()) return fail("a row counts elsewhere than it held");
  for (const store::BudgetPart& part : row.budgets) {
    const std::size_t budget = intern(part.key);
    if (std::ranges::find(attempt.held, budget, &HeldOf::budget) == attempt.held.end()) {
      return fail("a row counts in " + label_of(part.key) + ", which it did not hold");
    }
  }
}

void Oracle::check_adjustment(const Attempt& attempt, bool dead) {
  const bool too_much = left_[attempt.adjusts] + attempt.tokens < 0;
  if (dead != too_much) {
    fail(fmt::format("an adjustment of {} where {} are left is {}", attempt.tokens,
                     left_[attempt.adjusts], dead ? "dead" : "counted"));
  }
  if (!dead) left_[attempt.adjusts] += attempt.tokens;
}

void Oracle::take_counted(Attempt& attempt, std::int64_t id, const store::Settlement& row) {
  if (attempt.key && !owners_.try_emplace(attempt.key->key, id).second) {
    return fail(
        fmt::format("row {} counts, and its key has row {}", id, owners_[attempt.key->key]));
  }
  if (attempt.what == Attempt::What::adjustment) {
    check_adjustment(attempt, false);
  } else {
    left_[id] = attempt.tokens;
    usages_.push_back(id);
  }
  check_parts(attempt, row);
  for (const store::BudgetPart& part : row.budgets) {
    Budget& budget = budgets_[intern(part.key)];
    const Amount actual = part_amount(attempt, part.key.kind);
    const auto held = std::ranges::find(attempt.held, numbers_[part.key], &HeldOf::budget);
    budget.used += actual;
    const bool leased = held != attempt.held.end() && held->leased;
    budget.excess += std::max<Amount>(0, actual - (leased ? held->held : 0));
    if ((row.flags & store::kLate) != 0) budget.late += std::max<Amount>(0, actual);
  }
}

void Oracle::take_duplicate(std::size_t number, const store::Settlement& row) {
  for (const store::BudgetPart& part : row.budgets) {
    if (part.actual != 0) return fail("a duplicate counts");
  }
  attempts_[number].duplicate = true;
  duplicates_.push_back(number);
}

void Oracle::take_row(store::EngineId id, const store::Settlement& row) {
  const std::int64_t row_id = store::row_id(id, row.seq);
  const std::optional<std::size_t> number = number_of(row);
  if (!number || *number >= attempts_.size()) return fail("a row that nobody wrote");
  Attempt& attempt = attempts_[*number];
  if (attempt.landed != 0) {
    return fail(fmt::format("rows {} and {} are one call", attempt.landed, row_id));
  }
  if (attempt.engine != id) return fail("a row of another engine");
  if (attempt.row != 0 && attempt.row != row_id) {
    return fail(fmt::format("row {} was said to be {}", row_id, attempt.row));
  }
  if (attempt.state == Attempt::State::refused) {
    return fail(fmt::format("row {} was said not to be written", row_id));
  }
  if (attempt.state == Attempt::State::holding || attempt.state == Attempt::State::ended) {
    return fail(fmt::format("row {} of a call that did not settle", row_id));
  }
  attempt.landed = row_id;
  rows_[row_id] = row;
  const bool late = (row.flags & store::kLate) != 0;
  if (late && in_force(id, attempt.what == Attempt::What::call ? attempt.epoch : 1)) {
    fail(fmt::format("row {} is late, but its lease is in force", row_id));
  }
  const bool over = engines_[id].epoch != attempt.epoch || arriving_;
  if (late && attempt.what == Attempt::What::call && !over) {
    fail(fmt::format("row {} is late: its lease went back before it was applied", row_id));
  }
  if ((row.flags & store::kDuplicate) != 0) return take_duplicate(*number, row);
  take_counted(attempt, row_id, row);
}

void Oracle::take_dead(store::EngineId id, store::Seq seq) {
  const auto dead = view_.store->dead();
  for (const store::DeadSettlement& one : *dead) {
    if (one.id != store::row_id(id, seq)) continue;
    const std::optional<std::size_t> number = number_of(one.settlement);
    if (!number || *number >= attempts_.size()) return fail("a dead row that nobody wrote");
    Attempt& attempt = attempts_[*number];
    if (attempt.landed != 0) return fail("a call is dead and a row");
    attempt.landed = one.id;
    attempt.dead = true;
    rows_[one.id] = one.settlement;
    if (attempt.what != Attempt::What::adjustment) return fail("a dead call: " + one.reason);
    check_adjustment(attempt, true);
    for (const store::BudgetPart& part : one.settlement.budgets) {
      budgets_[intern(part.key)].used += std::max<Amount>(0, part.held);
    }
    return;
  }
  fail(fmt::format("seq {} of engine {} is neither a row nor dead", seq, id));
}

void Oracle::read_rows(store::EngineId id, Engine& engine, store::Seq last) {
  const auto rows = view_.store->feed({.engine = id, .after = engine.seen}, 10'000);
  if (!rows) return fail("the feed does not answer: " + rows.error().message);
  for (const store::Settlement& row : *rows) {
    for (++engine.seen; engine.seen < row.seq; ++engine.seen) take_dead(id, engine.seen);
    take_row(id, row);
  }
  while (engine.seen < last) take_dead(id, ++engine.seen);
}

// ---------------------------------------------------------------- after every step

bool Oracle::in_force(store::EngineId engine, std::uint32_t epoch) const {
  const auto at = engines_.find(engine);
  return at != engines_.end() && !at->second.closed && at->second.epoch == epoch;
}

void Oracle::check_engine(const store::EngineState& state, Engine& engine) {
  const store::EngineId id = state.ref.engine;
  if (state.ref.epoch != engine.epoch) {
    const Duration silent = view_.now - renewals_[id];
    if (silent < view_.lease_ttl + view_.hold_ttl) {
      fail(fmt::format("engine {} lost its leases after {} s of silence", id,
                       silent.count() / 1'000'000));
    }
    engine.epoch = state.ref.epoch;
  }
  if (state.closed_at && !engine.closed) {
    engine.closed = true;
    if (alive_.contains(id)) fail(fmt::format("engine {} was closed while it lives", id));
  }
  if (state.last_seq < engine.seen) fail(fmt::format("engine {} went back", id));
  if (state.last_seq > engine.seen) read_rows(id, engine, state.last_seq);
}

void Oracle::check_engines() {
  const auto states = view_.store->engines();
  for (const store::EngineState& state : *states) {
    const auto [at, fresh] = engines_.try_emplace(state.ref.engine);
    if (fresh) renewals_.try_emplace(state.ref.engine, view_.now);
    check_engine(state, at->second);
  }
  for (const std::size_t number : duplicates_) {
    const Attempt& attempt = attempts_[number];
    if (!attempt.key || !owners_.contains(attempt.key->key)) {
      fail(fmt::format("row {} is a duplicate of nothing", attempt.landed));
    }
  }
  duplicates_.clear();
}

void Oracle::count_held() {
  for (Budget& budget : budgets_) budget.held = 0;
  std::erase_if(open_, [&](std::size_t number) {
    const Attempt& attempt = attempts_[number];
    return attempt.landed != 0 || attempt.state == Attempt::State::ended ||
           attempt.state == Attempt::State::refused;
  });
  for (const std::size_t number : open_) {
    const Attempt& attempt = attempts_[number];
    if (!in_force(attempt.engine, attempt.epoch)) continue;
    for (const HeldOf& part : attempt.held) {
      if (!part.leased) continue;
      Budget& budget = budgets_[part.budget];
      const bool runs = attempt.state == Attempt::State::holding;
      budget.held += runs ? part.held : std::min(part.held, part_amount(attempt, budget.key.kind));
    }
  }
}

void Oracle::check_budget(const store::BudgetState& state) {
  const Budget& budget = budgets_[intern(state.key)];
  if (state.used != budget.used) {
    fail(fmt::format("{}: used is {}, its rows have {}", label_of(state.key), state.used,
                     budget.used));
  }
  if (budget.held > state.leased) {
    fail(fmt::format("{}: {} are held, {} are leased", label_of(state.key), budget.held,
                     state.leased));
  }
  if (!store::in_bound(state)) {
    fail(fmt::format("{}: used {} and leased {} are above the limit {}", label_of(state.key),
                     state.used, state.leased, *state.limit));
  }
  if (state.over_hold > budget.excess) {
    fail(fmt::format("{}: above holds by {}, the calls were by {}", label_of(state.key),
                     state.over_hold, budget.excess));
  }
  if (state.late > budget.late) {
    fail(fmt::format("{}: late by {}, late rows have {}", label_of(state.key), state.late,
                     budget.late));
  }
  if (state.fallen != 0 && !moving_.contains(state.key.account)) {
    fail(label_of(state.key) + ": fallen, but no limit moved");
  }
}

void Oracle::check_budgets() {
  count_held();
  const auto states = view_.store->budgets(std::nullopt);
  for (const store::BudgetState& state : *states) check_budget(state);
  if (states->size() < budgets_.size()) {
    for (const Budget& budget : budgets_) {
      const bool there = std::ranges::any_of(
          *states, [&](const store::BudgetState& state) { return state.key == budget.key; });
      if (!there && budget.used + budget.held != 0) fail(label_of(budget.key) + " is not there");
    }
  }
}

void Oracle::check() {
  check_engines();
  check_budgets();
}

void Oracle::verify() {
  const auto verified = view_.store->verify({});
  if (!verified) return fail("verify does not answer: " + verified.error().message);
  for (const store::Finding& finding : verified->findings) {
    fail(fmt::format("verify: {}: {}: {}", finding.check, finding.where, finding.message));
  }
}

// ---------------------------------------------------------------- in the end

void Oracle::check_end() {
  check();
  verify();
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    const Attempt& attempt = attempts_[i];
    if (attempt.state != Attempt::State::acked || attempt.landed != 0) continue;
    if (attempt.durability == ledger::Durability::memory) continue;
    fail(fmt::format("call {} of engine {} was acknowledged, and is nowhere", i, attempt.engine));
  }
  const auto listed = view_.store->orphans();
  for (const auto& [engine, hold] : orphans_) {
    const bool there = std::ranges::any_of(*listed, [&](const store::Orphan& orphan) {
      return orphan.engine == engine && orphan.hold == hold;
    });
    if (!there) fail(fmt::format("hold {} of engine {} is no listed orphan", hold, engine));
  }
  const auto states = view_.store->budgets(std::nullopt);
  for (const store::BudgetState& state : *states) {
    if (state.leased == 0) continue;
    fail(
        fmt::format("{}: {} are leased, and no engine is open", label_of(state.key), state.leased));
  }
}

// Where the journal of an engine ends, all that the store has of it has come to an end.
void Oracle::check_journal_end(store::EngineId engine, store::Seq last) {
  for (const Attempt& attempt : attempts_) {
    if (attempt.engine != engine || attempt.landed <= store::row_id(engine, last)) continue;
    if (attempt.durability != ledger::Durability::journal) continue;
    fail(fmt::format("row {} is in the store, its journal ends with seq {}", attempt.landed, last));
  }
}

void Oracle::check_journalled(std::int64_t id, const store::Settlement& written) {
  const auto at = rows_.find(id);
  if (at == rows_.end()) return fail(fmt::format("row {} is in a journal only", id));
  if (at->second.meta != written.meta) fail(fmt::format("row {} is another call's", id));
}

const store::Settlement* Oracle::row(std::int64_t id) const {
  const auto at = rows_.find(id);
  return at == rows_.end() ? nullptr : &at->second;
}

std::int64_t Oracle::any_landed(std::size_t choice) const {
  return usages_.empty() ? 0 : usages_[choice % usages_.size()];
}

Amount Oracle::left_of(std::int64_t row) const {
  const auto at = left_.find(row);
  return at == left_.end() ? 0 : at->second;
}

}  // namespace aimeter::sim
