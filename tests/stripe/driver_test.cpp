// The driver "stripe" against a Stripe of our own: what it sends, what it makes of answers, and
// that no failure charges twice or loses a charge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "billing/signature.h"
#include "drivers/billing/stripe/api.h"
#include "drivers/billing_drivers.h"
#include "tests/stripe/server.h"
#include "time/manual_clock.h"

namespace aimeter {
namespace {

namespace json = boost::json;
using testing::ApiRequest;
using testing::Books;
using testing::Fault;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSecret = "sk_test_of_this_test";

Instant at(std::int64_t seconds) { return Instant(std::chrono::seconds(seconds)); }

class StripeDriver : public ::testing::Test {
 protected:
  static constexpr std::int64_t kNow = 1'790'000'000;

  StripeDriver() {
    books_.set_now(kNow);
    customer_ = books_.add(
        "customer", {{"invoice_settings", json::object{{"default_payment_method", "pm_1"}}}});
    driver_ = make({});
  }

  std::unique_ptr<BillingDriver> make(billing::StripeOptions options) {
    options.secret_key = kSecret;
    options.webhook_secret = "whsec_of_this_test";
    options.api_base = server_.base();
    options.pause = [this](Duration wait) { waits_.push_back(wait); };
    if (options.timeout == std::chrono::seconds(30)) options.timeout = std::chrono::seconds(5);
    auto made = drivers::make_billing_driver("stripe", {.stripe = options, .clock = &clock_});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  OverageBatch batch(std::int64_t id, std::int64_t units) const {
    OverageBatch made{.id = id, .key = "k" + std::to_string(id)};
    made.account = {.tenant = {"acme"}, .billable = {"team", "7"}};
    made.period = {at(kNow - 86'400), at(kNow + 86'400)};
    made.units = units;
    made.amount = money_of_units(units, "usd").value();
    made.quantity = 1'000;
    made.description = "AI usage above the plan";
    made.ids = {{"stripe_customer_id", customer_}};
    made.frozen_at = at(kNow);
    return made;
  }

  Result<Receipt> charge(const OverageBatch& one) {
    return driver_->charge_overage(one.account, one);
  }
  // The faults of the next requests, in order; then none.
  void faults(std::vector<Fault> next) {
    const std::lock_guard lock(mutex_);
    next_ = std::move(next);
    used_ = 0;
    seen_.clear();
  }
  // Since the faults were given.
  std::vector<ApiRequest> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

  Books books_{kSecret};
  time::ManualClock clock_{at(kNow)};
  std::mutex mutex_;  // guards these, which the server's threads use
  std::vector<Fault> next_;
  std::size_t used_ = 0;
  std::vector<ApiRequest> seen_;
  std::vector<Duration> waits_;
  testing::Server server_{books_, [this](const ApiRequest& request) {
                            const std::lock_guard lock(mutex_);
                            seen_.push_back(request);
                            return used_ < next_.size() ? next_[used_++] : Fault::none;
                          }};
  std::string customer_;
  std::unique_ptr<BillingDriver> driver_;
};

TEST_F(StripeDriver, ABatchIsOneInvoiceItemOfItsCustomer) {
  OverageBatch one = batch(1, 1'999);
  one.ids["stripe_subscription_id"] =
      books_.add("subscription", {{"customer", customer_}, {"status", "active"}});
  const Result<Receipt> receipt = charge(one);
  ASSERT_TRUE(receipt) << receipt.error().message;
  const auto items = books_.all("invoiceitem");
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].at("id").as_string(), receipt->id);
  EXPECT_EQ(items[0].at("amount").as_int64(), 1'999);
  EXPECT_EQ(items[0].at("currency").as_string(), "usd");
  EXPECT_EQ(items[0].at("customer").as_string(), customer_);
  EXPECT_EQ(items[0].at("subscription").as_string(), one.ids["stripe_subscription_id"]);
  EXPECT_EQ(items[0].at("period").at("start").as_int64(), kNow - 86'400);
  EXPECT_EQ(items[0].at("period").at("end").as_int64(), kNow + 86'400);
  EXPECT_EQ(items[0].at("metadata").at("aimeter_batch").as_string(), "k1");
  EXPECT_EQ(items[0].at("metadata").at("aimeter_tenant").as_string(), "acme");
  ASSERT_EQ(seen().size(), 1U);
  EXPECT_EQ(seen()[0].version, drivers::stripe::kVersion);
  EXPECT_EQ(seen()[0].key, "aimeter-batch-k1-1");
}

TEST_F(StripeDriver, ACreditIsANegativeItem) {
  ASSERT_TRUE(charge(batch(1, -250)));
  EXPECT_EQ(books_.all("invoiceitem").at(0).at("amount").as_int64(), -250);
}

TEST_F(StripeDriver, TheSameBatchAgainIsTheSameItem) {
  OverageBatch one = batch(1, 500);
  const Result<Receipt> first = charge(one);
  one.sent_at = at(kNow);
  const Result<Receipt> second = charge(one);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->id, second->id);
  EXPECT_EQ(books_.all("invoiceitem").size(), 1U);
  EXPECT_EQ(seen()[0].key, seen()[1].key);
}

// Each fault once, then the service is well: one item, whatever the fault did.
TEST_F(StripeDriver, AFaultThatPassesIsTriedAgainWithTheSameKey) {
  for (const Fault fault : {Fault::lost_before, Fault::lost_after, Fault::half, Fault::gateway_502,
                            Fault::limited_429, Fault::busy_409}) {
    const int id = 10 + static_cast<int>(fault);
    SCOPED_TRACE(id);
    faults({fault});
    const Result<Receipt> receipt = charge(batch(id, 100 + id));
    ASSERT_TRUE(receipt) << receipt.error().message;
    EXPECT_EQ(seen().size(), 2U);
    EXPECT_EQ(seen().front().key, seen().back().key);
    EXPECT_EQ(books_.all("invoiceitem").back().at("amount").as_int64(), 100 + id);
  }
  EXPECT_EQ(books_.all("invoiceitem").size(), 6U);
  // libcurl itself tries again, at once, when a connection that it had kept is dead.
  EXPECT_GE(waits_.size(), 5U) << "it waits before it tries again";
}

TEST_F(StripeDriver, WhatMayHaveBeenChargedIsInDoubtAndWhatCannotIsNot) {
  struct Row {
    const char* sentence;
    Fault fault;
    Code code;
    std::size_t items;  // that are there then
    int requests;
  };
  const Row rows[] = {
      {"no answer, nothing done", Fault::lost_before, Code::in_doubt, 0, 3},
      {"no answer, done", Fault::lost_after, Code::in_doubt, 1, 3},
      {"half an answer", Fault::half, Code::in_doubt, 2, 3},
      {"an error that is remembered", Fault::error_500, Code::in_doubt, 2, 3},
      {"an error of something in between", Fault::gateway_502, Code::in_doubt, 3, 3},
      {"too many requests", Fault::limited_429, Code::rate_limited, 3, 3},
      {"too many requests for long: not waited for", Fault::patient_429, Code::rate_limited, 3, 1},
      {"the key is in use", Fault::busy_409, Code::unavailable, 3, 3},
  };
  int id = 0;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    faults({row.fault, row.fault, row.fault});
    const Result<Receipt> receipt = charge(batch(++id, 100));
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().code, row.code) << receipt.error().message;
    EXPECT_EQ(books_.all("invoiceitem").size(), row.items);
    EXPECT_EQ(seen().size(), static_cast<std::size_t>(row.requests));
    EXPECT_THAT(receipt.error().message, Not(HasSubstr(kSecret)));
  }
}

TEST_F(StripeDriver, AnAnswerThatNeverComesIsInDoubt) {
  const auto hasty = make({.timeout = std::chrono::milliseconds(150)});
  faults({Fault::silent, Fault::silent, Fault::silent});
  const OverageBatch one = batch(1, 100);
  const Result<Receipt> receipt = hasty->charge_overage(one.account, one);
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, Code::in_doubt) << receipt.error().message;
  EXPECT_EQ(books_.all("invoiceitem").size(), 1U);
}

TEST_F(StripeDriver, NobodyThereMeansNothingWasDone) {
  auto made = drivers::make_billing_driver("stripe", {.stripe = {.secret_key = kSecret,
                                                                 .api_base = "http://127.0.0.1:1",
                                                                 .pause = [](Duration) {}},
                                                      .clock = &clock_});
  ASSERT_TRUE(made);
  const OverageBatch one = batch(1, 100);
  const Result<Receipt> receipt = (*made)->charge_overage(one.account, one);
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, Code::unavailable);
  EXPECT_THAT(receipt.error().message, HasSubstr("nothing was sent"));
}

