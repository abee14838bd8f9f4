#include "plans/limits.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace aimeter::plans {
namespace {

Instant at(std::string_view text) { return parse_instant("at", text).value(); }
std::optional<Instant> when(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(at(text));
}
constexpr Duration kTick = Duration(1);

// ---------------------------------------------------------------- which subscription rules

struct SubscriptionRow {
  std::string_view started, ends, grace;
};
struct ChoiceRow {
  std::string_view says;
  std::vector<SubscriptionRow> subscriptions;  // ids 1, 2, 3
  std::string_view at;
  std::int64_t chosen;  // 0 = none
};

const std::vector<ChoiceRow> kChoices = {
    {"none", {}, "2026-03-15", 0},
    {"an open one", {{"2026-01-01", "", ""}}, "2026-03-15", 1},
    {"on its first instant", {{"2026-03-15", "", ""}}, "2026-03-15", 1},
    {"a moment before it begins", {{"2026-03-15", "", ""}}, "2026-03-14T23:59:59.999999Z", 0},
    {"a moment before its end",
     {{"2026-01-01", "2026-03-15", ""}},
     "2026-03-14T23:59:59.999999Z",
     1},
    {"at its end", {{"2026-01-01", "2026-03-15", ""}}, "2026-03-15", 0},
    {"in grace", {{"2026-01-01", "2026-03-15", "2026-03-22"}}, "2026-03-15", 1},
    {"the last moment of grace",
     {{"2026-01-01", "2026-03-15", "2026-03-22"}},
     "2026-03-21T23:59:59.999999Z",
     1},
    {"at the end of grace", {{"2026-01-01", "2026-03-15", "2026-03-22"}}, "2026-03-22", 0},
    {"the newest started_at", {{"2026-01-01", "", ""}, {"2026-02-01", "", ""}}, "2026-03-15", 2},
    {"... in any order", {{"2026-02-01", "", ""}, {"2026-01-01", "", ""}}, "2026-03-15", 1},
    {"of equal ones the highest id",
     {{"2026-02-01", "", ""}, {"2026-02-01", "", ""}},
     "2026-03-15",
     2},
    {"one not in grace before a newer one in grace",
     {{"2026-01-01", "", ""}, {"2026-02-01", "2026-03-10", "2026-03-20"}},
     "2026-03-15",
     1},
    {"one in grace before none",
     {{"2026-01-01", "2026-02-01", ""}, {"2026-02-01", "2026-03-10", "2026-03-20"}},
     "2026-03-15",
     2},
    {"a newer one that has ended leaves the older one",
     {{"2026-01-01", "", ""}, {"2026-02-01", "2026-03-01", ""}},
     "2026-03-15",
     1},
    {"resolved at occurred_at: the newer one had not ended then",
     {{"2026-01-01", "", ""}, {"2026-02-01", "2026-03-01", ""}},
     "2026-02-15",
     2},
};

std::vector<Subscription> subscriptions_of(const std::vector<SubscriptionRow>& rows) {
  std::vector<Subscription> all;
  for (const SubscriptionRow& row : rows) {
    all.push_back({.id = static_cast<std::int64_t>(all.size()) + 1,
                   .billable = {"tenant", "7"},
                   .plan = "pro",
                   .started_at = at(row.started),
                   .ends_at = when(row.ends),
                   .grace_period_ends_at = when(row.grace)});
  }
  return all;
}

// Of several subscriptions the same one is chosen whoever asks: one in force at that instant, not
// in grace before in grace, the newest start, the highest id.
TEST(Plans, subscription_choice_table) {
  for (const ChoiceRow& row : kChoices) {
    SCOPED_TRACE(row.says);
    const auto chosen = active_at(subscriptions_of(row.subscriptions), at(row.at));
    EXPECT_EQ(chosen ? chosen->id : 0, row.chosen);
  }
}

// The reference let a subscription that starts next month rule today.
TEST(Plans, future_subscription_does_not_rule_today) {
  const Instant today = at("2026-03-15");
  const Contract contract{
      .subscriptions = {{.id = 1, .plan = "small", .started_at = at("2026-01-01")},
                        {.id = 2, .plan = "large", .started_at = at("2026-04-01")}},
      .plans = {{.id = 1, .name = "Small", .slug = "small", .monthly_token_limit = Tokens{100}},
                {.id = 2, .name = "Large", .slug = "large", .monthly_token_limit = Tokens{900}}}};
  const EffectiveLimits limits = effective_limits(contract, {}, today);
  EXPECT_EQ(limits.subscription->id, 1);
  EXPECT_EQ(limits.budgets.at(0).limit, 100);
  EXPECT_FALSE(contract.subscriptions[1].is_active(today));
  EXPECT_FALSE(contract.subscriptions[1].is_expired(today)) << "it has not begun";
  EXPECT_EQ(effective_limits(contract, {}, at("2026-04-01")).subscription->id, 2);
}

TEST(Plans, expiry_is_an_instant) {
  const Subscription one{.started_at = at("2026-01-01"), .ends_at = at("2026-02-01")};
  EXPECT_TRUE(one.is_active(at("2026-02-01") - kTick));
  EXPECT_FALSE(one.is_expired(at("2026-02-01") - kTick));
  EXPECT_TRUE(one.is_expired(at("2026-02-01")));
}

// ---------------------------------------------------------------- payments, trial, plan change

// The reference kept grace without an end, and so never ended anything.
TEST(Plans, grace_without_end_is_refused_and_a_payment_failure_sets_both) {
  const Subscription grace_only{
      .billable = {"tenant", "7"}, .plan = "pro", .grace_period_ends_at = at("2026-03-22")};
  EXPECT_EQ(
      grace_only.check().error().message,
      "grace_period_ends_at: \"2026-03-22T00:00:00Z\" is not accepted; expected ends_at beside "
      "it: grace follows an end");
  const Instant now = at("2026-03-15");
  const Subscription failed = payment_failed({.id = 1, .started_at = at("2026-01-01")}, now, 7);
  EXPECT_EQ(failed.ends_at, now);
  EXPECT_EQ(failed.grace_period_ends_at, at("2026-03-22"));
  EXPECT_TRUE(failed.is_active(at("2026-03-22") - kTick));
  EXPECT_TRUE(failed.is_in_grace_period(now));
  EXPECT_TRUE(failed.is_expired(at("2026-03-22")));
}

TEST(Plans, payment_failure_table) {
  const Instant now = at("2026-03-15");
  const Subscription open{.id = 1, .started_at = at("2026-01-31T10:00:00Z")};
  Subscription in_grace = open, over = open, cancelled = open, future = open;
  in_grace.ends_at = at("2026-03-10");
  in_grace.grace_period_ends_at = at("2026-03-17");
  over.ends_at = at("2026-03-01");
  over.grace_period_ends_at = at("2026-03-08");
  cancelled.ends_at = at("2026-03-31");
  future.started_at = at("2026-04-01");

  struct Row {
    std::string_view says;
    Subscription before;
    int grace_days;
    std::string_view ends, grace;
  };
  for (const Row& row : std::vector<Row>{
           {"grace begins now", open, 7, "2026-03-15", "2026-03-22"},
           {"0 days end at once", open, 0, "2026-03-15", ""},
           {"one in grace stays as it is", in_grace, 7, "2026-03-10", "2026-03-17"},
           {"one in grace stays with 0 days too", in_grace, 0, "2026-03-10", "2026-03-17"},
           {"one that is over is not reopened", over, 7, "2026-03-01", "2026-03-08"},
           {"one that was to end later ends now", cancelled, 7, "2026-03-15", "2026-03-22"},
           {"one that has not begun ends where it begins", future, 7, "2026-04-01",
            "2026-04-08"}}) {
    SCOPED_TRACE(row.says);
    const Subscription after = payment_failed(row.before, now, row.grace_days);
    EXPECT_EQ(after.ends_at, when(row.ends));
    EXPECT_EQ(after.grace_period_ends_at, when(row.grace));
    EXPECT_EQ(after.started_at, row.before.started_at) << "the rolling anchor never moves";
    const Subscription paid = payment_restored(after);
    EXPECT_EQ(paid.ends_at, std::nullopt);
    EXPECT_EQ(paid.grace_period_ends_at, std::nullopt);
    EXPECT_EQ(paid.started_at, row.before.started_at);
  }
}

TEST(Plans, one_trial_per_account_and_plan) {
  const Plan plan{.slug = "pro", .trial_days = 14};
  const Subscription wanted{.plan = "pro", .started_at = at("2026-03-01")};
  const Subscription tried{.plan = "pro", .trial_ends_at = at("2025-01-14")};
  const Subscription moved_on{
      .plan = "max", .trial_ends_at = at("2025-01-14"), .previous_plan = "pro"};
  const Subscription other{.plan = "max", .trial_ends_at = at("2025-01-14")};
  const Subscription untried{.plan = "pro"};
  const auto trial = [&](const std::vector<Subscription>& earlier) {
    return with_trial(wanted, plan, earlier).trial_ends_at;
  };
  EXPECT_EQ(trial({}), at("2026-03-15"));
  EXPECT_EQ(trial({tried}), std::nullopt);
  EXPECT_EQ(trial({untried, moved_on}), std::nullopt);
  EXPECT_EQ(trial({untried, other}), at("2026-03-15"));
  EXPECT_EQ(with_trial(wanted, {.slug = "pro"}, {}).trial_ends_at, std::nullopt);
  EXPECT_EQ(with_trial(wanted, {.slug = "pro", .trial_days = 0}, {}).trial_ends_at, std::nullopt);
  Subscription given = wanted;
  given.trial_ends_at = at("2026-03-02");
  EXPECT_EQ(with_trial(given, plan, std::vector{tried}).trial_ends_at, at("2026-03-02"));
  EXPECT_TRUE(given.is_in_trial(at("2026-03-02") - kTick));
  EXPECT_FALSE(given.is_in_trial(at("2026-03-02")));
}

TEST(Plans, migration_names_what_it_found) {
  const Subscription one{.id = 1, .plan = "small", .started_at = at("2026-01-31")};
  const auto moved = migrated(one, {.to = "large", .expect_from = "small"});
  EXPECT_EQ(moved->plan, "large");
  EXPECT_EQ(moved->previous_plan, "small");
  EXPECT_EQ(moved->started_at, one.started_at);
  EXPECT_EQ(migrated(one, {.to = "large"})->plan, "large");
  const auto already = migrated(one, {.to = "small"});
  EXPECT_EQ(already.error().code, Code::failed_precondition);
  EXPECT_EQ(already.error().message, "plan: the subscription is on \"small\" already");
  const auto wrong = migrated(one, {.to = "large", .expect_from = "medium"});
  EXPECT_EQ(wrong.error().code, Code::conflict);
  EXPECT_EQ(wrong.error().message, "plan: the subscription is on \"small\"; expected \"medium\"");
}

// ---------------------------------------------------------------- limits

const Instant kNow = at("2026-03-15");

Plan plan_with(std::optional<std::int64_t> tokens, std::optional<Money> cost = {}) {
  Plan plan{.id = 5, .name = "Pro", .slug = "pro", .monthly_cost_limit = std::move(cost)};
  if (tokens) plan.monthly_token_limit = Tokens{*tokens};
  return plan;
}
Contract contract_of(Plan plan) {
  return {.subscriptions = {{.id = 1,
                             .billable = {"tenant", "7"},
                             .plan = plan.slug,
                             .started_at = at("2026-01-31T10:00:00Z")}},
          .plans = {std::move(plan)}};
}
// "tokens account 100 block", "cost account - allow shadow"
std::string shown(const ConcreteBudget& budget) {
  return fmt::format("{} {} {} {}{}", name_of(budget.kind), name_of(budget.scope),
                     budget.limit ? fmt::to_string(*budget.limit) : "-", name_of(budget.overage),
                     budget.enforcement == Enforcement::shadow ? " shadow" : "");
}
std::vector<std::string> shown(const EffectiveLimits& limits) {
  std::vector<std::string> lines;
  for (const ConcreteBudget& budget : limits.budgets) lines.push_back(shown(budget));
  return lines;
}
using Lines = std::vector<std::string>;

TEST(Limits, without_a_subscription_everything_is_counted_and_nothing_limited) {
  const EffectiveLimits limits = effective_limits({}, {}, kNow);
  EXPECT_EQ(shown(limits), (Lines{"tokens account - block", "cost account - block"}));
  EXPECT_FALSE(limits.budgets[0].blocking());
  EXPECT_EQ(limits.budgets[0].span.start, at("2026-03-01"));
  EXPECT_EQ(limits.budgets[0].span.end, at("2026-04-01"));
  EXPECT_TRUE(admit(limits, WithoutSubscription::allow).has_value());
  const Status refused = admit(limits, WithoutSubscription::refuse);
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  EXPECT_NE(refused.error().message.find("limits.without_subscription"), std::string::npos);
}

TEST(Limits, a_missing_or_damaged_plan_is_never_unlimited) {
  Contract missing = contract_of(plan_with(100));
  missing.plans.clear();
  Plan damaged_plan = plan_with(100);
  damaged_plan.period = Period::Options{.timezone = "Mars/Olympus"};
  for (const Contract& contract : {missing, contract_of(damaged_plan)}) {
    const EffectiveLimits limits =
        effective_limits(contract, {.overage_behavior = OverageBehavior::allow}, kNow);
    EXPECT_EQ(shown(limits), (Lines{"tokens account 0 block", "cost account 0 block"}));
    const Status refused = admit(limits, WithoutSubscription::allow);
    EXPECT_EQ(refused.error().code, Code::corrupt);
    EXPECT_EQ(refused.error().message,
              "plan: subscription 1 names \"pro\", which is missing or damaged");
  }
}

TEST(Limits, a_private_plan_goes_before_the_catalogue) {
  Contract contract = contract_of(plan_with(100));
  Plan own = plan_with(70);
  own.tenant = "7";
  contract.plans.push_back(own);
  EXPECT_EQ(effective_limits(contract, {}, kNow).budgets[0].limit, 70);
  std::swap(contract.plans[0], contract.plans[1]);
  EXPECT_EQ(effective_limits(contract, {}, kNow).budgets[0].limit, 70);
}

TEST(Limits, an_inactive_plan_keeps_its_limits_for_those_who_have_it) {
  Plan plan = plan_with(100);
  plan.is_active = false;
  EXPECT_EQ(effective_limits(contract_of(plan), {}, kNow).budgets[0].limit, 100);
}

TEST(Limits, overage_behavior_table) {
  using enum OverageBehavior;
  struct Row {
    std::string_view says;
    OverageBehavior configured;
    std::optional<OverageBehavior> of_plan;
    Plan plan;
    Lines expected;
  };
  const Money ten = Money{10'000'000'000}, price = Money{10'000'000};
  Plan priced = plan_with(100), both = plan_with(100, ten);
  priced.overage_price_per_1k_tokens = both.overage_price_per_1k_tokens = price;
  for (const Row& row :
       std::vector<Row>{{"block",
                         block,
                         {},
                         plan_with(100),
                         {"tokens account 100 block", "cost account - block"}},
                        {"allow",
                         allow,
                         {},
                         plan_with(100, ten),
                         {"tokens account 100 allow", "cost account 10000000000 allow"}},
                        {"the plan's own goes first",
                         block,
                         allow,
                         plan_with(100),
                         {"tokens account 100 allow", "cost account - allow"}},
                        {"... the other way too",
                         allow,
                         block,
                         plan_with(100),
                         {"tokens account 100 block", "cost account - block"}},
                        {"charge with a price",
                         charge,
                         {},
                         priced,
                         {"tokens account 100 charge", "cost account - block"}},
                        {"charge without a price blocks",
                         charge,
                         {},
                         plan_with(100),
                         {"tokens account 100 block", "cost account - block"}},
                        {"both limits: cost is the ceiling",
                         charge,
                         {},
                         both,
                         {"tokens account 100 charge", "cost account 10000000000 block"}},
                        {"only a cost limit charges the cost above it",
                         charge,
                         {},
                         plan_with({}, ten),
                         {"tokens account - block", "cost account 10000000000 charge"}}}) {
    SCOPED_TRACE(row.says);
    Plan plan = row.plan;
    plan.overage_behavior = row.of_plan;
    EXPECT_EQ(
        shown(effective_limits(contract_of(plan), {.overage_behavior = row.configured}, kNow)),
        row.expected);
  }
}

ConcreteBudget charging(const Plan& plan, BudgetKind kind, const Contract* contract = nullptr) {
  const EffectiveLimits all = effective_limits(contract != nullptr ? *contract : contract_of(plan),
                                               {.overage_behavior = OverageBehavior::charge}, kNow);
  return all.budgets[kind == BudgetKind::tokens ? 0 : 1];
}

TEST(Limits, what_is_charged_above_a_limit) {
  Plan tokens = plan_with(100);
  tokens.overage_price_per_1k_tokens = Money{10'000'000, "eur"};  // 0.01 eur
  EXPECT_EQ(charging(tokens, BudgetKind::tokens).charged,
            (ChargedAbove{100, 10'000'000'000, "eur"}));
  EXPECT_FALSE(charging(tokens, BudgetKind::cost).charged);

  Plan cost = plan_with({}, Money{500});
  EXPECT_EQ(charging(cost, BudgetKind::cost).charged, (ChargedAbove{500, 1'000'000, "usd"}));
  cost.overage_markup = Percent{12'50};
  EXPECT_EQ(charging(cost, BudgetKind::cost).charged, (ChargedAbove{500, 1'125'000, "usd"}));

  Plan shadow = tokens;
  shadow.enforcement = Enforcement::shadow;
  EXPECT_FALSE(charging(shadow, BudgetKind::tokens).charged) << "a shadow charges nothing";
}

TEST(Limits, a_cap_blocks_where_the_overage_has_cost_so_much) {
  Plan plan = plan_with(100);
  plan.overage_price_per_1k_tokens = Money{10'000};  // 10 nano-units a token
  plan.overage_cap = Money{255};
  ConcreteBudget budget = charging(plan, BudgetKind::tokens);
  EXPECT_EQ(budget.limit, 125) << "25 tokens cost 250, 26 would cost 260";
  EXPECT_TRUE(budget.blocking());
  EXPECT_EQ(budget.charged->allowance, 100);

  plan.overage_cap = Money{0};
  EXPECT_EQ(charging(plan, BudgetKind::tokens).limit, 100);
  plan.overage_price_per_1k_tokens = Money{0};  // free of charge: no cap is ever reached
  EXPECT_FALSE(charging(plan, BudgetKind::tokens).blocking());
  plan.overage_price_per_1k_tokens = Money{1};
  plan.overage_cap = Money{std::numeric_limits<std::int64_t>::max()};
  EXPECT_FALSE(charging(plan, BudgetKind::tokens).blocking()) << "above every count";

  Plan cost = plan_with({}, Money{500});
  cost.overage_markup = Percent{100'00};
  cost.overage_cap = Money{100};
  EXPECT_EQ(charging(cost, BudgetKind::cost).limit, 550);
}

// The limit fell to 100 when 190 were used: what was used is not billed backwards, so the cap
// counts from there. Of what was charged at another price its money counts.
TEST(Limits, a_cap_counts_what_is_charged_wherever_it_began) {
  Plan plan = plan_with(100);
  plan.overage_price_per_1k_tokens = Money{10'000};
  plan.overage_cap = Money{250};
  struct Row {
    const char* says;
    OverageSoFar now;
    std::int64_t limit;
  };
  const Row rows[] = {
      {"nothing was used", {}, 125},
      {"a limit fell to below what was used", {.t = 200, .used = 190}, 215},
      {"and has moved since", {.t = 190, .used = 190}, 215},
      {"a limit fell that had overage", {.t = 120, .b = 10, .cost_nanos = 100, .used = 130}, 145},
      {"what was charged at twice the price",
       {.t = 100, .b = 5, .cost_nanos = 100, .used = 105},
       120},
      {"a limit rose over some of it", {.t = 90, .b = 20, .cost_nanos = 200, .used = 110}, 125},
      {"a limit rose over all of it", {.t = 50, .b = 20, .cost_nanos = 200, .used = 70}, 125},
      {"more was charged than a cap of today",
       {.t = 100, .b = 30, .cost_nanos = 300, .used = 130},
       130},
  };
  for (Row row : rows) {
    SCOPED_TRACE(row.says);
    Contract contract = contract_of(plan);
    row.now.span = charging(plan, BudgetKind::tokens).span;
    contract.overages = {row.now};
    EXPECT_EQ(charging(plan, BudgetKind::tokens, &contract).limit, row.limit);
    contract.overages[0].plan = 9;  // another counter's
    EXPECT_EQ(charging(plan, BudgetKind::tokens, &contract).limit, 125);
  }
}

TEST(Limits, a_changed_price_acts_from_its_day_on) {
  Plan plan = plan_with(100);
  plan.id = 3;
  Contract contract = contract_of(plan);
  const auto at_price = [](Instant from, std::int64_t nanos) {
    return DatedPrice{.plan = 3, .from = from, .per_1k_tokens = Money{nanos}};
  };
  contract.prices = {at_price(kNow, 1'000),
                     {.plan = 4, .from = kNow},
                     at_price(kNow + 2 * kTick, 5'000),
                     at_price(kNow + 4 * kTick, 7'000)};
  const auto price = [&](Instant at) {
    const EffectiveLimits all =
        effective_limits(contract, {.overage_behavior = OverageBehavior::charge}, at);
    EXPECT_TRUE(all.valid.contains(at));
    return all.budgets[0].charged->nanos_per_million / 1'000;
  };
  EXPECT_EQ(price(kNow + 2 * kTick - Duration(1)), 1'000);
  EXPECT_EQ(price(kNow + 2 * kTick), 5'000);
  EXPECT_EQ(price(kNow + 9 * kTick), 7'000);
  EXPECT_EQ(effective_limits(contract, {}, kNow + 3 * kTick).valid,
            (Period::Span{kNow + 2 * kTick, kNow + 4 * kTick}));
}

TEST(Limits, an_override_of_tokens_makes_cost_the_ceiling) {
  Plan cost = plan_with({}, Money{500});
  Contract contract = contract_of(cost);
  contract.overrides = {
      {.period_start = kNow, .period_end = kNow + kTick, .token_limit = Tokens{10}}};
  EXPECT_TRUE(charging(cost, BudgetKind::cost, &contract).blocking());
  EXPECT_FALSE(charging(cost, BudgetKind::cost, &contract).charged);
}

// In a trial every limit blocks, whatever the plan does above its limits; after it the plan rules.
TEST(Limits, trial_blocks) {
  for (const OverageBehavior behavior : {OverageBehavior::allow, OverageBehavior::charge}) {
    Plan plan = plan_with(100, Money{1'000});
    plan.overage_price_per_1k_tokens = Money{10};
    plan.overage_behavior = behavior;
    Contract contract = contract_of(plan);
    contract.subscriptions[0].trial_ends_at = kNow;
    const EffectiveLimits trial = effective_limits(contract, {}, kNow - kTick);
    EXPECT_TRUE(trial.in_trial);
    EXPECT_EQ(shown(trial), (Lines{"tokens account 100 block", "cost account 1000 block"}));
    EXPECT_TRUE(trial.budgets[0].blocking());
    const EffectiveLimits after = effective_limits(contract, {}, kNow);
    EXPECT_FALSE(after.in_trial);
    EXPECT_EQ(after.budgets[0].overage, behavior);
    EXPECT_FALSE(after.budgets[0].blocking());
  }
}

TEST(Limits, shadow_decides_and_never_blocks) {
  Plan plan = plan_with(100);
  plan.budgets = {{.kind = BudgetKind::requests, .scope = BudgetScope::key, .limit = 10}};
  plan.enforcement = Enforcement::shadow;
  const EffectiveLimits all = effective_limits(contract_of(plan), {}, kNow);
  EXPECT_EQ(shown(all), (Lines{"tokens account 100 block shadow", "cost account - block shadow",
                               "requests key 10 block shadow"}));
  EXPECT_FALSE(all.budgets[0].blocking());
  EXPECT_FALSE(all.budgets[2].blocking());
  plan.enforcement = Enforcement::enforce;
  plan.budgets[0].enforcement = Enforcement::shadow;
  const EffectiveLimits one = effective_limits(contract_of(plan), {}, kNow);
  EXPECT_TRUE(one.budgets[0].blocking());
  EXPECT_FALSE(one.budgets[2].blocking());
}

TEST(Limits, override_table) {
  const Money ten{10'000}, five{5'000};
  struct Row {
    std::string_view says;
    std::vector<UsageLimitOverride> overrides;
    Lines expected;
  };
  const Instant start = at("2026-03-10"), end = at("2026-03-20");
  const auto limits = [&](UsageLimitOverride one) {
    one.period_start = start;
    one.period_end = end;
    return one;
  };
  const UsageLimitOverride tokens = limits({.token_limit = Tokens{180}, .id = 1});
  const UsageLimitOverride cost = limits({.cost_limit = five, .id = 2});
  for (const Row& row :
       std::vector<Row>{{"none", {}, {"tokens account 100 block", "cost account 10000 block"}},
                        {"tokens given: the cost limit stays the plan's",
                         {tokens},
                         {"tokens account 180 block", "cost account 10000 block"}},
                        {"cost given: the token limit stays the plan's",
                         {cost},
                         {"tokens account 100 block", "cost account 5000 block"}},
                        {"the newest wins as a whole",
                         {tokens, cost},
                         {"tokens account 100 block", "cost account 5000 block"}},
                        {"... whatever the order",
                         {cost, tokens},
                         {"tokens account 100 block", "cost account 5000 block"}},
                        {"unlimited lifts tokens",
                         {limits({.unlimited_tokens = true, .id = 3})},
                         {"tokens account - block", "cost account 10000 block"}},
                        {"unlimited lifts cost",
                         {limits({.unlimited_cost = true, .id = 3})},
                         {"tokens account 100 block", "cost account - block"}},
                        {"one lifted, one given",
                         {limits({.cost_limit = five, .unlimited_tokens = true, .id = 3})},
                         {"tokens account - block", "cost account 5000 block"}},
                        {"zero refuses everything",
                         {limits({.token_limit = Tokens{0}, .id = 3})},
                         {"tokens account 0 block", "cost account 10000 block"}}}) {
    SCOPED_TRACE(row.says);
    Contract contract = contract_of(plan_with(100, ten));
    contract.overrides = row.overrides;
    EXPECT_EQ(shown(effective_limits(contract, {}, kNow)), row.expected);
    EXPECT_EQ(effective_limits(contract, {}, start - kTick).budgets[0].limit, 100);
    EXPECT_EQ(effective_limits(contract, {}, end).budgets[0].limit, 100);
    EXPECT_EQ(effective_limits(contract, {}, kNow).budgets[0].span.start, at("2026-03-01"))
        << "the count stays that of the plan's whole period";
  }
}

TEST(Limits, override_is_in_force_from_its_start_to_before_its_end) {
  Contract contract = contract_of(plan_with(100));
  contract.overrides = {{.period_start = at("2026-03-10"),
                         .period_end = at("2026-03-20"),
                         .token_limit = Tokens{180}}};
  const auto limit = [&](Instant t) { return effective_limits(contract, {}, t).budgets[0].limit; };
  EXPECT_EQ(limit(at("2026-03-10") - kTick), 100);
  EXPECT_EQ(limit(at("2026-03-10")), 180);
  EXPECT_EQ(limit(at("2026-03-20") - kTick), 180);
  EXPECT_EQ(limit(at("2026-03-20")), 100);
}

TEST(Limits, override_without_a_subscription_limits_the_account) {
  const Contract contract{.overrides = {{.period_start = at("2026-03-10"),
                                         .period_end = at("2026-03-20"),
                                         .token_limit = Tokens{180}}}};
  EXPECT_EQ(effective_limits(contract, {}, kNow).budgets[0].limit, 180);
}

TEST(Limits, rolling_periods_begin_where_the_subscription_began) {
  Plan plan = plan_with(100);
  plan.period =
      Period::Options{.alignment = Period::Alignment::rolling, .anchor = at("2020-05-05")};
  plan.budgets = {
      {.kind = BudgetKind::requests,
       .period = {.type = Period::Type::hourly, .alignment = Period::Alignment::rolling},
       .limit = 10},
      {.kind = BudgetKind::cost, .period = {.type = Period::Type::daily}, .limit = 10},
      {.kind = BudgetKind::tokens, .period = {.type = Period::Type::rolling}, .limit = 10}};
  const EffectiveLimits limits =
      effective_limits(contract_of(plan), {}, at("2026-03-15T12:34:56Z"));
  ASSERT_EQ(limits.budgets.size(), 5u);
  EXPECT_EQ(text_of(limits.budgets[0].span.start), "2026-02-28T10:00:00Z") << "Jan 31, clamped";
  EXPECT_EQ(text_of(limits.budgets[0].span.end), "2026-03-31T10:00:00Z");
  EXPECT_EQ(text_of(limits.budgets[2].span.start), "2026-03-15T12:00:00Z");
  EXPECT_EQ(text_of(limits.budgets[3].span.start), "2026-03-15T00:00:00Z");
  EXPECT_EQ(text_of(limits.budgets[4].span.start), "2026-03-02T10:00:00Z") << "30 days from Jan 31";
  EXPECT_EQ(limits.valid.start, at("2026-03-15T12:00:00Z"));
  EXPECT_EQ(limits.valid.end, at("2026-03-15T13:00:00Z"));
}

TEST(Limits, the_configured_period_serves_plans_that_name_none) {
  const LimitOptions options{.period = {.type = Period::Type::daily, .timezone = "Europe/Berlin"}};
  const EffectiveLimits limits = effective_limits(contract_of(plan_with(100)), options, kNow);
  EXPECT_EQ(text_of(limits.budgets[0].span.start), "2026-03-14T23:00:00Z");
}

TEST(Limits, carry_has_one_counter_and_split_one_per_plan) {
  const Contract contract = contract_of(plan_with(100));
  EXPECT_EQ(effective_limits(contract, {}, kNow).budgets[0].plan, 0);
  EXPECT_EQ(effective_limits(contract, {.plan_change = PlanChange::split}, kNow).budgets[0].plan,
            5);
  EXPECT_EQ(effective_limits({}, {.plan_change = PlanChange::split}, kNow).budgets[0].plan, 0);
}

TEST(Limits, two_rules_on_one_counter_leave_the_one_that_blocks_first) {
  struct Row {
    std::string_view says;
    std::optional<std::int64_t> of_plan;
    OverageBehavior behavior;
    std::int64_t of_rule;
    std::string_view expected;
  };
  using enum OverageBehavior;
  for (const Row& row : std::initializer_list<Row>{
           {"the lower limit", 100, block, 60, "tokens account 60 block"},
           {"the plan's is lower", 60, block, 100, "tokens account 60 block"},
           {"an unlimited plan", {}, block, 60, "tokens account 60 block"},
           {"a plan that allows", 40, allow, 60, "tokens account 60 block"}}) {
    SCOPED_TRACE(row.says);
    Plan plan = plan_with(row.of_plan);
    plan.budgets = {{.limit = row.of_rule}};
    const auto limits =
        effective_limits(contract_of(plan), {.overage_behavior = row.behavior}, kNow);
    ASSERT_EQ(limits.budgets.size(), 2u);
    EXPECT_EQ(shown(limits.budgets[0]), row.expected);
  }
}

TEST(Limits, currency_of_the_cost_counter) {
  const Money eur{10, "eur"};
  EXPECT_EQ(effective_limits({}, {.currency = "chf"}, kNow).budgets[1].currency, "chf");
  EXPECT_EQ(effective_limits(contract_of(plan_with({}, eur)), {.currency = "chf"}, kNow)
                .budgets[1]
                .currency,
            "eur");
}

// The answer says until when it holds; both borders are tried for every kind of turn.
TEST(Limits, valid_is_the_stretch_of_the_same_answer) {
  Contract contract = contract_of(plan_with(100));
  contract.subscriptions[0].trial_ends_at = at("2026-03-12");
  contract.subscriptions[0].ends_at = at("2026-03-18");
  contract.subscriptions[0].grace_period_ends_at = at("2026-03-21");
  contract.subscriptions.push_back({.id = 2, .plan = "pro", .started_at = at("2026-03-25")});
  contract.overrides = {
      {.period_start = at("2026-03-14"), .period_end = at("2026-03-16"), .token_limit = Tokens{1}}};
  const std::vector<std::string> turns = {"2026-03-01", "2026-03-12", "2026-03-14", "2026-03-16",
                                          "2026-03-18", "2026-03-21", "2026-03-25", "2026-04-01"};
  for (std::size_t i = 0; i + 1 < turns.size(); ++i) {
    SCOPED_TRACE(turns[i]);
    const Period::Span expected{at(turns[i]), at(turns[i + 1])};
    EXPECT_EQ(effective_limits(contract, {}, expected.start).valid, expected);
    EXPECT_EQ(effective_limits(contract, {}, expected.end - kTick).valid, expected);
  }
}

}  // namespace
}  // namespace aimeter::plans
