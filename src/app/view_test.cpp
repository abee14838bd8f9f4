// Plans, subscriptions, questions about limits and the quota guard, against a whole engine on
// memory.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"

namespace aimeter {
namespace {

using testing::TestEngine;

const Billable kAcme{"tenant", "acme"};
constexpr Duration kDay = std::chrono::days(1);

bool use(TestEngine& engine, std::int64_t tokens) {
  return engine->meter()
      .for_tenant("acme")
      .using_provider("openai", "gpt-4o-mini")
      .with_manual_usage({.total_tokens = {tokens}})
      .call([] {})
      .has_value();
}

TEST(Subscribe, one_trial_per_account_and_plan) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan({.name = "T", .slug = "t", .trial_days = 14}));
  const Instant now = engine.clock().now();
  const auto first = engine->tenant("acme").subscribe({.billable = kAcme, .plan = "t"});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->started_at, now) << "unset means now";
  EXPECT_EQ(first->trial_ends_at, now + 14 * kDay);
  const auto second = engine->tenant("acme").subscribe({.billable = kAcme, .plan = "t"});
  EXPECT_FALSE(second->trial_ends_at);
  const auto other = engine->tenant("acme").subscribe({.billable = {"team", "1"}, .plan = "t"});
  EXPECT_TRUE(other->trial_ends_at);
}

TEST(Subscribe, what_cannot_be_subscribed_to_is_refused) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan({.name = "Old", .slug = "old", .is_active = false}));
  ASSERT_TRUE(engine->tenant("other").create_plan({.name = "P", .slug = "private"}));
  const struct {
    std::string_view sentence;
    Subscription subscription;
    Code code;
  } rows[] = {
      {"a plan that is not there", {.billable = kAcme, .plan = "none"}, Code::not_found},
      {"another tenant's plan", {.billable = kAcme, .plan = "private"}, Code::not_found},
      {"an inactive plan", {.billable = kAcme, .plan = "old"}, Code::failed_precondition},
      {"no plan", {.billable = kAcme}, Code::invalid_argument},
      {"nobody", {.plan = "old"}, Code::invalid_argument},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto made = engine->tenant("acme").subscribe(row.subscription);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, row.code) << made.error().message;
  }
}

TEST(MigratePlan, moves_the_subscription_and_says_so_once) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  engine.plan("big", Tokens{1'000});
  const TenantView acme = engine->tenant("acme");
  EXPECT_EQ(acme.migrate_plan(kAcme, {.to = "big"}).error().code, Code::not_found);
  engine.subscribe("acme", kAcme, "small");
  ASSERT_TRUE(use(engine, 60));
  EXPECT_EQ(acme.migrate_plan(kAcme, {.to = "big", .expect_from = "huge"}).error().code,
            Code::conflict);
  EXPECT_EQ(acme.migrate_plan(kAcme, {.to = "small"}).error().code, Code::failed_precondition);
  EXPECT_EQ(acme.migrate_plan(kAcme, {.to = "none"}).error().code, Code::not_found);
  EXPECT_FALSE(use(engine, 41));
  const auto moved = acme.migrate_plan(kAcme, {.to = "big", .expect_from = "small"});
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(moved->previous_plan, "small");
  EXPECT_EQ(engine.log().count("PlanChanged"), 1U);
  EXPECT_TRUE(use(engine, 41)) << "the change acts on the next hold";
  EXPECT_EQ(acme.check_limit(kAcme)->used->count, 101) << "one counter under carry";
  EXPECT_EQ(acme.check_limit(kAcme)->plan, "big");
}

TEST(Override, is_in_force_from_its_start_to_before_its_end) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  engine.subscribe("acme", kAcme, "small");
  const Instant now = engine.clock().now();
  ASSERT_TRUE(engine->tenant("acme").override_limits({.billable = kAcme,
                                                      .period_start = now + kDay,
                                                      .period_end = now + 2 * kDay,
                                                      .token_limit = Tokens{10}}));
  EXPECT_EQ(engine->tenant("acme").check_limit(kAcme)->limit->count, 100);
  engine.clock().advance(kDay);
  EXPECT_EQ(engine->tenant("acme").check_limit(kAcme)->limit->count, 10);
  EXPECT_FALSE(use(engine, 11));
  engine.clock().advance(kDay);
  EXPECT_TRUE(use(engine, 11));
  EXPECT_FALSE(engine->tenant("acme").override_limits(
      {.billable = kAcme, .period_start = now, .period_end = now, .token_limit = Tokens{1}}));
}

