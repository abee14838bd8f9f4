// Package:       cli
// Units:         tokens, requests; money as decimal text
// Errors:        invalid_argument naming every bad key of the file at once.
// Thread safety: pure functions.
// Ownership:     none.
//
// plans.toml: [[plans]] tables with the fields of a plan, [[plans.budgets]] with further budgets.
#pragma once

#include <string_view>
#include <vector>

#include "aimeter/plan.h"

namespace aimeter::cli {

// `currency`: of limits without one. A plan named twice (same tenant and slug) is an error.
[[nodiscard]] Result<std::vector<Plan>> parse_plans(std::string_view toml, std::string_view file,
                                                    std::string_view currency);
// "acme" of a plan without slug named "Acme Plus": lower case, other characters become '-'.
[[nodiscard]] std::string slug_of(std::string_view name);

}  // namespace aimeter::cli
