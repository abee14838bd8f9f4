#include "pricing/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "aimeter/pricing.h"
#include "pricing/book.h"
#include "pricing/most.h"

namespace aimeter {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kGenai = R"([
 {"id": "acme", "name": "Acme", "provider_match": {"contains": "acme"},
  "fallback_model_providers": ["other"], "models": [
   {"id": "chat", "match": {"or": [{"equals": "chat"}, {"regex": "^chat-\\d{4}$"}]},
    "context_window": 1000,
    "prices": [
     {"constraint": {"start_date": "2020-01-01"},
      "prices": {"input_mtok": {"base": 3, "tiers": [{"start": 128000, "price": 6},
                                                     {"start": 256000, "price": 9}]},
                 "output_mtok": {"base": 15, "tiers": [{"start": 256000, "price": 20}]},
                 "cache_write_1h_mtok": 6, "web_searches_kcount": 10}},
     {"constraint": {"start_date": "2026-05-01"}, "prices": {"input_mtok": 1.2345678901234567e-05}},
     {"constraint": {"start_time": "22:00:00Z", "end_time": "06:00:00Z"},
      "prices": {"input_mtok": 0.5}}]},
   {"id": "gift:free", "match": {"equals": "gift:free"}, "prices": {}},
   {"id": "unsaid", "match": {"equals": "unsaid"}, "prices": {}},
   {"id": "newer", "match": {"contains": "newer"}, "prices": {"input_mtok": 1, "smell_mtok": 2}},
   {"id": "rest", "match": {"starts_with": "n"}, "prices": {"input_mtok": 1}}]},
 {"id": "other", "models": [
   {"id": "o", "match": {"equals": "o"}, "prices": {"output_mtok": 2}}]}])";

constexpr std::string_view kLitellm = R"({
 "sample_spec": {"litellm_provider": "one of", "input_cost_per_token": 0.0},
 "gpt-x": {"litellm_provider": "openai", "mode": "chat", "source": "https://example.org/p",
  "input_cost_per_token": 2.9999999999999997e-06, "output_cost_per_token": 1.2e-05,
  "cache_read_input_token_cost": 3e-07, "input_cost_per_token_above_200k_tokens": 6e-06,
  "input_cost_per_token_priority": 5e-06, "output_cost_per_token_priority": 2e-05,
  "input_cost_per_token_batches": 1.5e-06, "output_cost_per_token_batches": 6e-06,
  "cache_creation_input_token_cost_above_1hr": 4e-06, "max_tokens": 1000.0,
  "search_context_cost_per_query": {"search_context_size_low": 0.01,
   "search_context_size_medium": 0.02, "search_context_size_high": 0.02}},
 "together_ai/meta/llama": {"litellm_provider": "together_ai", "mode": "chat",
  "input_cost_per_token": 1e-07, "output_cost_per_token": 1e-07},
 "bedrock/us/claude": {"litellm_provider": "bedrock_converse", "mode": "chat",
  "input_cost_per_token": 3e-06},
 "draw": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_pixel": 1.9e-08,
  "output_cost_per_pixel": 0.0},
 "paint": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.01,
  "output_cost_per_image": 0.04},
 "hear": {"litellm_provider": "openai", "mode": "audio_transcription",
  "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001},
 "speak": {"litellm_provider": "openai", "mode": "audio_speech",
  "input_cost_per_character": 1.5e-05},
 "tiers": {"litellm_provider": "dashscope", "mode": "chat", "tiered_pricing": [
  {"range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06},
  {"range": [32000.0, 128000.0], "input_cost_per_token": 3e-06, "output_cost_per_token": 4e-06}]},
 "film": {"litellm_provider": "vertex_ai-video-models", "mode": "video_generation",
  "input_cost_per_token": 1e-06, "input_cost_per_video_per_second": 0.0005,
  "input_cost_per_video_per_second_above_8s_interval": 0.001},
 "bare": {"litellm_provider": "openai", "mode": "chat"},
 "stray": {"mode": "chat", "input_cost_per_token": 1e-06}})";

ImportedBook read(std::string_view text, BookFormat format) {
  auto imported = PriceBook::import(text, {.format = format});
  EXPECT_TRUE(imported.has_value()) << imported.error().message;
  return *std::move(imported);
}