// libcurl itself sends again when a connection that it had kept dies: what it was told then tells
// nothing about the first sending.
TEST_F(StripeDriver, ASendingThatLibcurlRepeatedIsInDoubt) {
  for (const Fault fault : {Fault::limited_429, Fault::patient_429, Fault::busy_409}) {
    const auto items = books_.all("invoiceitem").size();
    const int id = 50 + static_cast<int>(fault);
    faults({});
    ASSERT_TRUE(charge(batch(100 + id, 100))) << "now there is a connection";
    faults({Fault::lost_after, fault, fault, fault});
    const Result<Receipt> receipt = charge(batch(id, 100));
    ASSERT_FALSE(receipt);
    EXPECT_EQ(books_.all("invoiceitem").size(), items + 2) << "it was executed";
    EXPECT_EQ(receipt.error().code, Code::in_doubt) << receipt.error().message;
  }
}

// A later failure that tells nothing about the first sending must not end its doubt.
TEST_F(StripeDriver, ADoubtIsEndedOnlyByAnAnswerAboutIt) {
  OverageBatch one = batch(1, 100);
  one.sent_at = at(kNow - 60);
  for (const Fault fault : {Fault::busy_409, Fault::limited_429, Fault::patient_429}) {
    faults({fault, fault, fault});
    const Result<Receipt> receipt = charge(one);
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().code, Code::in_doubt);
    EXPECT_THAT(receipt.error().message, HasSubstr("it was sent before"));
  }
  Books other("sk_test_rotated");
  testing::Server refuses(other, {});
  auto made = drivers::make_billing_driver(
      "stripe", {.stripe = {.secret_key = kSecret, .api_base = refuses.base()}, .clock = &clock_});
  ASSERT_TRUE(made);
  const Result<Receipt> unknown = (*made)->charge_overage(one.account, one);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::in_doubt);
  one.sent_at.reset();
  const Result<Receipt> refused = (*made)->charge_overage(one.account, one);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unauthenticated);
  EXPECT_THAT(refused.error().message, HasSubstr("stripe.secret_key"));
}

