// The recorded answers in the shared data, read whole and in pieces: every figure equals the
// manifest's.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "aimeter/provider.h"
#include "drivers/builtin.h"
#include "tests/data/shared_data.h"

namespace aimeter {
namespace {

namespace json = boost::json;

std::string text_of(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

Extracted extract_in_pieces(const json::object& entry, std::string_view body, std::size_t piece) {
  const Extractor* extractor = drivers::find_extractor(text_of(entry.if_contains("provider")));
  if (extractor == nullptr) return {.error = Error{Code::not_found, "no extractor"}};
  const auto reader =
      extractor->reader({.api = text_of(entry.if_contains("api")),
                         .http_status = static_cast<int>(entry.at("http_status").as_int64()),
                         .stream = entry.at("stream").as_bool()});
  for (std::size_t at = 0; at < body.size(); at += piece) reader->feed(body.substr(at, piece));
  return reader->finish();
}

using Counts = std::map<std::string, std::int64_t>;

// What the manifest calls otherwise. Everything that is not here has our name.
const std::map<std::string, std::string>& our_names() {
  static const auto* const kNames =
      new std::map<std::string, std::string>{{"total_tokens_reported", "reported_total"},
                                             {"web_search_requests", "searches"},
                                             {"web_fetch_requests", "web_fetches"},
                                             {"tool_use_prompt_tokens", "tool_prompt_tokens"},
                                             {"document_in_tokens", "input_document_tokens"},
                                             {"image_in_tokens", "input_image_tokens"},
                                             {"video_in_tokens", "input_video_tokens"},
                                             {"audio_input_tokens", "input_audio_tokens"}};
  return *kNames;
}

Counts counts_of(const Usage& usage) {
  Counts counts = {{"input_tokens", usage.input_tokens.count},
                   {"cached_input_tokens", usage.cached_input_tokens.count},
                   {"cache_write_tokens", usage.cache_write_tokens.count},
                   {"cache_write_5m_tokens", usage.cache_write_5m_tokens.count},
                   {"cache_write_1h_tokens", usage.cache_write_1h_tokens.count},
                   {"input_audio_tokens", usage.input_audio_tokens.count},
                   {"output_tokens", usage.output_tokens.count},
                   {"reasoning_tokens", usage.reasoning_tokens.count}};
  for (const auto& [name, count] : usage.units) counts[name] = count;
  return counts;
}

Counts counts_of(const Extracted& found) {
  Counts counts = found.usage ? counts_of(*found.usage) : Counts{};
  for (const NamedCount& further : found.further) counts[further.name] = further.count;
  if (found.reported_total) counts["reported_total"] = *found.reported_total;
  return counts;
}

// Our tier as the manifest's traffic_type; 1 is how an older client wrote ON_DEMAND.
std::string traffic_of(const std::string& tier) {
  return tier == "flex" ? "\"ON_DEMAND_FLEX\"" : "1";
}

void compare_work(const json::object& by_model, const Extracted& found) {
  ASSERT_EQ(by_model.size(), found.by_model.size());
  for (const ModelWork& work : found.by_model) {
    const json::value* expected = by_model.if_contains(work.model);
    ASSERT_NE(expected, nullptr) << work.model;
    const Counts ours = counts_of(work.usage);
    for (const auto& [name, count] : expected->as_object())
      EXPECT_EQ(ours.at(std::string(name)), count.as_int64()) << work.model << ' ' << name;
  }
}

void compare_field(const std::string& name, const json::value& expected, const Extracted& found) {
  if (name == "note") return;  // words, not a figure
  if (name == "iterations_by_model") return compare_work(expected.as_object(), found);
  if (name == "traffic_type") {
    EXPECT_EQ(json::serialize(expected), traffic_of(found.usage->service_tier));
    return;
  }
  if (name == "provider_reported_cost_usd") {
    ASSERT_TRUE(found.reported_cost);
    const double nanos = expected.to_number<double>() * 1e9;
    EXPECT_LE(std::abs(static_cast<double>(found.reported_cost->nanos) - nanos), 0.5001);
    return;
  }
  const auto other = our_names().find(name);
  const std::string& ours = other == our_names().end() ? name : other->second;
  const Counts counts = counts_of(found);
  const auto count = counts.find(ours);
  if (expected.is_null()) {
    EXPECT_EQ(count, counts.end()) << name;
  } else {
    ASSERT_NE(count, counts.end()) << name;
    EXPECT_EQ(count->second, expected.to_number<std::int64_t>()) << name;
  }
}

void compare(const json::object& entry, const Extracted& found) {
  const json::value* expected = entry.if_contains("expected");
  const bool failed = entry.at("http_status").as_int64() >= 400;
  const bool midstream = entry.if_contains("midstream_error") != nullptr;
  ASSERT_EQ(found.error.has_value(), failed || midstream)
      << (found.error ? found.error->message : "no error");
  if (found.error) {
    EXPECT_EQ(found.error->code, Code::provider_failed) << found.error->message;
    EXPECT_LE(found.error->message.size(), 200U);
  }
  if (!failed && !found.model.empty()) {
    EXPECT_EQ(found.model, text_of(entry.if_contains("model")));
  }
  if (expected == nullptr || expected->is_null()) {
    EXPECT_FALSE(found.usage);
    return;
  }
  ASSERT_TRUE(found.usage);
  EXPECT_TRUE(found.usage->check()) << found.usage->check().error().message;
  for (const auto& [name, value] : expected->as_object())
    compare_field(std::string(name), value, found);
}

TEST(Extract, EveryRecordedAnswerWholeAndInPieces) {
  const std::optional<std::string> text = shared_file("responses/manifest.json");
  if (!text) return left_out("the recorded answers");
  const json::value manifest = json::parse(*text);
  std::size_t read = 0;
  for (const json::value& value : manifest.as_array()) {
    const json::object& entry = value.as_object();
    const std::string file = text_of(entry.if_contains("file"));
    const std::string body = shared_file("responses/" + file).value();
    for (const std::size_t piece :
         {body.size() + 1, std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
      SCOPED_TRACE(file + " in pieces of " + std::to_string(piece));
      compare(entry, extract_in_pieces(entry, body, piece));
    }
    ++read;
  }
  EXPECT_EQ(read, 200U);
}

// The usages of genai-prices: what each of its extractors reads from the same body. Its provider
// and API as our provider; "" = not a provider of ours.
std::string our_provider(const std::string& id, const std::string& flavor) {
  static const std::map<std::string, std::string> kProviders = {{"anthropic", "anthropic"},
                                                                {"aws", "bedrock"},
                                                                {"azure", "azure"},
                                                                {"cerebras", "cerebras"},
                                                                {"cohere", "cohere"},
                                                                {"deepseek", "deepseek"},
                                                                {"google", "gemini"},
                                                                {"groq", "groq"},
                                                                {"mistral", "mistral"},
                                                                {"openai", "openai"},
                                                                {"openrouter", "openrouter"},
                                                                {"zhipuai", "zai"},
                                                                {"perplexity", "perplexity"},
                                                                {"together", "together"},
                                                                {"x-ai", "xai"},
                                                                {"zai", "zai"}};
  if (id == "google" && flavor == "anthropic") return "vertex";
  if (id.starts_with("huggingface_")) return "huggingface";
  const auto at = kProviders.find(id);
  return at == kProviders.end() ? std::string() : at->second;
}

// Their name of each figure that both sides have. They also count text, image and video tokens:
// parts that have no price of their own in our normal form.
Counts their_counts(const Extracted& found) {
  if (!found.usage) return {};
  const Usage& usage = *found.usage;
  Counts counts = {{"input_tokens", usage.input_tokens.count},
                   {"output_tokens", usage.output_tokens.count},
                   {"cache_read_tokens", usage.cached_input_tokens.count},
                   {"cache_write_tokens", usage.cache_write_tokens.count},
                   {"cache_write_5m_tokens", usage.cache_write_5m_tokens.count},
                   {"input_audio_tokens", usage.input_audio_tokens.count},
                   {"cache_audio_read_tokens", usage.cached_input_audio_tokens.count},
                   {"output_reasoning_tokens", usage.reasoning_tokens.count}};
  counts["web_searches"] = usage.units.contains("searches") ? usage.units.at("searches") : 0;
  counts["input_tool_tokens"] = 0;
  for (const NamedCount& further : found.further)
    if (further.name == "tool_prompt_tokens") counts["input_tool_tokens"] = further.count;
  return counts;
}

struct Difference {
  std::string id, flavor, figure;
  std::int64_t theirs = 0;
  Counts ours = {};
  [[nodiscard]] std::int64_t our(const std::string& name) const { return ours.at(name); }
};

struct Reason {
  const char* why;
  int times;  // how often it explains a difference, exactly
  bool (*explains)(const Difference&);
};

bool is_whole(const std::string& figure) {
  return figure == "input_tokens" || figure == "output_tokens";
}

constexpr Reason kReasons[] = {
    {"its embeddings extractor reads the input only, also from a chat answer", 438,
     [](const Difference& d) { return d.flavor == "embeddings" && d.theirs == 0; }},
    {"its cohere/tokens reads the model's tokens; Cohere charges billed_units", 25,
     [](const Difference& d) { return d.id == "cohere" && d.flavor == "tokens"; }},
    {"its x-ai/chat adds reasoning also where the total says that it is inside the output", 33,
     [](const Difference& d) {
       return d.id == "x-ai" && d.figure == "output_tokens" &&
              d.theirs == d.our("output_tokens") + d.our("output_reasoning_tokens");
     }},
    {"its responses extractors read an Anthropic answer, whose input leaves the cache out", 4,
     [](const Difference& d) {
       return d.flavor == "responses" && d.figure == "input_tokens" &&
              d.theirs ==
                  d.our("input_tokens") - d.our("cache_read_tokens") - d.our("cache_write_tokens");
     }},
    {"that extractor has no rule for this part; the whole that it belongs to is equal", 349,
     [](const Difference& d) { return !is_whole(d.figure) && d.theirs == 0; }},
};

class GenaiComparison {
 public:
  void compare_entry(const json::object& entry) {
    json::object body = entry.at("body").as_object();
    body.erase("file");
    const std::string text = json::serialize(body);
    int compared = 0;
    for (const json::value& reading : entry.at("extracted").as_array())
      for (const json::value& extractor : reading.at("extractors").as_array()) {
        Difference base = {.id = text_of(&extractor.at("provider_id")),
                           .flavor = text_of(&extractor.at("api_flavor"))};
        const std::string provider = our_provider(base.id, base.flavor);
        if (provider.empty()) continue;
        ++compared;
        const auto reader = drivers::find_extractor(provider)->reader({});
        reader->feed(text);
        const Extracted found = reader->finish();
        EXPECT_FALSE(found.error) << found.error->message << ' ' << text;
        base.ours = their_counts(found);
        compare_reading(base, reading.at("usage").as_object(), text);
      }
    EXPECT_GT(compared, 0) << text;
  }

  void expect_times() const {
    for (const Reason& reason : kReasons)
      EXPECT_EQ(times_.at(reason.why), reason.times) << reason.why;
  }

 private:
  void compare_reading(Difference found, const json::object& theirs, const std::string& text) {
    EXPECT_FALSE(found.ours.empty()) << text;
    for (const auto& [name, count] : found.ours) {
      const json::value* their = theirs.if_contains(name);
      found.theirs = their != nullptr ? their->to_number<std::int64_t>() : 0;
      if (found.theirs == count) continue;
      found.figure = name;
      const Reason* const reason = std::find_if(std::begin(kReasons), std::end(kReasons),
                                                [&](const Reason& x) { return x.explains(found); });
      if (reason == std::end(kReasons))
        ADD_FAILURE() << found.id << '/' << found.flavor << ' ' << name << ": ours " << count
                      << ", theirs " << found.theirs << ' ' << text;
      else
        ++times_[reason->why];
    }
  }
  std::map<std::string, int> times_ = [] {
    std::map<std::string, int> times;
    for (const Reason& reason : kReasons) times[reason.why] = 0;
    return times;
  }();
};

TEST(Extract, EveryUsageOfGenaiPricesIsEqualOrExplained) {
  const std::optional<std::string> text = shared_file("responses/genai_prices_usages.json");
  if (!text) return left_out("the usages of genai-prices");
  const json::value entries = json::parse(*text);
  GenaiComparison comparison;
  for (const json::value& entry : entries.as_array()) comparison.compare_entry(entry.as_object());
  EXPECT_EQ(entries.as_array().size(), 726U);
  comparison.expect_times();
}

}  // namespace
}  // namespace aimeter