std::string total(const PriceBook& book, const PriceQuery& query, std::int64_t input,
                  std::int64_t output) {
  Usage usage;
  usage.input_tokens.count = input;
  usage.output_tokens.count = output;
  const auto cost = book.cost(query, usage);
  return cost ? cost->total.text() : cost.error().message;
}

TEST(GenaiPrices, tiers_dates_hours_and_rules_mean_what_the_format_says) {
  const ImportedBook imported = read(kGenai, BookFormat::genai_prices);
  EXPECT_EQ(imported.entries, 6);
  const auto chat = [&](std::string_view at, std::int64_t input, std::int64_t output) {
    return total(*imported.book,
                 {.provider = "acme", .model = "chat", .at = *parse_instant("at", at)}, input,
                 output);
  };
  EXPECT_EQ(chat("1999-01-01T12:00:00Z", 1'000, 0), "0.003");  // the first holds always
  EXPECT_EQ(chat("2026-04-30T12:00:00Z", 128'000, 1), "0.384015");
  EXPECT_EQ(chat("2026-04-30T12:00:00Z", 128'001, 1), "0.768021");
  EXPECT_EQ(chat("2026-04-30T12:00:00Z", 256'001, 1), "2.304029");
  EXPECT_EQ(chat("2026-05-01T12:00:00Z", 1, 0), "0.000000000012345678901234567");
  EXPECT_EQ(chat("2026-05-01T21:59:59Z", 1, 0), "0.000000000012345678901234567");
  EXPECT_EQ(chat("2026-05-01T22:00:00Z", 1, 0), "0.0000005");  // over midnight
  EXPECT_EQ(chat("2026-05-01T05:59:59Z", 1, 0), "0.0000005");
  EXPECT_EQ(chat("2026-05-01T06:00:00Z", 1, 0), "0.000000000012345678901234567");
  EXPECT_EQ(imported.book->resolve("my-acme", "chat-2026").value_or(""), "chat");
  EXPECT_EQ(imported.book->resolve("acme", "chat-20260").value_or(""), "");
  EXPECT_EQ(imported.book->resolve("acme", "o").value_or(""), "o");
}

TEST(GenaiPrices, the_context_window_is_the_most_of_one_call) {
  const ImportedBook imported = read(kGenai, BookFormat::genai_prices);
  const auto& models = imported.book->data().providers.at(0).models;
  EXPECT_EQ(models.at(0).max_tokens, 1'000);
  EXPECT_EQ(models.at(1).max_tokens, std::nullopt) << "unknown is not zero";
  const auto again = PriceBook::import(imported.book->to_document(), {});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->book->data().providers.at(0).models.at(0).max_tokens, 1'000);
}

TEST(Most, is_told_by_the_provider_that_is_named_else_by_those_it_falls_back_to) {
  constexpr std::string_view kBook =
      R"({"format": "aimeter-prices/1", "version": "v", "providers": [
   {"id": "host", "fallback": ["maker"], "models": [
    {"id": "own", "max_tokens": 100, "rows": []}, {"id": "unsaid", "rows": []}]},
   {"id": "maker", "aliases": ["made"], "models": [
    {"id": "own", "max_tokens": 7, "rows": []},
    {"id": "both", "match": {"starts_with": "both"}, "max_tokens": 300, "rows": []}]}]})";
  const ImportedBook imported = read(kBook, BookFormat::aimeter);
  const auto most = [&](std::string_view provider, std::string_view model) {
    return pricing::max_tokens(*imported.book, provider, model);
  };
  EXPECT_EQ(most("host", "own"), 100);
  EXPECT_EQ(most("maker", "own"), 7);
  EXPECT_EQ(most("made", "own"), 7);
  EXPECT_EQ(most("host", "both-2026"), 300);
  EXPECT_EQ(most("host", "unsaid"), std::nullopt);
  EXPECT_EQ(most("host", "other"), std::nullopt);
  EXPECT_EQ(most("host", ""), std::nullopt);
}

TEST(Litellm, both_sides_together_are_the_most_of_one_call) {
  constexpr std::string_view kSides = R"({
   "both": {"litellm_provider": "x", "input_cost_per_token": 1e-06, "max_input_tokens": 1000,
            "max_output_tokens": 200.0, "max_tokens": 200},
   "window": {"litellm_provider": "x", "input_cost_per_token": 1e-06, "max_input_tokens": 5000},
   "answer": {"litellm_provider": "x", "input_cost_per_token": 1e-06, "max_output_tokens": 200},
   "words": {"litellm_provider": "x", "input_cost_per_token": 1e-06, "max_input_tokens": "many"},
   "nothing": {"litellm_provider": "x", "input_cost_per_token": 1e-06}})";
  const ImportedBook imported = read(kSides, BookFormat::litellm);
  const auto& models = imported.book->data().providers.at(0).models;
  ASSERT_EQ(models.size(), 5U);
  EXPECT_EQ(models[0].max_tokens, 1'200);
  EXPECT_EQ(models[1].max_tokens, 5'000);
  for (std::size_t i = 2; i < 5; ++i) EXPECT_EQ(models[i].max_tokens, std::nullopt) << models[i].id;
}

TEST(GenaiPrices, an_empty_price_is_free_only_where_the_file_says_free) {
  const ImportedBook imported = read(kGenai, BookFormat::genai_prices);
  Usage usage;
  usage.input_tokens.count = 10;
  const auto gift = imported.book->cost({.provider = "acme", .model = "gift:free"}, usage);
  EXPECT_EQ(gift->outcome, CostOutcome::priced);
  const auto unsaid = imported.book->cost({.provider = "acme", .model = "unsaid"}, usage);
  EXPECT_EQ(unsaid->outcome, CostOutcome::partial);
  ASSERT_EQ(unsaid->unpriced.size(), 1U);
}

TEST(GenaiPrices, a_model_with_an_unknown_unit_is_listed_and_keeps_its_names) {
  const ImportedBook imported = read(kGenai, BookFormat::genai_prices);
  ASSERT_EQ(imported.skipped.size(), 1U);
  EXPECT_EQ(imported.skipped[0].entry, "acme/newer");
  EXPECT_THAT(imported.skipped[0].reason, HasSubstr("smell_mtok"));
  Usage usage;
  usage.input_tokens.count = 10;
  // Not priced by the next rule, which matches as well.
  const auto newer = imported.book->cost({.provider = "acme", .model = "newer"}, usage);
  EXPECT_EQ(newer->outcome, CostOutcome::unknown_model);
}

TEST(Litellm, every_entry_imports_or_is_listed_with_the_reason) {
  const ImportedBook imported = read(kLitellm, BookFormat::litellm);
  EXPECT_EQ(imported.entries, 12);
  EXPECT_EQ(imported.book->models(), 9U);
  std::vector<std::string> skipped;
  for (const SkippedEntry& entry : imported.skipped) {
    skipped.push_back(entry.entry + ": " + entry.reason);
  }
  EXPECT_EQ(skipped, (std::vector<std::string>{
                         "sample_spec: describes the format",
                         "film: not carried: input_cost_per_video_per_second_above_8s_interval",
                         "bare: has no price", "stray: names no provider"}));
}

TEST(Litellm, prices_tiers_and_service_tiers) {
  const PriceBook::Ref book = read(kLitellm, BookFormat::litellm).book;
  const auto cost = [&](std::string_view tier, std::int64_t input, std::int64_t output) {
    return total(*book, {.provider = "openai", .model = "gpt-x", .service_tier = tier}, input,
                 output);
  };
  EXPECT_EQ(cost("", 1, 0), "0.0000029999999999999997");
  EXPECT_EQ(cost("", 200'000, 1), "0.60001199999999994");
  EXPECT_EQ(cost("", 200'001, 0), "1.200006");
  EXPECT_EQ(cost("priority", 1'000, 1'000), "0.025");
  EXPECT_EQ(cost("batch", 1'000, 1'000), "0.0075");
  EXPECT_EQ(cost("batch", 200'001, 0), "1.200006");  // the file has one long price only
}

TEST(Litellm, providers_and_names_are_ours_and_theirs) {
  const PriceBook::Ref book = read(kLitellm, BookFormat::litellm).book;
  struct Row {
    const char* provider;
    const char* model;
    const char* found;
  };
  constexpr Row kRows[] = {
      {"together", "meta/llama", "meta/llama"},
      {"together_ai", "together_ai/meta/llama", "meta/llama"},
      {"aws", "us/claude", "us/claude"},
      {"bedrock_converse", "bedrock/us/claude", "us/claude"},
      {"vertex", "film", "film"},
      {"alibaba", "tiers", "tiers"},
      {"openai", "meta/llama", ""},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.model);
    EXPECT_EQ(book->resolve(row.provider, row.model).value_or(""), row.found);
  }
}

TEST(Litellm, the_one_price_of_a_unit_counts_whichever_side_it_is_filed_on) {
  const PriceBook::Ref book = read(kLitellm, BookFormat::litellm).book;
  const auto cost = [&](std::string_view model, const std::string& unit, std::int64_t count) {
    Usage usage;
    usage.units[unit] = count;
    const auto result = book->cost({.provider = "openai", .model = model}, usage);
    return result->outcome == CostOutcome::priced ? result->total.text() : "unpriced";
  };
  EXPECT_EQ(cost("draw", "pixels", 1'000), "0.000019");  // not the 0 of the other side
  EXPECT_EQ(cost("paint", "images", 2), "0.08");
  EXPECT_EQ(cost("paint", "input_images", 2), "0.02");
  EXPECT_EQ(cost("hear", "seconds", 30), "0.003");  // once, not for both sides
  EXPECT_EQ(cost("speak", "characters", 100), "0.0015");
  EXPECT_EQ(cost("gpt-x", "searches", 2), "0.04");
  EXPECT_EQ(cost("gpt-x", "searches_low", 2), "0.02");
  Usage usage;
  usage.units["input_video_seconds"] = 9;  // its price depends on what no usage tells
  EXPECT_EQ(book->cost({.provider = "vertex", .model = "film"}, usage)->outcome,
            CostOutcome::partial);
}

TEST(Litellm, ranges_of_tokens_are_tiers_of_the_whole_request) {
  const PriceBook::Ref book = read(kLitellm, BookFormat::litellm).book;
  const PriceQuery query{.provider = "dashscope", .model = "tiers"};
  EXPECT_EQ(total(*book, query, 32'000, 10), "0.03202");
  EXPECT_EQ(total(*book, query, 32'001, 10), "0.096043");
}

TEST(AimeterFormat, a_book_survives_being_written_and_read) {
  for (const auto& [text, format] :
       {std::pair{kGenai, BookFormat::genai_prices}, std::pair{kLitellm, BookFormat::litellm}}) {
    const PriceBook::Ref book =
        PriceBook::import(text, {.format = format,
                                 .version = "v\"1",
                                 .effective_from = *parse_instant("at", "2026-08-21T10:00:00Z")})
            ->book;
    const std::string document = book->to_document();
    const PriceBook::Ref again = read(document, BookFormat::aimeter).book;
    EXPECT_EQ(again->data(), book->data());
    EXPECT_EQ(again->to_document(), document);
    EXPECT_TRUE(book->diff(*again).empty());
  }
  const std::string shipped = PriceBook::shipped()->to_document();
  EXPECT_EQ(read(shipped, BookFormat::aimeter).book->data(), PriceBook::shipped()->data());
}

TEST(AimeterFormat, formats_are_told_by_content_and_by_name) {
  EXPECT_EQ(guess_format(kGenai), BookFormat::genai_prices);
  EXPECT_EQ(guess_format(kLitellm), BookFormat::litellm);
  EXPECT_EQ(guess_format(PriceBook::shipped()->to_document()), BookFormat::aimeter);
  EXPECT_EQ(*parse_book_format("--format", "genai-prices"), BookFormat::genai_prices);
  const auto wrong = parse_book_format("--format", "csv");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().message,
            "--format: \"csv\" is not accepted; expected genai-prices, litellm or aimeter");
}

TEST(AimeterFormat, a_version_without_a_name_is_named_by_its_day_or_its_content) {
  const auto version = [](const ImportOptions& options) {
    return PriceBook::import(kGenai, options)->book->version();
  };
  EXPECT_EQ(version({.format = BookFormat::genai_prices, .version = "august"}), "august");
  EXPECT_EQ(version({.format = BookFormat::genai_prices,
                     .effective_from = *parse_instant("at", "2026-08-21")}),
            "genai-prices-2026-08-21");
  EXPECT_THAT(version({.format = BookFormat::genai_prices}), StartsWith("genai-prices-"));
}

TEST(BadBooks, what_our_own_format_cannot_say_is_not_imported) {
  const auto book = PriceBook::import(
      kGenai, {.format = BookFormat::genai_prices, .version = std::string(192, 'v')});
  ASSERT_FALSE(book);
  EXPECT_EQ(book.error().code, Code::invalid_argument);
  EXPECT_THAT(book.error().message, StartsWith("prices.version"));
}

TEST(Litellm, an_entry_whose_name_no_book_has_is_left_out) {
  const std::string text = R"({"openai/": {"litellm_provider": "openai", "input_cost_per_token": 1},
    ")" + std::string(192, 'm') +
                           R"(": {"litellm_provider": "openai", "input_cost_per_token": 1},
    "good": {"litellm_provider": "openai", "input_cost_per_token": 1}})";
  const ImportedBook imported = read(text, BookFormat::litellm);
  EXPECT_EQ(imported.book->models(), 1U);
  ASSERT_EQ(imported.skipped.size(), 2U);
  EXPECT_EQ(imported.skipped[0].reason, "its name is not of 1 to 191 bytes");
}

std::string own(std::string_view models) {
  return R"({"format": "aimeter-prices/1", "version": "v", "providers": [{"id": "p", "models": [)" +
         std::string(models) + "]}]}";
}

TEST(BadBooks, each_error_names_field_value_and_what_is_expected) {
  struct Row {
    const char* sentence;
    BookFormat format;
    std::string text;
    const char* message;  // a part of it
  };
  constexpr auto kOwn = BookFormat::aimeter;
  constexpr auto kG = BookFormat::genai_prices;
  constexpr auto kL = BookFormat::litellm;
  const std::string genai_start =
      R"([{"id": "p", "models": [{"id": "m", "match": {"equals": "m"},)";
  const Row rows[] = {
      {"an empty file", kOwn, "", "prices: \"\""},
      {"a byte order mark", kOwn, "\xef\xbb\xbf{}",
       "prices: \"EF BB BF\" is not accepted; expected JSON in UTF-8 without a byte order mark"},
      {"no JSON", kL, "price,1", "prices"},
      {"a key twice", kL, R"({"a": {"litellm_provider": "x", "mode": "chat", "mode": "chat"}})",
       "mode"},
      {"a model twice as key", kL, R"({"a": {}, "a": {}})", "\"a\""},
      {"a negative price", kL, R"({"a": {"litellm_provider": "x", "input_cost_per_token": -1e-6}})",
       "prices.a.input_cost_per_token: \"-1e-6\" is not accepted; expected a decimal number "
       "between"},
      {"a token dearer than a book can say", kL,
       R"({"a": {"litellm_provider": "x", "input_cost_per_token": 1000.1}})",
       "prices.a.input_cost_per_token: \"1000.1\" is not accepted; expected a price of a token "
       "from "
       "0 to 1000"},
      {"1e400", kL, R"({"a": {"litellm_provider": "x", "input_cost_per_token": 1e400}})",
       "prices.a.input_cost_per_token: \"1e400\""},
      {"too many places", kL, R"({"a": {"litellm_provider": "x", "input_cost_per_token": 1e-37}})",
       "\"1e-37\""},
      {"NaN", kL, R"({"a": {"litellm_provider": "x", "input_cost_per_token": NaN}})", "prices"},
      {"a price as text", kL,
       R"({"a": {"litellm_provider": "x", "input_cost_per_token": "cheap"}})",
       "prices.a.input_cost_per_token: \"\\x22cheap\\x22\" is not accepted; expected a number"},
      {"a price above all reason", kG, genai_start + R"("prices": {"input_mtok": 1e10}}]}])",
       "prices[0].models[0].prices.input_mtok: \"1e10\""},
      {"a negative tier", kG,
       genai_start +
           R"("prices": {"input_mtok":
        {"base": 1, "tiers": [{"start": -1, "price": 2}]}}}]}])",
       "tiers[0].start: \"-1\" is not accepted; expected a whole number"},
      {"an unknown rule", kG, R"([{"id": "p", "models": [{"id": "m", "match": {"like": "m"},
        "prices": {}}]}])",
       "expected one of equals, starts_with"},
      {"an unknown constraint", kG,
       genai_start +
           R"("prices": [{"prices": {}}, {"constraint": {"weekday": 1}, "prices": {}}]}]}])",
       "constraint.weekday"},
      {"a day that is none", kG,
       genai_start +
           R"("prices": [{"prices": {}},
        {"constraint": {"start_date": "2026-02-30"}, "prices": {}}]}]}])",
       "\"2026-02-30\""},
      {"an hour that is none", kG,
       genai_start +
           R"("prices": [{"prices": {}},
        {"constraint": {"start_time": "24:00:00Z", "end_time": "01:00:00Z"}, "prices": {}}]}]}])",
       "\\x2224:00:00Z\\x22"},
      {"another format", kOwn, R"({"format": "aimeter-prices/2", "version": "v", "providers": []})",
       "expected \"aimeter-prices/1\""},
      {"no version", kOwn, R"({"format": "aimeter-prices/1", "providers": []})",
       "prices.version: \"\" is not accepted; expected a value; it is missing"},
      {"an unknown member", kOwn,
       R"({"format": "aimeter-prices/1", "version": "v", "providers": [], "extra": 1})",
       "prices.extra"},
      {"a currency that is none", kOwn,
       R"({"format": "aimeter-prices/1", "version": "v", "currency": "USD", "providers": []})",
       "currency: \"USD\""},
      {"an unknown unit", kOwn, own(R"({"id": "m", "rows": [{"prices": {"smell": "1"}}]})"),
       "prices.providers[0].models[0].rows[0].prices.smell: \"smell\" is not accepted; expected "
       "one "
       "of the kinds input cached_input"},
      {"a price that is a number", kOwn, own(R"({"id": "m", "rows": [{"prices": {"input": 1}}]})"),
       "expected a string"},
      {"a negative price of ours", kOwn,
       own(R"({"id": "m", "rows": [{"prices": {"input": "-1"}}]})"),
       "expected AMOUNT or AMOUNT/PER"},
      {"per nothing", kOwn, own(R"({"id": "m", "rows": [{"prices": {"input": "1/0"}}]})"),
       "expected AMOUNT or AMOUNT/PER"},
      {"per half a token", kOwn, own(R"({"id": "m", "rows": [{"prices": {"input": "1/0.5"}}]})"),
       "expected AMOUNT or AMOUNT/PER"},
      {"falling tiers", kOwn,
       own(R"({"id": "m", "rows": [{"prices": {}, "tiers": [{"above": 2, "prices": {}},
        {"above": 2, "prices": {}}]}]})"),
       "expected tiers in rising order"},
      {"a source nobody knows", kOwn, own(R"({"id": "m", "source": "x", "rows": []})"),
       "source: \"x\""},
      {"a model twice", kOwn, own(R"({"id": "m", "rows": []}, {"id": "m", "rows": []})"),
       "expected every model of a provider once"},
      {"a whole as a part", kOwn, own(R"({"id": "m", "at_parent": ["input"], "rows": []})"),
       "a list of kinds that are parts of another"},
      {"a name too long", kOwn, own("{\"id\": \"" + std::string(192, 'x') + "\", \"rows\": []}"),
       "expected 1 to 191 bytes"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto imported = PriceBook::import(row.text, {.format = row.format});
    ASSERT_FALSE(imported.has_value());
    EXPECT_EQ(imported.error().code, Code::invalid_argument);
    EXPECT_THAT(imported.error().message, HasSubstr(row.message));
  }
}

