#include "plans/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "time/zone.h"

namespace aimeter::plans {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t kThousand = 1'000, kMillion = 1'000'000;
constexpr std::int64_t kWholeInHundredths = 100'00;  // 100 %

// The tenant's own plan goes before the operator's of the same slug. A damaged one counts as
// missing.
const Plan* find_plan(const std::vector<Plan>& plans, std::string_view slug) {
  const Plan* found = nullptr;
  for (const Plan& plan : plans) {
    if (plan.slug == slug && (found == nullptr || found->tenant.empty())) found = &plan;
  }
  return found != nullptr && found->check() ? found : nullptr;
}

// The newest one in force: the highest id, of equal ids the last.
const UsageLimitOverride* override_at(const std::vector<UsageLimitOverride>& all, Instant at) {
  const UsageLimitOverride* newest = nullptr;
  for (const UsageLimitOverride& one : all) {
    if (!one.applies_to(at)) continue;
    if (newest == nullptr || newest->id <= one.id) newest = &one;
  }
  return newest;
}

// Rolling periods begin where the subscription began; without one the configured anchor stays.
Period::Span span_of(Period::Options options, const std::optional<Subscription>& subscription,
                     Instant at) {
  if (subscription) {
    options.anchor = std::clamp(subscription->started_at, time::kFirstInstant, time::kLastInstant);
  }
  return Period(std::move(options)).at(at);
}

// What happens above the two limits of a plan. With both, tokens are the allowance and cost is the
// ceiling; a charge without a price blocks.
OverageBehavior behavior_of(BudgetKind kind, const Plan* plan, const LimitOptions& options) {
  const OverageBehavior behavior = plan != nullptr
                                       ? plan->overage_behavior.value_or(options.overage_behavior)
                                       : options.overage_behavior;
  if (behavior != OverageBehavior::charge) return behavior;
  if (plan == nullptr) return OverageBehavior::block;
  const bool charges =
      kind == BudgetKind::tokens ? plan->allows_overage() : plan->has_unlimited_tokens();
  return charges ? OverageBehavior::charge : OverageBehavior::block;
}

// A changed price acts from its day on, a changed limit at the next hold. Before its first day a
// plan charges what it charged then.
Plan priced_at(Plan plan, std::span<const DatedPrice> prices, Instant at) {
  const DatedPrice* in_force = nullptr;
  for (const DatedPrice& one : prices) {
    if (one.plan != plan.id || (in_force != nullptr && one.from > at)) continue;
    in_force = &one;
  }
  if (in_force == nullptr) return plan;
  plan.overage_price_per_1k_tokens = in_force->per_1k_tokens;
  plan.overage_markup = in_force->markup;
  return plan;
}

// A plan in shadow charges nothing. Tokens at their price, cost at itself and the markup.
std::optional<ChargedAbove> charged_above(const ConcreteBudget& budget, const Plan& plan) {
  if (budget.overage != OverageBehavior::charge || !budget.limit) return std::nullopt;
  if (budget.enforcement == Enforcement::shadow) return std::nullopt;
  ChargedAbove above{.allowance = *budget.limit, .currency = budget.currency};
  if (budget.kind == BudgetKind::tokens) {
    above.nanos_per_million = plan.overage_price_per_1k_tokens->nanos * kThousand;
    above.currency = plan.overage_price_per_1k_tokens->currency;
  } else {
    const std::int64_t markup = plan.overage_markup.value_or(Percent{}).hundredths;
    above.nanos_per_million = (kWholeInHundredths + markup) * (kMillion / kWholeInHundredths);
  }
  return above;
}

// Where the budget's overage begins and what of it is charged already, once terms of this allowance
// have counted: what a risen limit covers is credited, a fallen one bills nothing backwards.
OverageSoFar so_far(const ConcreteBudget& budget, std::span<const OverageSoFar> all) {
  const std::int64_t allowance = budget.charged->allowance;
  for (OverageSoFar one : all) {
    const bool same = one.kind == budget.kind && one.span == budget.span &&
                      one.plan == budget.plan &&
                      (one.kind == BudgetKind::tokens || one.currency == budget.currency);
    if (!same) continue;
    const std::int64_t before = one.b;
    if (!one.t || allowance < *one.t) {
      one.t = std::max(allowance, one.used - one.b);
    } else {
      one.t = allowance;
      one.b = std::max<std::int64_t>(0, one.used - allowance);
    }
    if (one.b < before) {
      const auto left = Wide{one.cost_nanos} * one.b;  // lines of one price: else about so much
      one.cost_nanos = static_cast<std::int64_t>((left + before - 1) / before);
    }
    return one;
  }
  return {.t = allowance};
}

// So much of the budget that its overage costs no more than the cap: then it blocks.
void cap(ConcreteBudget& budget, const Money& most, std::span<const OverageSoFar> all) {
  const OverageSoFar now = so_far(budget, all);
  const Wide money = std::max<Wide>(0, Wide{most.nanos} - now.cost_nanos);
  const Wide units = money * kMillion / budget.charged->nanos_per_million;
  const Wide limit = Wide{*now.t} + now.b + units;
  if (limit >= std::numeric_limits<std::int64_t>::max()) return;
  budget.limit = static_cast<std::int64_t>(limit);
  budget.overage = OverageBehavior::block;
}

// Two that count the same calls in the same span have one counter: the one that blocks first stays.
bool blocks_before(const ConcreteBudget& a, const ConcreteBudget& b) {
  if (a.blocking() != b.blocking()) return a.blocking();
  if (a.limit.has_value() != b.limit.has_value()) return a.limit.has_value();
  return a.limit < b.limit;
}

void add(std::vector<ConcreteBudget>& budgets, ConcreteBudget budget) {
  const auto same = std::ranges::find_if(budgets, [&](const ConcreteBudget& other) {
    return other.kind == budget.kind && other.scope == budget.scope && other.span == budget.span;
  });
  if (same == budgets.end()) {
    budgets.push_back(std::move(budget));
  } else if (blocks_before(budget, *same)) {
    *same = std::move(budget);
  }
}

// A contract whose plan is missing allows nothing, should somebody forget to ask admit().
std::optional<std::int64_t> limit_without_plan(const EffectiveLimits& limits) {
  return limits.subscription && !limits.plan ? std::optional<std::int64_t>(0) : std::nullopt;
}

ConcreteBudget token_budget(const EffectiveLimits& limits, const UsageLimitOverride* instead) {
  ConcreteBudget budget{.kind = BudgetKind::tokens, .limit = limit_without_plan(limits)};
  if (limits.plan && limits.plan->monthly_token_limit) {
    budget.limit = limits.plan->monthly_token_limit->count;
  }
  if (instead != nullptr && instead->token_limit) budget.limit = instead->token_limit->count;
  if (instead != nullptr && instead->unlimited_tokens) budget.limit.reset();
  return budget;
}

ConcreteBudget cost_budget(const EffectiveLimits& limits, const UsageLimitOverride* instead,
                           const std::string& currency) {
  ConcreteBudget budget{
      .kind = BudgetKind::cost, .limit = limit_without_plan(limits), .currency = currency};
  const auto take = [&budget](const std::optional<Money>& money) {
    if (!money) return;
    budget.limit = money->nanos;
    budget.currency = money->currency;
  };
  if (limits.plan) take(limits.plan->monthly_cost_limit);
  if (instead != nullptr) take(instead->cost_limit);
  if (instead != nullptr && instead->unlimited_cost) budget.limit.reset();
  return budget;
}

// The stretch around `at` in which no subscription, trial, grace or override begins or ends.
Period::Span steady_around(const Contract& contract, Instant at) {
  Period::Span span{.start = time::kFirstInstant, .end = time::kLastInstant};
  const auto turn = [&span, at](std::optional<Instant> when) {
    if (!when) return;
    if (*when <= at) span.start = std::max(span.start, *when);
    if (*when > at) span.end = std::min(span.end, *when);
  };
  for (const Subscription& one : contract.subscriptions) {
    turn(one.started_at);
    turn(one.ends_at);
    turn(one.trial_ends_at);
    turn(one.grace_period_ends_at);
    turn(one.changes_at);
  }
  for (const DatedPrice& one : contract.prices) turn(one.from);
  for (const UsageLimitOverride& one : contract.overrides) {
    turn(one.period_start);
    turn(one.period_end);
  }
  return span;
}

}  // namespace

