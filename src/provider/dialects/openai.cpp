// Chat, completions, embeddings, responses, images, transcription and speech of OpenAI, and all
// who speak them. Sources: platform.openai.com/docs/api-reference (2026-07), and the references of
// the providers named below.
#include "provider/document.h"

namespace aimeter::provider {
namespace {

__extension__ typedef __int128 Wide;  // sums of two counts cannot leave it

constexpr FieldRule kRulesTable[] = {
    {"", "prompt_tokens", Slot::input},
    {"", "input_tokens", Slot::input},
    {"", "completion_tokens", Slot::output},
    {"", "output_tokens", Slot::output},
    {"", "total_tokens", Slot::total},
    {"prompt_tokens_details", "cached_tokens", Slot::cached},
    {"input_tokens_details", "cached_tokens", Slot::cached},
    {"input_token_details", "cached_tokens", Slot::cached},   // realtime, transcription
    {"prompt_token_details", "cached_tokens", Slot::cached},  // Mistral
    {"", "prompt_cache_hit_tokens", Slot::cached},            // DeepSeek
    {"", "cached_tokens", Slot::cached},                      // Moonshot, Hugging Face, Together
    {"", "cache_read_input_tokens", Slot::cached},            // gateways in front of Anthropic
    {"prompt_tokens_details", "cache_write_tokens", Slot::cache_write},
    {"input_tokens_details", "cache_write_tokens", Slot::cache_write},
    {"prompt_tokens_details", "cache_creation_input_tokens", Slot::cache_write},  // Alibaba
    {"prompt_tokens_details", "cache_creation_tokens", Slot::cache_write},        // LiteLLM
    {"", "cache_creation_input_tokens", Slot::cache_write},
    {"cache_creation", "ephemeral_5m_input_tokens", Slot::cache_write_5m},
    {"cache_creation", "ephemeral_1h_input_tokens", Slot::cache_write_1h},
    {"prompt_tokens_details", "audio_tokens", Slot::input_audio},
    {"input_tokens_details", "audio_tokens", Slot::input_audio},
    {"input_token_details", "audio_tokens", Slot::input_audio},
    {"cached_tokens_details", "audio_tokens", Slot::cached_audio},  // realtime
    {"completion_tokens_details", "reasoning_tokens", Slot::reasoning},
    {"output_tokens_details", "reasoning_tokens", Slot::reasoning},
    {"", "reasoning_tokens", Slot::reasoning},  // Perplexity, Together
    {"completion_tokens_details", "audio_tokens", Slot::output_audio},
    {"output_tokens_details", "audio_tokens", Slot::output_audio},
    {"output_token_details", "audio_tokens", Slot::output_audio},
    {"prompt_tokens_details", "image_tokens", Slot::input_image},
    {"input_tokens_details", "image_tokens", Slot::input_image},
    {"input_token_details", "image_tokens", Slot::input_image},
    {"prompt_tokens_details", "video_tokens", Slot::input_video},
    {"completion_tokens_details", "image_tokens", Slot::output_image},
    {"output_tokens_details", "image_tokens", Slot::output_image},
    {"", "citation_tokens", Slot::citation},                     // Perplexity
    {"", "num_search_queries", Slot::searches},                  // Perplexity
    {"server_tool_use", "web_search_requests", Slot::searches},  // OpenRouter
    {"server_tool_use_details", "web_search_requests", Slot::searches},
    {"", "seconds", Slot::seconds},
    {"", "prompt_audio_seconds", Slot::seconds},  // Mistral
    {"", "pages_processed", Slot::pages},         // Mistral OCR
};
constexpr RuleSet kRules{kRulesTable};

Json usage_of_document(const Document& document, Collected& into) {
  for (const Key key : {Key::usage, Key::usage_info})  // usage_info: OCR of Mistral
    if (document[key].is(Json::Kind::object)) return document[key];
  for (const Json& around : {document[Key::response], document[Key::x_groq]}) {
    const Json usage = sole(around, "usage", into);
    if (usage.is(Json::Kind::object)) return usage;
  }
  return {};
}

// OpenRouter: a number. Perplexity: an object with total_cost. xAI: ticks of 1e-10 USD (docs.x.ai,
// 2026-07).
std::optional<Money> cost_of(const Json& usage) {
  std::string number;
  for (Fields at = usage.fields(); at.next() && number.empty();) {
    if (at.key() == "cost") {
      number = at.value().number_text();
      if (number.empty()) number = at.value().find("total_cost").number_text();
    } else if (at.key() == "cost_in_usd_ticks" && at.value().is(Json::Kind::whole)) {
      number = at.value().number_text() + "e-10";
    }
  }
  if (number.empty()) return std::nullopt;
  Result<Money> money = money_of(number);
  if (!money) return std::nullopt;
  return *std::move(money);
}

// Whether `output` holds the reasoning. The total tells, where it fits one of the two readings
// only.
OutputMeans output_means(const Figures& figures, const ProviderCard& card) {
  const Wide without = Wide{figures.get(Slot::input)} + figures.get(Slot::output);
  const Wide total = figures.get(Slot::total);
  const std::int64_t reasoning = figures.get(Slot::reasoning);
  if (reasoning == 0) return OutputMeans::everything;
  if (figures.has(Slot::total) && total == without + reasoning)
    return OutputMeans::without_reasoning;
  // A part cannot be more than its whole, unless the total insists that it is one.
  const bool insists = figures.has(Slot::total) && total == without;
  if (reasoning > figures.get(Slot::output) && !insists) return OutputMeans::without_reasoning;
  if (card.reasoning == Reasoning::beside_output) {
    // Perplexity's total leaves its reasoning out; elsewhere a total of both says that it is
    // inside.
    const bool inside =
        total == without && reasoning <= figures.get(Slot::output) && !figures.has(Slot::citation);
    return inside ? OutputMeans::everything : OutputMeans::without_reasoning;
  }
  return OutputMeans::everything;
}

// Web searches of the Responses API are billed by call and stand in the output only.
std::int64_t searches_in(const Json& output) {
  std::int64_t count = 0;
  for (Items at = output.items(); at.next();) {
    if (at.value().find("type").text() != "web_search_call") continue;
    const std::string_view action = at.value().find("action").find("type").text();
    if (action.empty() || action == "search") ++count;
  }
  return count;
}

std::int64_t images_in(const Json& data) {
  std::int64_t count = 0;
  for (Items at = data.items(); at.next();)
    if (at.value().find("b64_json").has_value() || at.value().find("url").has_value()) ++count;
  return count;
}

// Answers that are billed by what they hold and carry no usage: images, whisper.
bool read_without_usage(const Document& document, Collected& into) {
  Figures figures = {};
  if (const std::int64_t images = images_in(document[Key::data]); images > 0)
    figures.set(Slot::images, images);
  const std::string_view task = document[Key::task].text();
  if (task == "transcribe" || task == "translate")
    if (Status read = collect_count("duration", document[Key::duration], Slot::seconds, figures);
        !read)
      into.refuse(read.error());
  if (figures.empty() || into.has_usage) return false;
  into.figures = figures;
  return true;
}

}  // namespace

bool read_openai(const Document& document, const ProviderCard& card, Collected& into) {
  const Json usage = usage_of_document(document, into);
  if (!usage.is(Json::Kind::object)) return read_without_usage(document, into);
  Figures figures = {};
  Status read = collect(usage, kRules, figures);
  if (!read) {
    into.refuse(read.error());
    return true;
  }
  if (figures.empty()) return false;
  const bool total_alone =
      figures.has(Slot::total) && !figures.has(Slot::input) && !figures.has(Slot::output);
  if (total_alone && card.total_alone == TotalAlone::is_input)
    figures.set(Slot::input, figures.get(Slot::total));
  const Json response = document[Key::response];
  const Json output =
      document[Key::output].is(Json::Kind::array) ? document[Key::output] : response.find("output");
  if (!figures.has(Slot::searches))
    if (const std::int64_t count = searches_in(output); count > 0)
      figures.set(Slot::searches, count);
  into.figures = figures;
  into.meaning = {.output = output_means(figures, card)};
  into.is_final = true;
  into.cost = cost_of(usage);
  const std::string_view tier = document[Key::service_tier].text();
  into.service_tier = tier_of(tier.empty() ? response.find("service_tier").text() : tier);
  return true;
}

}  // namespace aimeter::provider
