#include "pricing/cost.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "aimeter/pricing.h"

namespace aimeter {
namespace {

constexpr std::int64_t kMax64 = std::numeric_limits<std::int64_t>::max();

constexpr std::string_view kBook = R"({"format": "aimeter-prices/1", "version": "test-1",
 "sources": {"s": {"name": "made up", "date": "2026-08-21"}},
 "providers": [
  {"id": "acme", "aliases": ["acme-ai"], "match": {"contains": "acme"}, "fallback": ["base"],
   "models": [
    {"id": "chat", "match": {"or": [{"equals": "chat"}, {"starts_with": "chat-"}]}, "source": "s",
     "at_parent": "all", "rows": [{"prices": {"input": "2/1000000", "cached_input": "0.5/1000000",
      "output": "10/1000000"}}]},
    {"id": "strict", "rows": [{"prices": {"input": "2/1000000", "output": "10/1000000"}}]},
    {"id": "tools", "at_parent": "all", "rows": [{"prices": {"input": "1/1000000",
      "output": "1/1000000", "searches": "10/1000", "requests": "0.01"}}]},
    {"id": "later", "rows": [{"from": "2026-09-01", "prices": {"input": "1"}}]},
    {"id": "embed", "at_parent": "all", "rows": [{"prices": {"input": "0.1/1000000"}}]},
    {"id": "tiny", "rows": [{"prices": {"input": "0.0005/1000000", "output": "0.0005/1000000"}}]},
    {"id": "by-hour", "rows": [{"prices": {"seconds": "0.36/3600"}}]},
    {"id": "dear", "at_parent": "all", "rows": [
      {"prices": {"input": "3/1000000", "cache_write_1h": "6/1000000", "output": "15/1000000"},
       "tiers": [{"above": 200000, "prices": {"input": "6/1000000", "output": "22.5/1000000"}}]},
      {"service_tier": "priority", "prices": {"input": "5/1000000", "output": "30/1000000"}},
      {"service_tier": "batch", "prices": {"input": "1.5/1000000", "output": "7.5/1000000"}}]}]},
  {"id": "base", "models": [
    {"id": "old", "rows": [{"prices": {"input": "7", "output": "7"}}]}]}]})";

PriceBook::Ref book() {
  static const PriceBook::Ref read = [] {
    const auto imported = PriceBook::import(kBook, {.format = BookFormat::aimeter});
    EXPECT_TRUE(imported.has_value()) << imported.error().message;
    return imported->book;
  }();
  return read;
}

Instant at(std::string_view text) { return *parse_instant("at", text); }

Usage tokens(std::int64_t input, std::int64_t output) {
  Usage usage;
  usage.input_tokens.count = input;
  usage.output_tokens.count = output;
  return usage;
}

