// Events of a billing service in every store: once each, in any order, on the right subscription.
#include <algorithm>
#include <random>

#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;
using Kind = BillingEvent::Kind;

class BillingEventContract : public StoreContract {
 protected:
  void SetUp() override {
    StoreContract::SetUp();
    for (const auto& [slug, price] :
         {std::pair{"basic", ""}, std::pair{"pro", "price_pro"}, std::pair{"max", "price_max"}}) {
      Plan plan{.name = slug, .slug = slug, .monthly_token_limit = Tokens{1'000}};
      plan.stripe_price_id = price;
      change(PutPlan{plan});
    }
  }

  Subscription subscribed(const Account& account, Meta meta) {
    Subscription made{.billable = account.billable, .plan = "basic", .started_at = kNoon};
    made.meta = std::move(meta);
    made.id = change(PutSubscription{account.tenant, made}).id;
    return made;
  }
  std::vector<Subscription> of(const Account& account) {
    const auto state = store().load_account(account, kNoon);
    EXPECT_TRUE(state);
    return state ? state->contract.subscriptions : std::vector<Subscription>();
  }
  static BillingEvent about(std::string id, int second, std::string status) {
    BillingEvent event{.id = std::move(id),
                       .type = "customer.subscription.updated",
                       .kind = Kind::subscription,
                       .created_at = kNoon + std::chrono::seconds(second),
                       .customer = "cus_1",
                       .subscription = "sub_1"};
    event.status = std::move(status);
    return event;
  }
  static BillingEvent failed(std::string id, int second) {
    return {.id = std::move(id),
            .type = "invoice.payment_failed",
            .kind = Kind::payment_failed,
            .created_at = kNoon + std::chrono::seconds(second),
            .customer = "cus_1",
            .subscription = "sub_1"};
  }

  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
};

TEST_P(BillingEventContract, TheSubscriptionThatTheMetaNamesFollows) {
  const Subscription ours = subscribed(acme_, {{"stripe_subscription_id", "sub_1"}});
  subscribed(zeta_, {{"stripe_subscription_id", "sub_2"}});
  BillingEvent event = about("evt_1", 10, "active");
  event.price = "price_pro";
  event.cancel_at_period_end = true;
  event.period_end = kNoon + std::chrono::days(20);
  const std::uint64_t before = *store().catalogue();
  const Changed changed = change(ApplyBillingEvent{event});
  EXPECT_EQ(changed.rows, 1);
  EXPECT_GT(changed.catalogue, before) << "engines load the account again";
  ASSERT_EQ(changed.followed.size(), 1U);
  EXPECT_EQ(changed.followed[0].account, acme_);
  EXPECT_EQ(changed.followed[0].before->plan, "basic");
  ASSERT_EQ(of(acme_).size(), 1U);
  const Subscription now = of(acme_)[0];
  EXPECT_EQ(now.id, ours.id);
  EXPECT_EQ(now.plan, "pro");
  EXPECT_EQ(now.previous_plan, "basic");
  EXPECT_EQ(now.ends_at, kNoon + std::chrono::days(20)) << "access until the period's end";
  EXPECT_EQ(now.started_at, ours.started_at);
  EXPECT_EQ(now.meta.at("stripe_customer_id"), "cus_1") << "filled in";
  EXPECT_EQ(of(zeta_)[0].plan, "basic");
}

TEST_P(BillingEventContract, AnEventIsAppliedOnce) {
  subscribed(acme_, {{"stripe_subscription_id", "sub_1"}});
  EXPECT_EQ(change(ApplyBillingEvent{failed("evt_1", 10)}).rows, 1);
  const Changed again = change(ApplyBillingEvent{failed("evt_1", 10)});
  EXPECT_EQ(again.rows, 0);
  EXPECT_TRUE(again.followed.empty());
  BillingEvent other{.id = "evt_2", .type = "charge.succeeded"};
  EXPECT_EQ(change(ApplyBillingEvent{other}).rows, 1) << "also one that means nothing here";
  EXPECT_EQ(change(ApplyBillingEvent{other}).rows, 0);
}

TEST_P(BillingEventContract, AFailedPaymentGivesTheGraceThatIsConfigured) {
  subscribed(acme_, {{"stripe_subscription_id", "sub_1"}});
  change(ApplyBillingEvent{.event = failed("evt_1", 10), .grace_days = 3});
  EXPECT_EQ(of(acme_)[0].ends_at, kNoon + std::chrono::seconds(10));
  EXPECT_EQ(of(acme_)[0].grace_period_ends_at,
            kNoon + std::chrono::seconds(10) + std::chrono::days(3));
  change(ApplyBillingEvent{.event = failed("evt_2", 500), .grace_days = 3});
  EXPECT_EQ(of(acme_)[0].ends_at, kNoon + std::chrono::seconds(10)) << "not prolonged";
  BillingEvent paid = failed("evt_3", 600);
  paid.kind = Kind::invoice_paid;
  change(ApplyBillingEvent{.event = paid, .grace_days = 3});
  EXPECT_EQ(of(acme_)[0].ends_at, std::nullopt);
  EXPECT_EQ(of(acme_)[0].grace_period_ends_at, std::nullopt);
}

TEST_P(BillingEventContract, AnOlderEventUndoesNothing) {
  subscribed(acme_, {{"stripe_subscription_id", "sub_1"}});
  BillingEvent ended = about("evt_9", 100, "canceled");
  ended.deleted = true;
  change(ApplyBillingEvent{ended});
  const Changed late = change(ApplyBillingEvent{about("evt_1", 10, "active")});
  EXPECT_EQ(late.rows, 1);
  EXPECT_TRUE(late.followed.empty()) << "nothing changed";
  EXPECT_EQ(of(acme_)[0].ends_at, kNoon + std::chrono::seconds(100));
}

TEST_P(BillingEventContract, AnUnboundSubscriptionIsFoundByAccountOrCustomer) {
  subscribed(acme_, {});
  BillingEvent event = about("evt_1", 10, "active");
  event.metadata = {{"aimeter_tenant", acme_.tenant.text},
                    {"aimeter_billable_type", acme_.billable.type},
                    {"aimeter_billable_id", acme_.billable.id}};
  change(ApplyBillingEvent{event});
  EXPECT_EQ(of(acme_)[0].meta.at("stripe_subscription_id"), "sub_1");
  EXPECT_EQ(of(acme_)[0].meta.at("stripe_customer_id"), "cus_1");

  subscribed(zeta_, {{"stripe_customer_id", "cus_2"}});
  BillingEvent of_customer = about("evt_2", 20, "active");
  of_customer.subscription = "sub_2";
  of_customer.customer = "cus_2";
  of_customer.price = "price_max";
  change(ApplyBillingEvent{of_customer});
  EXPECT_EQ(of(zeta_)[0].plan, "max");
  EXPECT_EQ(of(zeta_)[0].meta.at("stripe_subscription_id"), "sub_2");
}

TEST_P(BillingEventContract, WithoutAutoSyncNoIdIsFilledIn) {
  subscribed(acme_, {{"stripe_subscription_id", "sub_1"}});
  change(ApplyBillingEvent{.event = failed("evt_1", 10), .ids = ApplyBillingEvent::Ids::keep});
  EXPECT_EQ(of(acme_)[0].meta, (Meta{{"stripe_subscription_id", "sub_1"}}));
}

TEST_P(BillingEventContract, ASubscriptionMadeThereIsMadeHereWhenAPlanHasItsPrice) {
  BillingEvent event = about("evt_1", 10, "active");
  event.metadata = {{"aimeter_tenant", acme_.tenant.text},
                    {"aimeter_billable_type", acme_.billable.type},
                    {"aimeter_billable_id", acme_.billable.id}};
  event.price = "price_unknown";
  EXPECT_TRUE(change(ApplyBillingEvent{event}).followed.empty());
  EXPECT_TRUE(of(acme_).empty());
  event.id = "evt_2";
  event.price = "price_pro";
  event.created_at += std::chrono::seconds(5);
  event.started_at = kNoon - std::chrono::days(1);
  const Changed changed = change(ApplyBillingEvent{event});
  ASSERT_EQ(changed.followed.size(), 1U);
  EXPECT_EQ(changed.followed[0].before, std::nullopt);
  ASSERT_EQ(of(acme_).size(), 1U);
  const Subscription made = of(acme_)[0];
  EXPECT_EQ(made.plan, "pro");
  EXPECT_EQ(made.started_at, kNoon - std::chrono::days(1));
  EXPECT_EQ(made.meta.at("stripe_subscription_id"), "sub_1");
  EXPECT_EQ(made.id, changed.followed[0].after.id);
}

TEST_P(BillingEventContract, AnEventOfNobodyHereIsKeptForTheDayItIsBound) {
  EXPECT_EQ(change(ApplyBillingEvent{failed("evt_1", 10)}).rows, 1);
  subscribed(acme_, {{"stripe_subscription_id", "sub_1"}});
  BillingEvent event = about("evt_2", 5, "active");
  change(ApplyBillingEvent{event});
  EXPECT_EQ(of(acme_)[0].ends_at, kNoon + std::chrono::seconds(10))
      << "the failure was newer than the status";
}

TEST_P(BillingEventContract, ATenantsOwnPlanGoesBeforeTheCataloguesWithThatPrice) {
  Plan own{.name = "ours", .slug = "ours", .monthly_token_limit = Tokens{5}};
  own.tenant = acme_.tenant.text;
  own.stripe_price_id = "price_pro";
  change(PutPlan{own});
  subscribed(acme_, {{"stripe_subscription_id", "sub_1"}});
  BillingEvent event = about("evt_1", 10, "active");
  event.price = "price_pro";
  change(ApplyBillingEvent{event});
  EXPECT_EQ(of(acme_)[0].plan, "ours");
}

TEST_P(BillingEventContract, IdsOfTheServiceAreMergedIntoTheNewestSubscription) {
  change(PutBillingIds{acme_, {{"stripe_customer_id", "cus_1"}}});
  EXPECT_TRUE(of(acme_).empty()) << "there is none";
  Subscription ours = subscribed(acme_, {{"note", "x"}});
  ours.ends_at = kNoon + std::chrono::days(9);
  change(PutSubscription{acme_.tenant, ours});
  change(PutBillingIds{acme_, {{"stripe_customer_id", "cus_1"}}});
  EXPECT_EQ(of(acme_)[0].meta, (Meta{{"note", "x"}, {"stripe_customer_id", "cus_1"}}));
  EXPECT_EQ(of(acme_)[0].ends_at, kNoon + std::chrono::days(9)) << "all else stays";
}

// Shuffled, doubled and late: the same subscription as in order.
TEST_P(BillingEventContract, ShuffledEventsEndInTheSameState) {
  std::mt19937_64 dice(20261124);
  std::vector<BillingEvent> events;
  for (int i = 0; i < 24; ++i) {
    const std::string id = "evt_" + std::to_string(100 + i);
    const int second = static_cast<int>(dice() % 20);
    if (dice() % 3 == 0) {
      events.push_back(failed(id, second));
      if (dice() % 2 == 0) events.back().kind = Kind::invoice_paid;
      continue;
    }
    events.push_back(about(id, second, dice() % 2 == 0 ? "active" : "past_due"));
    events.back().price = std::array{"", "price_pro", "price_max"}.at(dice() % 3);
    events.back().cancel_at_period_end = dice() % 4 == 0;
    events.back().period_end = kNoon + std::chrono::hours(dice() % 500);
  }
  std::ranges::sort(events, {}, billing::order_of);
  std::vector<Subscription> ends;
  for (int run = 0; run < 4; ++run) {
    const Account account = account_of("tenant" + std::to_string(run));
    const std::string there = "sub_r" + std::to_string(run);
    subscribed(account, {{"stripe_subscription_id", there}});
    std::vector<BillingEvent> mixed = events;
    if (run > 0) {
      mixed.insert(mixed.end(), events.begin(), events.begin() + 8);
      std::ranges::shuffle(mixed, dice);
    }
    for (BillingEvent event : mixed) {
      event.id += "_" + std::to_string(run);
      event.subscription = there;
      change(ApplyBillingEvent{event});
    }
    ends.push_back(of(account)[0]);
    EXPECT_EQ(ends[run].plan, ends[0].plan);
    EXPECT_EQ(ends[run].previous_plan, ends[0].previous_plan);
    EXPECT_EQ(ends[run].ends_at, ends[0].ends_at);
    EXPECT_EQ(ends[run].grace_period_ends_at, ends[0].grace_period_ends_at);
    EXPECT_EQ(ends[run].renews_at, ends[0].renews_at);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, BillingEventContract, testing::ValuesIn(factories()),
                         name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
