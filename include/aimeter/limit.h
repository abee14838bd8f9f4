// Package:       budget
// Units:         Tokens, Money (of the budget's currency), Instant.
// Errors:        none: values.
// Thread safety: values.
// Ownership:     none.
//
// The state of an account's limits and why a hold was refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aimeter/money.h"
#include "aimeter/plan.h"
#include "aimeter/result.h"
#include "aimeter/tenant.h"
#include "aimeter/time.h"

namespace aimeter {

// Why a hold was refused: one budget, the one that refused.
struct Refusal {
  std::string budget = {};  // "tokens" | "cost" | "requests" | "credits"
  std::string scope = "account";
  std::optional<Tokens> limit = {}, used = {}, held = {}, requested = {};  // tokens and requests
  std::optional<Money> limit_cost = {}, used_cost = {}, held_cost = {}, requested_cost = {};
  std::optional<Money> balance = {}, required = {};  // credits
  std::optional<Instant> resets_at = {};
  bool first = false;  // of its budget in this engine and period
};

// What a caller expects a call to take; strict: it fits or the call is refused.
struct Estimate {
  std::optional<Tokens> tokens = {};
  std::optional<Money> cost = {};
};

struct BudgetCheck {  // one budget of a LimitCheck
  BudgetKind kind = BudgetKind::tokens;
  BudgetScope scope = BudgetScope::account;
  std::string name = {};  // the user, key ... of a scoped budget
  std::optional<std::int64_t> limit = {};
  std::int64_t used = 0, held = 0;
  std::string currency = {};
  Period::Span period = {};
  Enforcement enforcement = Enforcement::enforce;
  bool would_refuse = false;  // shadow only
};

struct LimitCheck {
  bool allowed = true, approaching = false, hard_limit_reached = false;
  std::optional<Tokens> remaining_tokens = {};  // empty = unlimited
  std::optional<Money> remaining_cost = {};
  Percent usage_percentage = {};  // of the fullest limited budget
  std::string budget = {};        // that budget's kind; limit, used, held, resets_at are its own
  std::optional<Tokens> limit = {}, used = {}, held = {};
  std::optional<Instant> resets_at = {};
  std::string plan = {};
  std::vector<BudgetCheck> budgets = {};
  std::shared_ptr<const Refusal> reason = {};  // set when not allowed
  bool would_refuse = false;                   // a shadow budget would have refused

  static LimitCheck unlimited() { return {}; }
};

// Each once per budget and period: on the settlement that crosses; LimitReached also on the first
// refusal.
struct LimitApproaching {
  Account account = {};
  LimitCheck check = {};
};
struct LimitReached {
  Account account = {};
  LimitCheck check = {};  // check.budget: which kind
};

}  // namespace aimeter
