#include "plans/lifecycle.h"

#include <gtest/gtest.h>

#include "plans/limits.h"

namespace aimeter::plans {
namespace {

constexpr Duration kDay = std::chrono::days(1), kTick = Duration(1);
const Instant kStart{std::chrono::sys_days(std::chrono::year(2026) / 3 / 15)};
const Instant kApril{std::chrono::sys_days(std::chrono::year(2026) / 4 / 1)};
const Period::Options kMonthly{};  // calendar, UTC

Subscription on(std::string plan) {
  return {.id = 7, .billable = {"team", "9"}, .plan = std::move(plan), .started_at = kStart};
}

TEST(Lifecycle, what_has_no_time_is_never_due) {
  EXPECT_FALSE(due_at(on("pro")));
  EXPECT_FALSE(due_of(on("pro"), kMonthly, kStart + 400 * kDay).any());
}

TEST(Lifecycle, an_end_is_due_once_it_has_come_and_only_once) {
  Subscription one = on("pro");
  one.ends_at = kStart + kDay;
  EXPECT_EQ(due_at(one), kStart + kDay);
  EXPECT_FALSE(due_of(one, kMonthly, kStart + kDay - kTick).any());
  const Due due = due_of(one, kMonthly, kStart + kDay);
  EXPECT_TRUE(due.expires);
  EXPECT_EQ(due.after.expired_at, kStart + kDay);
  EXPECT_FALSE(due_at(due.after));
  EXPECT_FALSE(due_of(due.after, kMonthly, kStart + 9 * kDay).any());
}

TEST(Lifecycle, the_end_waits_for_the_grace) {
  Subscription one = on("pro");
  one.ends_at = kStart + kDay;
  one.grace_period_ends_at = kStart + 3 * kDay;
  EXPECT_EQ(due_at(one), kStart + 3 * kDay);
  EXPECT_FALSE(due_of(one, kMonthly, kStart + 3 * kDay - kTick).any());
  EXPECT_TRUE(due_of(one, kMonthly, kStart + 3 * kDay).expires);
}

TEST(Lifecycle, a_payment_after_the_end_lets_it_end_again) {
  Subscription one = on("pro");
  one.ends_at = kStart + kDay;
  one = due_of(one, kMonthly, kStart + kDay).after;
  one = payment_restored(one);
  EXPECT_FALSE(one.expired_at);
  one.ends_at = kStart + 5 * kDay;
  EXPECT_TRUE(due_of(one, kMonthly, kStart + 5 * kDay).expires);
  one.expired_at = kStart + kDay;  // by whoever knows nothing of what was told
  EXPECT_TRUE(due_of(one, kMonthly, kStart + 5 * kDay).expires);
}

TEST(Lifecycle, a_change_to_come_rules_from_its_time_on_and_is_written_down_once) {
  Subscription one = on("small");
  one.next_plan = "pro";
  one.changes_at = kApril;
  EXPECT_EQ(one.plan_at(kApril - kTick), "small");
  EXPECT_EQ(one.plan_at(kApril), "pro");
  EXPECT_EQ(due_at(one), kApril);
  const Due due = due_of(one, kMonthly, kApril);
  EXPECT_TRUE(due.changes_plan);
  EXPECT_EQ(due.after.plan, "pro");
  EXPECT_EQ(due.after.previous_plan, "small");
  EXPECT_EQ(due.after.next_plan, "");
  EXPECT_FALSE(due.after.changes_at);
  EXPECT_FALSE(due_of(due.after, kMonthly, kApril).any());
}

TEST(Lifecycle, limits_follow_a_change_to_come_without_anybody_writing_it_down) {
  Contract contract{.subscriptions = {on("small")}};
  contract.subscriptions[0].next_plan = "pro";
  contract.subscriptions[0].changes_at = kStart + 5 * kDay;
  contract.plans = {{.id = 1, .name = "small", .slug = "small", .monthly_token_limit = Tokens{10}},
                    {.id = 2, .name = "pro", .slug = "pro", .monthly_token_limit = Tokens{99}}};
  const auto limit = [&](Instant at) {
    return effective_limits(contract, {}, at).budgets[0].limit;
  };
  EXPECT_EQ(limit(kStart + 5 * kDay - kTick), 10);
  EXPECT_EQ(limit(kStart + 5 * kDay), 99);
  EXPECT_EQ(effective_limits(contract, {}, kStart).valid.end, kStart + 5 * kDay);
}

TEST(Lifecycle, a_renewal_moves_to_the_next_start_of_the_period) {
  Subscription one = on("pro");
  one.renews_at = kApril;
  EXPECT_EQ(due_at(one), kApril);
  const Due due = due_of(one, kMonthly, kApril + 40 * kDay);
  EXPECT_TRUE(due.renews);
  EXPECT_EQ(text_of(*due.after.renews_at), "2026-06-01T00:00:00Z");
  EXPECT_EQ(due.after.started_at, kStart) << "the anchor stays";
  one.ends_at = kApril;
  EXPECT_FALSE(due_of(one, kMonthly, kApril).renews) << "what ends then does not renew";
}

TEST(Lifecycle, paid_until_the_renewal_or_the_end_of_the_period) {
  Subscription one = on("pro");
  EXPECT_EQ(paid_until(one, kMonthly, kStart), kApril);
  one.renews_at = kStart + 3 * kDay;
  EXPECT_EQ(paid_until(one, kMonthly, kStart), kStart + 3 * kDay);
  EXPECT_EQ(paid_until(one, kMonthly, kStart + 3 * kDay), kApril) << "one that is past";
  one.renews_at.reset();
  EXPECT_EQ(paid_until(one, {.alignment = Period::Alignment::rolling}, kStart),
            Instant(std::chrono::sys_days(std::chrono::year(2026) / 4 / 15)));
}

TEST(Lifecycle, cancelling_ends_it_and_what_was_to_come_is_off) {
  Subscription one = on("small");
  one.next_plan = "pro";
  one.changes_at = kApril;
  const auto ended = cancelled(one, kApril);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->ends_at, kApril);
  EXPECT_EQ(ended->next_plan, "");
  EXPECT_TRUE(ended->check());
  EXPECT_EQ(cancelled(*ended, kApril).error().code, Code::failed_precondition);
  const auto sooner = cancelled(*ended, kStart + kDay);
  ASSERT_TRUE(sooner);
  EXPECT_EQ(sooner->ends_at, kStart + kDay);
}

TEST(Lifecycle, renewing_takes_a_cancellation_or_a_change_back) {
  EXPECT_EQ(renewed(on("pro"), kStart).error().code, Code::failed_precondition);
  Subscription one = on("pro");
  one.ends_at = kApril;
  EXPECT_FALSE(renewed(one, kApril - kTick)->ends_at);
  EXPECT_EQ(renewed(one, kApril).error().code, Code::failed_precondition) << "it is over";
  Subscription moving = on("small");
  moving.next_plan = "pro";
  moving.changes_at = kApril;
  EXPECT_EQ(renewed(moving, kStart)->next_plan, "");
}

}  // namespace
}  // namespace aimeter::plans
