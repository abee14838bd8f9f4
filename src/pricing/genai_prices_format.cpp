#include <array>
#include <set>

#include "pricing/format.h"

namespace aimeter::pricing {
namespace {

constexpr std::int64_t kMillion = 1'000'000;
constexpr std::int64_t kThousand = 1'000;
constexpr std::int64_t kHour = 3'600;

// Source: genai-prices 47df840a, prices/units.yml (2026-08-21): price_key and `per`.
struct KeyCard {
  std::string_view key;
  Kind kind;
  std::int64_t per;
};
constexpr std::array kKeys = {
    KeyCard{"input_mtok", Kind::input, kMillion},
    KeyCard{"output_mtok", Kind::output, kMillion},
    KeyCard{"cache_read_mtok", Kind::cached_input, kMillion},
    KeyCard{"cache_write_mtok", Kind::cache_write, kMillion},
    KeyCard{"cache_write_5m_mtok", Kind::cache_write_5m, kMillion},
    KeyCard{"cache_write_1h_mtok", Kind::cache_write_1h, kMillion},
    KeyCard{"input_audio_mtok", Kind::input_audio, kMillion},
    KeyCard{"cache_audio_read_mtok", Kind::cached_input_audio, kMillion},
    KeyCard{"output_audio_mtok", Kind::output_audio, kMillion},
    KeyCard{"input_image_mtok", Kind::input_image, kMillion},
    KeyCard{"cache_image_read_mtok", Kind::cached_input_image, kMillion},
    KeyCard{"output_image_mtok", Kind::output_image, kMillion},
    KeyCard{"input_video_mtok", Kind::input_video, kMillion},
    KeyCard{"output_video_mtok", Kind::output_video, kMillion},
    KeyCard{"output_reasoning_mtok", Kind::reasoning, kMillion},
    KeyCard{"output_citation_mtok", Kind::citation, kMillion},
    KeyCard{"input_mchars", Kind::input_characters, kMillion},
    KeyCard{"audio_hours", Kind::seconds, kHour},
    KeyCard{"input_audio_hours", Kind::input_audio_seconds, kHour},
    KeyCard{"output_audio_hours", Kind::output_seconds, kHour},
    KeyCard{"input_gpixels", Kind::input_pixels, 1'000'000'000},
    KeyCard{"input_document_kpages", Kind::pages, kThousand},
    KeyCard{"input_annotated_document_kpages", Kind::annotated_pages, kThousand},
    KeyCard{"rerank_searches_kcount", Kind::searches, kThousand},
    KeyCard{"web_searches_kcount", Kind::searches, kThousand},
    KeyCard{"social_searches_kcount", Kind::social_searches, kThousand},
    KeyCard{"storage_searches_kcount", Kind::storage_searches, kThousand},
    KeyCard{"code_executions_kcount", Kind::code_sessions, kThousand},
    KeyCard{"requests_kcount", Kind::requests, kThousand},
};

// A price with tiers is spread over the tiers of the row.
Status read_price(const Place& place, const KeyCard& card, Row& row) {
  if (!place.is(Json::Kind::object)) {
    AIMETER_TRY(const Decimal amount, place.price());
    row.base.set(card.kind, {amount, card.per});
    return {};
  }
  AIMETER_CHECK_OK(place.only({"base", "tiers"}));
  AIMETER_TRY(const Place base, place.member("base"));
  AIMETER_TRY(const Decimal amount, base.price());
  row.base.set(card.kind, {amount, card.per});
  AIMETER_TRY(const Place tiers, place.member("tiers"));
  AIMETER_TRY(const std::vector<Place> items, tiers.array());
  for (const Place& item : items) {
    AIMETER_CHECK_OK(item.only({"start", "price"}));
    AIMETER_TRY(const Place start, item.member("start"));
    AIMETER_TRY(const std::int64_t above, start.integer());
    AIMETER_TRY(const Place value, item.member("price"));
    AIMETER_TRY(const Decimal price, value.price());
    auto tier = std::find_if(row.tiers.begin(), row.tiers.end(),
                             [&](const ContextTier& known) { return known.above_tokens >= above; });
    if (tier == row.tiers.end() || tier->above_tokens != above) {
      tier = row.tiers.insert(tier, ContextTier{.above_tokens = above});
    }
    tier->prices.set(card.kind, {price, card.per});
  }
  return {};
}

// Errors, or the name of a key that is not known: then the model cannot be imported without
// dropping it.
Result<std::string> read_prices(const Place& prices, Row& row) {
  AIMETER_TRY(const auto members, prices.object());
  for (const auto& [key, place] : members) {
    const auto* card = std::find_if(kKeys.begin(), kKeys.end(),
                                    [&](const KeyCard& known) { return known.key == key; });
    if (card == kKeys.end()) return key;
    AIMETER_CHECK_OK(read_price(place, *card, row));
  }
  return std::string();
}

Status read_constraint(const Place& place, Row& row) {
  AIMETER_CHECK_OK(place.only({"type", "start_date", "start_time", "end_time"}));
  if (place.has("start_date")) {
    AIMETER_TRY(const std::string date, place.string("start_date"));
    AIMETER_TRY(row.from, parse_instant(place.where() + ".start_date", date));
  }
  if (place.has("start_time") || place.has("end_time")) {
    AIMETER_TRY(const Place start, place.member("start_time"));
    AIMETER_TRY(const Place end, place.member("end_time"));
    AIMETER_TRY(row.window, parse_window(start, end));
  }
  return {};
}

// The file gives no price to what costs nothing; only where it says so is that a price of 0.
Result<bool> says_free(const Place& model) {
  AIMETER_TRY(const std::string id, model.string("id"));
  AIMETER_TRY(const std::string name, model.string_or("name", ""));
  AIMETER_TRY(const std::string description, model.string_or("description", ""));
  return id.ends_with(":free") || name.find("(free)") != std::string::npos ||
         description.find("free of charge") != std::string::npos;
}

Status make_free(PriceSet& prices) {
  prices.set(Kind::input, {Decimal(), kMillion});
  prices.set(Kind::output, {Decimal(), kMillion});
  return {};
}

// Reads model.rows. Gives the unknown key back, if there is one.
Result<std::string> read_rows(const Place& place, Model& model) {
  AIMETER_TRY(const Place prices, place.member("prices"));
  if (!prices.is(Json::Kind::array)) {
    Row row;
    AIMETER_TRY(std::string unknown, read_prices(prices, row));
    model.rows.push_back(std::move(row));
    return unknown;
  }
  AIMETER_TRY(const std::vector<Place> items, prices.array());
  for (const Place& item : items) {
    AIMETER_CHECK_OK(item.only({"constraint", "prices"}));
    Row row;
    if (item.has("constraint")) {
      AIMETER_TRY(const Place constraint, item.member("constraint"));
      // The first one also holds where no constraint does.
      if (!model.rows.empty() && !constraint.is(Json::Kind::null)) {
        AIMETER_CHECK_OK(read_constraint(constraint, row));
      }
    }
    AIMETER_TRY(const Place inner, item.member("prices"));
    AIMETER_TRY(std::string unknown, read_prices(inner, row));
    if (!unknown.empty()) return unknown;
    model.rows.push_back(std::move(row));
  }
  return std::string();
}

// What the model can keep in view, which is what one call can use of it.
Result<std::optional<std::int64_t>> read_context_window(const Place& model) {
  if (!model.has("context_window")) return std::nullopt;
  AIMETER_TRY(const Place window, model.member("context_window"));
  if (window.is(Json::Kind::null)) return std::nullopt;
  AIMETER_TRY(const std::int64_t tokens, window.integer());
  return tokens > 0 ? std::optional(tokens) : std::nullopt;
}

Status read_model(const Place& place, Provider& provider, Reading& reading) {
  ++reading.entries;
  Model model{.at_parent = all_parts(), .source = "genai-prices"};
  AIMETER_TRY(model.id, place.string("id"));
  AIMETER_TRY(const Place match, place.member("match"));
  AIMETER_TRY(model.match, read_rule(match));
  AIMETER_TRY(model.max_tokens, read_context_window(place));
  AIMETER_TRY(const std::string unknown, read_rows(place, model));
  if (!unknown.empty()) {
    reading.skipped.push_back({provider.id + "/" + model.id,
                               "unknown price key \"" + unknown + "\"; known without a price"});
    model.rows.clear();  // its names must not fall to a later rule
  }
  AIMETER_TRY(const bool free, says_free(place));
  for (Row& row : model.rows) {
    if (row.base.empty() && free) AIMETER_CHECK_OK(make_free(row.base));
  }
  provider.models.push_back(std::move(model));
  return {};
}

Result<Provider> read_provider(const Place& place, Reading& reading) {
  Provider provider;
  AIMETER_TRY(provider.id, place.string("id"));
  if (place.has("provider_match")) {
    AIMETER_TRY(const Place match, place.member("provider_match"));
    if (!match.is(Json::Kind::null)) {
      AIMETER_TRY(provider.match, read_rule(match));
    }
  }
  if (place.has("fallback_model_providers")) {
    AIMETER_TRY(const Place list, place.member("fallback_model_providers"));
    AIMETER_TRY(const std::vector<Place> items, list.array());
    for (const Place& item : items) {
      AIMETER_TRY(std::string id, item.string());
      provider.fallback.push_back(std::move(id));
    }
  }
  AIMETER_TRY(const Place models, place.member("models"));
  AIMETER_TRY(const std::vector<Place> items, models.array());
  std::set<std::string, std::less<>> ids;
  for (const Place& item : items) {
    AIMETER_TRY(const std::string id, item.string("id"));
    if (!ids.insert(id).second) {
      return bad_input(item.where() + ".id", id, "every model of a provider once");
    }
    AIMETER_CHECK_OK(read_model(item, provider, reading));
  }
  return provider;
}

}  // namespace

Result<Reading> read_genai_prices(std::string_view document, const ImportOptions& options) {
  AIMETER_TRY(const Json json, parse_document("prices", document));
  const Place root(json, "prices");
  Reading reading;
  reading.data.sources["genai-prices"] = {
      .name = options.source.empty() ? "pydantic/genai-prices, v2 data" : options.source,
      .date = "",
      .url = "https://github.com/pydantic/genai-prices",
      .licence = "MIT"};
  AIMETER_TRY(const std::vector<Place> items, root.array());
  std::set<std::string, std::less<>> ids;
  for (const Place& item : items) {
    AIMETER_TRY(Provider provider, read_provider(item, reading));
    if (!ids.insert(provider.id).second) {
      return bad_input(item.where() + ".id", provider.id, "every provider once");
    }
    reading.data.providers.push_back(std::move(provider));
  }
  return reading;
}

}  // namespace aimeter::pricing