TEST(CheckLimit, looks_and_holds_nothing) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  engine.subscribe("acme", kAcme, "small");
  ASSERT_TRUE(use(engine, 60));
  const TenantView acme = engine->tenant("acme");
  const struct {
    std::string_view sentence;
    Estimate requested;
    bool allowed;
  } rows[] = {
      {"anything at all", {}, true},
      {"what just fits", {.tokens = Tokens{40}}, true},
      {"one more", {.tokens = Tokens{41}}, false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto check = acme.check_limit(kAcme, row.requested);
    ASSERT_TRUE(check) << check.error().message;
    EXPECT_EQ(check->allowed, row.allowed);
    EXPECT_EQ(check->remaining_tokens->count, 40);
    EXPECT_EQ(check->usage_percentage.text(), "60.00");
    EXPECT_EQ(check->held->count, 0);
  }
  ASSERT_TRUE(use(engine, 40));
  EXPECT_FALSE(acme.check_limit(kAcme)->allowed) << "used up";
  EXPECT_EQ(acme.active_plan(kAcme)->slug, "small");
  EXPECT_EQ(*acme.billing_mode({"team", "1"}), BillingMode::plan);
  EXPECT_EQ(acme.active_subscription({"team", "1"}).error().code, Code::not_found);
}

TEST(WithoutSubscription, is_the_operators_choice) {
  const auto call = [](TestEngine& engine) {
    return engine->meter().for_tenant("acme").call([] { return testing::openai_answer(1, 1); });
  };
  TestEngine lenient;
  EXPECT_TRUE(call(lenient));
  TestEngine strict({.limits = {.without_subscription = "refuse"}});
  const auto refused = call(strict);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  strict.plan("small", Tokens{100});
  strict.subscribe("acme", kAcme, "small");
  EXPECT_TRUE(call(strict));
}

TEST(ActivePlan, ends_with_its_subscription) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  ASSERT_TRUE(engine->tenant("acme").subscribe({.billable = kAcme,
                                                .plan = "small",
                                                .started_at = engine.clock().now(),
                                                .ends_at = engine.clock().now() + kDay}));
  EXPECT_TRUE(engine->tenant("acme").active_plan(kAcme));
  engine.clock().advance(kDay);
  EXPECT_EQ(engine->tenant("acme").active_plan(kAcme).error().code, Code::not_found);
}

TEST(Admin, sees_across_tenants) {
  TestEngine engine;
  for (const char* tenant : {"b", "a"}) {
    ASSERT_TRUE(
        engine->meter().for_tenant(tenant).call([] { return testing::openai_answer(10, 20); }));
  }
  EXPECT_EQ(*engine->admin().tenants(), (std::vector<TenantId>{{"a"}, {"b"}}));
  EXPECT_EQ(engine->admin().usages({})->records.size(), 2U);
  EXPECT_EQ(engine->admin().totals({})->at(0).total_tokens.count, 60);
  std::vector<std::string> seen;
  ASSERT_TRUE(engine->admin().for_each_tenant([&](const TenantView& view) -> Status {
    EXPECT_EQ(TenantScope::current(), view.id());
    seen.push_back(view.id().text);
    return {};
  }));
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(engine->admin()
                .for_each_tenant(
                    [](const TenantView&) -> Status { return fail(Code::unavailable, "stop"); })
                .error()
                .code,
            Code::unavailable);
}

