#include "app/top_ups.h"

#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"

namespace aimeter::app {
namespace {

using ledger::fixture::World;

class Driver final : public BillingDriver {
 public:
  Result<Receipt> charge_overage(const Account&, const OverageBatch&) override { return Receipt{}; }
  Result<Receipt> refund(const Refund&) override { return Receipt{}; }
  Result<Meta> ids_of(const Account& account) override {
    return Meta{{"customer", account.billable.id}};
  }
  Result<Receipt> top_up(const TopUp& asked) override {
    asked_.push_back(asked);
    if (says_) return std::unexpected(*says_);
    return Receipt{.id = "pi_1"};
  }
  std::vector<TopUp> asked_;
  std::optional<Error> says_;
};

class TopUps : public ::testing::Test {
 protected:
  void SetUp() override {
    ledger_ = world_.open();
    ASSERT_NE(ledger_, nullptr);
    watch_.emplace(TopUpWatch::Deps{*ledger_, *world_.store, world_.clock, driver_});
    ASSERT_TRUE(world_.store->change(
        {.body = store::PutAutoTopUp{who_, AutoTopUp{{10, "usd"}, {50, "usd"}}}}));
  }
  std::size_t asked_after(Duration by) {
    driver_.asked_.clear();
    world_.clock.advance(by);
    (void)watch_->step();
    return driver_.asked_.size();
  }
  std::int64_t balance() { return world_.store->wallets({})->at(0).balance().nanos; }
  World world_;
  Driver driver_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::optional<TopUpWatch> watch_;
  const Account who_ = store::fixture::account_of("acme");
};

constexpr Duration kTurn = std::chrono::seconds(1);

TEST_F(TopUps, the_driver_is_asked_below_the_threshold_and_the_credits_come_in) {
  EXPECT_EQ(asked_after(kTurn - Duration(1)), 0U) << "once a second is enough";
  ASSERT_EQ(asked_after(Duration(1)), 1U);
  EXPECT_EQ(driver_.asked_[0].account, who_);
  EXPECT_EQ(driver_.asked_[0].amount, (Money{50, "usd"}));
  EXPECT_FALSE(driver_.asked_[0].idempotency_key.empty());
  EXPECT_EQ(driver_.asked_[0].ids.at("customer"), who_.billable.id);
  EXPECT_EQ(balance(), 50);
  EXPECT_EQ(asked_after(kTurn), 0U);
}

TEST_F(TopUps, a_decline_waits_and_an_answer_that_is_lost_is_asked_for_with_its_key) {
  driver_.says_ = Error{Code::insufficient_credits, "card declined"};
  ASSERT_EQ(asked_after(kTurn), 1U);
  const std::string declined = driver_.asked_[0].idempotency_key;
  EXPECT_EQ(asked_after(std::chrono::seconds(59)), 0U);
  driver_.says_ = Error{Code::in_doubt, "no answer"};
  ASSERT_EQ(asked_after(kTurn), 1U);
  const std::string lost = driver_.asked_[0].idempotency_key;
  EXPECT_NE(lost, declined);
  driver_.says_.reset();
  EXPECT_EQ(asked_after(std::chrono::seconds(59)), 0U);
  ASSERT_EQ(asked_after(kTurn), 1U);
  EXPECT_EQ(driver_.asked_[0].idempotency_key, lost);
  ASSERT_TRUE(driver_.asked_[0].sent_at);
  EXPECT_EQ(*driver_.asked_[0].sent_at, world_.clock.now() - std::chrono::minutes(1));
  EXPECT_EQ(balance(), 50);
}

TEST_F(TopUps, what_may_have_been_paid_is_no_decline_for_another_error) {
  driver_.says_ = Error{Code::in_doubt, "no answer"};
  ASSERT_EQ(asked_after(kTurn), 1U);
  EXPECT_FALSE(driver_.asked_[0].sent_at) << "the first time";
  const std::string lost = driver_.asked_[0].idempotency_key;
  driver_.says_ = Error{Code::failed_precondition, "the customer has no payment method any more"};
  ASSERT_EQ(asked_after(std::chrono::minutes(1)), 1U);
  driver_.says_ = Error{Code::not_found, "nothing was paid under this key"};
  ASSERT_EQ(asked_after(std::chrono::minutes(1)), 1U);
  EXPECT_EQ(driver_.asked_[0].idempotency_key, lost);
  ASSERT_EQ(asked_after(std::chrono::minutes(1)), 1U);
  EXPECT_NE(driver_.asked_[0].idempotency_key, lost);
}

TEST_F(TopUps, two_engines_ask_once) {
  auto other = world_.open();
  TopUpWatch second({*other, *world_.store, world_.clock, driver_});
  driver_.says_ = Error{Code::unavailable, "away"};
  ASSERT_EQ(asked_after(kTurn), 1U);
  (void)second.step();
  EXPECT_EQ(driver_.asked_.size(), 1U) << "the first has the claim";
}

}  // namespace
}  // namespace aimeter::app
