// An account's contract in time, through a whole engine on memory.
#include <gtest/gtest.h>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"

namespace aimeter {
namespace {

using testing::TestEngine;

const Billable kAcme{"tenant", "acme"};
constexpr Duration kDay = std::chrono::days(1);

class Contracts : public ::testing::Test {
 protected:
  Contracts() {
    engine_.plan("small", Tokens{100});
    engine_.plan("pro", Tokens{900});
    engine_.subscribe("acme", kAcme, "small");
  }
  TenantView acme() { return engine_->tenant("acme"); }
  std::int64_t limit() { return acme().check_limit(kAcme)->limit->count; }

  TestEngine engine_;
  const Instant april_{std::chrono::sys_days(std::chrono::year(2026) / 4 / 1)};
};

TEST_F(Contracts, a_change_at_the_periods_end_acts_then_and_is_told_once) {
  const auto planned = acme().migrate_plan(kAcme, {.to = "pro", .when = When::period_end});
  ASSERT_TRUE(planned) << planned.error().message;
  EXPECT_EQ(planned->plan, "small");
  EXPECT_EQ(planned->next_plan, "pro");
  EXPECT_EQ(planned->changes_at, april_);
  EXPECT_EQ(limit(), 100);
  engine_.clock().set(april_ - Duration(1));
  EXPECT_EQ(engine_->admin().run_due(), 0);
  EXPECT_EQ(limit(), 100);
  engine_.clock().set(april_);
  EXPECT_EQ(limit(), 900) << "nobody has written it down yet";
  ASSERT_TRUE(engine_->admin().run_due());
  EXPECT_EQ(engine_->admin().run_due(), 0);
  EXPECT_EQ(acme().active_subscription(kAcme)->plan, "pro");
  EXPECT_EQ(engine_.log().count("PlanChanged"), 1U);
}

TEST_F(Contracts, a_cancellation_now_ends_access_and_is_told_once) {
  const auto ended = acme().cancel(kAcme, When::now);
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_EQ(acme().active_subscription(kAcme).error().code, Code::not_found);
  EXPECT_EQ(engine_.log().count("SubscriptionExpired"), 1U);
  engine_.clock().advance(kDay);
  EXPECT_EQ(engine_->admin().run_due(), 0);
  EXPECT_EQ(engine_.log().count("SubscriptionExpired"), 1U);
}

TEST_F(Contracts, a_cancellation_at_the_end_keeps_access_until_then) {
  ASSERT_TRUE(acme().cancel(kAcme, When::period_end));
  engine_.clock().set(april_ - Duration(1));
  EXPECT_TRUE(acme().active_subscription(kAcme));
  engine_.clock().set(april_);
  EXPECT_FALSE(acme().active_subscription(kAcme));
  ASSERT_TRUE(engine_->admin().run_due());
  EXPECT_EQ(engine_.log().count("SubscriptionExpired"), 1U);
}

TEST_F(Contracts, a_cancellation_can_be_taken_back_until_the_end) {
  ASSERT_TRUE(acme().cancel(kAcme, When::period_end));
  ASSERT_TRUE(acme().renew(kAcme));
  engine_.clock().set(april_ + kDay);
  EXPECT_TRUE(acme().active_subscription(kAcme));
  EXPECT_EQ(acme().renew(kAcme).error().code, Code::failed_precondition);
}

TEST_F(Contracts, a_failed_payment_gives_one_grace_and_a_payment_clears_it) {
  const auto failed = acme().payment_failed(kAcme);
  ASSERT_TRUE(failed) << failed.error().message;
  EXPECT_EQ(failed->grace_period_ends_at, engine_.clock().now() + 7 * kDay);
  engine_.clock().advance(kDay);
  EXPECT_EQ(acme().payment_failed(kAcme)->grace_period_ends_at, failed->grace_period_ends_at);
  EXPECT_FALSE(acme().payment_succeeded(kAcme)->ends_at);
  ASSERT_TRUE(acme().payment_failed(kAcme));
  engine_.clock().advance(7 * kDay);
  EXPECT_FALSE(acme().active_subscription(kAcme));
}

TEST_F(Contracts, what_is_due_is_done_once_however_often_it_is_asked) {
  ASSERT_TRUE(engine_->tenant("acme").subscribe(
      {.billable = {"user", "1"}, .plan = "pro", .ends_at = engine_.clock().now() + kDay}));
  engine_.clock().advance(kDay);
  const Result<int> first = engine_->admin().run_due(), second = engine_->admin().run_due();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*second, 0);
  EXPECT_EQ(engine_.log().count("SubscriptionExpired"), 1U);
}

TEST_F(Contracts, one_that_is_over_when_it_is_made_is_not_told) {
  const Instant now = engine_.clock().now();
  ASSERT_TRUE(acme().subscribe({.billable = {"user", "1"},
                                .plan = "pro",
                                .started_at = now - 2 * kDay,
                                .ends_at = now - kDay}));
  EXPECT_EQ(engine_->admin().run_due(), 0);
  EXPECT_EQ(engine_.log().count("SubscriptionExpired"), 0U);
}

}  // namespace
}  // namespace aimeter
