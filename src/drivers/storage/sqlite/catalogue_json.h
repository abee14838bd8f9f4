// Package:       drivers
// Units:         limits as integers, money in nanos.
// Errors:        corrupt: a column holds no such JSON.
// Thread safety: pure functions.
// Ownership:     none.
//
// The lists and small objects of catalogue rows as the JSON text of their columns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/plan.h"

namespace aimeter::drivers::sqlite {

[[nodiscard]] std::string json_of(const std::vector<std::string>& texts);
[[nodiscard]] std::string json_of(const Meta& meta);
[[nodiscard]] std::string json_of(const Period::Options& period);
[[nodiscard]] std::string json_of(const std::vector<BudgetRule>& rules);
[[nodiscard]] Result<std::vector<std::string>> read_texts(std::string_view json);
[[nodiscard]] Result<Meta> read_meta(std::string_view json);
[[nodiscard]] Result<Period::Options> read_period(std::string_view json);
[[nodiscard]] Result<std::vector<BudgetRule>> read_rules(std::string_view json);

}  // namespace aimeter::drivers::sqlite