TEST(Rules, a_pattern_is_compiled_only_when_it_cannot_be_slow) {
  struct Row {
    const char* pattern;
    bool accepted;
  };
  const Row rows[] = {
      {"^gpt-5\\.6-luna-\\d{4}-\\d{2}-\\d{2}$", true},
      {"(?:mi|code|dev|magi|mini)stral", true},
      {"^o[134]", true},
      {"^(a|b)+x*$", true},
      {"a{2,}b?", true},
      {"a{60}b{1,4}", true},
      {"a{60}b{1,5}", false},
      {"a{64,}", true},
      {"a{65,}", false},
      {"(a+)+$", false},
      {"((a*)b)*", false},
      {"(a{1,3}){2}", false},
      {"a*b*c*", false},
      {"(?=a)b", false},
      {"(a)\\1", false},
      {"[a", false},
      {"(a", false},
      {"a)", false},
      {"", false},
      {"*a", false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.pattern);
    const auto rule = pricing::regex_rule("match.regex", row.pattern);
    EXPECT_EQ(rule.has_value(), row.accepted);
    if (rule) continue;
    EXPECT_THAT(rule.error().message, StartsWith("match.regex: "));
  }
  EXPECT_FALSE(pricing::regex_rule("f", std::string(257, 'a')).has_value());
  // Ways to match that double with every "?" or "|" are not tried one by one.
  std::string optional, either;
  for (int i = 0; i < 50; ++i) optional += "a?";
  for (int i = 0; i < 50; ++i) either += "(a|a)";
  for (const std::string& pattern : {optional + std::string(50, 'a') + "b", either + "b"}) {
    const auto many = *pricing::regex_rule("f", pattern);
    EXPECT_FALSE(many.matches(std::string(60, 'a')));
    EXPECT_TRUE(many.matches(std::string(60, 'a') + "b"));
  }
  const auto rule = *pricing::regex_rule("f", "^[a-c]*x*$");
  EXPECT_TRUE(rule.matches(std::string(191, 'a')));
  EXPECT_FALSE(rule.matches(std::string(192, 'a')));  // longer than any name
  EXPECT_FALSE(rule.matches(std::string(190, 'a') + "!"));
}

