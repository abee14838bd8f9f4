// Converse, Nova, Titan, Llama and the metrics that close a stream of InvokeModel.
// Source: docs.aws.amazon.com/bedrock: API_runtime_TokenUsage, model-parameters-* (2026-07).
#include "provider/document.h"

namespace aimeter::provider {
namespace {

constexpr FieldRule kConverseTable[] = {
    {"", "inputTokens", Slot::input},
    {"", "outputTokens", Slot::output},
    {"", "totalTokens", Slot::total},
    {"", "cacheReadInputTokens", Slot::cached},
    {"", "cacheReadInputTokenCount", Slot::cached},
    {"", "cacheWriteInputTokens", Slot::cache_write},
    {"", "cacheWriteInputTokenCount", Slot::cache_write},
};
constexpr RuleSet kConverse{kConverseTable};
constexpr FieldRule kMetricsTable[] = {
    {"", "inputTokenCount", Slot::input},
    {"", "outputTokenCount", Slot::output},
    {"", "cacheReadInputTokenCount", Slot::cached},
    {"", "cacheWriteInputTokenCount", Slot::cache_write},
};
constexpr RuleSet kMetrics{kMetricsTable};
constexpr Meaning kWithoutCache = {.input = InputMeans::without_cache};

// Terms of the cache writes; what they leave is of unknown term.
Status collect_terms(const Json& details, Figures& into) {
  for (Items at = details.items(); at.next();) {
    const std::string_view term = at.value().find("ttl").text();
    if (term != "5m" && term != "1h") continue;
    const Slot slot = term == "5m" ? Slot::cache_write_5m : Slot::cache_write_1h;
    Figures one = {};
    AIMETER_CHECK_OK(
        collect_count("usage.cacheDetails", at.value().find("inputTokens"), slot, one));
    if (!into.add(slot, one.get(slot)))
      return bad_input("usage.cacheDetails", "a sum above int64", "sums up to 9223372036854775807");
  }
  return {};
}

bool take(const Status& read, const Figures& figures, const Meaning& meaning, Collected& into) {
  if (!read) {
    into.refuse(read.error());
    return true;
  }
  if (figures.empty()) return false;
  into.figures = figures;
  into.meaning = meaning;
  into.is_final = true;
  return true;
}

// Streams of Titan and Llama tell the input in the first chunk only.
Figures merged_with(const Collected& into, const Figures& newer) {
  Figures merged = into.figures;
  merged.override_with(newer);
  return merged;
}

bool read_titan(const Document& document, Collected& into) {
  Figures figures = {};
  Status read = collect_count("inputTextTokenCount", document[Key::input_text_token_count],
                              Slot::input, figures);
  if (read)
    read = collect_count("totalOutputTextTokenCount", document[Key::total_output_text_token_count],
                         Slot::output, figures);
  for (Items at = document[Key::results].items(); read && at.next();) {
    Figures one = {};
    read = collect_count("results.tokenCount", at.value().find("tokenCount"), Slot::output, one);
    if (read && !figures.add(Slot::output, one.get(Slot::output)))
      read = bad_input("results.tokenCount", "a sum above int64", "sums up to 9223372036854775807");
  }
  if (read && figures.empty()) return false;
  return take(read, merged_with(into, figures), {}, into);
}

// A streamed Llama answer tells the prompt once and the generated tokens again and again.
bool read_llama(const Document& document, Collected& into) {
  Figures figures = {};
  Status read =
      collect_count("prompt_token_count", document[Key::prompt_token_count], Slot::input, figures);
  if (read)
    read = collect_count("generation_token_count", document[Key::generation_token_count],
                         Slot::output, figures);
  if (read && figures.empty()) return false;
  return take(read, merged_with(into, figures), {}, into);
}

// Nova Canvas and Titan Image are billed by image.
bool read_images(const Document& document, Collected& into) {
  std::int64_t count = 0;
  for (Items at = document[Key::images].items(); at.next();)
    if (at.value().is(Json::Kind::text)) ++count;
  if (count == 0 || into.has_usage) return false;
  Figures figures = {};
  figures.set(Slot::images, count);
  return take({}, figures, {}, into);
}

}  // namespace

bool read_bedrock(const Document& document, const ProviderCard&, Collected& into) {
  Json usage = document[Key::usage];
  if (!usage.has_value()) usage = sole(document[Key::metadata], "usage", into);
  if (usage.is(Json::Kind::object)) {
    Figures figures = {};
    Status read = collect(usage, kConverse, figures);
    if (read) read = collect_terms(usage.find("cacheDetails"), figures);
    return take(read, figures, kWithoutCache, into);
  }
  // Claude's own figures go before the metrics: they say more of the cache.
  const Json metrics = document[Key::invocation_metrics];
  if (metrics.is(Json::Kind::object)) {
    const bool of_claude = document[Key::type].has_value();
    if (of_claude && into.has_usage && into.is_final) return false;
    Figures figures = {};
    const Status read = collect(metrics, kMetrics, figures);
    return take(read, figures, kWithoutCache, into);
  }
  if (read_titan(document, into)) return true;
  if (read_llama(document, into)) return true;
  return read_images(document, into);
}

}  // namespace aimeter::provider
