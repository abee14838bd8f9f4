// Chat (v1, v2), generate, embed, rerank and classify of Cohere. Billed units are what Cohere
// charges; the model's own tokens are more (its preamble, its cache) and are reported beside them.
// Source: docs.cohere.com/reference/chat, /embed, /rerank, /classify (2026-07).
#include "provider/document.h"

namespace aimeter::provider {
namespace {

constexpr FieldRule kRulesTable[] = {
    {"billed_units", "input_tokens", Slot::input},
    {"billed_units", "output_tokens", Slot::output},
    {"billed_units", "image_tokens", Slot::input_image},
    {"billed_units", "images", Slot::images},
    {"billed_units", "search_units", Slot::searches},
    {"billed_units", "classifications", Slot::classifications},
    {"tokens", "input_tokens", Slot::model_input},
    {"tokens", "output_tokens", Slot::model_output},
    {"", "cached_tokens", Slot::model_cached},
};
constexpr RuleSet kRules{kRulesTable};

bool is_cohere(const Json& usage) {
  return usage.find("billed_units").is(Json::Kind::object) ||
         usage.find("tokens").is(Json::Kind::object);
}

// v2: usage, streamed delta.usage. v1: meta, streamed response.meta.
Json usage_of_document(const Document& document, Collected& into) {
  for (const Json& usage :
       {document[Key::usage], document[Key::meta], sole(document[Key::delta], "usage", into),
        sole(document[Key::response], "meta", into)})
    if (is_cohere(usage)) return usage;
  return {};
}

}  // namespace

bool read_cohere(const Document& document, const ProviderCard&, Collected& into) {
  const Json usage = usage_of_document(document, into);
  if (!usage.is(Json::Kind::object)) return false;
  Figures figures = {};
  Status read = collect(usage, kRules, figures);
  if (read && figures.has(Slot::input_image) &&
      !figures.add(Slot::input, figures.get(Slot::input_image)))
    read = bad_input("billed_units.image_tokens", "a sum above int64", "sums up to int64");
  if (!read) {
    into.refuse(read.error());
    return true;
  }
  // Not billed by tokens or units: what the model counted is the best there is.
  const bool billed = usage.find("billed_units").is(Json::Kind::object);
  if (!billed && figures.has(Slot::model_input))
    figures.set(Slot::input, figures.get(Slot::model_input));
  if (!billed && figures.has(Slot::model_output))
    figures.set(Slot::output, figures.get(Slot::model_output));
  if (figures.empty()) return false;
  into.figures = figures;
  into.meaning = {};
  return true;
}

}  // namespace aimeter::provider
