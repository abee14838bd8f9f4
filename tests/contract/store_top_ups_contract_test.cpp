// What wallets ask for by themselves: one claim at a time, its key until it has ended, later and
// later after a decline.
#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;
using How = EndTopUp::How;

class TopUpsContract : public StoreContract {
 protected:
  Money usd(Amount nanos) const { return {nanos, "usd"}; }
  void rule(Amount below, Amount amount) {
    change(PutAutoTopUp{acme_, AutoTopUp{usd(below), usd(amount)}});
  }
  void add(Amount nanos) { change(AddCredits{.account = acme_, .amount = usd(nanos)}); }
  std::vector<TopUpState> claim() { return change(BeginTopUps{}).top_ups; }
  Changed end(const TopUpState& claimed, How how) {
    return change(EndTopUp{.how = how,
                           .account = claimed.account,
                           .amount = claimed.amount,
                           .key = claimed.key,
                           .receipt = how == How::paid ? "pi_1" : ""});
  }
  TopUpState state() {
    const auto all = store().top_ups({acme_.tenant, acme_.billable});
    EXPECT_TRUE(all);
    return all && !all->empty() ? all->front() : TopUpState{};
  }
  Amount balance() { return store().wallets({acme_.tenant})->at(0).balance().nanos; }
  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
};

TEST_P(TopUpsContract, AWalletIsDueBelowItsThresholdAndNotAtIt) {
  rule(10, 50);
  add(10);
  EXPECT_FALSE(state().due);
  EXPECT_TRUE(claim().empty());
  change(DeductCredits{.account = acme_, .amount = usd(1)});
  EXPECT_TRUE(state().due);
  EXPECT_EQ(store().top_ups({.due = true})->size(), 1U);
  const auto claimed = claim();
  EXPECT_TRUE(store().top_ups({.due = true})->empty());
  ASSERT_EQ(claimed.size(), 1U);
  EXPECT_EQ(claimed[0].account, acme_);
  EXPECT_EQ(claimed[0].amount, usd(50));
  EXPECT_FALSE(claimed[0].key.empty());
  EXPECT_TRUE(claim().empty()) << "at most once at a time";
  EXPECT_FALSE(state().due);
}

TEST_P(TopUpsContract, APaidClaimBringsItsCreditsOnce) {
  rule(10, 50);
  const TopUpState claimed = claim().at(0);
  const Changed paid = end(claimed, How::paid);
  ASSERT_EQ(paid.credits.size(), 1U);
  EXPECT_EQ(paid.credits[0].transaction.amount, usd(50));
  EXPECT_EQ(paid.credits[0].transaction.reason, "auto top-up");
  EXPECT_EQ(paid.credits[0].transaction.meta.at("payment"), "pi_1");
  EXPECT_EQ(balance(), 50);
  EXPECT_EQ(state().key, "");
  EXPECT_TRUE(end(claimed, How::paid).repeated) << "another engine knew it too";
  EXPECT_EQ(balance(), 50);
  change(DeductCredits{.account = acme_, .amount = usd(45)});
  const TopUpState next = claim().at(0);
  EXPECT_NE(next.key, claimed.key);
}

TEST_P(TopUpsContract, ThePaymentThatAWebhookToldOfFirstComesInOnce) {
  rule(10, 50);
  const TopUpState claimed = claim().at(0);
  change(AddCredits{.account = acme_,
                    .amount = usd(50),
                    .reason = "payment",
                    .idempotency_key = payment_key("pi_1")});
  EXPECT_TRUE(end(claimed, How::paid).credits.empty());
  EXPECT_EQ(balance(), 50);
  EXPECT_EQ(state().key, "") << "the claim has ended";
}