TEST(Engine, the_ambient_tenant_is_taken_when_the_meter_is_made) {
  TestEngine engine;
  EXPECT_EQ(engine->current().error().code, Code::failed_precondition);
  std::optional<Meter> made;
  {
    const TenantScope scope("acme");
    made = engine->meter();
    EXPECT_EQ(engine->current()->id().text, "acme");
    const auto mismatch =
        engine->meter().for_tenant("other").call([] { return testing::openai_answer(1, 1); });
    ASSERT_FALSE(mismatch);
    EXPECT_EQ(mismatch.error().code, Code::permission_denied);
  }
  const auto reply = std::move(*made).call([] { return testing::openai_answer(1, 1); });
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->record().account.tenant.text, "acme");
  const TenantScope bad("a\nb");
  const auto refused = engine->meter().call([] { return testing::openai_answer(1, 1); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
}

// ---- the quota guard

TEST(QuotaGuard, speaks_the_keys_of_the_reference) {
  TestEngine engine({.tenant_resolver = "header", .tenancy = {.trusted_proxies = {"10.0.0.0/8"}}});
  engine.plan("small", Tokens{100}, 1_usd);
  engine.subscribe("acme", kAcme, "small");
  Context request;
  request.peer = "10.0.0.1";
  request.header = [](std::string_view name) -> std::optional<std::string> {
    if (name == "X-Tenant") return "acme";
    return std::nullopt;
  };
  const QuotaGuard guard(engine.engine());
  auto admission = guard.admit(request);
  ASSERT_TRUE(admission) << admission.error().message;
  EXPECT_TRUE(admission->admitted);
  EXPECT_EQ(guard.headers(*admission), (Headers{{"X-Remaining-Tokens", "100"},
                                                {"X-Remaining-Cost", "1"},
                                                {"X-Usage-Percentage", "0.00"}}));
  ASSERT_TRUE(use(engine, 100));
  admission = guard.admit(request);
  ASSERT_TRUE(admission);
  EXPECT_FALSE(admission->admitted);
  EXPECT_EQ(admission->status, 429);
  EXPECT_EQ(admission->content_type, "application/json");
  const auto body = boost::json::parse(admission->body).as_object();
  EXPECT_EQ(body.at("error"), "quota_exceeded");
  EXPECT_EQ(body.at("remaining_tokens"), 0);
  EXPECT_TRUE(body.at("remaining_cost").is_string());
  EXPECT_NE(admission->body.find("\"usage_percentage\": 100.00"), std::string::npos);
  request.expects_json = false;
  EXPECT_EQ(guard.admit(request)->content_type, "text/plain; charset=utf-8");
}

TEST(QuotaGuard, asks_about_the_tenant_else_the_user_and_lets_nobody_pass) {
  TestEngine engine;
  const QuotaGuard guard(engine.engine());
  Context request;
  const auto nobody = guard.admit(request);
  ASSERT_TRUE(nobody);
  EXPECT_TRUE(nobody->admitted);
  EXPECT_TRUE(guard.headers(*nobody).empty());
  request.user = "42";
  const auto user = guard.admit(request);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->billable, (Billable{"user", "42"}));
  EXPECT_EQ(guard.headers(*user)[0].second, "unlimited");
  EXPECT_EQ(guard.headers(*user)[1].second, "unlimited");
  const TenantScope scope("acme");
  EXPECT_EQ(guard.admit(request)->billable, kAcme);
}

// ---- options

TEST(Open, names_the_option_that_it_refuses) {
  const struct {
    std::string_view sentence;
    std::string dsn;
    OpenOptions options;
    std::string_view names;
  } rows[] = {
      {"a resolver that is not there",
       "memory:",
       {.tenant_resolver = "none_such"},
       "tenancy.resolver"},
      {"an overage behaviour that is none",
       "memory:",
       {.overage_behavior = "forgive"},
       "billing.overage_behavior"},
      {"a plan change that is none",
       "memory:",
       {.limits = {.plan_change = "x"}},
       "limits.plan_change"},
      {"no subscription means what?",
       "memory:",
       {.limits = {.without_subscription = "x"}},
       "limits.without_subscription"},
      {"101 percent",
       "memory:",
       {.limits = {.approaching_percent = 101}},
       "limits.approaching_percent"},
      {"batches of nothing", "memory:", {.journal = {.batch_size = 0}}, "storage.batch_size"},
      {"wait always", "memory:", {.journal = {.far_behind = 0}}, "journal.far_behind"},
      {"an unknown model means what?",
       "memory:",
       {.pricing = {.unknown_model = "x"}},
       "pricing.unknown_model"},
      {"a default price that is not given",
       "memory:",
       {.pricing = {.unknown_model = "default_price"}},
       "pricing.unknown_model"},
      {"an extractor that is not there",
       "memory:",
       {.provider_extractors = {{"p", "none"}}},
       "providers.p.extractor"},
      {"a journal for memory",
       "memory:",
       {.journal = {.durability = "journal"}},
       "storage.durability"},
      {"a wait of nothing", "memory:", {.waits = {.hold_wait = Duration(0)}}, "hold_wait"},
      {"a mismatch that is neither",
       "memory:",
       {.tenancy = {.on_mismatch = "x"}},
       "tenancy.on_mismatch"},
      {"a store that nobody knows", "oracle:x", {}, "store"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto opened = open(row.dsn, row.options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::invalid_argument) << opened.error().message;
    EXPECT_EQ(opened.error().message.find(row.names), 0U) << opened.error().message;
  }
}

}  // namespace
}  // namespace aimeter
