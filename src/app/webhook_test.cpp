// Engine::webhook: proved by the driver, applied once, said on the bus.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aimeter/testing.h"
#include "aimeter/wallet.h"
#include "time/manual_clock.h"

namespace aimeter {
namespace {

using ::testing::HasSubstr;
using Kind = BillingEvent::Kind;

constexpr Instant kNoon =
    std::chrono::sys_days(std::chrono::year(2026) / 3 / 10) + std::chrono::hours(12);

// Believes the signature "good"; the body names the event that it was told to give.
class TellingDriver final : public BillingDriver {
 public:
  explicit TellingDriver(const std::map<std::string, BillingEvent>& events) : events_(events) {}
  Result<Receipt> charge_overage(const Account&, const OverageBatch&) override { return Receipt{}; }
  Result<Receipt> refund(const Refund&) override { return Receipt{}; }
  Result<BillingEvent> webhook(const Webhook& webhook) override {
    if (webhook.signature != "good") return fail(Code::unauthenticated, "not signed");
    return events_.at(webhook.body);
  }

 private:
  const std::map<std::string, BillingEvent>& events_;
};

class Webhooks : public ::testing::Test {
 protected:
  void SetUp() override {
    OpenOptions options{.clock = &clock_};
    options.billing.driver = "telling";
    options.payment_failure_grace_days = 3;
    options.billing_drivers["telling"] = [this] {
      return std::make_unique<TellingDriver>(events_);
    };
    Result<Engine> opened = open("memory:", std::move(options));
    ASSERT_TRUE(opened) << opened.error().message;
    engine_.emplace(*opened);
    for (const char* slug : {"basic", "pro"}) {
      Plan plan{.name = slug, .slug = slug, .monthly_token_limit = Tokens{1'000}};
      plan.stripe_price_id = std::string("price_") + slug;
      ASSERT_TRUE(engine_->admin().create_plan(plan));
    }
    Subscription ours{.billable = team_, .plan = "basic", .started_at = kNoon};
    ours.meta = {{"stripe_subscription_id", "sub_1"}, {"stripe_customer_id", "cus_1"}};
    ASSERT_TRUE(engine_->tenant("acme").subscribe(ours));
  }

  BillingEvent& event(const std::string& id, Kind kind) {
    return events_[id] = {.id = id,
                          .type = "told",
                          .kind = kind,
                          .created_at = kNoon + std::chrono::minutes(1),
                          .customer = "cus_1",
                          .subscription = "sub_1"};
  }
  Status tell(const std::string& id) { return engine_->webhook({.body = id, .signature = "good"}); }
  Subscription now() {
    const auto found = engine_->tenant("acme").active_subscription(team_);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(Subscription{});
  }

  const Billable team_{"team", "7"};
  time::ManualClock clock_{kNoon + std::chrono::hours(1)};
  std::map<std::string, BillingEvent> events_;
  std::optional<Engine> engine_;
};

TEST_F(Webhooks, APriceChangedThereChangesThePlanHereAndIsSaidOnce) {
  std::vector<std::string> said;
  const Listener listener = engine_->events().on<PlanChanged>([&](const PlanChanged& change) {
    said.push_back(change.old_plan->slug + ">" + change.new_plan->slug + " of " +
                   change.account.billable.id);
  });
  event("evt_1", Kind::subscription).status = "active";
  events_["evt_1"].price = "price_pro";
  ASSERT_TRUE(tell("evt_1"));
  ASSERT_TRUE(tell("evt_1"));
  EXPECT_EQ(now().plan, "pro");
  EXPECT_EQ(said, (std::vector<std::string>{"basic>pro of 7"}));
}

TEST_F(Webhooks, AFailedPaymentGivesTheEnginesGrace) {
  event("evt_1", Kind::payment_failed);
  ASSERT_TRUE(tell("evt_1"));
  EXPECT_EQ(now().ends_at, kNoon + std::chrono::minutes(1));
  EXPECT_EQ(now().grace_period_ends_at, kNoon + std::chrono::minutes(1) + std::chrono::days(3));
  clock_.advance(std::chrono::days(4));
  EXPECT_FALSE(engine_->tenant("acme").active_subscription(team_)) << "the grace is over";
  event("evt_2", Kind::invoice_paid).created_at = kNoon + std::chrono::days(4);
  ASSERT_TRUE(tell("evt_2"));
  EXPECT_EQ(now().ends_at, std::nullopt);
}

TEST_F(Webhooks, WhatIsNotProvedChangesNothing) {
  event("evt_1", Kind::payment_failed);
  const Status forged = engine_->webhook({.body = "evt_1", .signature = "bad"});
  ASSERT_FALSE(forged);
  EXPECT_EQ(forged.error().code, Code::unauthenticated);
  EXPECT_EQ(now().ends_at, std::nullopt);
}

TEST_F(Webhooks, APaymentFillsTheWalletOnceWhoeverTellsIt) {
  int added = 0;
  const Listener listener = engine_->events().on<CreditsAdded>([&](const CreditsAdded& event) {
    EXPECT_EQ(event.account.billable.id, "7");
    EXPECT_EQ(event.transaction.amount, 20_usd);
    ++added;
  });
  for (const char* id : {"evt_1", "evt_2"}) {  // the checkout, and its payment
    event(id, Kind::top_up).payment = "pi_1";
    events_[id].amount = 20_usd;
    ASSERT_TRUE(tell(id));
    ASSERT_TRUE(tell(id));
  }
  EXPECT_EQ(added, 1);
  event("evt_3", Kind::top_up).payment = "pi_2";
  events_["evt_3"].amount = 20_usd;
  events_["evt_3"].customer = "cus_of_nobody";
  const Status unknown = tell("evt_3");
  ASSERT_FALSE(unknown) << "so that it is sent again";
  EXPECT_THAT(unknown.error().message, HasSubstr("pi_2"));
  events_["evt_3"].metadata = {
      {"aimeter_tenant", "acme"}, {"aimeter_billable_type", "team"}, {"aimeter_billable_id", "7"}};
  ASSERT_TRUE(tell("evt_3"));
  EXPECT_EQ(added, 2);
}

}  // namespace
}  // namespace aimeter
