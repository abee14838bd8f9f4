// What a call costs by the shipped book: a row per rule, its arithmetic worked out by hand. Prices
// are per million tokens unless said. Sources, both as of 2026-08-21: G = pydantic/genai-prices
// 47df840a, L = BerriAI/litellm model_prices_and_context_window.json.
#include <gtest/gtest.h>

#include "aimeter/pricing.h"

namespace aimeter {
namespace {

struct Counts {
  std::int64_t input = 0, cached = 0, write = 0, write_5m = 0, write_1h = 0;
  std::int64_t audio = 0, cached_audio = 0, output = 0, reasoning = 0, output_audio = 0;
};

struct Row {
  const char* arithmetic;
  const char* provider;
  const char* model;
  Counts counts;
  const char* total;
  const char* at = "2026-08-22T12:00:00Z";
  const char* tier = "";
  const char* unit = "";
  std::int64_t unit_count = 0;
};

Usage usage_of(const Row& row) {
  Usage usage;
  usage.input_tokens.count = row.counts.input;
  usage.cached_input_tokens.count = row.counts.cached;
  usage.cache_write_tokens.count = row.counts.write;
  usage.cache_write_5m_tokens.count = row.counts.write_5m;
  usage.cache_write_1h_tokens.count = row.counts.write_1h;
  usage.input_audio_tokens.count = row.counts.audio;
  usage.cached_input_audio_tokens.count = row.counts.cached_audio;
  usage.output_tokens.count = row.counts.output;
  usage.reasoning_tokens.count = row.counts.reasoning;
  usage.output_audio_tokens.count = row.counts.output_audio;
  if (*row.unit != '\0') usage.units[row.unit] = row.unit_count;
  return usage;
}

template <std::size_t N>
void check(const Row (&rows)[N]) {
  static_assert(N >= 3, "at least three rows per rule");
  for (const Row& row : rows) {
    SCOPED_TRACE(row.arithmetic);
    const auto cost = PriceBook::shipped()->cost({.provider = row.provider,
                                                  .model = row.model,
                                                  .at = *parse_instant("at", row.at),
                                                  .service_tier = row.tier},
                                                 usage_of(row));
    ASSERT_TRUE(cost.has_value()) << cost.error().message;
    EXPECT_EQ(cost->total.text(), row.total);
    EXPECT_EQ(cost->outcome, CostOutcome::priced);
  }
}

TEST(PriceTable, plain_input_and_output) {
  constexpr Row kRows[] = {
      {"G: 10 x 0.15 + 20 x 0.6",
       "openai",
       "gpt-4o-mini",
       {.input = 10, .output = 20},
       "0.0000135"},
      {"G: 1000 x 2.5 + 1 x 10", "openai", "gpt-4o", {.input = 1'000, .output = 1}, "0.00251"},
      {"G: 123 x 15 + 7 x 75",
       "anthropic",
       "claude-opus-4-1",
       {.input = 123, .output = 7},
       "0.00237"},
  };
  check(kRows);
}

TEST(PriceTable, cache_reads) {
  constexpr Row kRows[] = {
      {"G: (2006 - 1920) x 0.15 + 1920 x 0.075 + 300 x 0.6",
       "openai",
       "gpt-4o-mini",
       {.input = 2'006, .cached = 1'920, .output = 300},
       "0.0003369"},
      {"G: 100 x 3 + 900 x 0.3",
       "anthropic",
       "claude-sonnet-4-5",
       {.input = 1'000, .cached = 900},
       "0.00057"},
      {"G: all of it cached: 1000 x 0.5",
       "openai",
       "gpt-4.1",
       {.input = 1'000, .cached = 1'000},
       "0.0005"},
  };
  check(kRows);
}

TEST(PriceTable, cache_writes_of_five_minutes) {
  constexpr Row kRows[] = {
      {"G: 100 x 3 + 400 x 3.75 (the write price)",
       "anthropic",
       "claude-sonnet-4-5",
       {.input = 500, .write = 400, .write_5m = 400},
       "0.0018"},
      {"G: 0 x 0.8 + 1000 x 1",
       "anthropic",
       "claude-3-5-haiku-latest",
       {.input = 1'000, .write_5m = 1'000},
       "0.001"},
      {"G: of unknown term, 600 x 5 + 400 x 6.25",
       "openai",
       "gpt-5.6-sol",
       {.input = 1'000, .write = 400},
       "0.0055"},
  };
  check(kRows);
}

TEST(PriceTable, cache_writes_of_an_hour) {
  constexpr Row kRows[] = {
      {"G: 100 x 3 + 400 x 6",
       "anthropic",
       "claude-sonnet-4-5",
       {.input = 500, .write = 400, .write_1h = 400},
       "0.0027"},
      {"G: 100 x 0.8 + 200 x 1 + 300 x 1.6",
       "anthropic",
       "claude-3-5-haiku-latest",
       {.input = 600, .write = 500, .write_5m = 200, .write_1h = 300},
       "0.00076"},
      {"G: 10 x 10 + 90 x 20",
       "anthropic",
       "claude-fable-5",
       {.input = 100, .write_1h = 90},
       "0.0019"},
  };
  check(kRows);
}

TEST(PriceTable, reasoning) {
  constexpr Row kRows[] = {
      {"G: own price, 1000 x 2 + 200 x 8 + 300 x 3",
       "perplexity",
       "sonar-deep-research",
       {.input = 1'000, .output = 500, .reasoning = 300},
       "0.0045"},
      {"G: at the output's, 10 x 2 + (20 + 80) x 8",
       "openai",
       "o3",
       {.input = 10, .output = 100, .reasoning = 80},
       "0.00082"},
      {"L: own price, 50 x 2.5 + 150 x 2.5",
       "google",
       "gemini-robotics-er-1.5-preview",
       {.output = 200, .reasoning = 150},
       "0.0005"},
  };
  check(kRows);
}

TEST(PriceTable, audio) {
  constexpr Row kRows[] = {
      {"G: 100 x 2.5 + 200 x 32 + 10 x 10 + 50 x 64",
       "openai",
       "gpt-audio",
       {.input = 300, .audio = 200, .output = 60, .output_audio = 50},
       "0.00995"},
      {"G: 100 x 5 + 40 x 40 + 60 x 2.5 cached audio",
       "openai",
       "gpt-4o-realtime-preview",
       {.input = 200, .cached = 60, .audio = 100, .cached_audio = 60},
       "0.00225"},
      {"G: 1000 x 1.25 + 3000 x 3",
       "openai",
       "gpt-4o-mini-transcribe",
       {.input = 4'000, .audio = 3'000},
       "0.01025"},
  };
  check(kRows);
}

TEST(PriceTable, images) {
  constexpr Row kRows[] = {
      {"L: 3 x 0.02", "openai", "dall-e-2", {}, "0.06", "2026-08-22", "", "images", 3},
      {"L: 1 x 0.133",
       "openai",
       "high/1024-x-1024/gpt-image-1.5",
       {},
       "0.133",
       "2026-08-22",
       "",
       "images",
       1},
      {"G: 100 x 5 + 50 x 8, image tokens among the input",
       "openai",
       "gpt-image-1.5",
       {.input = 150},
       "0.0009",
       "2026-08-22",
       "",
       "input_image_tokens",
       50},
  };
  check(kRows);
}

TEST(PriceTable, seconds) {
  constexpr Row kRows[] = {
      {"L: 60 x 0.0001", "openai", "whisper-1", {}, "0.006", "2026-08-22", "", "seconds", 60},
      {"L: 100 x 0.00003083",
       "groq",
       "whisper-large-v3",
       {},
       "0.003083",
       "2026-08-22",
       "",
       "seconds",
       100},
      {"L: 8 x 0.4",
       "google",
       "veo-3.1-generate-preview",
       {},
       "3.2",
       "2026-08-22",
       "",
       "seconds",
       8},
  };
  check(kRows);
}

TEST(PriceTable, characters) {
  constexpr Row kRows[] = {
      {"L: 1000 x 0.00003",
       "openai",
       "tts-1-hd",
       {},
       "0.03",
       "2026-08-22",
       "",
       "characters",
       1'000},
      {"L: 7 x 0.00005", "groq", "playai-tts", {}, "0.00035", "2026-08-22", "", "characters", 7},
      {"L: 4000 x 0.000015",
       "azure",
       "speech/azure-tts",
       {},
       "0.06",
       "2026-08-22",
       "",
       "characters",
       4'000},
  };
  check(kRows);
}

TEST(PriceTable, pages) {
  constexpr Row kRows[] = {
      {"L: 12 x 0.004",
       "mistral",
       "mistral-ocr-latest",
       {},
       "0.048",
       "2026-08-22",
       "",
       "pages",
       12},
      {"L: 12 x 0.005 with annotations",
       "mistral",
       "mistral-ocr-latest",
       {},
       "0.06",
       "2026-08-22",
       "",
       "annotated_pages",
       12},
      {"L: 3 x 0.01",
       "azure",
       "doc-intelligence/prebuilt-layout",
       {},
       "0.03",
       "2026-08-22",
       "",
       "pages",
       3},
  };
  check(kRows);
}

TEST(PriceTable, searches) {
  constexpr Row kRows[] = {
      {"G: 100 x 3 + 5 x 10 per 1000",
       "anthropic",
       "claude-sonnet-4-5",
       {.input = 100},
       "0.0503",
       "2026-08-22",
       "",
       "searches",
       5},
      {"G: 1 x 10 per 1000",
       "anthropic",
       "claude-haiku-4-5",
       {},
       "0.01",
       "2026-08-22",
       "",
       "searches",
       1},
      {"G: 10 x 15 + 3 x 10 per 1000",
       "anthropic",
       "claude-opus-4-0",
       {.input = 10},
       "0.03015",
       "2026-08-22",
       "",
       "searches",
       3},
  };
  check(kRows);
}

TEST(PriceTable, requests) {
  constexpr Row kRows[] = {
      {"G: 1000 x 1 + 50 x 1 + one call at 12 per 1000",
       "perplexity",
       "sonar",
       {.input = 1'000, .output = 50},
       "0.01305"},
      {"G: 100 x 3 + 45499 x 15 + one call at 14 per 1000",
       "perplexity",
       "sonar-pro",
       {.input = 100, .output = 45'499},
       "0.696785"},
      {"G: three calls told: 3 x 12 per 1000",
       "perplexity",
       "sonar-reasoning",
       {},
       "0.036",
       "2026-08-22",
       "",
       "requests",
       3},
  };
  check(kRows);
}

TEST(PriceTable, context_tiers_price_the_whole_request) {
  constexpr Row kRows[] = {
      {"G: at the border: 200000 x 3", "anthropic", "claude-sonnet-4-5", {.input = 200'000}, "0.6"},
      {"G: one above it: 200001 x 6 + 10 x 22.5",
       "anthropic",
       "claude-sonnet-4-5",
       {.input = 200'001, .output = 10},
       "1.200231"},
      {"G: cached tokens count for the tier: 1 x 6 + 200000 x 0.6",
       "anthropic",
       "claude-sonnet-4-5",
       {.input = 200'001, .cached = 200'000},
       "0.120006"},
      {"G: a price without tiers stays: 200001 x 6 + 1 x 10 per 1000",
       "anthropic",
       "claude-sonnet-4-5",
       {.input = 200'001},
       "1.210006",
       "2026-08-22",
       "",
       "searches",
       1},
      {"G: 272001 x 5 + 1 x 22.5",
       "openai",
       "gpt-5.4",
       {.input = 272'001, .output = 1},
       "1.3600275"},
  };
  check(kRows);
}

TEST(PriceTable, dated_prices) {
  constexpr Row kRows[] = {
      {"G: a second before: 1000 x 10",
       "openai",
       "o3",
       {.input = 1'000},
       "0.01",
       "2025-06-09T23:59:59Z"},
      {"G: from the day on: 1000 x 2",
       "openai",
       "o3",
       {.input = 1'000},
       "0.002",
       "2025-06-10T00:00:00Z"},
      {"G: the long context costs more before: 200001 x 10",
       "anthropic",
       "claude-opus-4-6",
       {.input = 200'001},
       "2.00001",
       "2026-03-12T23:59:59.999999Z"},
      {"G: and no more after: 200001 x 5",
       "anthropic",
       "claude-opus-4-6",
       {.input = 200'001},
       "1.000005",
       "2026-03-13T00:00:00Z"},
      {"G: a price to come: 1000 x 3 + 100 x 15",
       "anthropic",
       "claude-sonnet-5",
       {.input = 1'000, .output = 100},
       "0.0045",
       "2026-09-01T00:00:00Z"},
  };
  check(kRows);
}

TEST(PriceTable, prices_by_time_of_day) {
  constexpr Row kRows[] = {
      {"G: off-peak, 1000 x 0.135 + 100 x 0.55",
       "deepseek",
       "deepseek-chat",
       {.input = 1'000, .output = 100},
       "0.00019",
       "2026-03-05T00:29:59.999999Z"},
      {"G: peak begins, 1000 x 0.27 + 100 x 1.1",
       "deepseek",
       "deepseek-chat",
       {.input = 1'000, .output = 100},
       "0.00038",
       "2026-03-05T00:30:00Z"},
      {"G: peak still, 1000 x 0.55",
       "deepseek",
       "deepseek-reasoner",
       {.input = 1'000},
       "0.00055",
       "2026-03-05T16:29:59.999999Z"},
      {"G: peak ends, 1000 x 0.135",
       "deepseek",
       "deepseek-reasoner",
       {.input = 1'000},
       "0.000135",
       "2026-03-05T16:30:00Z"},
  };
  check(kRows);
}

TEST(PriceTable, service_tiers) {
  constexpr Row kRows[] = {
      {"L: batch, 1000 x 0.075 + 100 x 0.3",
       "openai",
       "gpt-4o-mini",
       {.input = 1'000, .output = 100},
       "0.000105",
       "2026-08-22",
       "batch"},
      {"L: flex, 900 x 0.625 + 100 x 0.0625 + 10 x 5",
       "openai",
       "gpt-5",
       {.input = 1'000, .cached = 100, .output = 10},
       "0.00061875",
       "2026-08-22",
       "flex"},
      {"L: priority, 1000 x 2.5 + 10 x 20",
       "openai",
       "gpt-5",
       {.input = 1'000, .output = 10},
       "0.0027",
       "2026-08-22",
       "priority"},
      {"G: the default tier by another name, 1000 x 1.25",
       "openai",
       "gpt-5",
       {.input = 1'000},
       "0.00125",
       "2026-08-22",
       "default"},
      {"L: batch reads its cache at its input price, 1000 x 0.075",
       "openai",
       "gpt-4o-mini",
       {.input = 1'000, .cached = 1'000},
       "0.000075",
       "2026-08-22",
       "batch"},
  };
  check(kRows);
}

TEST(ShippedBook, knows_its_version_and_every_row_names_its_source_with_a_day) {
  const PriceBook& book = *PriceBook::shipped();
  EXPECT_EQ(book.version(), "2026-08-21");
  EXPECT_EQ(book.effective_from(), Instant{});
  EXPECT_GE(book.models(), 800U);
  for (const PriceLine& line : book.lines()) {
    SCOPED_TRACE(line.provider + "/" + line.model);
    EXPECT_TRUE(line.source.ends_with(", 2026-08-21"));
  }
}

TEST(ShippedBook, knows_the_providers_by_the_names_that_extractors_and_people_use) {
  struct Name {
    const char* provider;
    const char* model;
    const char* found;
  };
  constexpr Name kNames[] = {
      {"openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"},
      {"azure", "gpt-4o", "gpt-4o"},
      {"gemini", "gemini-2.5-flash", "gemini-2.5-flash"},
      {"vertex", "gemini-2.5-flash", "gemini-2.5-flash"},
      {"xai", "grok-4.3", "grok-4.3"},
      {"bedrock", "amazon.titan-embed-text-v1", "amazon.titan-embed-text-v1"},
      {"together_ai", "allenai/OLMo-7B-Twin-2T", "allenai/OLMo-7B"},
  };
  for (const Name& name : kNames) {
    SCOPED_TRACE(name.provider);
    EXPECT_EQ(PriceBook::shipped()->resolve(name.provider, name.model).value_or(""), name.found);
  }
}

}  // namespace
}  // namespace aimeter
