// generateContent, streamGenerateContent, embedContent and live of Gemini and Vertex, and predict
// of Vertex. The last usageMetadata counts as a whole: earlier ones are neither added nor merged.
// Source: ai.google.dev/api/generate-content#UsageMetadata, cloud.google.com/vertex-ai (2026-07).
#include "provider/document.h"

namespace aimeter::provider {
namespace {

constexpr FieldRule kRulesTable[] = {
    {"", "promptTokenCount", Slot::input},       {"", "cachedContentTokenCount", Slot::cached},
    {"", "candidatesTokenCount", Slot::output},  {"", "responseTokenCount", Slot::output},  // live
    {"", "thoughtsTokenCount", Slot::reasoning}, {"", "toolUsePromptTokenCount", Slot::tool_prompt},
    {"", "totalTokenCount", Slot::total},
};
constexpr RuleSet kRules{kRulesTable};

struct ModalityRule {
  std::string_view list;
  Slot audio, image, video, document;
};
constexpr Slot kNone = Slot::end;
constexpr ModalityRule kModalities[] = {
    {"promptTokensDetails", Slot::input_audio, Slot::input_image, Slot::input_video,
     Slot::input_document},
    {"promptTokenDetails", Slot::input_audio, Slot::input_image, Slot::input_video,
     Slot::input_document},  // embedContent
    {"toolUsePromptTokensDetails", Slot::input_audio, kNone, kNone, kNone},
    {"cacheTokensDetails", Slot::cached_audio, kNone, kNone, kNone},
    {"candidatesTokensDetails", Slot::output_audio, Slot::output_image, kNone, kNone},
    {"responseTokensDetails", Slot::output_audio, Slot::output_image, kNone, kNone},
};

// Names, or the numbers of the enum Modality as older Vertex clients wrote them.
Slot slot_of(const ModalityRule& rule, const Json& modality) {
  const std::string_view name = modality.text();
  const std::int64_t number = modality.count().value_or(0);
  if (name == "IMAGE" || number == 2) return rule.image;
  if (name == "VIDEO" || number == 3) return rule.video;
  if (name == "AUDIO" || number == 4) return rule.audio;
  if (name == "DOCUMENT" || number == 5) return rule.document;
  return kNone;
}

Status collect_modalities(const Json& usage, Figures& into) {
  for (const ModalityRule& rule : kModalities) {
    for (Items at = usage.find(rule.list).items(); at.next();) {
      const Slot slot = slot_of(rule, at.value().find("modality"));
      const Json count = at.value().find("tokenCount");  // absent: 0, as Gemini leaves zeros out
      if (slot == kNone || !count.has_value()) continue;
      Figures one = {};
      AIMETER_CHECK_OK(collect_count(rule.list, count, slot, one));
      if (!into.add(slot, one.get(slot)))
        return bad_input(rule.list, "a sum above int64", "sums up to 9223372036854775807");
    }
  }
  return {};
}

// "ON_DEMAND_FLEX" says flex, "ON_DEMAND" the ordinary tier. Older clients wrote numbers: no tier.
std::string tier_of_traffic(std::string_view traffic) {
  constexpr std::string_view kOnDemand = "ON_DEMAND_";
  return tier_of(traffic.starts_with(kOnDemand) ? traffic.substr(kOnDemand.size()) : traffic);
}

// Vertex predict: embeddings tell tokens per instance, Imagen is billed by image.
bool read_predictions(const Json& predictions, Collected& into) {
  Figures figures = {};
  for (Items at = predictions.items(); at.next();) {
    if (at.value().find("bytesBase64Encoded").has_value() && !figures.add(Slot::images, 1))
      return false;
    const Json tokens = at.value().find("embeddings").find("statistics").find("token_count");
    if (!tokens.has_value()) continue;
    const std::string number = tokens.number_text();  // written as 4 or as 4.0
    const Result<Money> exact = money_of(number);
    constexpr std::int64_t kNano = 1'000'000'000;
    if (!exact || exact->nanos < 0 || exact->nanos % kNano != 0 ||
        !figures.add(Slot::input, exact->nanos / kNano)) {
      into.refuse(bad_input("statistics.token_count", tokens.brief(64), "a whole number").error());
      return true;
    }
  }
  if (figures.empty()) return false;
  into.figures = figures;
  into.meaning = {};
  return true;
}

}  // namespace

bool read_gemini(const Document& document, const ProviderCard&, Collected& into) {
  Json usage = document[Key::usage_metadata];
  if (!usage.has_value()) usage = sole(document[Key::response], "usageMetadata", into);
  if (!usage.is(Json::Kind::object)) return read_predictions(document[Key::predictions], into);
  Figures figures = {};
  Status read = collect(usage, kRules, figures);
  if (read && !figures.empty()) read = collect_modalities(usage, figures);
  if (!read) {
    into.refuse(read.error());
    return true;
  }
  if (figures.empty()) return false;
  into.figures = figures;
  into.meaning = {.output = OutputMeans::without_reasoning};
  into.service_tier = tier_of(usage.find("serviceTier").text());
  if (into.service_tier.empty())
    into.service_tier = tier_of_traffic(usage.find("trafficType").text());
  return true;
}

}  // namespace aimeter::provider