TEST(Rules, each_operator) {
  const auto rule = [](std::string_view json) {
    const auto parsed = pricing::parse_document("rule", json);
    return *pricing::read_rule(pricing::Place(*parsed, "rule"));
  };
  struct Row {
    const char* sentence;
    const char* json;
    const char* name;
    bool matches;
  };
  constexpr Row kRows[] = {
      {"equals", R"({"equals": "a"})", "a", true},
      {"equals is all of it", R"({"equals": "a"})", "ab", false},
      {"starts_with", R"({"starts_with": "a"})", "ab", true},
      {"starts_with is not contains", R"({"starts_with": "b"})", "ab", false},
      {"ends_with", R"({"ends_with": "b"})", "ab", true},
      {"ends_with is not contains", R"({"ends_with": "a"})", "ab", false},
      {"contains", R"({"contains": "b"})", "abc", true},
      {"regex searches", R"({"regex": "b\\d"})", "ab1c", true},
      {"regex anchors", R"({"regex": "^b"})", "ab", false},
      {"or takes any", R"({"or": [{"equals": "a"}, {"equals": "b"}]})", "b", true},
      {"or takes none", R"({"or": [{"equals": "a"}, {"equals": "b"}]})", "c", false},
      {"and takes all", R"({"and": [{"contains": "a"}, {"ends_with": "b"}]})", "ab", true},
      {"and misses one", R"({"and": [{"contains": "a"}, {"ends_with": "b"}]})", "ba", false},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(rule(row.json).matches(row.name), row.matches);
    const std::string text = pricing::rule_text(rule(row.json));
    EXPECT_EQ(rule(text), rule(row.json));
  }
}

