#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aimeter/pricing.h"

namespace aimeter {
namespace {

using ::testing::HasSubstr;

Instant at(std::string_view text) { return *parse_instant("at", text); }

// One model "m" of provider "p" at `price` per million tokens, in and out.
PriceBook::Ref book(const std::string& version, const std::string& from, const std::string& price) {
  const std::string text = R"({"format": "aimeter-prices/1", "version": ")" + version +
                           R"(", "effective_from": ")" + from +
                           R"(", "providers": [{"id": "p", "models": [{"id": "m", "rows": [)" +
                           R"({"prices": {"input": ")" + price + R"(/1000000", "output": ")" +
                           price + R"(/1000000"}}]}]}]})";
  return PriceBook::import(text, {.format = BookFormat::aimeter})->book;
}

Prices::Options three_versions() {
  return {.books = {book("b", "2026-02-01", "2"), book("c", "2026-03-01", "4"),
                    book("a", "2026-01-01", "1")}};
}

Usage tokens(std::int64_t input, std::int64_t output) {
  Usage usage;
  usage.input_tokens.count = input;
  usage.output_tokens.count = output;
  return usage;
}

ConfiguredPrice configured(std::string provider, std::string model) {
  ConfiguredPrice price = *ConfiguredPrice::parse("f", "0.0025", "0.010");
  price.provider = std::move(provider);
  price.model = std::move(model);
  return price;
}

