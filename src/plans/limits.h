// Package:       plans
// Units:         limits in tokens, requests or nano-units of the budget's currency; spans in
//                Instants.
// Errors:        admit: failed_precondition, corrupt; migrated: failed_precondition, conflict. The
//                rest are pure functions of checked values and cannot fail.
// Thread safety: pure functions.
// Ownership:     none.
//
// Which subscription rules at an instant, and which budgets with which limits follow from it. Under
// "carry" the account's token and cost counters of the period exist always, with or without a plan,
// limited or not.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aimeter/plan.h"

namespace aimeter::plans {

enum class PlanChange : std::uint8_t { carry, split };
enum class WithoutSubscription : std::uint8_t { allow, refuse };

struct LimitOptions {
  Period::Options period = {};  // of plans that name none, and of accounts without one
  OverageBehavior overage_behavior = OverageBehavior::block;
  PlanChange plan_change = PlanChange::carry;
  std::string currency = "usd";  // of the cost counter where no limit names one
};

// What is above it costs so much, in nano-units per million of what the budget counts.
struct ChargedAbove {
  std::int64_t allowance = 0;
  std::int64_t nanos_per_million = 0;
  std::string currency = {};
  friend bool operator==(const ChargedAbove&, const ChargedAbove&) = default;
};

// One countable constraint at an instant. `limit` empty = unlimited (it is counted all the same).
struct ConcreteBudget {
  BudgetKind kind = BudgetKind::tokens;
  BudgetScope scope = BudgetScope::account;
  Period::Span span = {};
  std::optional<std::int64_t> limit = {};
  std::string currency = "usd";                      // of kind cost
  OverageBehavior overage = OverageBehavior::block;  // what happens above the limit
  Enforcement enforcement = Enforcement::enforce;
  std::int64_t plan = 0;  // 0 under carry
  // Overage is charged. With a cap `limit` is above the allowance, and blocks.
  std::optional<ChargedAbove> charged = {};
  // A hold must fit: limited, block, and not shadow. Only these are leased.
  [[nodiscard]] bool blocking() const {
    return limit && overage == OverageBehavior::block && enforcement == Enforcement::enforce;
  }
  friend bool operator==(const ConcreteBudget&, const ConcreteBudget&) = default;
};

struct EffectiveLimits {
  std::optional<Subscription> subscription = {};
  std::optional<Plan> plan = {};
  bool in_trial = false;
  // First the account's tokens, then its cost, then the plan's rules in order. No two have the same
  // kind, scope and span: of such the one that blocks first stays.
  std::vector<ConcreteBudget> budgets = {};
  Period::Span valid = {};  // the same answer for every instant in it
};

// What a plan charges above its limits, from a day on.
struct DatedPrice {
  std::int64_t plan = 0;
  Instant from = {};
  std::optional<Money> per_1k_tokens = {};
  std::optional<Percent> markup = {};
};
// Where an account is in one of its budgets: a cap counts from there. Plain numbers of billing's
// OverageState.
struct OverageSoFar {
  BudgetKind kind = BudgetKind::tokens;
  Period::Span span = {};
  std::string currency = {};
  std::int64_t plan = 0;
  std::optional<std::int64_t> t = {};
  std::int64_t b = 0, cost_nanos = 0, used = 0;
};

struct Contract {  // what the store knows of one account
  std::vector<Subscription> subscriptions = {};
  std::vector<Plan> plans = {};  // those that the subscriptions name, in their version in force
  std::vector<UsageLimitOverride> overrides = {};
  std::vector<DatedPrice> prices = {};      // of the plans, by plan and day
  std::vector<OverageSoFar> overages = {};  // of the budgets that run, where a plan has a cap
};

[[nodiscard]] bool has_cap(const Contract& contract);

// Active at t; not in grace before in grace, then newest started_at, then highest id.
[[nodiscard]] std::optional<Subscription> active_at(std::span<const Subscription> all, Instant at);
[[nodiscard]] EffectiveLimits effective_limits(const Contract& contract,
                                               const LimitOptions& options, Instant at);
// Whether a call may begin at all. Without a subscription: as the operator chose. With one whose
// plan is not in the contract: corrupt, never "unlimited".
[[nodiscard]] Status admit(const EffectiveLimits& limits, WithoutSubscription without);

// What a payment failure and a payment do to a subscription. started_at never moves. A failure
// gives one grace: none is given again while it runs or after it is over.
[[nodiscard]] Subscription payment_failed(Subscription subscription, Instant now, int grace_days);
[[nodiscard]] Subscription payment_restored(Subscription subscription);
// trial_ends_at by the plan's trial_days, unless it is given, or an earlier subscription of the
// account has had a trial of this plan.
[[nodiscard]] Subscription with_trial(Subscription wanted, const Plan& plan,
                                      std::span<const Subscription> earlier);
struct Move {
  std::string to = {}, expect_from = {};  // expect_from empty: whatever it is
};
// Errors: failed_precondition (on `to` already), conflict (not on expect_from).
[[nodiscard]] Result<Subscription> migrated(Subscription subscription, const Move& move);

}  // namespace aimeter::plans