TEST_F(StripeDriver, RefusedParametersAreNamed) {
  OverageBatch one = batch(1, 100);
  one.ids["stripe_customer_id"] = "cus_gone";
  const Result<Receipt> gone = charge(one);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::invalid_argument);
  EXPECT_THAT(gone.error().message, HasSubstr("customer"));
  EXPECT_THAT(gone.error().message, HasSubstr("cus_gone"));
  one.ids.clear();
  const Result<Receipt> nobody = charge(one);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Code::failed_precondition);
  EXPECT_THAT(nobody.error().message, HasSubstr("stripe_customer_id"));
}

TEST_F(StripeDriver, TheSameKeyWithOtherParametersIsAConflict) {
  OverageBatch one = batch(1, 100);
  ASSERT_TRUE(charge(one));
  one.units = 200;
  const Result<Receipt> other = charge(one);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::conflict);
  EXPECT_EQ(books_.all("invoiceitem").size(), 1U);
}

// Before 20 hours the key is trusted; from then on the item is looked up first.
TEST_F(StripeDriver, AfterTwentyHoursItLooksBeforeItCharges) {
  OverageBatch lost = batch(1, 700);
  faults({Fault::lost_after, Fault::lost_after, Fault::lost_after});
  ASSERT_FALSE(charge(lost));
  for (int other = 0; other < 230; ++other) {  // three pages of others
    books_.add("invoiceitem", {{"customer", customer_}, {"amount", other}});
  }
  lost.sent_at = at(kNow);
  const std::int64_t later = kNow + 20 * 3'600;
  clock_.set_wall(at(later));
  books_.set_now(later);
  faults({});
  const Result<Receipt> found = charge(lost);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->id, books_.all("invoiceitem").front().at("id").as_string());
  for (const ApiRequest& request : seen()) EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(seen().size(), 3U);

  OverageBatch never = batch(2, 900);
  never.sent_at = at(kNow);
  const Result<Receipt> nothing = charge(never);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Code::not_found) << "so a further attempt may be made";
  never.sent_at = at(kNow + 1);  // a second less than 20 hours
  EXPECT_TRUE(charge(never)) << "the key still does";
}

