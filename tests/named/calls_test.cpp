// What must hold of whole calls: what stands in for what is not known, and what a hold has fixed.
#include <gtest/gtest.h>

#include <optional>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"
#include "tests/named/site.h"

namespace aimeter::named {
namespace {

using testing::openai_answer;
const Billable kWho{"tenant", "acme"};

ConfiguredPrice price_of(std::string model, const char* input, const char* output) {
  ConfiguredPrice price = *ConfiguredPrice::parse("price", input, output);
  price.provider = "openai";
  price.model = std::move(model);
  return price;
}

// An engine on the site's store that works when somebody waits.
Engine engine_of(Site& site, std::vector<ConfiguredPrice> prices) {
  OpenOptions options{.clock = &site.clock};
  options.journal.folder = "/journal";
  options.journal.segment_bytes = 1U << 20U;
  options.pricing.configured = std::move(prices);
  options.ports = {.files = &site.files, .workers = &site.workers, .store = site.store.get()};
  auto opened = open("test:", std::move(options));
  EXPECT_TRUE(opened) << opened.error().message;
  return *std::move(opened);
}

void subscribe(Engine& engine, const char* slug, std::optional<Tokens> tokens,
               std::optional<Money> cost) {
  const auto plan = engine.admin().create_plan({.name = slug,
                                                .slug = slug,
                                                .monthly_token_limit = tokens,
                                                .monthly_cost_limit = std::move(cost)});
  ASSERT_TRUE(plan) << plan.error().message;
  const auto subscribed =
      engine.tenant("acme").subscribe({.billable = kWho, .plan = slug, .started_at = kMarch.start});
  ASSERT_TRUE(subscribed) << subscribed.error().message;
}

std::string without_usage() {
  return R"({"object":"chat.completion","model":"m-known",)"
         R"("choices":[{"message":{"content":"Hi"}}]})";
}

// Where the answer does not say how much, or nothing says for how much, the hold is counted; the
// later truth moves the counters to exactly what it was.
TEST(Named, missing_usage_and_unknown_price_consume_the_hold_then_adjust_exactly) {
  on_every_store([](Site& site) {
    const ConfiguredPrice known = price_of("m-known", "0.001", "0.002");
    {
      Engine engine = engine_of(site, {known});
      subscribe(engine, "small", Tokens{10'000}, std::nullopt);
      const TenantView acme = engine.tenant("acme");
      const auto missing = engine.meter()
                               .for_tenant("acme")
                               .using_provider("openai", "m-known")
                               .expecting({.tokens = Tokens{400}, .cost = Money{500'000}})
                               .call(without_usage);
      ASSERT_TRUE(missing) << missing.error().message;
      const std::int64_t missing_row = missing->record().id;
      EXPECT_TRUE(missing->record().estimated);
      EXPECT_EQ(missing->usage().total_tokens.count, 400) << "the held tokens";
      EXPECT_EQ(missing->cost().nanos, 600'000) << "half of them input, half output";
      const auto unpriced = engine.meter()
                                .for_tenant("acme")
                                .using_provider("openai", "m-new")
                                .expecting({.tokens = Tokens{300}, .cost = Money{77'000}})
                                .call([] { return openai_answer(100, 50, "m-new"); });
      ASSERT_TRUE(unpriced) << unpriced.error().message;
      EXPECT_TRUE(unpriced->record().unpriced);
      EXPECT_EQ(unpriced->usage().total_tokens.count, 150);
      EXPECT_EQ(unpriced->cost().nanos, 77'000) << "the held cost";
      EXPECT_EQ(acme.check_limit(kWho)->used->count, 550);

      const auto truth = acme.adjust({.of = missing_row,
                                      .usage = {.input_tokens = {-110}, .output_tokens = {-40}},
                                      .cost = Money{-190'000},
                                      .reason = "the provider's report"});
      ASSERT_TRUE(truth) << truth.error().message;
      EXPECT_EQ(acme.check_limit(kWho)->used->count, 400);
      EXPECT_EQ(acme.usages().sum()->total_tokens.count, 400);
      EXPECT_EQ(acme.usages().sum()->total_cost.nanos, 410'000 + 77'000);
    }
    Engine engine = engine_of(site, {known, price_of("m-new", "0.003", "0.001")});
    const auto report = engine.admin().reprice({});
    ASSERT_TRUE(report) << report.error().message;
    const TenantView acme = engine.tenant("acme");
    EXPECT_EQ(acme.usages().sum()->total_cost.nanos, 410'000 + 350'000) << "exactly its price";
    EXPECT_EQ(acme.check_limit(kWho)->used->count, 400) << "its tokens were known";
  });
}

// A second reprice finds nothing to do, also after the first was written by another engine.
TEST(Named, reprice_twice_is_once) {
  on_every_store([](Site& site) {
    {
      Engine engine = engine_of(site, {});
      for (int call = 0; call < 3; ++call) {
        ASSERT_TRUE(engine.meter().for_tenant("acme").using_provider("openai", "m-new").call([] {
          return openai_answer(1'000, 500, "m-new");
        }));
      }
    }
    const std::vector<ConfiguredPrice> prices = {price_of("m-new", "0.001", "0.002")};
    {
      Engine engine = engine_of(site, prices);
      const auto first = engine.admin().reprice({});
      ASSERT_TRUE(first) << first.error().message;
      EXPECT_EQ(first->changed, 3);
      EXPECT_EQ(engine.tenant("acme").usages().sum()->total_cost.text(), "0.006");
      EXPECT_EQ(engine.admin().reprice({})->changed, 0);
    }
    Engine engine = engine_of(site, prices);
    const auto again = engine.admin().reprice({.which = Which::all});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->changed, 0);
    EXPECT_EQ(engine.tenant("acme").usages().sum()->total_cost.text(), "0.006");
    EXPECT_EQ(site.store->usages({.tenant = TenantId{"acme"}}, "", 100)->records.size(), 6U)
        << "three calls, three corrections";
  });
}

// A book whose one model costs `price` nano-usd a token, as a document of our format.
store::PriceBookRow book_of(const char* version, Instant from, std::string_view price) {
  store::PriceBookRow book{.version = version, .effective_from = from};
  book.document = R"({"format": "aimeter-prices/1", "version": ")" + book.version +
                  R"(", "effective_from": ")" + text_of(from) +
                  R"(", "currency": "usd", "providers": [{"id": "openai", "models": [)"
                  R"({"id": "m-known", "rows": [{"prices": {"input": ")" +
                  std::string(price) + R"(/1000000000", "output": ")" + std::string(price) +
                  R"(/1000000000"}}]}]}]})";
  return book;
}

// The mode, the plan and its limits, the price book and the period may change while a call runs: it
// is settled as it was held, in its process or by its token, and the change acts on the next hold.
TEST(Named, pins_survive_mode_plan_rate_and_period_change) {
  on_every_store([](Site& site) {
    const auto change = [&](store::ChangeBody body) {
      const auto changed = site.store->change({std::move(body), "test"});
      ASSERT_TRUE(changed) << changed.error().message;
    };
    change(store::PutPrices{book_of("v1", kMarch.start, "1000")});
    std::optional<Engine> engine = engine_of(site, {});
    subscribe(*engine, "small", Tokens{1'000}, std::nullopt);
    const auto hold = [&] {
      return engine->meter()
          .for_tenant("acme")
          .using_provider("openai", "m-known")
          .expecting({.tokens = Tokens{100}})
          .hold();
    };
    const Instant before = site.clock.now();
    auto running = hold();
    ASSERT_TRUE(running) << running.error().message;
    auto detached = hold();
    ASSERT_TRUE(detached) << detached.error().message;
    const auto token = detached->detach();
    ASSERT_TRUE(token) << token.error().message;
    const Instant after = site.clock.now();

    Plan smaller = **site.store->find_plan({}, "small");
    const std::int64_t version = smaller.version;
    smaller.monthly_token_limit = Tokens{10};
    change(store::PutPlan{smaller});
    change(store::PutPlan{{.name = "other", .slug = "other", .monthly_token_limit = Tokens{5}}});
    Subscription subscription = site.store->subscriptions(TenantId{"acme"})->at(0).second;
    subscription.plan = "other";
    subscription.billing_mode = BillingMode::credits;
    change(store::PutSubscription{TenantId{"acme"}, subscription});
    change(store::PutPrices{book_of("v2", kMarch.start + std::chrono::hours(1), "9000")});
    site.clock.advance(kMarch.end - site.clock.now() + std::chrono::hours(1));
    site.workers.run_until_idle();
    ASSERT_FALSE(hold()) << "the change acts on the next hold";

    const Usage usage{.input_tokens = {60}, .output_tokens = {40}};
    const auto here = running->settle(usage);
    ASSERT_TRUE(here) << here.error().message;
    engine = engine_of(site, {});  // another process: it knows the new book only by the store
    const auto elsewhere = engine->settle(token->text, usage);
    ASSERT_TRUE(elsewhere) << elsewhere.error().message;
    ASSERT_TRUE(engine->drain());
    for (const std::int64_t id : {here->record.id, elsewhere->record.id}) {
      SCOPED_TRACE(id);
      const auto row = site.store->settlement(id, std::nullopt).value();
      ASSERT_TRUE(row);
      EXPECT_GE(row->occurred_at, before);
      EXPECT_LE(row->occurred_at, after) << "when it was held";
      EXPECT_EQ(row->pins.plan_slug, "small");
      EXPECT_EQ(row->pins.plan_version, version);
      EXPECT_EQ(row->pins.mode, BillingMode::plan);
      EXPECT_EQ(row->pins.period, kMarch);
      EXPECT_EQ(row->pins.price_version, "v1");
      EXPECT_EQ(row->total_cost.nanos, 100'000) << "100 tokens at the old price";
      EXPECT_EQ(row->budgets.at(0).limit, 1'000);
      EXPECT_EQ(row->budgets.at(0).key.span, kMarch);
    }
    const Account account{{"acme"}, kWho};
    EXPECT_EQ(site.state(tokens_of(account)).used, 200) << "in the period of their calls";
  });
}

}  // namespace
}  // namespace aimeter::named
