#include "app/expiry.h"

#include <gtest/gtest.h>

#include "time/manual_clock.h"

namespace aimeter::app {
namespace {

constexpr Duration kDay = std::chrono::days(1);
const Instant kStart{std::chrono::sys_days(std::chrono::year(2026) / 3 / 15)};
const Billable kWho{"team", "9"};

class Expiry : public ::testing::Test {
 protected:
  void subscribe(std::optional<Instant> ends, std::optional<Instant> grace = std::nullopt) {
    ASSERT_TRUE(store_->change({.body = store::PutSubscription{{"acme"},
                                                               {.billable = kWho,
                                                                .started_at = kStart,
                                                                .ends_at = ends,
                                                                .grace_period_ends_at = grace}}}));
  }
  int told_after(Duration by) {
    told_ = 0;
    clock_.advance(by);
    EXPECT_FALSE(watch_.step()) << "nothing more to do before time passes";
    return told_;
  }

  time::ManualClock clock_{kStart};
  std::unique_ptr<store::Store> store_ = store::make_memory_store(clock_);
  Events events_;
  int told_ = 0;
  Listener listener_ = events_.on<SubscriptionExpired>([this](const SubscriptionExpired& event) {
    EXPECT_EQ(event.account, (Account{{"acme"}, kWho}));
    ++told_;
  });
  ExpiryWatch watch_{*store_, clock_, events_};
};

TEST_F(Expiry, is_told_once_when_the_end_is_passed) {
  subscribe(kStart + kDay);
  EXPECT_EQ(told_after(kDay - std::chrono::seconds(1)), 0);
  EXPECT_EQ(told_after(std::chrono::seconds(1)), 1);
  EXPECT_EQ(told_after(kDay), 0);
}

TEST_F(Expiry, waits_for_the_end_of_the_grace) {
  subscribe(kStart + kDay, kStart + 3 * kDay);
  EXPECT_EQ(told_after(2 * kDay), 0);
  EXPECT_EQ(told_after(kDay), 1);
}

TEST_F(Expiry, one_that_never_ends_or_ended_before_we_looked_is_not_told) {
  subscribe(std::nullopt);
  subscribe(kStart);
  EXPECT_EQ(told_after(400 * kDay), 0);
}

TEST_F(Expiry, a_subscription_that_came_later_is_seen) {
  EXPECT_EQ(told_after(kDay), 0);
  subscribe(kStart + 2 * kDay);
  EXPECT_EQ(told_after(kDay), 1);
}

}  // namespace
}  // namespace aimeter::app
