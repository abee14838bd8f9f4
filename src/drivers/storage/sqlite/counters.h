// Package:       drivers
// Units:         interned integers.
// Errors:        the connection's.
// Thread safety: as the connection's.
// Ownership:     none.
//
// Finding a counter without making it: a key that was never written has no number.
#pragma once

#include <optional>
#include <vector>

#include "drivers/storage/sqlite/names.h"
#include "plans/limits.h"

namespace aimeter::drivers::sqlite {

[[nodiscard]] Result<std::optional<BudgetIds>> find_ids(Connection& connection,
                                                        const store::BudgetKey& key);
[[nodiscard]] Result<std::optional<std::int64_t>> find_budget(Connection& connection,
                                                              const store::BudgetKey& key);

// overage_t, overage_b, overage_rest, overage_catalogue, overage_at, overage_cost: six columns from
// `first` on.
[[nodiscard]] billing::OverageState read_overage(const Query& query, int first);
// Of the account's token and cost counters whose period runs at `at`.
[[nodiscard]] Result<std::vector<plans::OverageSoFar>> overages_of(Connection& connection,
                                                                   const Account& account,
                                                                   Instant at);

}  // namespace aimeter::drivers::sqlite
