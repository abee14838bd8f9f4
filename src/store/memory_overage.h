// Package:       store
// Units:         as in overages.h.
// Errors:        invalid_argument (money out of range); the state is untouched by an error.
// Thread safety: under MemoryStore's mutex.
// Ownership:     borrows the state.
//
// Lines of overage in the memory store: drafted, then written.
#pragma once

#include "store/memory_state.h"

namespace aimeter::store::memory {

struct OverageDraft {
  std::map<std::int64_t, Amount> taken = {};  // from lines that were there
  std::vector<OverageLine> lines = {};        // new, without their ids
};
struct LinesOf {  // whose lines
  const State& state;
  const BudgetKey& budget;
  std::int64_t usage = 0;
  Instant now = {};
};
// The lines of a step; `price` is that of the usage, null where it is not charged.
[[nodiscard]] Status draft_lines(const LinesOf& of, billing::OverageStep& step,
                                 const billing::OveragePrice* price, OverageDraft& draft);
// With their ids.
std::vector<OverageLine> write_lines(State& state, const OverageDraft& draft);

[[nodiscard]] Result<Changed> put(State& state, const MoveAllowance& change, Instant now);
// Of the account's token and cost counters whose period runs at `at`.
[[nodiscard]] std::vector<plans::OverageSoFar> overages_of(const State& state,
                                                           const Account& account, Instant at);

}  // namespace aimeter::store::memory
