// Calls in credits mode, against a whole engine on memory. The price: 2.5 nano-dollars an input
// token, 10 an output token, times 1000.
#include <gtest/gtest.h>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"

namespace aimeter {
namespace {

using testing::TestEngine;

const Billable kWho{"user", "42"};
constexpr std::int64_t kInput = 2'500, kOutput = 10'000;  // nanos a token

OpenOptions options(std::string_view currency = "usd") {
  OpenOptions options;
  ConfiguredPrice price = ConfiguredPrice::parse("price", "0.0025", "0.010").value();
  price.provider = "trace";
  price.model = "fixed";
  options.pricing.configured = {price};
  options.currency = currency;
  return options;
}

Money nanos(std::int64_t amount) { return {amount, "usd"}; }

struct House {
  explicit House(OpenOptions given = options()) : engine(std::move(given)) {}
  Wallet wallet() { return engine->tenant("acme").wallet(kWho); }
  Meter meter() {
    return engine->meter()
        .for_tenant("acme")
        .billable(kWho)
        .billing_mode(BillingMode::credits)
        .using_provider("trace", "fixed");
  }
  void pay(std::int64_t amount) {
    const auto added = wallet().add_credits(nanos(amount));
    ASSERT_TRUE(added) << added.error().message;
  }
  // A call of so many output tokens that expects so many.
  auto call(std::int64_t tokens, std::int64_t expected) {
    return meter().expecting({.tokens = Tokens{expected}}).call([&] {
      return Usage{.output_tokens = {tokens}, .source = UsageSource::provider};
    });
  }
  std::int64_t balance() {
    const auto money = wallet().balance();
    EXPECT_TRUE(money) << money.error().message;
    return money ? money->nanos : -1;
  }
  TestEngine engine;
};

// ---- the wallet refuses

TEST(Credits, an_empty_wallet_refuses_before_the_provider_is_asked) {
  House house;
  bool ran = false;
  const auto reply = house.meter().expecting({.tokens = Tokens{10}}).call([&] {
    ran = true;
    return Usage{};
  });
  ASSERT_FALSE(reply);
  EXPECT_FALSE(ran);
  EXPECT_EQ(reply.error().code, Code::insufficient_credits);
  EXPECT_EQ(http_status(reply.error()), 402);
  ASSERT_TRUE(reply.error().refusal);
  EXPECT_EQ(reply.error().refusal->budget, "credits");
  EXPECT_EQ(reply.error().refusal->balance, nanos(0));
  EXPECT_EQ(reply.error().refusal->required, nanos(10 * kOutput));
  EXPECT_FALSE(reply.error().refusal->resets_at);
  EXPECT_EQ(house.engine.log().count("LimitReached"), 0U);
}

TEST(Credits, the_dearest_that_a_call_can_cost_must_fit_to_the_nano) {
  for (const std::int64_t missing : {1, 0}) {
    SCOPED_TRACE(missing);
    House house;
    house.pay(10 * kOutput - missing);
    const auto reply = house.call(10, 10);
    EXPECT_EQ(reply.has_value(), missing == 0);
    EXPECT_EQ(house.balance(), missing == 0 ? 0 : 10 * kOutput - 1);
  }
}

TEST(Credits, a_wallet_is_never_capped) {
  House house;
  house.pay(100 * kOutput);
  const auto reply = house.meter().call([] { return Usage{.output_tokens = {1}}; });
  ASSERT_FALSE(reply) << "the first estimate of 4096 tokens does not fit";
  EXPECT_EQ(reply.error().code, Code::insufficient_credits);
  EXPECT_EQ(reply.error().refusal->required, nanos(4'096 * kOutput));
}

TEST(Credits, what_was_learned_lowers_no_hold_of_a_wallet) {
  House house;
  house.pay(1'000 * kOutput);
  for (int i = 0; i < 20; ++i) {  // cheap ones: all input
    ASSERT_TRUE(house.meter().expecting({.tokens = Tokens{100}}).call([] {
      return Usage{.input_tokens = {100}, .source = UsageSource::provider};
    }));
  }
  const std::int64_t left = house.balance();
  ASSERT_TRUE(house.wallet().deduct_credits(nanos(left - 100 * kOutput + 1)));
  const auto refused = house.meter().call([] { return Usage{.input_tokens = {100}}; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refusal->required, nanos(100 * kOutput)) << "as if all were output";
  house.pay(1);
  EXPECT_TRUE(house.meter().call([] { return Usage{.input_tokens = {100}}; }));
}

TEST(Credits, the_hold_goes_back_and_the_exact_cost_is_taken) {
  House house;
  house.pay(100 * kOutput);
  const auto reply = house.meter().expecting({.tokens = Tokens{50}}).call([] {
    return Usage{.input_tokens = {3}, .output_tokens = {2}, .source = UsageSource::provider};
  });
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(house.balance(), 100 * kOutput - 3 * kInput - 2 * kOutput);
  const auto transactions = house.wallet().transactions();
  ASSERT_TRUE(transactions);
  ASSERT_EQ(transactions->size(), 2U);
  EXPECT_EQ(transactions->back().cause, CreditCause::usage);
  EXPECT_EQ(transactions->back().usage_id, reply->record().id);
  EXPECT_EQ(transactions->back().amount, nanos(3 * kInput + 2 * kOutput));
  EXPECT_TRUE(house.call(97, 97)) << "what was set aside and not used is free at once";
}

TEST(Credits, what_running_calls_hold_is_not_sold_twice) {
  House house;
  house.pay(100 * kOutput);
  auto running = house.meter().expecting({.tokens = Tokens{60}}).hold();
  ASSERT_TRUE(running) << running.error().message;
  const auto second = house.call(41, 41);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::insufficient_credits);
  EXPECT_TRUE(house.call(40, 40));
  running->release("changed its mind");
  EXPECT_TRUE(house.call(60, 60));
  EXPECT_EQ(house.balance(), 0);
}

TEST(Credits, an_answer_dearer_than_its_hold_is_a_debt_and_the_next_top_up_pays_it) {
  House house;
  house.pay(10 * kOutput);
  ASSERT_TRUE(house.call(13, 10));
  EXPECT_EQ(house.balance(), -3 * kOutput);
  const auto refused = house.call(1, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refusal->balance, nanos(-3 * kOutput));
  house.pay(3 * kOutput);
  EXPECT_EQ(house.balance(), 0);
  EXPECT_FALSE(house.call(1, 1));
  house.pay(kOutput);
  EXPECT_TRUE(house.call(1, 1));
}

TEST(Credits, an_overdraft_refuses_nothing_and_counts_exactly) {
  OpenOptions with = options();
  with.billing.credit_overdraft_allowed = true;
  House house(std::move(with));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(house.call(7, 7));
  EXPECT_EQ(house.balance(), -35 * kOutput);
  EXPECT_TRUE(house.wallet().has_sufficient_balance(nanos(1)).value());
  house.pay(36 * kOutput);
  EXPECT_EQ(house.balance(), kOutput);
}

TEST(Credits, limits_of_the_plan_hold_as_well_as_the_wallet) {
  House house;
  house.engine.plan("small", Tokens{20});
  const auto subscribed = house.engine->tenant("acme").subscribe(
      {.billable = kWho, .plan = "small", .billing_mode = BillingMode::credits});
  ASSERT_TRUE(subscribed) << subscribed.error().message;
  EXPECT_EQ(house.engine->tenant("acme").billing_mode(kWho), BillingMode::credits);
  house.pay(100 * kOutput);
  const auto call = [&](std::int64_t tokens, std::optional<BillingMode> mode) {
    Meter meter =
        house.engine->meter().for_tenant("acme").billable(kWho).using_provider("trace", "fixed");
    if (mode) meter = std::move(meter).billing_mode(*mode);
    return std::move(meter).expecting({.tokens = Tokens{tokens}}).call([&] {
      return Usage{.output_tokens = {tokens}, .source = UsageSource::provider};
    });
  };
  ASSERT_TRUE(call(5, std::nullopt)) << "the subscription's mode";
  EXPECT_EQ(house.balance(), 95 * kOutput);
  ASSERT_TRUE(call(5, BillingMode::plan)) << "the call's own mode";
  EXPECT_EQ(house.balance(), 95 * kOutput);
  const auto over = call(11, std::nullopt);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::quota_exceeded);
  EXPECT_TRUE(call(10, std::nullopt));
}

TEST(Credits, a_model_without_a_price_is_refused_but_an_empty_wallet_is_said_first) {
  House house;
  const auto call = [&] {
    return house.meter()
        .using_provider("trace", "nobody-prices-this")
        .expecting({.tokens = Tokens{1}})
        .call([] { return Usage{.output_tokens = {1}}; });
  };
  const auto poor = call();
  ASSERT_FALSE(poor);
  EXPECT_EQ(poor.error().code, Code::insufficient_credits);
  house.pay(kOutput);
  const auto unpriced = call();
  ASSERT_FALSE(unpriced);
  EXPECT_EQ(unpriced.error().code, Code::failed_precondition);
  EXPECT_NE(unpriced.error().message.find("model: has no price"), std::string::npos);
  EXPECT_EQ(house.balance(), kOutput);
}

TEST(Credits, a_repeated_key_takes_its_money_once) {
  House house;
  house.pay(100 * kOutput);
  for (int i = 0; i < 3; ++i) {
    const auto reply =
        house.meter().expecting({.tokens = Tokens{10}}).with_idempotency_key("once").call([] {
          return Usage{.output_tokens = {10}};
        });
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->duplicate(), i > 0);
  }
  EXPECT_EQ(house.balance(), 90 * kOutput);
}

TEST(Credits, a_record_is_never_refused_and_an_adjustment_gives_and_takes) {
  House house;
  house.engine.plan("any", std::nullopt);
  ASSERT_TRUE(house.engine->tenant("acme").subscribe(
      {.billable = kWho, .plan = "any", .billing_mode = BillingMode::credits}));
  UsageRecord record{.account = {{"acme"}, kWho}, .provider = "trace", .model = "fixed"};
  record.usage = {.output_tokens = {10}, .source = UsageSource::provider};
  const auto settled = house.engine->tenant("acme").record(record);
  ASSERT_TRUE(settled) << settled.error().message;
  EXPECT_EQ(house.balance(), -10 * kOutput);
  const auto adjust = [&](std::int64_t tokens, std::int64_t cost) {
    return house.engine->tenant("acme").adjust({.of = settled->record.id,
                                                .usage = {.output_tokens = {tokens}},
                                                .cost = nanos(cost),
                                                .reason = "counted wrong"});
  };
  ASSERT_TRUE(adjust(-4, -4 * kOutput));
  EXPECT_EQ(house.balance(), -6 * kOutput);
  ASSERT_TRUE(adjust(1, kOutput));
  EXPECT_EQ(house.balance(), -7 * kOutput);
  EXPECT_FALSE(adjust(-8, -8 * kOutput)) << "more than is left of the usage";
  const auto all = house.wallet().transactions();
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ(all->at(1).cause, CreditCause::correction);
  EXPECT_TRUE(all->at(1).is_credit());
  EXPECT_EQ(all->at(1).refers_to, settled->record.id);
}

// ---- currency

TEST(Credits, a_price_in_another_currency_is_converted_once_at_the_rate_of_the_hold) {
  OpenOptions with = options("eur");
  with.billing.currency_rates = {{.pair = "usd_eur", .rate = "0.3333"}};
  House house(std::move(with));
  const Wallet wallet = house.wallet();
  ASSERT_FALSE(wallet.add_credits({5, "usd"})) << "a wallet is in billing.currency";
  ASSERT_TRUE(wallet.add_credits({1'000'000, "eur"}));
  const auto reply =
      house.meter()
          .with_manual_usage({.output_tokens = {1}, .total_cost = Money{100'001, "usd"}})
          .call([] {});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->record().total_cost, nanos(100'001));
  EXPECT_EQ(wallet.balance()->nanos, 1'000'000 - 33'330) << "33330.3333, half-even";
  EXPECT_EQ(wallet.balance()->currency, "eur");
}

TEST(Credits, without_a_rate_a_call_is_refused_and_a_record_provisional) {
  House house(options("eur"));
  house.engine.plan("any", std::nullopt);
  ASSERT_TRUE(house.engine->tenant("acme").subscribe(
      {.billable = kWho, .plan = "any", .billing_mode = BillingMode::credits}));
  const Wallet wallet = house.wallet();
  ASSERT_TRUE(wallet.add_credits({1'000'000, "eur"}));
  const auto call = house.meter()
                        .with_manual_usage({.output_tokens = {1}, .total_cost = Money{5, "usd"}})
                        .call([] {});
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().code, Code::failed_precondition);
  EXPECT_NE(call.error().message.find("no rate"), std::string::npos) << call.error().message;
  UsageRecord record{.account = {{"acme"}, kWho}, .provider = "trace", .model = "fixed"};
  record.usage = {.output_tokens = {1}, .total_cost = Money{5, "usd"}};
  const auto settled = house.engine->tenant("acme").record(record);
  ASSERT_TRUE(settled) << settled.error().message;
  EXPECT_TRUE(settled->record.unpriced);
  EXPECT_EQ(wallet.balance()->nanos, 1'000'000) << "never 1:1";
}

TEST(Credits, a_cost_limit_in_another_currency_holds_rounded_up_and_counts_half_even) {
  OpenOptions with = options();
  with.billing.currency_rates = {{.pair = "usd_eur", .rate = "0.5"}};
  House house(std::move(with));
  house.engine.plan("small", std::nullopt, Money{10, "eur"});
  house.engine.subscribe("acme", kWho, "small");
  const auto call = [&](std::int64_t cost) {
    return house.engine->meter()
        .for_tenant("acme")
        .billable(kWho)
        .with_manual_usage({.output_tokens = {1}, .total_cost = Money{cost, "usd"}})
        .call([] {});
  };
  ASSERT_TRUE(call(5)) << "2.5: holds 3, counts 2";
  const auto check = house.engine->tenant("acme").check_limit(kWho);
  EXPECT_EQ(check->remaining_cost, (Money{8, "eur"}));
  EXPECT_FALSE(call(17)) << "8.5: would hold 9 of 8";
  EXPECT_TRUE(call(16));
  EXPECT_EQ(house.engine->tenant("acme").check_limit(kWho)->remaining_cost, (Money{0, "eur"}));
}

TEST(Credits, bad_rates_are_said_when_the_engine_opens) {
  OpenOptions with = options();
  with.billing.currency_rates = {{.pair = "usd_eur", .rate = "0"}};
  const auto opened = open("memory:", std::move(with));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::invalid_argument);
  EXPECT_NE(opened.error().message.find("billing.currency_rates.usd_eur"), std::string::npos);
}

// ---- the handle

TEST(Credits, the_wallet_of_a_tenant_is_not_anothers) {
  House house;
  house.pay(50);
  const Wallet other = house.engine->tenant("zeta").wallet(kWho);
  EXPECT_EQ(other.balance()->nanos, 0);
  EXPECT_TRUE(other.transactions()->empty());
  const auto debit = house.wallet().deduct_credits(nanos(20));
  ASSERT_TRUE(debit);
  const auto refund = other.refund(debit->id);
  ASSERT_FALSE(refund);
  EXPECT_EQ(refund.error().code, Code::not_found);
  EXPECT_TRUE(other.add_credits(nanos(1), {.idempotency_key = "k"}));
  EXPECT_TRUE(house.wallet().add_credits(nanos(2), {.idempotency_key = "k"})) << "keys per tenant";
  EXPECT_EQ(house.balance(), 32);
}

TEST(Credits, a_withdrawal_takes_what_no_call_holds) {
  House house;
  house.pay(100 * kOutput);
  auto running = house.meter().expecting({.tokens = Tokens{60}}).hold();
  ASSERT_TRUE(running);
  const auto much = house.wallet().deduct_credits(nanos(40 * kOutput + 1));
  ASSERT_FALSE(much);
  EXPECT_EQ(much.error().code, Code::insufficient_credits);
  const auto taken = house.wallet().deduct_credits(nanos(40 * kOutput), {.reason = "chargeback"});
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->reason, "chargeback");
  EXPECT_EQ(taken->balance_after, nanos(60 * kOutput));
  const auto settled = running->settle(Usage{.output_tokens = {60}});
  ASSERT_TRUE(settled);
  EXPECT_EQ(house.balance(), 0);
}

TEST(Credits, refunds_and_keys_move_money_once) {
  House house;
  const auto first = house.wallet().add_credits(nanos(100), {.idempotency_key = "pay"});
  const auto again = house.wallet().add_credits(nanos(100), {.idempotency_key = "pay"});
  ASSERT_TRUE(first && again);
  EXPECT_EQ(*first, *again);
  EXPECT_EQ(first->reason, "top-up");
  EXPECT_EQ(house.balance(), 100);
  const auto other = house.wallet().add_credits(nanos(101), {.idempotency_key = "pay"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::conflict);
  const auto debit = house.wallet().deduct_credits(nanos(60));
  ASSERT_TRUE(debit);
  EXPECT_EQ(debit->reason, "withdrawal");
  EXPECT_EQ(house.wallet().refund(debit->id, nanos(20))->reason, "refund");
  EXPECT_EQ(house.wallet().refund(debit->id)->amount, nanos(40));
  EXPECT_FALSE(house.wallet().refund(debit->id));
  EXPECT_EQ(house.balance(), 100);
  EXPECT_EQ(house.engine.log().count("CreditsAdded"), 3U) << "the repeat moved nothing";
  EXPECT_EQ(house.engine.log().count("CreditsDeducted"), 1U);
  EXPECT_TRUE(house.wallet().has_sufficient_balance(nanos(100)).value());
  EXPECT_FALSE(house.wallet().has_sufficient_balance(nanos(101)).value());
}

TEST(Credits, a_grant_expires_by_the_clock_with_its_event) {
  House house;
  const Instant end = house.engine.clock().now() + std::chrono::hours(1);
  const auto granted = house.wallet().grant(
      nanos(50), {.kind = LotKind::promotional, .priority = 1, .expires_at = end});
  ASSERT_TRUE(granted) << granted.error().message;
  EXPECT_EQ(granted->cause, CreditCause::grant);
  house.pay(100 * kOutput);
  const auto lots = house.wallet().lots();
  ASSERT_EQ(lots->size(), 2U);
  EXPECT_EQ(lots->at(0).terms.expires_at, end);
  house.engine.clock().advance(std::chrono::hours(1));
  // The balance has it until the heartbeat; a call does not.
  const auto refused = house.call(101, 101);
  ASSERT_FALSE(refused);
  for (int i = 0; i < 200 && house.balance() != 100 * kOutput; ++i) {
    house.engine.clock().advance(std::chrono::seconds(2));
    (void)house.call(0, 0);
  }
  EXPECT_EQ(house.balance(), 100 * kOutput);
  EXPECT_EQ(house.wallet().transactions()->back().cause, CreditCause::expiry);
  EXPECT_EQ(house.engine.log().count("CreditsDeducted"), 1U);
}

TEST(Credits, metadata_is_kept_and_secrets_are_not) {
  House house;
  const auto added = house.wallet().add_credits(
      nanos(5), {.meta = {{"payment_id", "pay_123"}, {"api_key", "sk-123"}}});
  ASSERT_TRUE(added);
  const auto stored = house.wallet().transactions()->at(0);
  EXPECT_EQ(stored.meta.at("payment_id"), "pay_123");
  EXPECT_EQ(stored.meta.at("api_key"), "[redacted]");
}

TEST(Credits, the_quota_guard_asks_for_a_payment) {
  House house;
  house.engine.plan("any", std::nullopt);
  const Billable tenant{"tenant", "acme"};
  ASSERT_TRUE(house.engine->tenant("acme").subscribe(
      {.billable = tenant, .plan = "any", .billing_mode = BillingMode::credits}));
  const QuotaGuard guard(house.engine.engine());
  const TenantScope scope("acme");
  const auto refused = guard.admit(Context{});
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_FALSE(refused->admitted);
  EXPECT_EQ(refused->status, 402);
  EXPECT_NE(refused->body.find("\"error\": \"insufficient_credits\""), std::string::npos)
      << refused->body;
  ASSERT_TRUE(house.engine->tenant("acme").wallet(tenant).add_credits(nanos(1)));
  EXPECT_TRUE(guard.admit(Context{})->admitted);
}

TEST(Credits, a_check_says_whether_the_wallet_would_refuse) {
  House house;
  house.engine.plan("any", std::nullopt);
  ASSERT_TRUE(house.engine->tenant("acme").subscribe(
      {.billable = kWho, .plan = "any", .billing_mode = BillingMode::credits}));
  const auto check = [&](std::int64_t cost) {
    return house.engine->tenant("acme").check_limit(kWho, {.cost = nanos(cost)});
  };
  ASSERT_TRUE(check(1));
  EXPECT_FALSE(check(1)->allowed);
  EXPECT_EQ(check(1)->reason->budget, "credits");
  house.pay(10);
  EXPECT_TRUE(check(10)->allowed);
  EXPECT_FALSE(check(11)->allowed);
  EXPECT_EQ(check(11)->reason->balance, nanos(10));
}

}  // namespace
}  // namespace aimeter
