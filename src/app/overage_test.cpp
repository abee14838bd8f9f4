// Charged overage through a whole engine on memory.
#include <gtest/gtest.h>

#include <atomic>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"

namespace aimeter {
namespace {

using testing::openai_answer;
using testing::TestEngine;

const Billable kAcme{"tenant", "acme"};

Plan charging(std::optional<Tokens> tokens, std::string_view price = "0.01") {
  Plan plan{.name = "pro", .slug = "pro", .monthly_token_limit = tokens};
  plan.overage_price_per_1k_tokens = Money::parse_or_die(price);
  plan.overage_behavior = OverageBehavior::charge;
  return plan;
}

Result<Reply<std::string>> call(TestEngine& engine, std::int64_t tokens) {
  return engine->meter()
      .for_tenant("acme")
      .using_provider("openai", "gpt-4o-mini")
      .expecting({.tokens = Tokens{tokens}})
      .call([&] { return openai_answer(tokens, 0); });
}

TEST(OverageOfCalls, tokens_above_the_limit_are_not_refused) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100})));
  engine.subscribe("acme", kAcme, "pro");
  for (int i = 0; i < 3; ++i) {
    const auto reply = call(engine, 80);
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_TRUE(reply->limit().allowed);
  }
  EXPECT_EQ(engine->tenant("acme").check_limit(kAcme)->used->count, 240);
}

TEST(OverageOfCalls, each_line_is_read_by_its_tenant_and_told_once) {
  std::vector<OverageCharged> told;  // on the engine's own thread: read when that has ended
  std::int64_t first = 0;
  {
    TestEngine engine;
    ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100})));
    engine.subscribe("acme", kAcme, "pro");
    engine->events()
        .on<OverageCharged>([&](const OverageCharged& one) { told.push_back(one); })
        .keep();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(call(engine, 80));
    const auto page = engine->tenant("acme").overages();
    ASSERT_TRUE(page) << page.error().message;
    ASSERT_EQ(page->overages.size(), 2U);
    EXPECT_EQ(page->overages[0].tokens.count, 60);
    EXPECT_EQ(page->overages[0].cost.text(), "0.0006");
    EXPECT_EQ(page->overages[0].price_per_1k_tokens.text(), "0.01");
    EXPECT_EQ(page->overages[1].tokens.count, 80);
    first = page->overages[0].id;
    EXPECT_TRUE(engine->tenant("other").overages()->overages.empty());
    EXPECT_TRUE(engine->tenant("other").overages({.tenant = TenantId{"acme"}})->overages.empty());
    EXPECT_EQ(engine->admin().overages()->overages.size(), 2U);
  }
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].account, (Account{{"acme"}, kAcme}));
  EXPECT_EQ(told[0].overage.id, first);
}

TEST(OverageOfCalls, a_raised_limit_credits_and_an_adjustment_takes_back) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100})));
  engine.subscribe("acme", kAcme, "pro");
  ASSERT_TRUE(call(engine, 150));
  engine.clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(engine->admin().change_plan(charging(Tokens{130})));
  const auto more = call(engine, 10);
  ASSERT_TRUE(more);
  ASSERT_TRUE(engine->tenant("acme").adjust(
      {.of = more->record().id, .usage = {.input_tokens = {-10}}, .reason = "wrong"}));
  std::string shown;
  const auto page = engine->tenant("acme").overages();
  for (const Overage& one : page->overages) shown += std::to_string(one.tokens.count) + " ";
  EXPECT_EQ(shown, "50 -30 10 -10 ");
}

std::string lines_of(TestEngine& engine) {
  std::string shown;
  const auto page = engine->tenant("acme").overages();
  EXPECT_TRUE(page) << page.error().message;
  for (const Overage& one : page->overages) {
    shown += std::to_string(one.tokens.count) + "@" + one.price_per_1k_tokens.text() + " ";
  }
  return shown;
}

TEST(OverageOfCalls, a_limit_that_rose_credits_without_another_call_and_once) {
  std::atomic<int> told = 0;
  {
    TestEngine engine;
    ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100})));
    engine.subscribe("acme", kAcme, "pro");
    ASSERT_TRUE(call(engine, 150));
    EXPECT_EQ(lines_of(engine), "50@0.01 ");
    const Instant now = engine.clock().now();
    ASSERT_TRUE(engine->tenant("acme").override_limits({.billable = kAcme,
                                                        .period_start = now + std::chrono::hours(1),
                                                        .period_end = now + std::chrono::hours(2),
                                                        .token_limit = Tokens{130}}));
    EXPECT_EQ(engine->admin().run_due(), 0);
    engine.clock().advance(std::chrono::hours(1));
    const auto note = [&](const OverageCharged& event) { told += event.overage.tokens.count < 0; };
    engine->events().on<OverageCharged>(note).keep();  // the 50 may be told after they are seen
    EXPECT_TRUE(engine->admin().run_due());
    EXPECT_EQ(engine->admin().run_due(), 0);
    EXPECT_EQ(lines_of(engine), "50@0.01 -30@0.01 ");
    const auto preview = engine->tenant("acme").preview_invoice(kAcme);
    ASSERT_TRUE(preview) << preview.error().message;
    EXPECT_EQ(preview->exact.text(), "0.0002");
    engine.clock().advance(std::chrono::hours(1));
    ASSERT_TRUE(engine->admin().run_due());
    EXPECT_EQ(lines_of(engine), "50@0.01 -30@0.01 ") << "a limit that falls bills nothing back";
  }
  EXPECT_EQ(told, 1) << "by whoever did it, the engine's own turn or ours";
}