TEST_F(StripeDriver, UsageGoesToAMeterWhenOneIsNamed) {
  const auto metered = make({.meter_event = "ai_tokens"});
  OverageBatch one = batch(1, 100);
  const Result<Receipt> sent = metered->charge_overage(one.account, one);
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(sent->id, "aimeter-batch-k1-1");
  const auto events = books_.all("billing.meter_event");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("event_name").as_string(), "ai_tokens");
  EXPECT_EQ(events[0].at("payload").at("value").as_string(), "1000");
  EXPECT_EQ(events[0].at("payload").at("stripe_customer_id").as_string(), customer_);
  EXPECT_EQ(events[0].at("timestamp").as_int64(), kNow);
  EXPECT_TRUE(books_.all("invoiceitem").empty());

  OverageBatch old = batch(2, 100);
  old.period.end = at(kNow - 35 * 86'400);
  const Result<Receipt> refused = metered->charge_overage(old.account, old);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("35 days"));
  old.period.end = at(kNow - 35 * 86'400 + 302);
  EXPECT_TRUE(metered->charge_overage(old.account, old)) << "just within";

  one.sent_at = at(kNow - 20 * 3'600);
  const Result<Receipt> doubt = metered->charge_overage(one.account, one);
  ASSERT_FALSE(doubt);
  EXPECT_EQ(doubt.error().code, Code::in_doubt) << "events cannot be listed";
}

TEST_F(StripeDriver, ARefundGoesBackWhereItCameFromAndOnlyOnce) {
  const std::string invoice = books_.add("invoice", {{"customer", customer_}});
  Refund refund{.account = {.tenant = {"acme"}, .billable = {"team", "7"}},
                .amount = {12'340'000'000, "usd"},
                .reason = "a mistake",
                .idempotency_key = "r1",
                .charge = "pi_9",
                .ids = {{"stripe_customer_id", customer_}}};
  const Result<Receipt> first = driver_->refund(refund), again = driver_->refund(refund);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->id, again->id);
  ASSERT_EQ(books_.all("refund").size(), 1U);
  EXPECT_EQ(books_.all("refund")[0].at("amount").as_int64(), 1'234);
  EXPECT_EQ(books_.all("refund")[0].at("payment_intent").as_string(), "pi_9");
  refund.charge = invoice;
  refund.idempotency_key = "r2";
  ASSERT_TRUE(driver_->refund(refund));
  EXPECT_EQ(books_.all("credit_note").at(0).at("invoice").as_string(), invoice);
  refund.charge.clear();
  refund.idempotency_key = "r3";
  ASSERT_TRUE(driver_->refund(refund));
  EXPECT_EQ(books_.all("customer_balance_transaction").at(0).at("amount").as_int64(), -1'234)
      << "negative is in the customer's favour";
  refund.amount.nanos = 0;
  refund.idempotency_key = "r4";
  EXPECT_EQ(driver_->refund(refund).error().code, Code::invalid_argument);
}

TEST_F(StripeDriver, ATopUpTakesTheStoredMethodAndADeclineIsSaid) {
  TopUp top_up{.account = {.tenant = {"acme"}, .billable = {"team", "7"}},
               .amount = {20'000'000'000, "usd"},
               .idempotency_key = "t1",
               .ids = {{"stripe_customer_id", customer_}}};
  const Result<Receipt> paid = driver_->top_up(top_up), again = driver_->top_up(top_up);
  ASSERT_TRUE(paid && again) << paid.error().message;
  EXPECT_EQ(paid->id, again->id);
  const auto payments = books_.all("payment_intent");
  ASSERT_EQ(payments.size(), 1U);
  EXPECT_EQ(payments[0].at("amount").as_int64(), 2'000);
  EXPECT_EQ(payments[0].at("payment_method").as_string(), "pm_1");
  EXPECT_EQ(payments[0].at("metadata").at("aimeter_top_up").as_string(), "true");
  EXPECT_EQ(payments[0].at("metadata").at("aimeter_billable_id").as_string(), "7");
  top_up.ids["stripe_customer_id"] = books_.add(
      "customer", {{"description", "declines"},
                   {"invoice_settings", json::object{{"default_payment_method", "pm_2"}}}});
  top_up.idempotency_key = "t2";
  const Result<Receipt> declined = driver_->top_up(top_up);
  ASSERT_FALSE(declined);
  EXPECT_EQ(declined.error().code, Code::insufficient_credits);
  EXPECT_THAT(declined.error().message, HasSubstr("card_declined"));
  top_up.ids["stripe_customer_id"] = books_.add("customer", {});
  top_up.idempotency_key = "t3";
  EXPECT_EQ(driver_->top_up(top_up).error().code, Code::failed_precondition);
}

TEST_F(StripeDriver, ATopUpThatIsUnderWayIsAskedForAgainAndThenPaid) {
  TopUp top_up{.account = {.tenant = {"acme"}, .billable = {"team", "7"}},
               .amount = {20'000'000'000, "usd"},
               .idempotency_key = "t1"};
  top_up.ids["stripe_customer_id"] = books_.add(
      "customer", {{"description", "bank debit"},
                   {"invoice_settings", json::object{{"default_payment_method", "pm_2"}}}});
  const Result<Receipt> under_way = driver_->top_up(top_up);
  ASSERT_FALSE(under_way);
  EXPECT_EQ(under_way.error().code, Code::in_doubt);
  const std::string payment(books_.all("payment_intent").at(0).at("id").as_string());
  books_.put(payment, "status", "succeeded");
  top_up.sent_at = at(kNow);
  const Result<Receipt> paid = driver_->top_up(top_up);
  ASSERT_TRUE(paid) << paid.error().message;
  EXPECT_EQ(paid->id, payment);
  EXPECT_EQ(books_.all("payment_intent").size(), 1U);
}

TEST_F(StripeDriver, AnOldTopUpIsLookedUpAndNeverPaidTwice) {
  TopUp top_up{.account = {.tenant = {"acme"}, .billable = {"team", "7"}},
               .amount = {20'000'000'000, "usd"},
               .idempotency_key = "t1",
               .ids = {{"stripe_customer_id", customer_}}};
  faults({Fault::none, Fault::lost_after, Fault::lost_after, Fault::lost_after, Fault::lost_after,
          Fault::lost_after, Fault::lost_after});
  ASSERT_FALSE(driver_->top_up(top_up)) << "paid, and nobody knows it";
  ASSERT_EQ(books_.all("payment_intent").size(), 1U);
  const std::int64_t later = kNow + 25 * 3'600;  // its key is forgotten
  clock_.set_wall(at(later));
  books_.set_now(later);
  top_up.sent_at = at(kNow);
  const Result<Receipt> found = driver_->top_up(top_up);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->id, books_.all("payment_intent")[0].at("id").as_string());
  top_up.idempotency_key = "t2";
  EXPECT_EQ(driver_->top_up(top_up).error().code, Code::not_found);
  EXPECT_EQ(books_.all("payment_intent").size(), 1U);
}

TEST_F(StripeDriver, TheCustomerOfAnAccountIsFoundByItsMetadata) {
  const Account account{.tenant = {"it's \\ acme"}, .billable = {"team", "7"}};
  EXPECT_EQ(driver_->ids_of(account).value(), Meta{});
  const json::object metadata{{"aimeter_tenant", account.tenant.text},
                              {"aimeter_billable_type", "team"},
                              {"aimeter_billable_id", "7"}};
  const std::string customer = books_.add("customer", {{"metadata", metadata}});
  EXPECT_EQ(driver_->ids_of(account).value(), (Meta{{"stripe_customer_id", customer}}));
  const std::string subscription =
      books_.add("subscription", {{"customer", customer}, {"status", "active"}});
  EXPECT_EQ(driver_->ids_of(account).value(),
            (Meta{{"stripe_customer_id", customer}, {"stripe_subscription_id", subscription}}));
  const std::string twin = books_.add("customer", {{"metadata", metadata}});
  const Result<Meta> both = driver_->ids_of(account);
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().code, Code::conflict);
  EXPECT_THAT(both.error().message, HasSubstr(twin));
}

TEST_F(StripeDriver, AWebhookIsProvedBeforeItIsRead) {
  const std::string body =
      R"({"id":"evt_1","type":"invoice.paid","created":1790000000,"data":{"object":{"id":"in_1",)"
      R"("customer":"cus_1","subscription":"sub_1","amount_paid":1000,"currency":"usd"}}})";
  const std::string good = billing::signature_header(body, "whsec_of_this_test", at(kNow));
  const Result<BillingEvent> event = driver_->webhook({.body = body, .signature = good});
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->kind, BillingEvent::Kind::invoice_paid);
  clock_.set_wall(at(kNow + 301));
  const Result<BillingEvent> late = driver_->webhook({.body = body, .signature = good});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::unauthenticated);
  const Result<BillingEvent> forged =
      driver_->webhook({.body = "not even JSON", .signature = "t=1790000000,v1=00"});
  ASSERT_FALSE(forged);
  EXPECT_EQ(forged.error().code, Code::unauthenticated) << "an unproved body is not parsed";
}

TEST(StripeSettings, AreCheckedWhenTheDriverIsMade) {
  struct Row {
    const char* sentence;
    billing::StripeOptions options;
    const char* says;  // empty: taken
  };
  const Row rows[] = {
      {"no key", {}, "stripe.secret_key"},
      {"a key with a line break", {.secret_key = "sk_1\r\nHost: x"}, "stripe.secret_key"},
      {"a key in the open",
       {.secret_key = "sk_1", .api_base = "http://example.com"},
       "stripe.api_base"},
      {"another scheme", {.secret_key = "sk_1", .api_base = "ftp://127.0.0.1"}, "stripe.api_base"},
      {"a host that only begins like this machine",
       {.secret_key = "sk_1", .api_base = "http://localhost.example.com"},
       "stripe.api_base"},
      {"this machine", {.secret_key = "sk_1", .api_base = "http://127.0.0.1:8080"}, ""},
      {"https", {.secret_key = "sk_1", .api_base = "https://example.com"}, ""},
      {"Stripe's own", {.secret_key = "sk_1"}, ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto made = drivers::make_billing_driver("stripe", {.stripe = row.options});
    EXPECT_EQ(made.has_value(), *row.says == '\0');
    if (made) continue;
    EXPECT_THAT(made.error().message, HasSubstr(row.says));
    EXPECT_THAT(made.error().message, Not(HasSubstr("sk_1")));
  }
}

}  // namespace
}  // namespace aimeter