TEST(Diff, tells_what_another_book_adds_removes_and_changes) {
  const auto book = [](std::string_view models) {
    return read(own(models), BookFormat::aimeter).book;
  };
  const auto before = book(R"({"id": "a", "rows": [{"prices": {"input": "1"}}]},
                              {"id": "b", "rows": [{"prices": {"input": "1"}}]})");
  const auto after = book(R"({"id": "b", "rows": [{"prices": {"input": "2"}}]},
                             {"id": "c", "rows": [{"prices": {"input": "1"}},
                              {"service_tier": "batch", "prices": {"input": "0.5"}}]})");
  using Change = PriceDifference::Change;
  const auto differences = before->diff(*after);
  ASSERT_EQ(differences.size(), 4U);
  EXPECT_EQ(differences[0].change, Change::changed);
  EXPECT_EQ(differences[0].before.prices, "input 1");
  EXPECT_EQ(differences[0].after.prices, "input 2");
  EXPECT_EQ(differences[1].change, Change::added);
  EXPECT_EQ(differences[1].after.model, "c");
  EXPECT_EQ(differences[2].after.service_tier, "batch");
  EXPECT_EQ(differences[3].change, Change::removed);
  EXPECT_EQ(differences[3].before.model, "a");
  EXPECT_TRUE(before->diff(*before).empty());
}

}  // namespace
}  // namespace aimeter