TEST(OverageOfCalls, what_a_plan_that_ended_has_charged_is_owed) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100})));
  engine.subscribe("acme", kAcme, "pro");
  ASSERT_TRUE(call(engine, 150));
  engine.clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(engine->tenant("acme").cancel(kAcme, When::now));
  ASSERT_TRUE(engine->admin().run_due());
  ASSERT_TRUE(call(engine, 30)) << "metering, no access control";
  EXPECT_EQ(lines_of(engine), "50@0.01 ");
}

TEST(OverageOfCalls, a_larger_plan_covers_what_the_smaller_charged) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100})));
  Plan large = charging(Tokens{120}, "0.02");
  large.slug = large.name = "large";
  ASSERT_TRUE(engine->admin().create_plan(large));
  engine.subscribe("acme", kAcme, "pro");
  ASSERT_TRUE(call(engine, 150));
  engine.clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(engine->tenant("acme").migrate_plan(kAcme, {.to = "large"}));
  ASSERT_TRUE(call(engine, 10));
  EXPECT_EQ(lines_of(engine), "50@0.01 -20@0.01 10@0.02 ");
}

TEST(OverageOfCalls, a_changed_price_acts_from_its_day_on) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100})));
  engine.subscribe("acme", kAcme, "pro");
  ASSERT_TRUE(call(engine, 110));
  const Instant before = engine.clock().now();
  engine.clock().advance(std::chrono::hours(1));
  ASSERT_TRUE(engine->admin().change_plan(charging(Tokens{100}, "0.05")));
  engine.clock().advance(std::chrono::hours(1));
  ASSERT_TRUE(call(engine, 20));
  ASSERT_TRUE(engine->tenant("acme").record({.provider = "openai",
                                             .model = "gpt-4o-mini",
                                             .usage = {.input_tokens = {30}},
                                             .occurred_at = before}));
  EXPECT_EQ(lines_of(engine), "10@0.01 20@0.05 30@0.01 ");
}

// An adjustment credits at the price of its usage while something of that price is left, then the
// newest first at its own: never more than was charged.
TEST(OverageOfCalls, an_adjustment_never_credits_more_than_was_charged) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100})));
  engine.subscribe("acme", kAcme, "pro");
  const auto first = call(engine, 110);
  ASSERT_TRUE(first);
  engine.clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(engine->admin().change_plan(charging(Tokens{100}, "0.002")));
  ASSERT_TRUE(call(engine, 10));
  ASSERT_TRUE(engine->tenant("acme").adjust(
      {.of = first->record().id, .usage = {.input_tokens = {-15}}, .reason = "wrong"}));
  EXPECT_EQ(lines_of(engine), "10@0.01 10@0.002 -10@0.01 -5@0.002 ");
  EXPECT_EQ(engine->tenant("acme").preview_invoice(kAcme)->exact.text(), "0.00001");
}

