// What a subscription becomes by the events of a billing service, in any order of their coming.
#include "billing/facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace aimeter::billing {
namespace {

using Kind = BillingEvent::Kind;

constexpr std::int64_t kDay = 86'400;
Instant at(std::int64_t seconds) { return Instant(std::chrono::seconds(1'790'000'000 + seconds)); }

BillingEvent about(std::string id, std::int64_t when, std::string status) {
  BillingEvent event{.id = std::move(id),
                     .type = "customer.subscription.updated",
                     .kind = Kind::subscription,
                     .created_at = at(when),
                     .customer = "cus_1",
                     .subscription = "sub_1"};
  event.status = std::move(status);
  event.period_end = at(30 * kDay);
  return event;
}
BillingEvent failed(std::string id, std::int64_t when) {
  return {.id = std::move(id), .kind = Kind::payment_failed, .created_at = at(when)};
}
BillingEvent paid(std::string id, std::int64_t when) {
  return {.id = std::move(id), .kind = Kind::invoice_paid, .created_at = at(when)};
}
BillingEvent with_price(BillingEvent event, std::string price) {
  event.price = std::move(price);
  return event;
}
BillingEvent cancelled_at_end(BillingEvent event) {
  event.cancel_at_period_end = true;
  return event;
}
BillingEvent deleted(BillingEvent event, std::int64_t ended) {
  event.deleted = true;
  event.type = "customer.subscription.deleted";
  event.ended_at = at(ended);
  return event;
}

Subscription ours() {
  return {.id = 7,
          .billable = {"team", "7"},
          .plan = "basic",
          .started_at = at(-100 * kDay),
          .meta = {{"stripe_subscription_id", "sub_1"}}};
}
FollowRules rules(int grace_days = 7) {
  return {.grace_days = grace_days, .plan_of_price = [](std::string_view price) {
            return price == "price_pro" ? "pro" : price == "price_max" ? "max" : "";
          }};
}
Subscription after(const std::vector<BillingEvent>& events, int grace_days = 7) {
  SubscriptionFacts facts;
  for (const BillingEvent& event : events) learn(facts, event);
  return followed(ours(), facts, rules(grace_days));
}

TEST(Facts, WhatEachStoryEndsWith) {
  struct Row {
    const char* sentence;
    std::vector<BillingEvent> events;
    std::optional<Instant> ends, grace;
    const char* plan = "basic";
    const char* previous = "";
  };
  const Row rows[] = {
      {"active: no end", {about("e1", 0, "active")}, {}, {}},
      {"trialing: no end", {about("e1", 0, "trialing")}, {}, {}},
      {"a failed payment: ends now, with grace", {failed("e1", 10)}, at(10), at(10 + 7 * kDay)},
      {"a second failure does not prolong the grace",
       {failed("e1", 10), failed("e2", 10 + 3 * kDay)},
       at(10),
       at(10 + 7 * kDay)},
      {"past due is a failed payment", {about("e1", 10, "past_due")}, at(10), at(10 + 7 * kDay)},
      {"paid: both cleared", {failed("e1", 10), paid("e2", 20)}, {}, {}},
      {"active again: both cleared", {failed("e1", 10), about("e2", 20, "active")}, {}, {}},
      {"paid in the same second: cleared", {failed("e9", 10), paid("e1", 10)}, {}, {}},
      {"failed in the second of an active status: failed",
       {about("e9", 10, "active"), failed("e1", 10)},
       at(10),
       at(10 + 7 * kDay)},
      {"failed again after it was paid: a new grace",
       {failed("e1", 10), paid("e2", 20), failed("e3", 30)},
       at(30),
       at(30 + 7 * kDay)},
      {"cancelled at the end of the period: access until then",
       {cancelled_at_end(about("e1", 0, "active"))},
       at(30 * kDay),
       {}},
      {"the cancellation taken back",
       {cancelled_at_end(about("e1", 0, "active")), about("e2", 5, "active")},
       {},
       {}},
      {"cancelled and not paid: the grace ends with the period",
       {cancelled_at_end(about("e1", 0, "past_due")), failed("e2", 28 * kDay)},
       at(0),
       at(7 * kDay)},
      {"cancelled, and failed shortly before the end",
       {cancelled_at_end(about("e1", 0, "active")), failed("e2", 28 * kDay)},
       at(28 * kDay),
       at(30 * kDay)},
      {"deleted: ends when it ended", {deleted(about("e1", 50, "canceled"), 40)}, at(40), {}},
      {"deleted after a failure: no grace",
       {failed("e1", 10), deleted(about("e2", 50, "canceled"), 40)},
       at(40),
       {}},
      {"never paid at first: no access", {about("e1", 5, "incomplete")}, at(5), {}},
      {"the plan of the price",
       {with_price(about("e1", 0, "active"), "price_pro")},
       {},
       {},
       "pro",
       "basic"},
      {"an unknown price changes no plan",
       {with_price(about("e1", 0, "active"), "price_x")},
       {},
       {}},
      {"two changes: the one before is the previous",
       {with_price(about("e1", 0, "active"), "price_pro"),
        with_price(about("e2", 5, "active"), "price_max")},
       {},
       {},
       "max",
       "pro"},
      {"there and back",
       {with_price(about("e1", 0, "active"), "price_pro"),
        with_price(about("e2", 5, "active"), "price_max"),
        with_price(about("e3", 9, "active"), "price_pro")},
       {},
       {},
       "pro",
       "max"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    std::vector<BillingEvent> events = row.events;
    std::ranges::sort(events, {}, &BillingEvent::id);
    do {
      const Subscription told = after(events);
      EXPECT_EQ(told.ends_at, row.ends);
      EXPECT_EQ(told.grace_period_ends_at, row.grace);
      EXPECT_EQ(told.plan, row.plan);
      EXPECT_EQ(told.previous_plan, row.previous);
      EXPECT_EQ(told.started_at, ours().started_at) << "the rolling anchor never moves";
      EXPECT_EQ(told.meta, ours().meta);
    } while (std::ranges::next_permutation(events, {}, &BillingEvent::id).found);
  }
}

TEST(Facts, WithoutGraceAFailureEndsAtOnce) {
  const Subscription told = after({failed("e1", 10)}, 0);
  EXPECT_EQ(told.ends_at, at(10));
  EXPECT_EQ(told.grace_period_ends_at, std::nullopt);
  EXPECT_FALSE(told.is_active(at(10)));
}

TEST(Facts, AStatusOfALaterDayGrantsNothing) {
  SubscriptionFacts facts;
  learn(facts, about("e1", 0, "dormant"));
  Subscription ended = ours();
  ended.ends_at = at(-5);
  EXPECT_EQ(followed(ended, facts, rules()).ends_at, at(-5));
}

TEST(Facts, PeriodAndTrialAreThoseOfTheNewestEventThatHasThem) {
  BillingEvent first = about("e1", 0, "trialing"), second = about("e2", 5, "active");
  first.trial_end = at(14 * kDay);
  second.period_end = at(60 * kDay);
  for (const auto& events : {std::vector{first, second}, std::vector{second, first}}) {
    const Subscription told = after(events);
    EXPECT_EQ(told.trial_ends_at, at(14 * kDay));
    EXPECT_EQ(told.renews_at, at(60 * kDay));
  }
}

BillingEvent any_event(std::mt19937_64& dice, int number) {
  const std::string id = "e" + std::to_string(100 + number);
  const auto when = static_cast<std::int64_t>(dice() % 40) * kDay / 8;  // many in one second
  switch (dice() % 5) {
    case 0:
      return failed(id, when);
    case 1:
      return paid(id, when);
    case 2:
      return cancelled_at_end(about(id, when, dice() % 2 == 0 ? "active" : "past_due"));
    default:
      break;
  }
  constexpr std::array kStatus = {"active", "trialing", "past_due", "unpaid", "paused", "canceled"};
  BillingEvent event = about(id, when, kStatus.at(dice() % kStatus.size()));
  event.price = std::array{"", "price_pro", "price_max", "price_x"}.at(dice() % 4);
  event.period_end = at(static_cast<std::int64_t>(dice() % 90) * kDay);
  if (dice() % 3 == 0) event.trial_end = at(static_cast<std::int64_t>(dice() % 90) * kDay);
  return dice() % 12 == 0 ? deleted(event, when) : event;
}

// 300 stories of up to 24 events: shuffled, doubled, and with some that come much later.
TEST(Facts, AnyOrderEndsInTheSameState) {
  std::mt19937_64 dice(20261124);
  for (int run = 0; run < 300; ++run) {
    SCOPED_TRACE(run);
    std::vector<BillingEvent> events;
    for (std::uint64_t n = 1 + dice() % 24; n > 0; --n)
      events.push_back(any_event(dice, static_cast<int>(events.size())));
    std::ranges::sort(events, {}, order_of);
    SubscriptionFacts in_order;
    Subscription step_by_step = ours();
    for (const BillingEvent& event : events) {
      learn(in_order, event);
      step_by_step = followed(step_by_step, in_order, rules());
    }
    for (int shuffle = 0; shuffle < 10; ++shuffle) {
      std::vector<BillingEvent> mixed = events;
      for (std::uint64_t n = dice() % 10; n > 0; --n)
        mixed.push_back(events[dice() % events.size()]);
      std::ranges::shuffle(mixed, dice);
      SubscriptionFacts facts;
      Subscription told = ours();
      for (const BillingEvent& event : mixed) {
        learn(facts, event);
        told = followed(told, facts, rules());
      }
      ASSERT_EQ(facts, in_order);
      ASSERT_EQ(told.ends_at, step_by_step.ends_at);
      ASSERT_EQ(told.grace_period_ends_at, step_by_step.grace_period_ends_at);
      ASSERT_EQ(told.plan, step_by_step.plan);
      ASSERT_EQ(told.previous_plan, step_by_step.previous_plan);
      ASSERT_EQ(told.renews_at, step_by_step.renews_at);
      ASSERT_EQ(told.trial_ends_at, step_by_step.trial_ends_at);
      ASSERT_EQ(parse_facts(text_of(facts)).value(), facts) << "as it is stored";
    }
  }
}

TEST(Facts, DamagedFactsAreCorruptNeverEmpty) {
  for (const char* text : {"", "{}", "[]", R"({"status":1})",
                           R"({"status":"","customer":"","failures":[{}],"prices":[]})"}) {
    const Result<SubscriptionFacts> facts = parse_facts(text);
    ASSERT_FALSE(facts) << text;
    EXPECT_EQ(facts.error().code, Code::corrupt);
  }
}

}  // namespace
}  // namespace aimeter::billing