TEST(Cost, splits_a_usage_into_parts_that_do_not_overlap) {
  Usage usage = tokens(1'000, 500);
  usage.cached_input_tokens.count = 300;
  usage.cached_input_audio_tokens.count = 50;
  usage.input_audio_tokens.count = 120;
  usage.cache_write_tokens.count = 200;
  usage.cache_write_5m_tokens.count = 60;
  usage.cache_write_1h_tokens.count = 40;
  usage.reasoning_tokens.count = 200;
  usage.output_audio_tokens.count = 10;
  usage.units = {{"images", 2}, {"output_image_tokens", 90}, {"hugs", 3}, {"pages", 0}};
  const auto parts = pricing::split(usage);
  ASSERT_TRUE(parts.has_value());
  using pricing::Kind;
  struct Row {
    const char* sentence;
    Kind kind;
    std::int64_t count;
  };
  const Row rows[] = {
      {"what is neither cached, written nor audio", Kind::input, 1'000 - 300 - 200 - 70},
      {"cached text", Kind::cached_input, 250},
      {"cached audio is cached and audio, counted once", Kind::cached_input_audio, 50},
      {"audio that was not cached", Kind::input_audio, 70},
      {"writes of five minutes", Kind::cache_write_5m, 60},
      {"writes of an hour", Kind::cache_write_1h, 40},
      {"writes of unknown term", Kind::cache_write, 100},
      {"plain output", Kind::output, 500 - 200 - 10 - 90},
      {"thinking", Kind::reasoning, 200},
      {"speech", Kind::output_audio, 10},
      {"a unit that is a part of the output", Kind::output_image, 90},
      {"a count", Kind::images, 2},
      {"a count of 0 is none", Kind::pages, 0},
  };
  std::int64_t tokens_sum = 0;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(parts->of.at(static_cast<std::size_t>(row.kind)), row.count);
    if (pricing::card_of(row.kind).tokens) tokens_sum += row.count;
  }
  EXPECT_EQ(tokens_sum, 1'500);
  ASSERT_EQ(parts->unknown_units.size(), 1U);
  EXPECT_EQ(parts->unknown_units[0].kind, "hugs");
}

TEST(Cost, refuses_counts_that_contradict_themselves_and_names_the_field) {
  struct Row {
    const char* sentence;
    void (*break_it)(Usage&);
    const char* field;
  };
  const Row rows[] = {
      {"negative input", [](Usage& u) { u.input_tokens.count = -1; }, "input_tokens"},
      {"negative unit", [](Usage& u) { u.units["images"] = -2; }, "units.images"},
      {"cached above input", [](Usage& u) { u.cached_input_tokens.count = 101; },
       "cached_input_tokens"},
      {"cached and written above input",
       [](Usage& u) { u.cached_input_tokens.count = u.cache_write_tokens.count = 60; },
       "cache_write_tokens"},
      {"reasoning above output", [](Usage& u) { u.reasoning_tokens.count = 51; },
       "reasoning_tokens"},
      {"audio and reasoning above output",
       [](Usage& u) { u.reasoning_tokens.count = u.output_audio_tokens.count = 26; },
       "output_audio_tokens"},
      {"cached audio above cached",
       [](Usage& u) {
         u.cached_input_tokens.count = 1;
         u.cached_input_audio_tokens.count = 2;
       },
       "cached_input_audio_tokens"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    Usage usage = tokens(100, 50);
    row.break_it(usage);
    const auto cost = book()->cost({.provider = "acme", .model = "chat"}, usage);
    ASSERT_FALSE(cost.has_value());
    EXPECT_EQ(cost.error().code, Code::invalid_argument);
    EXPECT_EQ(cost.error().message.find(row.field), 0U) << cost.error().message;
  }
}

TEST(Cost, shows_its_arithmetic_part_by_part) {
  Usage usage = tokens(1'000, 300);
  usage.cached_input_tokens.count = 400;
  usage.reasoning_tokens.count = 100;
  const auto cost = book()->cost({.provider = "acme", .model = "chat-2026"}, usage);
  ASSERT_TRUE(cost.has_value());
  EXPECT_EQ(cost->outcome, CostOutcome::priced);
  EXPECT_FALSE(cost->provisional());
  EXPECT_EQ(cost->provider, "acme");
  EXPECT_EQ(cost->model, "chat");
  EXPECT_EQ(cost->price_version, "test-1");
  EXPECT_EQ(cost->currency, "usd");
  ASSERT_EQ(cost->parts.size(), 4U);
  EXPECT_EQ(cost->parts[0].kind, "input");
  EXPECT_EQ(cost->parts[0].quantity, 600);
  EXPECT_EQ(cost->parts[0].unit_price.text(), "2");
  EXPECT_EQ(cost->parts[0].per, 1'000'000);
  EXPECT_EQ(cost->parts[0].cost.text(), "0.0012");
  EXPECT_EQ(cost->parts[1].kind, "cached_input");
  EXPECT_EQ(cost->parts[1].cost.text(), "0.0002");
  EXPECT_EQ(cost->parts[3].kind, "reasoning");
  EXPECT_EQ(cost->parts[3].priced_as, "output");
  EXPECT_EQ(cost->input.text(), "0.0014");
  EXPECT_EQ(cost->output.text(), "0.003");
  EXPECT_EQ(cost->total.text(), "0.0044");
  EXPECT_EQ(cost->total_cost, 0.0044_usd);
}

TEST(Cost, is_rounded_once_half_even_to_nanos) {
  const auto nanos = [](std::int64_t input, std::int64_t output) {
    return book()
        ->cost({.provider = "acme", .model = "tiny"}, tokens(input, output))
        ->total_cost.nanos;
  };
  EXPECT_EQ(nanos(1, 0), 0);  // 0.5 nano: to the even 0
  EXPECT_EQ(nanos(3, 0), 2);  // 1.5: to the even 2
  EXPECT_EQ(nanos(5, 0), 2);  // 2.5: to the even 2
  EXPECT_EQ(nanos(1, 1), 1);  // 0.5 + 0.5 is 1: the sum is rounded, not its parts
  Usage usage;
  usage.units["seconds"] = 1;
  const auto second = book()->cost({.provider = "acme", .model = "by-hour"}, usage);
  EXPECT_EQ(second->total.text(), "0.0001");  // 1 x 0.36 / 3600
}

TEST(Cost, a_part_without_a_price_is_told_and_never_free) {
  Usage usage = tokens(100, 50);
  usage.reasoning_tokens.count = 20;
  usage.units["images"] = 1;
  const auto cost = book()->cost({.provider = "acme", .model = "strict"}, usage);
  ASSERT_TRUE(cost.has_value());
  EXPECT_EQ(cost->outcome, CostOutcome::partial);
  EXPECT_TRUE(cost->provisional());
  ASSERT_EQ(cost->unpriced.size(), 2U);
  EXPECT_EQ(cost->unpriced[0].kind, "reasoning");
  EXPECT_EQ(cost->unpriced[0].quantity, 20);
  EXPECT_EQ(cost->unpriced[1].kind, "images");
  // The known parts: 100 x 2e-6 + 30 x 10e-6.
  EXPECT_EQ(cost->total.text(), "0.0005");
}

TEST(Cost, an_unknown_model_is_an_outcome_with_every_part_listed) {
  for (const auto& [provider, model] : {std::pair{"acme", "nobody"},
                                        {"nobody", "chat"},
                                        {"", ""},
                                        {"acme", ""},
                                        {"acme", "later"}}) {
    SCOPED_TRACE(std::string(provider) + "/" + model);
    const auto cost = book()->cost(
        {.provider = provider, .model = model, .at = at("2026-08-31T23:59:59Z")}, tokens(3, 4));
    ASSERT_TRUE(cost.has_value());
    EXPECT_EQ(cost->outcome, CostOutcome::unknown_model);
    EXPECT_EQ(cost->unpriced.size(), 2U);
    EXPECT_TRUE(cost->model.empty());
    EXPECT_TRUE(cost->total.is_zero());
  }
  const auto unused = book()->cost({.provider = "acme", .model = "nobody"}, tokens(0, 0));
  EXPECT_EQ(unused->outcome, CostOutcome::unknown_model);  // also when nothing was used
  const auto nothing = book()->resolve("acme", "nobody");
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().code, Code::not_found);
  EXPECT_EQ(nothing.error().message, "no price for model \"nobody\" of provider \"acme\"");
}

TEST(Cost, an_unknown_service_tier_takes_the_default_prices_and_says_so) {
  const auto cost = [](std::string_view tier) {
    return *book()->cost({.provider = "acme", .model = "dear", .service_tier = tier},
                         tokens(1'000'000 / 10, 0));
  };
  EXPECT_EQ(cost("").total.text(), "0.3");
  EXPECT_EQ(cost("batch").total.text(), "0.15");
  EXPECT_EQ(cost("PRIORITY").total.text(), "0.5");
  for (const char* tier : {"default", "standard", "auto", "ON_DEMAND"}) {
    EXPECT_EQ(cost(tier).outcome, CostOutcome::priced);
    EXPECT_EQ(cost(tier).total.text(), "0.3");
  }
  const CostResult flex = cost("flex");
  EXPECT_EQ(flex.total.text(), "0.3");
  EXPECT_EQ(flex.outcome, CostOutcome::partial);
  EXPECT_TRUE(flex.default_tier);
  EXPECT_TRUE(flex.unpriced.empty());
}

TEST(Cost, the_usages_tier_counts_unless_the_question_names_one) {
  Usage usage = tokens(100'000, 0);
  usage.service_tier = "batch";
  EXPECT_EQ(book()->cost({.provider = "acme", .model = "dear"}, usage)->total.text(), "0.15");
  EXPECT_EQ(book()
                ->cost({.provider = "acme", .model = "dear", .service_tier = "priority"}, usage)
                ->total.text(),
            "0.5");
}

TEST(Cost, only_a_total_is_half_input_half_output_and_the_odd_token_output) {
  Usage usage;
  usage.total_only = true;
  usage.total_tokens.count = 101;
  const auto cost = book()->cost({.provider = "acme", .model = "chat"}, usage);
  EXPECT_EQ(cost->input.text(), "0.0001");    // 50 x 2e-6
  EXPECT_EQ(cost->output.text(), "0.00051");  // 51 x 10e-6
}

TEST(Cost, given_costs_are_kept) {
  Usage usage = tokens(100, 50);
  usage.total_cost = 0.5_usd;
  const auto whole = book()->cost({.provider = "nobody", .model = "x"}, usage);
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->outcome, CostOutcome::priced);
  EXPECT_EQ(whole->source, CostSource::caller);
  EXPECT_EQ(whole->total_cost, 0.5_usd);
  EXPECT_TRUE(whole->parts.empty());

  usage.total_cost.reset();
  usage.input_cost = 0.25_usd;
  const auto half = book()->cost({.provider = "acme", .model = "chat"}, usage);
  EXPECT_EQ(half->total.text(), "0.2505");  // given 0.25 + 50 x 10e-6
  EXPECT_EQ(half->source, CostSource::caller);

  usage.output_cost = 0.125_usd;
  const auto both = book()->cost({.provider = "nobody", .model = "x"}, usage);
  EXPECT_EQ(both->outcome, CostOutcome::priced);
  EXPECT_EQ(both->total_cost, 0.375_usd);

  usage.output_cost = Money{1, "eur"};
  const auto mixed = book()->cost({.provider = "acme", .model = "chat"}, usage);
  ASSERT_FALSE(mixed.has_value());
  EXPECT_EQ(mixed.error().message.find("currency: \"eur\""), 0U);
}

TEST(Cost, a_price_per_request_is_charged_once_per_call) {
  const auto one = book()->cost({.provider = "acme", .model = "tools"}, tokens(1'000, 0));
  EXPECT_EQ(one->total.text(), "0.011");  // 1000 x 1e-6 + 1 x 0.01
  EXPECT_EQ(one->input.text(), "0.001");  // a request has no direction
  Usage usage = tokens(0, 0);
  usage.units = {{"requests", 3}, {"searches", 2}};
  const auto three = book()->cost({.provider = "acme", .model = "tools"}, usage);
  EXPECT_EQ(three->total.text(), "0.05");  // 3 x 0.01 + 2 x 10 / 1000
}

TEST(Cost, numbers_at_the_edge_are_exact_or_refused) {
  const auto most = book()->cost({.provider = "acme", .model = "chat"}, tokens(kMax64 / 10'000, 0));
  EXPECT_EQ(most->total.text(), "1844674407.370954");
  const auto more = book()->cost({.provider = "acme", .model = "chat"}, tokens(kMax64, 0));
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error().code, Code::invalid_argument);
  EXPECT_NE(more.error().message.find("an amount between"), std::string::npos);
}

TEST(Lookup, provider_names_aliases_rules_and_fallbacks) {
  struct Row {
    const char* sentence;
    const char* provider;
    const char* model;
    const char* found;  // empty: nothing
  };
  constexpr Row kRows[] = {
      {"by id", "acme", "chat", "chat"},
      {"a provider in upper case", "ACME", "chat", "chat"},
      {"by alias", "acme-ai", "chat", "chat"},
      {"by rule", "the-acme-cloud", "chat-x", "chat"},
      {"a model is compared byte by byte", "acme", "CHAT", ""},
      {"from the fallback", "acme", "old", "old"},
      {"a fallback goes one way", "base", "chat", ""},
      {"equals means all of it", "acme", "strict ", ""},
      {"an unknown provider", "other", "chat", ""},
  };
  for (int round = 0; round < 2; ++round) {  // the second one is answered from memory
    for (const Row& row : kRows) {
      SCOPED_TRACE(row.sentence);
      EXPECT_EQ(book()->resolve(row.provider, row.model).value_or(""), row.found);
    }
  }
}

TEST(Lookup, hostile_names_cost_nothing_and_match_nothing) {
  const std::string longest(191, 'c');
  const std::string too_long = "chat-" + std::string(1'000'000, 'x');
  EXPECT_FALSE(book()->resolve("acme", too_long).has_value());
  EXPECT_FALSE(book()->resolve(too_long, "chat").has_value());
  EXPECT_FALSE(book()->resolve("acme", longest).has_value());
  EXPECT_EQ(book()->resolve("acme", "chat-" + std::string(186, 'x')).value_or(""), "chat");
  EXPECT_FALSE(book()->resolve("acme", "chat-" + std::string(187, 'x')).has_value());
  EXPECT_FALSE(book()->resolve("acme", std::string("chat\0", 5)).has_value());
  EXPECT_EQ(book()->resolve("acme", std::string("chat-\0\n", 7)).value_or(""), "chat");
}

TEST(Lookup, may_be_asked_from_any_thread) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&wrong, thread] {
      for (int i = 0; i < 2'000; ++i) {
        const std::string name = "chat-" + std::to_string(thread * 1'000 + i);
        if (book()->resolve("acme", name).value_or("") != "chat") ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(UpperBound, takes_the_dearest_price_that_may_apply_and_rounds_up) {
  struct Row {
    const char* sentence;
    const char* model;
    const char* tier;
    std::int64_t input, output;
    const char* money;
  };
  constexpr Row kRows[] = {
      {"the dearest row: priority 1000 x 5e-6 + 1000 x 30e-6, default 1000 x 6e-6 + 1000 x 15e-6",
       "dear", "", 1'000, 1'000, "0.035"},
      {"a named tier or the default one", "dear", "batch", 1'000, 1'000, "0.021"},
      {"a context tier that can be reached", "dear", "batch", 200'001, 0, "1.200006"},
      {"a context tier that cannot", "dear", "batch", 200'000, 10, "1.20015"},
      {"one price bounds the other direction", "embed", "", 0, 10, "0.000001"},
      {"a request costs as well", "tools", "", 1, 0, "0.010001"},
      {"no tokens", "chat", "", 0, 0, "0"},
      {"a cheap token", "chat", "", 1, 0, "0.000002"},
      {"half a nano-unit is rounded up to one", "tiny", "", 1, 0, "0.000000001"},
      {"one and a half to two", "tiny", "", 3, 0, "0.000000002"},
      {"the provider's dearest, its fallback included", "", "", 1, 0, "7"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const auto bound =
        book()->upper_bound({.provider = "acme", .model = row.model, .service_tier = row.tier},
                            {.input_tokens = row.input, .output_tokens = row.output});
    ASSERT_TRUE(bound.has_value()) << bound.error().message;
    EXPECT_EQ(bound->text(), row.money);
  }
}

TEST(UpperBound, says_what_it_cannot_price) {
  const auto unknown = book()->upper_bound({.provider = "acme", .model = "nobody"}, {});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, Code::not_found);
  const auto unit = book()->upper_bound({.provider = "acme", .model = "chat"},
                                        {.input_tokens = 1, .units = {{"images", 1}}});
  ASSERT_FALSE(unit.has_value());
  EXPECT_EQ(unit.error().message, "no price for images of model \"chat\"");
  const auto early = book()->upper_bound(
      {.provider = "acme", .model = "later", .at = at("2026-08-31")}, {.input_tokens = 1});
  ASSERT_FALSE(early.has_value());
  EXPECT_EQ(early.error().code, Code::not_found);
  const auto negative =
      book()->upper_bound({.provider = "acme", .model = "chat"}, {.input_tokens = -1});
  ASSERT_FALSE(negative.has_value());
  EXPECT_EQ(negative.error().code, Code::invalid_argument);
}

TEST(UpperBound, is_never_below_the_cost) {
  for (const char* tier : {"", "batch", "priority"}) {
    for (const std::int64_t input : {1, 1'000, 200'000, 200'001, 900'000}) {
      Usage usage = tokens(input, 777);
      usage.cache_write_1h_tokens.count = input / 2;
      usage.cache_write_tokens.count = input / 2;
      const PriceQuery query{.provider = "acme", .model = "dear", .service_tier = tier};
      const auto cost = book()->cost(query, usage);
      const auto bound = book()->upper_bound(query, {.input_tokens = input, .output_tokens = 777});
      ASSERT_TRUE(cost && bound);
      EXPECT_GE(bound->nanos, cost->total_cost.nanos) << tier << " " << input;
    }
  }
}

}  // namespace
}  // namespace aimeter
