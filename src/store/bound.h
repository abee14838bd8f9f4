// Package:       store
// Units:         amounts as in settlement.h
// Errors:        invalid_argument (check of asks); else none.
// Thread safety: pure functions.
// Ownership:     none.
//
// The rules of a counter that every store shares: what a lease may take, what the bound of a
// blocking budget is, when its limit fell, which thresholds it has come to.
// used + leased <= limit + over_hold + late + fallen, for every budget that was named as blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "store/store.h"

namespace aimeter::store {

// An engine counts as live until this long after its last renewal: lease_ttl of the ledger.
constexpr Duration kEngineLiveFor = std::chrono::seconds(30);
constexpr Amount kApproachingPercent = 80;

[[nodiscard]] std::optional<Amount> sum_of(Amount a, Amount b);  // empty: out of range

struct Naming {
  std::optional<Amount> limit = {};
  bool blocking = false;
};
// Takes over the limit named last. Where it fell (also: from not blocking), `fallen` grows by what
// used and leased are above the bound now; where it rose, nothing else changes.
void name_limit(BudgetState& budget, const Naming& named);
// A wallet's limit is what was credited, whatever is named.
[[nodiscard]] inline Naming naming_of(const BudgetState& budget, const Naming& named) {
  if (!is_wallet(budget.key)) return named;
  return {.limit = budget.credited, .blocking = named.blocking};
}
// What `used + leased` may be at most; empty: it does not block. Out of range: the largest Amount.
[[nodiscard]] std::optional<Amount> bound_of(const BudgetState& budget);
[[nodiscard]] bool in_bound(const BudgetState& budget);

// What one part of a settlement does to its counter. `given_up` is what its lease or its row of
// holds still had of `part.held`: less than that makes the rest late.
struct Counted {
  Amount used = 0, leased = 0, over_hold = 0, late = 0;  // to be added; leased is negative
  bool blocking = false;
};
[[nodiscard]] Counted counted_of(const BudgetPart& part, Amount given_up);
// over_hold is added where the part or its budget blocks: a call that was pinned when the budget
// did not block yet is above its hold too. False and unchanged: a sum is out of range, or leased
// would fall below 0.
[[nodiscard]] bool add_to(BudgetState& budget, const Counted& counted);

// Bits of `told`, stored.
constexpr std::uint8_t kToldApproaching = 1, kToldReached = 2;
// The thresholds that `used` has come to: 80 % and 100 % of the limit; a limit of 0 is reached. A
// wallet has none.
[[nodiscard]] std::uint8_t thresholds_of(const BudgetState& budget);

// No amount below 0; the asks of an account stand side by side, each budget once.
[[nodiscard]] Status check(std::span<const LeaseAsk> asks);
// The first ask and those of the same account after it; none of none.
[[nodiscard]] std::span<const LeaseAsk> of_first_account(std::span<const LeaseAsk> asks);

struct Room {
  Amount free = 0;
  int engines = 1;      // live ones, the asking one included
  bool others = false;  // another engine has some of the budget
};
[[nodiscard]] Amount free_of(const BudgetState& budget, Amount limit);  // at least 0
// min(ask, free / (2 * engines)), at least one_call where that is free; whole_rest: all of free,
// but only without `others`.
[[nodiscard]] Amount grant_of(const LeaseAsk& ask, const Room& room);
// The grant is less than the waiting call needs: then no ask of the account is granted.
[[nodiscard]] bool refuses(const LeaseAsk& ask, const Room& room);

}  // namespace aimeter::store
