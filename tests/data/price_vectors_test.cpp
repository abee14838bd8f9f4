#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "aimeter/pricing.h"
#include "base/json.h"
#include "tests/data/shared_data.h"

namespace aimeter {
namespace {

using base::Json;
using base::JsonFields;

struct Vector {
  std::string id, provider, model, resolved, input, output, total;
  Instant at = {};
  Usage usage = {};
};

Result<Usage> usage_of_vector(JsonFields fields) {
  const auto count = [&](std::string_view key) -> Result<std::int64_t> {
    AIMETER_TRY(const auto value, fields.optional_count(key));
    return value.value_or(0);
  };
  Usage usage;
  AIMETER_TRY(usage.input_tokens.count, count("input_tokens"));
  AIMETER_TRY(usage.output_tokens.count, count("output_tokens"));
  AIMETER_TRY(usage.cached_input_tokens.count, count("cache_read_tokens"));
  AIMETER_TRY(usage.cache_write_tokens.count, count("cache_write_tokens"));
  AIMETER_TRY(usage.input_audio_tokens.count, count("input_audio_tokens"));
  AIMETER_TRY(usage.cached_input_audio_tokens.count, count("cache_audio_read_tokens"));
  AIMETER_TRY(usage.output_audio_tokens.count, count("output_audio_tokens"));
  AIMETER_CHECK_OK(fields.refuse_others());
  return usage;
}

Result<Vector> parse_vector(const std::string& line) {
  AIMETER_TRY(const Json json, Json::parse("vector", line));
  AIMETER_TRY(JsonFields fields, JsonFields::of(json, "vector"));
  Vector vector;
  AIMETER_TRY(vector.id, fields.string("id"));
  AIMETER_TRY(vector.provider, fields.string("provider"));
  AIMETER_TRY(vector.model, fields.string("model_ref"));
  AIMETER_TRY(vector.resolved, fields.string("resolved_model"));
  AIMETER_TRY(const std::string at, fields.string("timestamp"));
  AIMETER_TRY(vector.at, parse_instant("timestamp", at));
  AIMETER_TRY(JsonFields exact, fields.object("exact"));
  AIMETER_TRY(vector.input, exact.string("input"));
  AIMETER_TRY(vector.output, exact.string("output"));
  AIMETER_TRY(vector.total, exact.string("total"));
  AIMETER_TRY(const JsonFields usage, fields.object("usage"));
  AIMETER_TRY(vector.usage, usage_of_vector(usage));
  return vector;
}

TEST(PriceVectors, all_equal_the_exact_costs_with_the_genai_prices_file_imported) {
  const auto book_text = shared_file("prices/genai_prices_v2_data.json");
  const auto vectors = shared_file("prices/price_vectors.jsonl");
  if (!book_text || !vectors) return left_out("price vectors");
  const auto imported = PriceBook::import(*book_text, {.format = BookFormat::genai_prices});
  ASSERT_TRUE(imported.has_value()) << imported.error().message;
  EXPECT_EQ(imported->entries, 1466);
  EXPECT_TRUE(imported->skipped.empty());

  const Prices prices({.books = {imported->book}});
  std::istringstream lines(*vectors);
  int count = 0;
  int partial = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Result<Vector> vector = parse_vector(line);
    ASSERT_TRUE(vector.has_value()) << vector.error().message;
    SCOPED_TRACE(line);
    const auto cost = prices.cost(
        {.provider = vector->provider, .model = vector->model, .at = vector->at}, vector->usage);
    ASSERT_TRUE(cost.has_value()) << cost.error().message;
    EXPECT_EQ(cost->model, vector->resolved);
    EXPECT_EQ(cost->input.text(), vector->input);
    EXPECT_EQ(cost->output.text(), vector->output);
    EXPECT_EQ(cost->total.text(), vector->total);
    EXPECT_NE(cost->outcome, CostOutcome::unknown_model);
    if (cost->outcome == CostOutcome::partial) ++partial;
  }
  EXPECT_EQ(count, 1500);
  // Embedding models have no output price: tokens that an oracle takes for free are told, not
  // hidden.
  EXPECT_EQ(partial, 23);
}

}  // namespace
}  // namespace aimeter