TEST(Prices, a_usage_is_priced_by_the_version_in_force_when_it_occurred) {
  const Prices prices(three_versions());
  struct Row {
    const char* sentence;
    const char* at;
    const char* version;
    const char* total;
  };
  constexpr Row kRows[] = {
      {"the day it begins", "2026-01-01T00:00:00Z", "a", "0.001"},
      {"the last moment before the next", "2026-01-31T23:59:59.999999Z", "a", "0.001"},
      {"the first moment of the next", "2026-02-01T00:00:00Z", "b", "0.002"},
      {"the newest holds on", "2030-01-01T00:00:00Z", "c", "0.004"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const auto cost =
        prices.cost({.provider = "p", .model = "m", .at = at(row.at)}, tokens(1'000, 0));
    EXPECT_EQ(cost->price_version, row.version);
    EXPECT_EQ(cost->total.text(), row.total);
    EXPECT_EQ(cost->source, CostSource::book);
    EXPECT_EQ(prices.in_force(at(row.at))->version(), row.version);
  }
}

TEST(Prices, before_the_first_version_the_shipped_book_holds) {
  const Prices prices({.books = {book("next", "2026-09-01", "1")}});
  const auto version = [&](std::string_view when) { return prices.in_force(at(when))->version(); };
  EXPECT_EQ(version("2026-08-31T23:59:59Z"), PriceBook::shipped()->version());
  EXPECT_EQ(version("2026-09-01T00:00:00Z"), "next");
  EXPECT_EQ(
      Prices({.books = {book("always", "1970-01-01", "1")}}).in_force(at("2026-01-01"))->version(),
      "always");
}

TEST(Prices, a_pinned_version_prices_whatever_is_in_force) {
  const Prices prices(three_versions());
  const PriceQuery query{.provider = "p", .model = "m", .at = at("2026-03-05")};
  EXPECT_EQ(prices.cost(query, tokens(1'000, 0), "a")->total.text(), "0.001");
  EXPECT_EQ(prices.upper_bound(query, {.input_tokens = 1'000}, "b")->text(), "0.002");
  const auto unknown = prices.cost(query, tokens(1, 0), "z");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, Code::invalid_argument);
  EXPECT_THAT(unknown.error().message, HasSubstr("price_version: \"z\""));
  EXPECT_EQ(prices.find_version("z"), nullptr);
}

TEST(Prices, without_books_the_shipped_one_is_in_force) {
  const Prices prices({});
  const auto cost = prices.cost({.provider = "openai", .model = "gpt-4o-mini"}, tokens(10, 20));
  EXPECT_EQ(cost->total.text(), "0.0000135");
  EXPECT_EQ(cost->total_cost, 0.0000135_usd);
  EXPECT_EQ(cost->price_version, PriceBook::shipped()->version());
}

TEST(Prices, a_configured_price_wins_over_the_book_for_every_part) {
  Prices::Options options = three_versions();
  options.configured = {configured("p", "m"), configured("trace", "fixed")};
  const Prices prices(std::move(options));
  Usage usage = tokens(1'000, 100);
  usage.cached_input_tokens.count = 400;
  usage.reasoning_tokens.count = 50;
  for (const auto& [provider, model] : {std::pair{"p", "m"}, {"trace", "fixed"}}) {
    SCOPED_TRACE(provider);
    const auto cost = prices.cost({.provider = provider, .model = model}, usage);
    EXPECT_EQ(cost->total.text(), "0.0035");  // 1000 x 0.0025 / 1000 + 100 x 0.010 / 1000
    EXPECT_EQ(cost->source, CostSource::configuration);
    EXPECT_EQ(cost->price_version, "configuration");
    EXPECT_EQ(cost->outcome, CostOutcome::priced);
  }
  // A pin to the configuration finds it again; another model of the provider is the book's.
  EXPECT_EQ(
      prices.cost({.provider = "p", .model = "m", .at = at("2026-01-05")}, usage, "configuration")
          ->total.text(),
      "0.0035");
  EXPECT_EQ(prices
                .upper_bound({.provider = "p", .model = "m", .at = at("2026-01-05")},
                             {.input_tokens = 1'000})
                ->text(),
            "0.0025");
  usage.units["images"] = 1;
  const auto images = prices.cost({.provider = "p", .model = "m", .at = at("2026-01-05")}, usage);
  EXPECT_EQ(images->outcome, CostOutcome::partial);  // two prices say nothing of images
}

TEST(Prices, a_configured_price_is_checked_and_named) {
  struct Row {
    const char* input;
    const char* output;
    const char* field;
  };
  for (const Row& row : {Row{"-1", "1", "providers.p.models.m.input_price_per_1k: \"-1\""},
                         Row{"1", "free", "providers.p.models.m.output_price_per_1k: \"free\""},
                         Row{"1e400", "1", "providers.p.models.m.input_price_per_1k: \"1e400\""},
                         Row{"", "1", "providers.p.models.m.input_price_per_1k: \"\""}}) {
    const auto price = ConfiguredPrice::parse("providers.p.models.m", row.input, row.output);
    ASSERT_FALSE(price.has_value());
    EXPECT_EQ(price.error().code, Code::invalid_argument);
    EXPECT_THAT(price.error().message, HasSubstr(row.field));
  }
}

TEST(Prices, an_unknown_model_is_an_outcome_unless_a_default_price_is_set) {
  const Prices without(three_versions());
  const PriceQuery query{.provider = "x", .model = "y"};
  EXPECT_EQ(without.cost(query, tokens(1'000, 0))->outcome, CostOutcome::unknown_model);
  EXPECT_FALSE(without.can_price(query));
  EXPECT_TRUE(without.can_price({.provider = "p", .model = "m", .at = at("2026-01-05")}));
  EXPECT_EQ(without.upper_bound(query, {.input_tokens = 1}).error().code, Code::not_found);

  Prices::Options options = three_versions();
  options.default_price = configured("", "");
  const Prices with(std::move(options));
  const auto cost = with.cost(query, tokens(1'000, 0));
  EXPECT_EQ(cost->outcome, CostOutcome::priced);
  EXPECT_EQ(cost->total.text(), "0.0025");
  EXPECT_EQ(cost->price_version, "default_price");
  EXPECT_EQ(cost->source, CostSource::configuration);
  EXPECT_TRUE(with.can_price(query));
  EXPECT_EQ(with.upper_bound(query, {.input_tokens = 1'000})->text(), "0.0025");
  EXPECT_EQ(with.cost({.provider = "p", .model = "m", .at = at("2026-01-05")}, tokens(1'000, 0))
                ->total.text(),
            "0.001");
}

TEST(Prices, without_a_model_the_providers_dearest_stands_in) {
  Prices::Options options = three_versions();
  options.configured = {configured("p", "dear")};
  const Prices prices(std::move(options));
  EXPECT_EQ(prices.upper_bound({.provider = "p"}, {.input_tokens = 1'000})->text(), "0.0025");
  const auto nobody = prices.upper_bound({.provider = "nobody"}, {.input_tokens = 1'000});
  ASSERT_FALSE(nobody.has_value());
  EXPECT_EQ(nobody.error().code, Code::not_found);
  EXPECT_THAT(nobody.error().message, HasSubstr("provider \"nobody\""));
}

TEST(Prices, a_result_outlives_the_prices_it_came_from) {
  CostResult cost;
  {
    Prices::Options options = three_versions();
    options.default_price = configured("", "");
    const Prices prices(std::move(options));
    cost = *prices.cost({.provider = "p", .model = "m", .at = at("2026-01-05")}, tokens(1'000, 0));
  }
  EXPECT_EQ(cost.model, "m");
  EXPECT_EQ(cost.price_version, "a");
}

TEST(Prices, a_usage_of_nothing_costs_nothing_by_the_book_that_prices_it) {
  const Prices prices(three_versions());
  const auto cost = prices.cost({.provider = "p", .model = "m", .at = at("2026-01-05")}, {});
  EXPECT_EQ(cost->outcome, CostOutcome::priced);
  EXPECT_EQ(cost->model, "m");
  EXPECT_EQ(cost->price_version, "a");
  EXPECT_EQ(cost->total.text(), "0");
}

TEST(Prices, names_of_the_choices) {
  EXPECT_EQ(*parse_unknown_model("f", "provisional"), UnknownModel::provisional);
  EXPECT_EQ(*parse_unknown_model("f", "refuse"), UnknownModel::refuse);
  EXPECT_EQ(*parse_unknown_model("f", "default_price"), UnknownModel::default_price);
  EXPECT_EQ(parse_unknown_model("pricing.unknown_model", "free").error().message,
            "pricing.unknown_model: \"free\" is not accepted; expected provisional, refuse or "
            "default_price");
  EXPECT_EQ(name_of(CostOutcome::partial), "partial");
  EXPECT_EQ(name_of(CostSource::configuration), "configuration");
}

}  // namespace
}  // namespace aimeter