TEST(OverageOfCalls, a_late_record_keeps_the_limit_of_its_month) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100})));
  engine.subscribe("acme", kAcme, "pro");
  ASSERT_TRUE(call(engine, 90));
  const Instant march = engine.clock().now();
  engine.clock().advance(std::chrono::days(20));
  ASSERT_TRUE(engine->admin().change_plan(charging(Tokens{1'000})));
  UsageRecord late{.provider = "openai",
                   .model = "gpt-4o-mini",
                   .usage = {.input_tokens = {30}},
                   .occurred_at = march};
  ASSERT_TRUE(engine->tenant("acme").record(late));
  const auto page = engine->tenant("acme").overages();
  ASSERT_EQ(page->overages.size(), 1U);
  EXPECT_EQ(page->overages[0].tokens.count, 20);
}

TEST(OverageOfCalls, cost_above_a_cost_limit_is_charged_and_repricing_moves_its_line) {
  TestEngine engine;
  Plan plan{.name = "pro", .slug = "pro", .monthly_cost_limit = Money{1'000}};
  plan.overage_behavior = OverageBehavior::charge;
  plan.overage_markup = Percent{20'00};
  ASSERT_TRUE(engine->admin().create_plan(plan));
  engine.subscribe("acme", kAcme, "pro");
  const auto first = call(engine, 100);
  ASSERT_TRUE(first) << first.error().message;
  const std::int64_t cost = first->record().total_cost.nanos;
  ASSERT_GT(cost, 1'000);
  const auto page = engine->tenant("acme").overages();
  ASSERT_EQ(page->overages.size(), 1U);
  EXPECT_EQ(page->overages[0].kind, BudgetKind::cost);
  EXPECT_EQ(page->overages[0].used_cost.nanos, cost - 1'000);
  EXPECT_EQ(page->overages[0].cost.nanos, (cost - 1'000) * 12 / 10);
  ASSERT_TRUE(engine->tenant("acme").adjust(
      {.of = first->record().id, .cost = {-500, "usd"}, .reason = "cheaper"}));
  EXPECT_EQ(engine->tenant("acme").overages()->overages.at(1).used_cost.nanos, -500);
}

TEST(OverageOfCalls, an_invoice_says_to_the_cent_what_is_due_and_what_another_plan_would_bill) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{100}, "1")));  // 0.001 usd a token
  Plan other = charging(Tokens{200}, "2");
  other.slug = other.name = "large";
  ASSERT_TRUE(engine->admin().create_plan(other));
  engine.subscribe("acme", kAcme, "pro");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(call(engine, 85));  // 255
  const auto preview = engine->tenant("acme").preview_invoice(kAcme);
  ASSERT_TRUE(preview) << preview.error().message;
  EXPECT_EQ(preview->exact.text(), "0.155");
  EXPECT_EQ(preview->amount.text(), "0.16") << "half to the even cent";
  EXPECT_EQ(preview->rounding.text(), "0.005");
  EXPECT_EQ(preview->batched.text(), "0");
  EXPECT_EQ(preview->used_tokens, 255);
  ASSERT_EQ(preview->lines.size(), 1U);
  EXPECT_EQ(preview->lines[0].quantity, 155);
  EXPECT_EQ(preview->lines[0].plan, "pro");
  EXPECT_EQ(preview->lines[0].lines, 2);
  ASSERT_EQ(preview->lines[0].price_versions.size(), 1U);
  const auto instead = engine->tenant("acme").preview_invoice(kAcme, {.plan = "large"});
  ASSERT_TRUE(instead) << instead.error().message;
  EXPECT_EQ(instead->amount.text(), "0.11") << "55 tokens at 0.002";
  EXPECT_EQ(engine->tenant("acme").preview_invoice(kAcme, {.plan = "none"}).error().code,
            Code::not_found);
}

TEST(OverageOfCalls, a_limit_of_zero_is_pay_as_you_go) {
  TestEngine engine;
  ASSERT_TRUE(engine->admin().create_plan(charging(Tokens{0})));
  engine.subscribe("acme", kAcme, "pro");
  EXPECT_TRUE(call(engine, 80));
}

TEST(OverageOfCalls, a_trial_blocks_at_the_limit) {
  TestEngine engine;
  Plan plan = charging(Tokens{100});
  plan.trial_days = 7;
  ASSERT_TRUE(engine->admin().create_plan(plan));
  engine.subscribe("acme", kAcme, "pro");
  EXPECT_TRUE(call(engine, 80));
  const auto refused = call(engine, 80);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::quota_exceeded);
  engine.clock().advance(std::chrono::days(8));
  EXPECT_TRUE(call(engine, 80));
}

TEST(OverageOfCalls, without_a_price_the_limit_blocks) {
  TestEngine engine({.overage_behavior = "charge"});
  engine.plan("plain", Tokens{100});
  engine.subscribe("acme", kAcme, "plain");
  EXPECT_FALSE(call(engine, 101));
  EXPECT_TRUE(call(engine, 100));
}

TEST(OverageOfCalls, a_cap_blocks) {
  TestEngine engine;
  Plan plan = charging(Tokens{100});  // 0.00001 usd a token
  plan.overage_cap = Money::parse_or_die("0.0005");
  ASSERT_TRUE(engine->admin().create_plan(plan));
  engine.subscribe("acme", kAcme, "pro");
  EXPECT_TRUE(call(engine, 150));
  const auto refused = call(engine, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::quota_exceeded);
  EXPECT_EQ(refused.error().refusal->limit->count, 150);
}

TEST(OverageOfCalls, a_cap_counts_from_where_the_overage_begins) {
  TestEngine engine;
  Plan plan = charging(Tokens{100});  // 0.00001 usd a token
  plan.overage_cap = Money::parse_or_die("0.0005");
  ASSERT_TRUE(engine->admin().create_plan(plan));
  engine.subscribe("acme", kAcme, "pro");
  ASSERT_TRUE(call(engine, 90));
  engine.clock().advance(std::chrono::seconds(1));
  plan.monthly_token_limit = Tokens{10};
  ASSERT_TRUE(engine->admin().change_plan(plan));
  EXPECT_TRUE(call(engine, 30)) << "nothing was charged yet";
  EXPECT_EQ(lines_of(engine), "30@0.01 ");
  engine.clock().advance(std::chrono::seconds(1));
  plan.overage_price_per_1k_tokens = Money::parse_or_die("0.02");  // 0.0003 of 0.0005 are charged
  ASSERT_TRUE(engine->admin().change_plan(plan));
  EXPECT_FALSE(call(engine, 11));
  EXPECT_TRUE(call(engine, 10));
  EXPECT_FALSE(call(engine, 1));
  EXPECT_EQ(lines_of(engine), "30@0.01 10@0.02 ");
}

}  // namespace
}  // namespace aimeter