TEST_P(TopUpsContract, AClaimWithoutAnEndKeepsItsKeyAndAmount) {
  rule(10, 50);
  const TopUpState claimed = claim().at(0);
  rule(10, 70);
  clock().advance(std::chrono::minutes(10) - Duration(1));
  EXPECT_TRUE(claim().empty());
  clock().advance(Duration(1));
  const TopUpState again = claim().at(0);
  EXPECT_EQ(again.key, claimed.key) << "the payment may have happened";
  EXPECT_EQ(again.claimed_at, clock().now() - std::chrono::minutes(10)) << "the first attempt";
  EXPECT_EQ(again.amount, usd(50));
  end(again, How::unknown);
  EXPECT_TRUE(claim().empty());
  clock().advance(kTopUpFirstBackOff);
  const TopUpState third = claim().at(0);
  EXPECT_EQ(third.key, claimed.key);
  end(third, How::paid);
  EXPECT_EQ(balance(), 50);
  change(DeductCredits{.account = acme_, .amount = usd(45)});
  EXPECT_EQ(claim().at(0).amount, usd(70));
}

TEST_P(TopUpsContract, ADeclineIsAskedLaterAndLater) {
  rule(10, 50);
  std::string last;
  for (const int minutes : {1, 2, 4, 8}) {
    SCOPED_TRACE(minutes);
    const auto claimed = claim();
    ASSERT_EQ(claimed.size(), 1U);
    EXPECT_NE(claimed[0].key, last) << "a new payment";
    last = claimed[0].key;
    EXPECT_TRUE(end(claimed[0], How::declined).credits.empty());
    clock().advance(std::chrono::minutes(minutes) - Duration(1));
    EXPECT_TRUE(claim().empty());
    clock().advance(Duration(1));
  }
  EXPECT_EQ(state().declined, 4);
  end(claim().at(0), How::paid);
  EXPECT_EQ(state().declined, 0);
  EXPECT_EQ(top_up_back_off(1), std::chrono::minutes(1));
  EXPECT_EQ(top_up_back_off(12), std::chrono::hours(24));
  EXPECT_EQ(top_up_back_off(1'000), std::chrono::hours(24));
}

TEST_P(TopUpsContract, ARuleCanEndAndBadOnesAreRefused) {
  refuse(PutAutoTopUp{acme_, AutoTopUp{usd(0), usd(5)}}, Code::invalid_argument, "amount");
  refuse(PutAutoTopUp{acme_, AutoTopUp{usd(5), {5, "eur"}}}, Code::invalid_argument, "currency");
  add(1);
  refuse(PutAutoTopUp{acme_, AutoTopUp{{5, "eur"}, {5, "eur"}}}, Code::invalid_argument, "usd");
  EXPECT_EQ(change(PutAutoTopUp{acme_, std::nullopt}).rows, 0);
  rule(10, 50);
  EXPECT_EQ(change(PutAutoTopUp{acme_, std::nullopt}).rows, 1);
  EXPECT_TRUE(store().top_ups({})->empty());
  EXPECT_TRUE(claim().empty());
}

TEST_P(TopUpsContract, AClaimThatEndsAfterItsRuleStillBringsItsCredits) {
  rule(10, 50);
  const TopUpState claimed = claim().at(0);
  change(PutAutoTopUp{acme_, std::nullopt});
  end(claimed, How::paid);
  EXPECT_EQ(balance(), 50);
}

TEST_P(TopUpsContract, RulesStayInTheirTenantAndClaimsGoInSlices) {
  for (const Account& account : {acme_, zeta_, account_of("acme", "2")}) {
    change(PutAutoTopUp{account, AutoTopUp{usd(10), usd(50)}});
  }
  EXPECT_EQ(store().top_ups({acme_.tenant})->size(), 2U);
  EXPECT_EQ(store().top_ups({zeta_.tenant})->size(), 1U);
  const Changed first = change(BeginTopUps{.limit = 2});
  EXPECT_EQ(first.top_ups.size(), 2U);
  EXPECT_TRUE(first.more);
  const Changed second = change(BeginTopUps{.limit = 2});
  EXPECT_EQ(second.top_ups.size(), 1U);
  EXPECT_FALSE(second.more);
}

INSTANTIATE_TEST_SUITE_P(Stores, TopUpsContract, testing::ValuesIn(factories()), name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
