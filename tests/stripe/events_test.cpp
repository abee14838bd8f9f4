// What the bodies of Stripe's webhooks say, in old and new shapes, and that no body does harm.
#include "drivers/billing/stripe/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace aimeter::drivers::stripe {
namespace {

using ::testing::HasSubstr;
using Kind = BillingEvent::Kind;

Instant at(std::int64_t seconds) { return Instant(std::chrono::seconds(seconds)); }

std::string body_of(const std::string& type, const std::string& object) {
  return R"({"id":"evt_1","object":"event","api_version":"2026-10-28.endive","created":1790000000,)"
         R"("livemode":false,"type":")" +
         type + R"(","data":{"object":)" + object + "}}";
}

const std::string kSubscription =
    R"({"id":"sub_1","object":"subscription","customer":"cus_1","status":"active",)"
    R"("cancel_at_period_end":true,"cancel_at":1792000000,"canceled_at":1790000000,)"
    R"("ended_at":null,"trial_end":1790500000,"start_date":1780000000,)"
    R"("items":{"object":"list","data":[{"id":"si_1","current_period_end":1792000000,)"
    R"("price":{"id":"price_1","unit_amount":2000}}]},"metadata":{"aimeter_tenant":"acme"}})";

TEST(StripeEvents, ASubscriptionInTheNewShape) {
  for (const char* end : {"created", "updated", "deleted"}) {
    SCOPED_TRACE(end);
    const std::string type = std::string("customer.subscription.") + end;
    const Result<BillingEvent> event = parse_event(body_of(type, kSubscription));
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_EQ(event->id, "evt_1");
    EXPECT_EQ(event->type, type);
    EXPECT_EQ(event->kind, Kind::subscription);
    EXPECT_EQ(event->created_at, at(1'790'000'000));
    EXPECT_EQ(event->subscription, "sub_1");
    EXPECT_EQ(event->customer, "cus_1");
    EXPECT_EQ(event->price, "price_1");
    EXPECT_EQ(event->status, "active");
    EXPECT_TRUE(event->cancel_at_period_end);
    EXPECT_EQ(event->deleted, std::string(end) == "deleted");
    EXPECT_EQ(event->cancel_at, at(1'792'000'000));
    EXPECT_EQ(event->period_end, at(1'792'000'000));
    EXPECT_EQ(event->trial_end, at(1'790'500'000));
    EXPECT_EQ(event->started_at, at(1'780'000'000));
    EXPECT_EQ(event->ended_at, std::nullopt);
    EXPECT_EQ(event->metadata, (Meta{{"aimeter_tenant", "acme"}}));
  }
}

TEST(StripeEvents, ASubscriptionInTheOldShapeWithExpandedObjects) {
  const Result<BillingEvent> event = parse_event(
      body_of("customer.subscription.updated",
              R"({"id":"sub_1","customer":{"id":"cus_1","object":"customer"},"status":"past_due",)"
              R"("current_period_end":1791000000,"items":{"data":[{"price":{"id":"price_2"}}]}})"));
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->customer, "cus_1");
  EXPECT_EQ(event->price, "price_2");
  EXPECT_EQ(event->period_end, at(1'791'000'000));
  EXPECT_FALSE(event->cancel_at_period_end);
}

TEST(StripeEvents, InvoicesNameTheirSubscriptionInBothShapes) {
  struct Row {
    const char* type;
    const char* object;
    Kind kind;
    const char* subscription;
  };
  constexpr Row kRows[] = {
      {"invoice.paid",
       R"({"id":"in_1","customer":"cus_1","subscription":"sub_1","amount_paid":1999,)"
       R"("currency":"usd"})",
       Kind::invoice_paid, "sub_1"},
      {"invoice.payment_failed",
       R"({"id":"in_1","customer":"cus_1","amount_paid":0,"currency":"jpy","parent":)"
       R"({"type":"subscription_details","subscription_details":{"subscription":"sub_2"}}})",
       Kind::payment_failed, "sub_2"},
      {"invoice.paid", R"({"id":"in_1","customer":"cus_1","subscription":null,"parent":null})",
       Kind::invoice_paid, ""},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.object);
    const Result<BillingEvent> event = parse_event(body_of(row.type, row.object));
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_EQ(event->kind, row.kind);
    EXPECT_EQ(event->subscription, row.subscription);
    EXPECT_EQ(event->payment, "in_1");
  }
}

TEST(StripeEvents, APaymentIsATopUpOnlyWhenItsMetadataSaySo) {
  struct Row {
    const char* sentence;
    const char* type;
    const char* object;
    Kind kind;
    const char* amount;
    const char* payment;
  };
  constexpr Row kRows[] = {
      {"a paid checkout", "checkout.session.completed",
       R"({"id":"cs_1","customer":"cus_1","payment_intent":"pi_1","payment_status":"paid",)"
       R"("amount_total":2000,"currency":"usd","metadata":{"aimeter_top_up":"true"}})",
       Kind::top_up, "20", "pi_1"},
      {"a checkout that gives more than was paid", "checkout.session.completed",
       R"({"id":"cs_1","payment_intent":"pi_1","payment_status":"paid","amount_total":2000,)"
       R"("currency":"usd","metadata":{"aimeter_top_up":"25.5"}})",
       Kind::top_up, "25.5", "pi_1"},
      {"a checkout without a payment of its own", "checkout.session.completed",
       R"({"id":"cs_1","payment_intent":null,"payment_status":"paid","amount_total":2000,)"
       R"("currency":"usd","metadata":{"aimeter_top_up":"true"}})",
       Kind::top_up, "20", "cs_1"},
      {"a checkout whose money is still to come", "checkout.session.completed",
       R"({"id":"cs_1","payment_intent":"pi_1","payment_status":"unpaid","amount_total":2000,)"
       R"("currency":"usd","metadata":{"aimeter_top_up":"true"}})",
       Kind::other, "20", "pi_1"},
      {"its money has come", "checkout.session.async_payment_succeeded",
       R"({"id":"cs_1","payment_intent":"pi_1","payment_status":"paid","amount_total":2000,)"
       R"("currency":"jpy","metadata":{"aimeter_top_up":"true"}})",
       Kind::top_up, "2000", "pi_1"},
      {"a payment", "payment_intent.succeeded",
       R"({"id":"pi_1","customer":"cus_1","amount_received":500,"currency":"usd",)"
       R"("metadata":{"aimeter_top_up":"true"}})",
       Kind::top_up, "5", "pi_1"},
      {"a payment for something else", "payment_intent.succeeded",
       R"({"id":"pi_1","amount_received":500,"currency":"usd","metadata":{}})", Kind::other, "5",
       "pi_1"},
      {"a payment that says no", "payment_intent.succeeded",
       R"({"id":"pi_1","amount_received":500,"currency":"usd",)"
       R"("metadata":{"aimeter_top_up":"false"}})",
       Kind::other, "5", "pi_1"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Result<BillingEvent> event = parse_event(body_of(row.type, row.object));
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_EQ(event->kind, row.kind);
    ASSERT_TRUE(event->amount);
    EXPECT_EQ(event->amount->text(), row.amount);
    EXPECT_EQ(event->payment, row.payment);
  }
}

TEST(StripeEvents, WhatIsMissingOrWrongIsNamed) {
  struct Row {
    const char* sentence;
    std::string body;
    const char* says;
  };
  const Row rows[] = {
      {"no JSON", "hello", "webhook"},
      {"no object", "[1]", "an object"},
      {"no id", R"({"type":"invoice.paid"})", "id"},
      {"an id with a line break", R"({"id":"a\nb","type":"x"})", "id"},
      {"no type", R"({"id":"evt_1"})", "type"},
      {"a type that is a number", R"({"id":"evt_1","type":7})", "type"},
      {"no time", R"({"id":"evt_1","type":"invoice.paid","data":{"object":{}}})", "created"},
      {"a time before 1970", R"({"id":"evt_1","type":"invoice.paid","created":-1})", "created"},
      {"a time beyond all", R"({"id":"evt_1","type":"invoice.paid","created":9223372036854775807})",
       "created"},
      {"no data", R"({"id":"evt_1","type":"invoice.paid","created":1})", "data"},
      {"no subscription id", body_of("customer.subscription.updated", R"({"status":"active"})"),
       "data.object.id"},
      {"no status", body_of("customer.subscription.updated", R"({"id":"sub_1"})"),
       "data.object.status"},
      {"metadata that are no texts",
       body_of("customer.subscription.updated",
               R"({"id":"sub_1","status":"active","metadata":{"a":1}})"),
       "data.object.metadata.a"},
      {"items that are no list",
       body_of("customer.subscription.updated",
               R"({"id":"sub_1","status":"active","items":{"data":{}}})"),
       "data.object.items.data"},
      {"a top-up of nothing",
       body_of("payment_intent.succeeded", R"({"id":"pi_1","amount_received":0,"currency":"usd",)"
                                           R"("metadata":{"aimeter_top_up":"true"}})"),
       "amount"},
      {"a top-up of a word",
       body_of("payment_intent.succeeded", R"({"id":"pi_1","amount_received":5,"currency":"usd",)"
                                           R"("metadata":{"aimeter_top_up":"much"}})"),
       "much"},
      {"a top-up that takes",
       body_of("payment_intent.succeeded", R"({"id":"pi_1","amount_received":5,"currency":"usd",)"
                                           R"("metadata":{"aimeter_top_up":"-5"}})"),
       "aimeter_top_up"},
      {"an amount out of range",
       body_of("payment_intent.succeeded",
               R"({"id":"pi_1","amount_received":9223372036854775807,"currency":"jpy"})"),
       "amount"},
      {"a currency that is none",
       body_of("payment_intent.succeeded", R"({"id":"pi_1","amount_received":5,"currency":"US"})"),
       "currency"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Result<BillingEvent> event = parse_event(row.body);
    ASSERT_FALSE(event);
    EXPECT_EQ(event.error().code, Code::invalid_argument);
    EXPECT_THAT(event.error().message, HasSubstr(row.says));
  }
}

TEST(StripeEvents, ATypeThatNobodyAskedForIsNoError) {
  const Result<BillingEvent> event = parse_event(R"({"id":"evt_9","type":"charge.succeeded"})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, Kind::other);
  EXPECT_EQ(event->type, "charge.succeeded");
}

// Bytes changed, cut and doubled at random: an answer each time, never more.
TEST(StripeEvents, NoBodyDoesHarm) {
  std::mt19937_64 dice(20261124);
  const std::string good = body_of("customer.subscription.updated", kSubscription);
  int taken = 0;
  for (int run = 0; run < 5'000; ++run) {
    std::string body = good;
    for (std::uint64_t changes = 1 + dice() % 4; changes > 0; --changes) {
      const std::size_t where = dice() % body.size();
      switch (dice() % 3) {
        case 0:
          body[where] = static_cast<char>(dice());
          break;
        case 1:
          body.erase(where, dice() % 20);
          break;
        default:
          body.insert(where, body.substr(dice() % body.size(), dice() % 20));
      }
      if (body.empty()) break;
    }
    taken += parse_event(body) ? 1 : 0;
  }
  EXPECT_GT(taken, 0);
  EXPECT_LT(taken, 5'000);
}

}  // namespace
}  // namespace aimeter::drivers::stripe
