// What must be true once everything has ended and was recovered.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/oracle.h"

namespace aimeter::sim {

void Oracle::check_idle() {
  check();
  const auto states = view_.store->budgets(std::nullopt);
  for (const store::BudgetState& state : *states) {
    if (state.leased == 0) continue;
    fail(fmt::format("{}: {} are leased, and nobody uses it", label_of(state.key), state.leased));
  }
  money_.check_nothing_over();
}

void Oracle::check_end() {
  check();
  verify();
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    const Attempt& attempt = attempts_[i];
    if (attempt.state != Attempt::State::acked || attempt.landed != 0) continue;
    if (attempt.durability == ledger::Durability::memory) continue;
    fail(fmt::format("call {} of engine {} was acknowledged, and is nowhere", i, attempt.engine));
  }
  check_promises();
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

// With durability `journal` the store gets what is safe in the journal, and nothing else.
void Oracle::check_journal_end(store::EngineId engine, store::Seq last) {
  if (cut_journals_.contains(engine)) return;
  for (const Attempt& attempt : attempts_) {
    if (attempt.engine != engine || attempt.landed <= store::row_id(engine, last)) continue;
    if (attempt.durability != ledger::Durability::journal) continue;
    fail(fmt::format("row {} is in the store, its journal ends with seq {}", attempt.landed, last));
  }
}

// Rows that a key was answered with are there, unless memory was all that was promised.
void Oracle::check_promises() {
  std::map<std::int64_t, const Attempt*> written;
  for (const Attempt& attempt : attempts_) {
    if (attempt.row != 0) written[attempt.row] = &attempt;
  }
  for (const auto& [key, row] : promised_) {
    const auto at = written.find(row);
    if (at != written.end() && at->second->durability == ledger::Durability::memory) continue;
    if (!rows_.contains(row)) fail(fmt::format("a key was answered with row {}: nowhere", row));
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
