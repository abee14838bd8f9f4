#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "aimeter/plan.h"

namespace aimeter {
namespace {

Instant at(std::string_view text) { return parse_instant("at", text).value(); }

std::string answer(const Status& status) {
  if (status) return "ok";
  EXPECT_EQ(status.error().code, Code::invalid_argument);
  EXPECT_NE(status.error().message.find("is not accepted; expected "), std::string::npos);
  return status.error().message.substr(0, status.error().message.find(" is not accepted"));
}

TEST(PlanCheck, the_guide_makes_good_plans) {
  EXPECT_EQ(answer(Plan{.name = "Enterprise Plan",
                        .slug = "enterprise",
                        .monthly_token_limit = Tokens{10'000'000}}
                       .check()),
            "ok");
  EXPECT_EQ(answer(Plan{.name = "Small",
                        .slug = "small",
                        .monthly_token_limit = Tokens{200},
                        .overage_price_per_1k_tokens = 0.01_usd,
                        .trial_days = 14}
                       .check()),
            "ok");
}

TEST(PlanCheck, table) {
  struct Row {
    std::string_view says;
    void (*spoil)(Plan&);
    std::string_view answer;
  };
  constexpr Row kRows[] = {
      {"a good one", [](Plan&) {}, "ok"},
      {"no name", [](Plan& p) { p.name = ""; }, "name: \"\""},
      {"no slug", [](Plan& p) { p.slug = ""; }, "slug: \"\""},
      {"a slug of two lines", [](Plan& p) { p.slug = "a\nb"; }, "slug: \"a\\x0ab\""},
      {"a bad tenant", [](Plan& p) { p.tenant = "\n"; }, "tenant: \"\\x0a\""},
      {"no tokens at all", [](Plan& p) { p.monthly_token_limit = Tokens{0}; }, "ok"},
      {"negative tokens", [](Plan& p) { p.monthly_token_limit = Tokens{-1}; },
       "monthly_token_limit: \"-1\""},
      {"no cost at all", [](Plan& p) { p.monthly_cost_limit = Money{0}; }, "ok"},
      {"negative cost", [](Plan& p) { p.monthly_cost_limit = Money{-1}; },
       "monthly_cost_limit: \"-0.000000001\""},
      {"a currency in capitals", [](Plan& p) { p.monthly_cost_limit = Money{1, "USD"}; },
       "monthly_cost_limit.currency: \"USD\""},
      {"a negative price", [](Plan& p) { p.overage_price_per_1k_tokens = Money{-1}; },
       "overage_price_per_1k_tokens: \"-0.000000001\""},
      {"an empty feature", [](Plan& p) { p.features = {"chat", ""}; }, "features: \"\""},
      {"too many features", [](Plan& p) { p.features.assign(257, "x"); }, "features: \"257\""},
      {"a trial of no days", [](Plan& p) { p.trial_days = 0; }, "ok"},
      {"a negative trial", [](Plan& p) { p.trial_days = -1; }, "trial_days: \"-1\""},
      {"a trial of ten years", [](Plan& p) { p.trial_days = 3660; }, "ok"},
      {"a longer one", [](Plan& p) { p.trial_days = 3661; }, "trial_days: \"3661\""},
      {"an unknown zone", [](Plan& p) { p.period = Period::Options{.timezone = "Mars"}; },
       "period.timezone: \"Mars\""},
      {"a budget below 0", [](Plan& p) { p.budgets = {{.limit = -1}}; },
       "budgets[0].limit: \"-1\""},
      {"a budget of 0", [](Plan& p) { p.budgets = {{.limit = 0}}; }, "ok"},
      {"a budget of credits", [](Plan& p) { p.budgets = {{}, {.kind = BudgetKind::credits}}; },
       "budgets[1].kind: \"credits\""},
      {"a budget of no currency",
       [](Plan& p) { p.budgets = {{.kind = BudgetKind::cost, .currency = "dollar"}}; },
       "budgets[0].currency: \"dollar\""},
      {"a currency where none counts",
       [](Plan& p) { p.budgets = {{.kind = BudgetKind::requests, .currency = ""}}; }, "ok"},
      {"a budget of a bad period", [](Plan& p) { p.budgets = {{.period = {.days = 0}}}; },
       "budgets[0].period.days: \"0\""},
      {"two budgets on one counter", [](Plan& p) { p.budgets = {{.limit = 1}, {.limit = 2}}; },
       "budgets[1]: \"tokens of account\""},
      {"two of different scope",
       [](Plan& p) { p.budgets = {{.limit = 1}, {.scope = BudgetScope::user, .limit = 2}}; }, "ok"},
      {"too many budgets", [](Plan& p) { p.budgets.assign(33, {}); }, "budgets: \"33\""},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    Plan plan{.name = "Pro", .slug = "pro"};
    row.spoil(plan);
    EXPECT_EQ(answer(plan.check()), row.answer);
  }
}

TEST(SubscriptionCheck, table) {
  struct Row {
    std::string_view says;
    void (*spoil)(Subscription&);
    std::string_view answer;
  };
  constexpr Row kRows[] = {
      {"a good one", [](Subscription&) {}, "ok"},
      {"no type", [](Subscription& s) { s.billable.type = ""; }, "billable.type: \"\""},
      {"no id", [](Subscription& s) { s.billable.id = ""; }, "billable.id: \"\""},
      {"no plan", [](Subscription& s) { s.plan = ""; }, "plan: \"\""},
      {"credits need a plan too",
       [](Subscription& s) {
         s.billing_mode = BillingMode::credits;
         s.plan = "";
       },
       "plan: \"\""},
      {"it ends when it starts", [](Subscription& s) { s.ends_at = s.started_at; }, "ok"},
      {"it ends before it starts", [](Subscription& s) { s.ends_at = s.started_at - Duration(1); },
       "ends_at: \"2026-02-28T23:59:59.999999Z\""},
      {"it renews before it starts",
       [](Subscription& s) { s.renews_at = s.started_at - Duration(1); },
       "renews_at: \"2026-02-28T23:59:59.999999Z\""},
      {"the trial ends before it starts",
       [](Subscription& s) { s.trial_ends_at = s.started_at - Duration(1); },
       "trial_ends_at: \"2026-02-28T23:59:59.999999Z\""},
      {"grace without an end", [](Subscription& s) { s.grace_period_ends_at = s.started_at; },
       "grace_period_ends_at: \"2026-03-01T00:00:00Z\""},
      {"grace that ends before the end",
       [](Subscription& s) {
         s.ends_at = s.started_at + Duration(1);
         s.grace_period_ends_at = s.started_at;
       },
       "grace_period_ends_at: \"2026-03-01T00:00:00Z\""},
      {"grace that ends with the end",
       [](Subscription& s) { s.ends_at = s.grace_period_ends_at = s.started_at; }, "ok"},
      {"a meta value of two lines", [](Subscription& s) { s.meta["k"] = "a\nb"; },
       "meta.k: \"a\\x0ab\""},
      {"an empty meta value", [](Subscription& s) { s.meta["k"] = ""; }, "ok"},
      {"an empty meta key", [](Subscription& s) { s.meta[""] = "v"; }, "meta key: \"\""},
      {"too much meta",
       [](Subscription& s) {
         for (int i = 0; i <= 50; ++i) s.meta[std::to_string(i)] = "v";
       },
       "meta: \"51\""},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    Subscription subscription{
        .billable = {"tenant", "7"}, .plan = "pro", .started_at = at("2026-03-01")};
    row.spoil(subscription);
    EXPECT_EQ(answer(subscription.check()), row.answer);
  }
}

TEST(OverrideCheck, table) {
  struct Row {
    std::string_view says;
    void (*spoil)(UsageLimitOverride&);
    std::string_view answer;
  };
  constexpr Row kRows[] = {
      {"a good one", [](UsageLimitOverride&) {}, "ok"},
      {"no id", [](UsageLimitOverride& o) { o.billable.id = ""; }, "billable.id: \"\""},
      {"an empty span", [](UsageLimitOverride& o) { o.period_end = o.period_start; },
       "period_end: \"2026-03-01T00:00:00Z\""},
      {"a span of a moment",
       [](UsageLimitOverride& o) { o.period_end = o.period_start + Duration(1); }, "ok"},
      {"from behind to", [](UsageLimitOverride& o) { std::swap(o.period_start, o.period_end); },
       "period_end: \"2026-03-01T00:00:00Z\""},
      {"negative tokens", [](UsageLimitOverride& o) { o.token_limit = Tokens{-1}; },
       "token_limit: \"-1\""},
      {"negative cost", [](UsageLimitOverride& o) { o.cost_limit = Money{-1}; },
       "cost_limit: \"-0.000000001\""},
      {"unlimited beside a limit", [](UsageLimitOverride& o) { o.unlimited_tokens = true; },
       "unlimited_tokens: \"true\""},
      {"unlimited cost beside a limit",
       [](UsageLimitOverride& o) {
         o.cost_limit = Money{1};
         o.unlimited_cost = true;
       },
       "unlimited_cost: \"true\""},
      {"nothing", [](UsageLimitOverride& o) { o.token_limit.reset(); }, "token_limit: \"\""},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    UsageLimitOverride limits{.billable = {"tenant", "7"},
                              .period_start = at("2026-03-01"),
                              .period_end = at("2026-04-01"),
                              .token_limit = Tokens{1}};
    row.spoil(limits);
    EXPECT_EQ(answer(limits.check()), row.answer);
  }
}

TEST(PlanNames, there_and_back) {
  for (const char* name : {"plan", "credits"}) {
    EXPECT_EQ(name_of(parse_billing_mode("mode", name).value()), name);
  }
  for (const char* name : {"block", "charge", "allow"}) {
    EXPECT_EQ(name_of(parse_overage_behavior("overage", name).value()), name);
  }
  for (const char* name : {"enforce", "shadow"}) {
    EXPECT_EQ(name_of(parse_enforcement("enforcement", name).value()), name);
  }
  for (const char* name : {"tokens", "cost", "requests", "credits"}) {
    EXPECT_EQ(name_of(parse_budget_kind("kind", name).value()), name);
  }
  for (const char* name : {"account", "user", "key", "feature", "model", "session"}) {
    EXPECT_EQ(name_of(parse_budget_scope("scope", name).value()), name);
  }
  EXPECT_EQ(parse_overage_behavior("billing.overage_behavior", "Block").error().message,
            "billing.overage_behavior: \"Block\" is not accepted; expected one of block, charge, "
            "allow");
}

// The numbers are stored: they keep their meaning for ever.
TEST(PlanNames, numbers_stay) {
  EXPECT_EQ(static_cast<int>(BillingMode::credits), 1);
  EXPECT_EQ(static_cast<int>(OverageBehavior::allow), 2);
  EXPECT_EQ(static_cast<int>(Enforcement::shadow), 1);
  EXPECT_EQ(static_cast<int>(BudgetKind::tokens), 1);
  EXPECT_EQ(static_cast<int>(BudgetKind::credits), 4);
  EXPECT_EQ(static_cast<int>(BudgetScope::session), 5);
}

}  // namespace
}  // namespace aimeter
