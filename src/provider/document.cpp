#include "provider/document.h"

#include <algorithm>

namespace aimeter::provider {
namespace {

enum class Metered { no, yes };
struct RootKey {
  std::string_view name;
  Metered metered;
};
// In the order of Key. A metered key that is there twice makes the answer ambiguous.
constexpr std::array<RootKey, Document::kKeys> kRootKeys = {{
    {"usage", Metered::yes},
    {"usageMetadata", Metered::yes},
    {"usage_info", Metered::yes},
    {"model", Metered::yes},
    {"modelVersion", Metered::yes},
    {"type", Metered::no},
    {"object", Metered::no},
    {"error", Metered::no},
    {"message", Metered::yes},
    {"response", Metered::yes},
    {"meta", Metered::yes},
    {"delta", Metered::yes},
    {"service_tier", Metered::yes},
    {"x_groq", Metered::yes},
    {"code", Metered::no},
    {"status", Metered::no},
    {"__type", Metered::no},
    {"event_type", Metered::no},
    {"done", Metered::yes},
    {"prompt_eval_count", Metered::yes},
    {"eval_count", Metered::yes},
    {"inputTextTokenCount", Metered::yes},
    {"totalOutputTextTokenCount", Metered::yes},
    {"results", Metered::yes},
    {"prompt_token_count", Metered::yes},
    {"generation_token_count", Metered::yes},
    {"amazon-bedrock-invocationMetrics", Metered::yes},
    {"metadata", Metered::yes},
    {"images", Metered::yes},
    {"data", Metered::yes},
    {"output", Metered::yes},
    {"predictions", Metered::yes},
    {"task", Metered::no},
    {"duration", Metered::yes},
}};

// Places of the keys by length and two letters, the next free one where another has it.
constexpr std::size_t kPlaces = 128;
constexpr std::size_t place_of(std::string_view key) {
  const auto first = static_cast<unsigned char>(key.front());
  const auto middle = static_cast<unsigned char>(key[key.size() / 2]);
  return (key.size() * 7 + first * 3U + middle * 11U) % kPlaces;
}
constexpr std::array<std::uint8_t, kPlaces> kPlaceOfKey = [] {
  std::array<std::uint8_t, kPlaces> places = {};
  places.fill(Document::kKeys);
  for (std::size_t i = 0; i < Document::kKeys; ++i) {
    std::size_t at = place_of(kRootKeys[i].name);
    while (places[at] != Document::kKeys) at = (at + 1) % kPlaces;
    places[at] = static_cast<std::uint8_t>(i);
  }
  return places;
}();
static_assert(Document::kKeys < kPlaces);

// kKeys: none.
std::size_t root_key(std::string_view key) {
  if (key.empty()) return Document::kKeys;
  std::size_t at = place_of(key);
  while (kPlaceOfKey[at] != Document::kKeys && kRootKeys[kPlaceOfKey[at]].name != key) {
    at = (at + 1) % kPlaces;
  }
  return kPlaceOfKey[at];
}

}  // namespace

Document::Document(const Json& root) {
  for (Fields at = root.fields(); at.next();) {
    const std::size_t i = root_key(at.key());
    if (i == kKeys) continue;
    const bool again = !found[i].is(Json::Kind::absent);
    if (again && kRootKeys[i].metered == Metered::yes && twice.empty()) twice = kRootKeys[i].name;
    if (!again) found[i] = at.value();
  }
}

Json sole(const Json& object, std::string_view key, Collected& into) {
  Json found = {};
  for (Fields at = object.fields(); at.next();) {
    if (at.key() != key) continue;
    if (!found.is(Json::Kind::absent))
      into.refuse(bad_input(key, at.value().brief(64), "each key once").error());
    else
      found = at.value();
  }
  return found;
}

std::string tier_of(std::string_view text) {
  std::string tier(text.substr(0, 64));
  for (char& c : tier)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (tier == "standard" || tier == "on_demand") return "default";
  const auto odd = [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-');
  };
  if (std::ranges::any_of(tier, odd)) return {};
  return tier;
}

}  // namespace aimeter::provider
