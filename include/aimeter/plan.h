// Package:       plans
// Units:         Tokens, Money; a BudgetRule's limit in tokens, requests or nano-units of its
//                currency.
// Errors:        invalid_argument naming the field (check()).
// Thread safety: values.
// Ownership:     none.
//
// Limits for sale, an account's contract, and a limit for one period. Empty limit = unlimited.
// Plans are versions: the id stays, the version grows with every change.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/money.h"
#include "aimeter/period.h"
#include "aimeter/result.h"
#include "aimeter/tenant.h"
#include "aimeter/time.h"

namespace aimeter {

enum class BillingMode : std::uint8_t { plan = 0, credits = 1 };
enum class OverageBehavior : std::uint8_t { block = 0, charge = 1, allow = 2 };
enum class Enforcement : std::uint8_t {
  enforce = 0,
  shadow = 1
};  // shadow: decided, never refused
// The numbers of both enums are stored.
enum class BudgetKind : std::uint8_t { tokens = 1, cost = 2, requests = 3, credits = 4 };
enum class BudgetScope : std::uint8_t {
  account = 0,
  user = 1,
  key = 2,
  feature = 3,
  model = 4,
  session = 5
};

// A further budget of a plan. Scope user, key ...: one counter for each user, key ... of the
// account.
struct BudgetRule {
  BudgetKind kind = BudgetKind::tokens;
  BudgetScope scope = BudgetScope::account;
  Period::Options period = {};
  std::int64_t limit = 0;
  std::string currency = "usd";  // of kind cost
  Enforcement enforcement = Enforcement::enforce;
  friend bool operator==(const BudgetRule&, const BudgetRule&) = default;
};

struct Plan {
  std::int64_t id = 0;
  std::string name = {}, slug = {};
  std::optional<Tokens> monthly_token_limit = {};  // of the plan's period, whatever its length
  std::optional<Money> monthly_cost_limit = {};
  std::optional<Money> overage_price_per_1k_tokens = {};
  std::vector<std::string> features = {};
  bool is_active = true;
  std::optional<int> trial_days = {};
  std::string stripe_price_id = {};
  // Beyond the reference:
  std::string tenant = {};  // "" = the operator's catalogue, visible to all
  std::int64_t version = 0;
  std::optional<Period::Options> period = {};  // empty: the configuration's
  std::optional<OverageBehavior> overage_behavior = {};
  Enforcement enforcement = Enforcement::enforce;
  std::vector<BudgetRule> budgets = {};
  // Under "charge": at most so much overage per account and period, then calls are refused.
  std::optional<Money> overage_cap = {};
  // Under "charge" with a cost limit alone: what is added to the cost above it.
  std::optional<Percent> overage_markup = {};

  [[nodiscard]] bool has_unlimited_tokens() const { return !monthly_token_limit; }
  [[nodiscard]] bool has_unlimited_cost() const { return !monthly_cost_limit; }
  [[nodiscard]] bool allows_overage() const { return overage_price_per_1k_tokens.has_value(); }
  [[nodiscard]] bool has_feature(std::string_view feature) const {
    return std::ranges::find(features, feature) != features.end();
  }
  [[nodiscard]] Status check() const;
};

struct Subscription {
  std::int64_t id = 0;
  Billable billable = {};
  std::string plan = {};  // slug
  BillingMode billing_mode = BillingMode::plan;
  Instant started_at = {};
  std::optional<Instant> renews_at = {}, ends_at = {}, trial_ends_at = {},
                         grace_period_ends_at = {};
  std::string previous_plan = {};
  Meta meta = {};  // stripe_subscription_id, stripe_customer_id
  // A change that is to come: from changes_at on it is on next_plan, whoever writes that down.
  std::string next_plan = {};
  std::optional<Instant> changes_at = {};
  std::optional<Instant> expired_at = {};  // when its end was told (SubscriptionExpired)

  [[nodiscard]] const std::string& plan_at(Instant at) const {
    return !next_plan.empty() && changes_at && *changes_at <= at ? next_plan : plan;
  }
  // started_at <= now, and no end, or before it, or in grace.
  [[nodiscard]] bool is_active(Instant now) const {
    return started_at <= now && (!ends_at || now < *ends_at || is_in_grace_period(now));
  }
  [[nodiscard]] bool is_expired(Instant now) const { return started_at <= now && !is_active(now); }
  [[nodiscard]] bool is_in_trial(Instant now) const {
    return trial_ends_at && now < *trial_ends_at;
  }
  // Past the end, within the grace. Without an end there is no grace.
  [[nodiscard]] bool is_in_grace_period(Instant now) const {
    return ends_at && *ends_at <= now && grace_period_ends_at && now < *grace_period_ends_at;
  }
  [[nodiscard]] Status check() const;
  friend bool operator==(const Subscription&, const Subscription&) = default;
};

struct UsageLimitOverride {
  Billable billable = {};
  Instant period_start = {}, period_end = {};
  std::optional<Tokens> token_limit = {};  // empty: the plan's stays
  std::optional<Money> cost_limit = {};
  bool unlimited_tokens = false, unlimited_cost = false;
  std::int64_t id = 0;
  [[nodiscard]] bool applies_to(Instant at) const { return period_start <= at && at < period_end; }
  [[nodiscard]] Status check() const;
};

struct PlanChanged {
  Account account = {};
  Subscription subscription = {};
  std::optional<Plan> old_plan = {}, new_plan = {};
};
struct SubscriptionExpired {
  Account account = {};
  Subscription subscription = {};
};

[[nodiscard]] std::string_view name_of(BillingMode mode);
[[nodiscard]] std::string_view name_of(OverageBehavior behavior);
[[nodiscard]] std::string_view name_of(Enforcement enforcement);
[[nodiscard]] std::string_view name_of(BudgetKind kind);
[[nodiscard]] std::string_view name_of(BudgetScope scope);
[[nodiscard]] Result<BillingMode> parse_billing_mode(std::string_view field, std::string_view text);
[[nodiscard]] Result<OverageBehavior> parse_overage_behavior(std::string_view field,
                                                             std::string_view text);
[[nodiscard]] Result<Enforcement> parse_enforcement(std::string_view field, std::string_view text);
[[nodiscard]] Result<BudgetKind> parse_budget_kind(std::string_view field, std::string_view text);
[[nodiscard]] Result<BudgetScope> parse_budget_scope(std::string_view field, std::string_view text);

}  // namespace aimeter
