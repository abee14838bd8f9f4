// Package:       drivers
// Units:         as in store/settlement.h; budgets and names are interned integers.
// Errors:        reading: false for bytes that are no such value.
// Thread safety: pure functions.
// Ownership:     none.
//
// What a settlement carries beyond the columns of ai_usages: `pins` (alike in many settlements,
// interned with the budgets they touch) and `extra` (of this one). Together they give the
// settlement back as it was. Fields are only ever added: bits of kinds keep their meaning.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/settlement.h"

namespace aimeter::drivers::sqlite {

struct PinnedBudget {
  std::int64_t budget = 0;
  std::optional<store::Amount> limit = {};
  bool blocking = false, shadow = false;
  std::optional<store::Amount> allowance = {};
};

struct ExtraIds {  // interned names that have no column
  std::int64_t api_key = 0, session = 0;
};

struct BudgetAmount {
  std::int64_t budget = 0;
  store::Amount amount = 0;
};

// Requires: as many `budgets` as the settlement has.
void write_pins(std::string& out, const store::Settlement& settlement,
                std::span<const std::int64_t> budgets);
[[nodiscard]] bool read_pins(std::string_view bytes, store::Pins& pins,
                             std::vector<PinnedBudget>& budgets);

void write_extra(std::string& out, const store::Settlement& settlement, const ExtraIds& ids);
// Requires: settlement.budgets has the size that its pins say, and its columns are filled in.
[[nodiscard]] bool read_extra(std::string_view bytes, store::Settlement& settlement, ExtraIds& ids);

// `counted` of ai_dead_settlements.
[[nodiscard]] std::string write_amounts(std::span<const BudgetAmount> amounts);
[[nodiscard]] bool read_amounts(std::string_view bytes, std::vector<BudgetAmount>& amounts);

// `parts` of ai_holds.
struct HoldParts {
  std::int64_t account = 0;
  std::vector<BudgetAmount> amounts = {};
};
[[nodiscard]] std::string write_hold(const HoldParts& hold);
[[nodiscard]] bool read_hold(std::string_view bytes, HoldParts& hold);

}  // namespace aimeter::drivers::sqlite
