// Package:       budget
// Units:         Amount: tokens, requests, or nano-units of `currency`.
// Errors:        none: values.
// Thread safety: values.
// Ownership:     none.
//
// The name of one counter: one countable constraint of one account in one period.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "aimeter/period.h"
#include "aimeter/plan.h"
#include "aimeter/tenant.h"

namespace aimeter::budget {

using Amount = std::int64_t;

struct BudgetKey {
  Account account = {};
  BudgetKind kind = BudgetKind::tokens;
  BudgetScope scope = BudgetScope::account;
  std::string name = {};  // the user, key, feature, model or session; "" for the account
  Period::Span span = {};
  std::int64_t plan = 0;      // 0 under carry
  std::string currency = {};  // of kinds cost and credits; "" otherwise
  friend auto operator<=>(const BudgetKey&, const BudgetKey&) = default;
};

}  // namespace aimeter::budget
