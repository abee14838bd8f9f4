// Rows as they come: each is the one settlement of a call that somebody wanted written.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "tests/sim/oracle.h"

namespace aimeter::sim {
namespace {

constexpr std::string_view kMetaBegins = "{\"n\":\"";

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
  int whole = 0, wallets = 0;
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
    if (store::is_wallet(part.key)) ++wallets;
  }
  if (whole != 1) return fail("a row does not count in its account's tokens once");
  if (attempt.mode && wallets != (*attempt.mode == BillingMode::credits ? 1 : 0)) {
    return fail("a row takes credits against its caller's word");
  }
  const bool held = attempt.what == Attempt::What::call || attempt.what == Attempt::What::detached;
  if (!held) return;
  if (row.budgets.size() != attempt.held.size()) return fail("a row counts elsewhere than it held");
  for (const store::BudgetPart& part : row.budgets) {
    const std::size_t budget = intern(part.key);
    if (std::ranges::find(attempt.held, budget, &HeldOf::budget) == attempt.held.end()) {
      return fail("a row counts in " + label_of(part.key) + ", which it did not hold");
    }
  }
}

void Oracle::check_adjustment(const Attempt& attempt, bool dead) {
  // Lost with the power and its engine's memory: there is nothing to adjust.
  const bool gone = !left_.contains(attempt.adjusts);
  const bool too_much = gone || left_[attempt.adjusts] + attempt.tokens < 0;
  if (dead != too_much && !rereading_) {  // then rows do not come in the order in which they count
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
    left_[id] += attempt.tokens;
    usages_.push_back(id);
  }
  check_parts(attempt, row);
  money_.counted(id, row);
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
  if ((row.flags & store::kLate) != 0) check_late(attempt, row_id);
  if ((row.flags & store::kDuplicate) != 0) return take_duplicate(*number, row);
  take_counted(attempt, row_id, row);
}

// Of a row that is late: nothing of its hold was left.
void Oracle::check_late(const Attempt& attempt, std::int64_t row) {
  if (attempt.what == Attempt::What::detached) {
    const HandedOut& out = handed_out_.at(attempt.handed_out);
    if (out.landed && !may_be_over(attempt.handed_out)) {
      fail(fmt::format("row {} is late, and its detached hold is not over", row));
    }
    return;
  }
  if (rereading_ || powerless_.contains(attempt.engine)) return;
  const bool call = attempt.what == Attempt::What::call;
  if (in_force(attempt.engine, call ? attempt.epoch : 1)) {
    fail(fmt::format("row {} is late, but its lease is in force", row));
  }
  const bool over = engines_[attempt.engine].epoch != attempt.epoch || arriving_;
  if (call && !over) {
    fail(fmt::format("row {} is late: its lease went back before it was applied", row));
  }
}

void Oracle::take_dead(const store::DeadSettlement& one) {
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
}

// The detaches of an engine come in the order in which they were asked for.
void Oracle::take_detach(store::EngineId id, store::Seq seq) {
  Engine& engine = engines_[id];
  const std::vector<std::size_t>& asked = detaches_[id];
  const auto which = static_cast<std::size_t>(engine.rowless++);
  if (which >= asked.size()) {
    return fail(fmt::format("seq {} of engine {} is no row, not dead and no detach", seq, id));
  }
  const std::size_t number = asked[which];
  HandedOut& out = handed_out_.at(number);
  const bool leased = in_force(id, attempts_[number].epoch) && !powerless_.contains(id);
  out.came = true;
  out.landed = leased && !rereading_ && !may_be_over(number) && !owners_.contains(out.key);
}

void Oracle::take_rowless(store::EngineId id, store::Seq seq) {
  const auto dead = view_.store->dead();
  const auto at = std::ranges::find(*dead, store::row_id(id, seq), &store::DeadSettlement::id);
  if (at != dead->end()) return take_dead(*at);
  take_detach(id, seq);
}

// ---------------------------------------------------------------- detached holds

void Oracle::detaching(std::size_t number) {
  Attempt& attempt = attempts_[number];
  attempt.state = Attempt::State::detaching;
  handed_out_[number] = {.expires_at = view_.store->now() + view_.hold_ttl};
  detaches_[attempt.engine].push_back(number);
}

void Oracle::not_detached(std::size_t number) {
  Attempt& attempt = attempts_[number];
  attempt.state = Attempt::State::holding;
  handed_out_.erase(number);
  detaches_[attempt.engine].pop_back();
}

void Oracle::detached(std::size_t number, const base::Key16& key, Instant expires_at) {
  HandedOut& out = handed_out_.at(number);
  if (out.expires_at != expires_at) fail("a detached hold has another life than hold_ttl");
  out.key = key;
}

bool Oracle::may_be_over(std::size_t number) const {
  const HandedOut& out = handed_out_.at(number);
  return out.may_be_over || view_.store->now() >= out.expires_at;
}

bool Oracle::is_over(std::size_t number) const {
  const HandedOut& out = handed_out_.at(number);
  if (out.over || owners_.contains(out.key)) return true;
  const auto engine = engines_.find(attempts_[number].engine);
  return !out.came && engine != engines_.end() && engine->second.closed;  // it never comes
}

bool Oracle::holds_left() const {
  return std::ranges::any_of(handed_out_, [&](const auto& out) { return !is_over(out.first); });
}

bool Oracle::was_settled(std::size_t number) const {
  return std::ranges::any_of(attempts_, [number](const Attempt& attempt) {
    return attempt.what == Attempt::What::detached && attempt.handed_out == number &&
           attempt.state != Attempt::State::refused;
  });
}

void Oracle::settled_before(std::size_t number, std::int64_t row) {
  promised_.emplace_back(handed_out_.at(number).key, row);
}

void Oracle::expired(const store::EndedHold& hold) {
  for (auto& [number, out] : handed_out_) {
    if (out.key != hold.hold) continue;
    if (!may_be_over(number)) fail("a detached hold expires before its time");
    out.may_be_over = out.over = true;
    return;
  }
}

// ---------------------------------------------------------------- of one engine

void Oracle::read_rows(store::EngineId id, Engine& engine, store::Seq last) {
  const auto rows = view_.store->feed({.engine = id, .after = engine.seen}, 10'000);
  if (!rows) return fail("the feed does not answer: " + rows.error().message);
  for (const store::Settlement& row : *rows) {
    for (++engine.seen; engine.seen < row.seq; ++engine.seen) take_rowless(id, engine.seen);
    take_row(id, row);
  }
  while (engine.seen < last) take_rowless(id, ++engine.seen);
}

}  // namespace aimeter::sim
