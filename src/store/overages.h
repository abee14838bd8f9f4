// Package:       store
// Units:         amounts in tokens or nano-units of cost, as the budget counts; money in nanos.
// Errors:        invalid_argument for a bad cursor.
// Thread safety: values, pure functions.
// Ownership:     none.
//
// Lines of overage as they are stored: append only, `remaining` apart. All lines of a budget
// together are its B; what remains of them is B too, at the prices of the lines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/decimal.h"
#include "billing/overage.h"
#include "budget/key.h"

namespace aimeter::store {

struct OverageLine {
  std::int64_t id = 0;  // grows in the order in which lines are written
  budget::BudgetKey budget = {};
  std::int64_t usage = 0;     // row of the settlement that wrote it
  budget::Amount amount = 0;  // signed
  billing::OveragePrice price = {};
  budget::Amount cost_nanos = 0;
  budget::Amount remaining = 0;  // that no later line took back
  std::int64_t batch = 0;        // of the billing driver; 0: open for the next
  Instant created_at = {};
  friend bool operator==(const OverageLine&, const OverageLine&) = default;
};
struct OverageFilter {
  std::optional<TenantId> tenant = {};
  std::optional<Billable> billable = {};
  std::optional<std::int64_t> usage = {};
  std::optional<Instant> from = {}, to = {};  // start of the period: from <= it < to
  bool open_only = false;                     // in no batch yet
};
struct OveragePage {
  std::vector<OverageLine> lines = {};
  std::string next = {};  // "" at the end
};

[[nodiscard]] bool matches(const OverageFilter& filter, const OverageLine& line);
[[nodiscard]] Result<std::int64_t> parse_overage_cursor(std::string_view text);  // "": 0

// What the lines of one budget add up to, with its counter.
struct OverageSums {
  Int128 amount = 0, remaining = 0, cost_nanos = 0;
  Int128 exact = billing::kMillion / 2;  // of what remains, in millionths of a nano-unit
  budget::Amount used = 0;
};
// Lines = B = what remains of them = max(0, used - T), and their money is that of what remains.
[[nodiscard]] std::vector<std::string> problems_of(const OverageSums& sums,
                                                   const billing::OverageState& overage);

// As a settlement of nothing under other terms would step.
[[nodiscard]] billing::CountedUsage usage_of(budget::Amount used,
                                             const std::optional<budget::Amount>& limit,
                                             const billing::PinsAge& age);

struct Settlement;
struct BudgetPart;
enum class Counts : std::uint8_t { as_pinned, uncharged };  // uncharged: dead
// How one part of a settlement steps in its budget; `used_after` is with it.
[[nodiscard]] billing::CountedUsage usage_of(const Settlement& settlement, const BudgetPart& part,
                                             budget::Amount used_after, Counts counts);

}  // namespace aimeter::store
