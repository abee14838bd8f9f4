// Package:       provider
// Units:         none
// Errors:        a metered key that occurs twice is kept in `twice`; the reader of the answer
//                refuses it.
// Thread safety: values.
// Ownership:     views into the parsed document; the card of a provider is static.
//
// One JSON document of an answer, seen by its root keys, and the dialects that can read usage from
// it. A dialect is an API family ("OpenAI-compatible"); a provider lists the ones it speaks, in
// order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/provider.h"
#include "provider/figures.h"
#include "provider/json.h"

namespace aimeter::provider {

enum class Key : std::uint8_t {
  usage,
  usage_metadata,
  usage_info,
  model,
  model_version,
  type,
  object,
  error,
  message,
  response,
  meta,
  delta,
  service_tier,
  x_groq,
  code,
  status,
  aws_type,
  event_type,
  done,
  prompt_eval_count,
  eval_count,
  input_text_token_count,
  total_output_text_token_count,
  results,
  prompt_token_count,
  generation_token_count,
  invocation_metrics,
  metadata,
  images,
  data,
  output,
  predictions,
  task,
  duration,
  end
};

struct Document {
  static constexpr std::size_t kKeys = static_cast<std::size_t>(Key::end);
  explicit Document(const Json& root);
  [[nodiscard]] Json operator[](Key key) const { return found[static_cast<std::size_t>(key)]; }
  std::array<Json, kKeys> found = {};
  std::string_view twice = {};  // the first metered key that is there twice
};

struct ProviderCard;

// What the documents of one answer have told so far.
struct Collected {
  std::string model = {}, service_tier = {};
  Figures figures = {};
  Meaning meaning = {};
  std::optional<Money> cost = {};
  std::vector<ModelWork> by_model = {};
  bool has_usage = false;
  bool is_final = true;           // false: more figures must follow (Anthropic's message_start)
  bool lower_bound = false;       // a figure was left out by the provider
  std::optional<Error> bad = {};  // the first contradiction
  void refuse(Error error) {
    if (!bad) bad = std::move(error);
  }
};

// True when `document` is of this family and told usage, which is then in `into`. Never throws.
using Dialect = bool (*)(const Document& document, const ProviderCard& card, Collected& into);

bool read_openai(const Document& document, const ProviderCard& card, Collected& into);
bool read_anthropic(const Document& document, const ProviderCard& card, Collected& into);
bool read_gemini(const Document& document, const ProviderCard& card, Collected& into);
bool read_bedrock(const Document& document, const ProviderCard& card, Collected& into);
bool read_cohere(const Document& document, const ProviderCard& card, Collected& into);
bool read_ollama(const Document& document, const ProviderCard& card, Collected& into);

// How output and reasoning go together when the total does not tell.
enum class Reasoning { part_of_output, beside_output };
enum class TotalAlone { stands_alone, is_input };

// of_request: the answer names the model by a name that the provider does not sell it under.
enum class ModelName { of_answer, of_request };

struct ProviderCard {
  std::string_view name = {};
  std::span<const Dialect> dialects = {};
  Reasoning reasoning = Reasoning::part_of_output;
  ModelName model_name = ModelName::of_answer;
  TotalAlone total_alone = TotalAlone::stands_alone;  // embeddings that report only a total
};

// The value of `key` in `object`; a second one is a contradiction.
[[nodiscard]] Json sole(const Json& object, std::string_view key, Collected& into);
// Lower case, and one word for the ordinary tier: "standard", "on_demand" -> "default".
[[nodiscard]] std::string tier_of(std::string_view text);

}  // namespace aimeter::provider