EffectiveLimits effective_limits(const Contract& contract, const LimitOptions& options,
                                 Instant at) {
  EffectiveLimits limits{.subscription = active_at(contract.subscriptions, at)};
  if (limits.subscription) {
    if (const Plan* plan = find_plan(contract.plans, limits.subscription->plan_at(at)))
      limits.plan = priced_at(*plan, contract.prices, at);
    limits.in_trial = limits.subscription->is_in_trial(at);
  }
  const Plan* plan = limits.plan ? &*limits.plan : nullptr;
  const std::int64_t counter_plan =
      plan != nullptr && options.plan_change == PlanChange::split ? plan->id : 0;
  const UsageLimitOverride* instead = override_at(contract.overrides, at);
  const bool must_block = limits.in_trial || (limits.subscription && plan == nullptr);
  const Period::Options period =
      plan != nullptr ? plan->period.value_or(options.period) : options.period;

  for (ConcreteBudget budget :
       {token_budget(limits, instead), cost_budget(limits, instead, options.currency)}) {
    budget.span = span_of(period, limits.subscription, at);
    budget.overage = must_block ? OverageBehavior::block : behavior_of(budget.kind, plan, options);
    if (plan != nullptr) budget.enforcement = plan->enforcement;
    // An override may limit the tokens of a plan that only has a cost limit: then cost is the
    // ceiling, too.
    const bool is_ceiling = !limits.budgets.empty() && limits.budgets.front().limit;
    if (is_ceiling && budget.overage == OverageBehavior::charge) {
      budget.overage = OverageBehavior::block;
    }
    budget.plan = counter_plan;
    if (plan != nullptr) budget.charged = charged_above(budget, *plan);
    if (budget.charged && plan->overage_cap && budget.charged->nanos_per_million > 0) {
      cap(budget, *plan->overage_cap, contract.overages);
    }
    add(limits.budgets, std::move(budget));
  }
  if (plan != nullptr) {
    for (const BudgetRule& rule : plan->budgets) {
      const bool shadow = plan->enforcement == Enforcement::shadow;
      add(limits.budgets, {.kind = rule.kind,
                           .scope = rule.scope,
                           .span = span_of(rule.period, limits.subscription, at),
                           .limit = rule.limit,
                           .currency = rule.currency,
                           .enforcement = shadow ? Enforcement::shadow : rule.enforcement,
                           .plan = counter_plan});
    }
  }

  limits.valid = steady_around(contract, at);
  for (const ConcreteBudget& budget : limits.budgets) {
    limits.valid.start = std::max(limits.valid.start, budget.span.start);
    limits.valid.end = std::min(limits.valid.end, budget.span.end);
  }
  return limits;
}

bool has_cap(const Contract& contract) {
  return std::ranges::any_of(contract.plans,
                             [](const Plan& plan) { return plan.overage_cap.has_value(); });
}

Status admit(const EffectiveLimits& limits, WithoutSubscription without) {
  if (limits.subscription && !limits.plan) {
    return fail(Code::corrupt,
                fmt::format("plan: subscription {} names \"{}\", which is missing or damaged",
                            limits.subscription->id, limits.subscription->plan));
  }
  if (limits.subscription || without == WithoutSubscription::allow) return {};
  return fail(Code::failed_precondition,
              "subscription: the account has none that is active; expected one, or "
              "limits.without_subscription = \"allow\"");
}

}  // namespace aimeter::plans
