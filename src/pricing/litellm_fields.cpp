#include "pricing/litellm_fields.h"

#include <algorithm>
#include <array>

namespace aimeter::pricing {
namespace {

struct BaseField {
  std::string_view name;
  Kind kind;
};
constexpr std::array kBase = {
    BaseField{"input_cost_per_token", Kind::input},
    BaseField{"output_cost_per_token", Kind::output},
    BaseField{"cache_read_input_token_cost", Kind::cached_input},
    BaseField{"input_cost_per_token_cache_hit", Kind::cached_input},
    BaseField{"cache_creation_input_token_cost", Kind::cache_write},
    BaseField{"cache_creation_input_token_cost_above_1hr", Kind::cache_write_1h},
    BaseField{"cache_creation_input_audio_token_cost", Kind::cache_write_audio},
    BaseField{"cache_read_input_audio_token_cost", Kind::cached_input_audio},
    BaseField{"cache_read_input_image_token_cost", Kind::cached_input_image},
    BaseField{"input_cost_per_audio_token", Kind::input_audio},
    BaseField{"output_cost_per_audio_token", Kind::output_audio},
    BaseField{"output_cost_per_reasoning_token", Kind::reasoning},
    BaseField{"input_cost_per_image_token", Kind::input_image},
    BaseField{"output_cost_per_image_token", Kind::output_image},
    BaseField{"input_cost_per_video_token", Kind::input_video},
    BaseField{"output_cost_per_video_token", Kind::output_video},
    BaseField{"citation_cost_per_token", Kind::citation},
    BaseField{"input_cost_per_image", Kind::input_images},
    BaseField{"output_cost_per_image", Kind::images},
    BaseField{"input_cost_per_character", Kind::input_characters},
    BaseField{"output_cost_per_character", Kind::output_characters},
    BaseField{"input_cost_per_second", Kind::input_seconds},
    BaseField{"output_cost_per_second", Kind::output_seconds},
    BaseField{"input_cost_per_audio_per_second", Kind::input_audio_seconds},
    BaseField{"input_cost_per_video_per_second", Kind::input_video_seconds},
    BaseField{"output_cost_per_video_per_second", Kind::output_video_seconds},
    BaseField{"input_cost_per_pixel", Kind::input_pixels},
    BaseField{"output_cost_per_pixel", Kind::pixels},
    BaseField{"ocr_cost_per_page", Kind::pages},
    BaseField{"annotation_cost_per_page", Kind::annotated_pages},
    BaseField{"ocr_cost_per_credit", Kind::credits},
    BaseField{"input_cost_per_query", Kind::searches},
    BaseField{"input_cost_per_request", Kind::requests},
    BaseField{"code_interpreter_cost_per_session", Kind::code_sessions},
};

struct TierName {
  std::string_view suffix, tier;
};
constexpr std::array kTiers = {TierName{"_priority", "priority"}, TierName{"_flex", "flex"},
                               TierName{"_batches", "batch"}};

// Takes "_above_200k_tokens" off the end.
std::int64_t take_threshold(std::string_view& name) {
  constexpr std::string_view kEnd = "k_tokens";
  constexpr std::string_view kStart = "_above_";
  const std::size_t start = name.rfind(kStart);
  if (!name.ends_with(kEnd) || start == std::string_view::npos) return 0;
  const std::string_view digits =
      name.substr(start + kStart.size(), name.size() - kEnd.size() - start - kStart.size());
  if (digits.empty() || digits.size() > 6) return 0;
  std::int64_t thousands = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return 0;
    thousands = thousands * 10 + (c - '0');
  }
  name = name.substr(0, start);
  return thousands * 1000;
}

struct Canonical {
  std::string_view litellm, id;
};
constexpr std::array kCanonical = {
    Canonical{"text-completion-openai", "openai"},
    Canonical{"azure_text", "azure"},
    Canonical{"azure_ai", "azure"},
    Canonical{"bedrock", "aws"},
    Canonical{"bedrock_converse", "aws"},
    Canonical{"bedrock_mantle", "aws"},
    Canonical{"gemini", "google"},
    Canonical{"palm", "google"},
    Canonical{"cohere_chat", "cohere"},
    Canonical{"xai", "x-ai"},
    Canonical{"together_ai", "together"},
};
constexpr std::array kExtractors = {
    Canonical{"alibaba", "dashscope"},   Canonical{"fireworks", "fireworks_ai"},
    Canonical{"moonshotai", "moonshot"}, Canonical{"voyageai", "voyage"},
    Canonical{"deepinfra", "deepinfra"}, Canonical{"vertex_ai", "vertex"},
};

}  // namespace

LitellmField litellm_field(std::string_view name) {
  using Sort = LitellmField::Sort;
  LitellmField field;
  // The same prices once more, in another currency of account.
  if (name.find("_dbu_cost_") != std::string_view::npos) return field;
  if (name.find("cost") == std::string_view::npos) return field;
  std::string_view base = name;
  for (const TierName& tier : kTiers) {
    if (!base.ends_with(tier.suffix)) continue;
    field.service_tier = tier.tier;
    base.remove_suffix(tier.suffix.size());
  }
  field.above_tokens = take_threshold(base);
  const auto* known = std::find_if(kBase.begin(), kBase.end(),
                                   [&](const BaseField& card) { return card.name == base; });
  field.sort = known == kBase.end() ? Sort::not_understood : Sort::price;
  if (known != kBase.end()) field.kind = known->kind;
  return field;
}

LitellmProvider litellm_provider(std::string_view name) {
  if (name.starts_with("vertex_ai")) return {"vertex", std::string(name)};
  for (const Canonical& row : kCanonical) {
    if (row.litellm == name) return {std::string(row.id), std::string(name)};
  }
  return {std::string(name), std::string(name)};
}

std::string_view extractor_name(std::string_view provider_id) {
  for (const Canonical& row : kExtractors) {
    if (row.id == provider_id) return row.litellm;
  }
  return {};
}

}  // namespace aimeter::pricing
