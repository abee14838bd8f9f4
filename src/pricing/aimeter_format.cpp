#include <fmt/format.h>

#include <set>

#include "pricing/format.h"

namespace aimeter::pricing {
namespace {

constexpr std::string_view kFormatName = "aimeter-prices/1";
constexpr std::int64_t kPerMax = 1'000'000'000;

Result<UnitPrice> read_price(const Place& place) {
  constexpr std::string_view kExpected =
      "AMOUNT or AMOUNT/PER, like 0.15/1000000; AMOUNT a decimal from 0 to 1000000000, PER a whole "
      "number from 1 to 1000000000";
  AIMETER_TRY(const std::string text, place.string());
  const std::size_t slash = text.find('/');
  UnitPrice price;
  Result<Decimal> amount = parse_price(place.where(), text.substr(0, slash));
  if (!amount) return place.refuse(kExpected);
  price.amount = *amount;
  if (slash == std::string::npos) return price;
  const Result<Decimal> per = Decimal::parse(place.where(), text.substr(slash + 1));
  if (!per || per->scale() != 0 || per->mantissa() < 1 || per->mantissa() > kPerMax) {
    return place.refuse(kExpected);
  }
  price.per = static_cast<std::int64_t>(per->mantissa());
  return price;
}

Result<Kind> read_kind(const Place& place, std::string_view name) {
  const std::optional<Kind> kind = kind_named(name);
  if (kind) return *kind;
  std::string expected = "one of the kinds";
  for (const KindCard& card : kind_cards()) expected += " " + std::string(card.name);
  return bad_input(place.where(), name, expected);
}

Result<PriceSet> read_prices(const Place& row) {
  AIMETER_TRY(const Place prices, row.member("prices"));
  AIMETER_TRY(const auto members, prices.object());
  PriceSet set;
  for (const auto& [name, place] : members) {
    AIMETER_TRY(const Kind kind, read_kind(place, name));
    AIMETER_TRY(const UnitPrice price, read_price(place));
    set.set(kind, price);
  }
  return set;
}

Status read_tiers(const Place& place, Row& row) {
  if (!place.has("tiers")) return {};
  AIMETER_TRY(const Place tiers, place.member("tiers"));
  AIMETER_TRY(const std::vector<Place> items, tiers.array());
  for (const Place& item : items) {
    AIMETER_CHECK_OK(item.only({"above", "prices"}));
    ContextTier tier;
    AIMETER_TRY(const Place above, item.member("above"));
    AIMETER_TRY(tier.above_tokens, above.integer());
    if (!row.tiers.empty() && tier.above_tokens <= row.tiers.back().above_tokens) {
      return above.refuse("tiers in rising order, each once");
    }
    AIMETER_TRY(tier.prices, read_prices(item));
    row.tiers.push_back(std::move(tier));
  }
  return {};
}

Result<std::string> read_source(const Place& place, const BookData& data) {
  AIMETER_TRY(std::string source, place.string_or("source", ""));
  if (!source.empty() && !data.sources.contains(source)) {
    return bad_input(place.where() + ".source", source, "a key of \"sources\"");
  }
  return source;
}

Result<Row> read_row(const Place& place, const BookData& data) {
  AIMETER_CHECK_OK(place.only({"service_tier", "source", "from", "hours", "prices", "tiers"}));
  Row row;
  AIMETER_TRY(row.source, read_source(place, data));
  AIMETER_TRY(row.service_tier, place.string_or("service_tier", ""));
  if (place.has("from")) {
    AIMETER_TRY(const std::string from, place.string("from"));
    AIMETER_TRY(row.from, parse_instant(place.where() + ".from", from));
  }
  if (place.has("hours")) {
    AIMETER_TRY(const Place hours, place.member("hours"));
    AIMETER_TRY(const std::vector<Place> both, hours.array());
    if (both.size() != 2) return hours.refuse("two times of day, [start, end)");
    AIMETER_TRY(row.window, parse_window(both[0], both[1]));
  }
  AIMETER_TRY(row.base, read_prices(place));
  AIMETER_CHECK_OK(read_tiers(place, row));
  return row;
}

Result<std::uint64_t> read_at_parent(const Place& model) {
  if (!model.has("at_parent")) return std::uint64_t{0};
  AIMETER_TRY(const Place place, model.member("at_parent"));
  constexpr std::string_view kExpected = "\"all\", or a list of kinds that are parts of another";
  if (place.is(Json::Kind::string)) {
    if (place.json().string() != "all") return place.refuse(kExpected);
    return all_parts();
  }
  AIMETER_TRY(const std::vector<Place> items, place.array());
  std::uint64_t bits = 0;
  for (const Place& item : items) {
    AIMETER_TRY(const std::string name, item.string());
    AIMETER_TRY(const Kind kind, read_kind(item, name));
    if (!card_of(kind).parent) return item.refuse(kExpected);
    bits |= bit_of(kind);
  }
  return bits;
}

Result<std::optional<std::int64_t>> read_max_tokens(const Place& model) {
  if (!model.has("max_tokens")) return std::nullopt;
  AIMETER_TRY(const Place place, model.member("max_tokens"));
  AIMETER_TRY(const std::int64_t most, place.integer());
  if (most == 0) return place.refuse("1 or more; left out when it is not known");
  return most;
}

Result<Model> read_model(const Place& place, const BookData& data) {
  AIMETER_CHECK_OK(
      place.only({"id", "match", "source", "reference", "at_parent", "max_tokens", "rows"}));
  Model model;
  AIMETER_TRY(model.id, place.string("id"));
  if (model.id.empty() || model.id.size() > kNameBytesMax) {
    return bad_input(place.where() + ".id", model.id, "1 to 191 bytes");
  }
  model.match = equals_rule(model.id);
  if (place.has("match")) {
    AIMETER_TRY(const Place match, place.member("match"));
    AIMETER_TRY(model.match, read_rule(match));
  }
  AIMETER_TRY(model.source, read_source(place, data));
  AIMETER_TRY(model.reference, place.string_or("reference", ""));
  AIMETER_TRY(model.at_parent, read_at_parent(place));
  AIMETER_TRY(model.max_tokens, read_max_tokens(place));
  AIMETER_TRY(const Place rows, place.member("rows"));
  AIMETER_TRY(const std::vector<Place> items, rows.array());
  for (const Place& item : items) {
    AIMETER_TRY(Row row, read_row(item, data));
    model.rows.push_back(std::move(row));
  }
  return model;
}

Result<std::vector<std::string>> read_strings(const Place& place, std::string_view key) {
  std::vector<std::string> texts;
  if (!place.has(key)) return texts;
  AIMETER_TRY(const Place list, place.member(key));
  AIMETER_TRY(const std::vector<Place> items, list.array());
  for (const Place& item : items) {
    AIMETER_TRY(std::string text, item.string());
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<Provider> read_provider(const Place& place, const BookData& data) {
  AIMETER_CHECK_OK(place.only({"id", "aliases", "match", "fallback", "models"}));
  Provider provider;
  AIMETER_TRY(provider.id, place.string("id"));
  AIMETER_TRY(provider.aliases, read_strings(place, "aliases"));
  AIMETER_TRY(provider.fallback, read_strings(place, "fallback"));
  if (place.has("match")) {
    AIMETER_TRY(const Place match, place.member("match"));
    AIMETER_TRY(provider.match, read_rule(match));
  }
  AIMETER_TRY(const Place models, place.member("models"));
  AIMETER_TRY(const std::vector<Place> items, models.array());
  provider.models.reserve(items.size());
  std::set<std::string, std::less<>> ids;
  for (const Place& item : items) {
    AIMETER_TRY(Model model, read_model(item, data));
    if (!ids.insert(model.id).second) {
      return bad_input(item.where() + ".id", model.id, "every model of a provider once");
    }
    provider.models.push_back(std::move(model));
  }
  return provider;
}

Status read_sources(const Place& root, BookData& data) {
  if (!root.has("sources")) return {};
  AIMETER_TRY(const Place sources, root.member("sources"));
  AIMETER_TRY(const auto members, sources.object());
  for (const auto& [key, place] : members) {
    AIMETER_CHECK_OK(place.only({"name", "date", "url", "licence"}));
    Source source;
    AIMETER_TRY(source.name, place.string("name"));
    AIMETER_TRY(source.date, place.string("date"));
    AIMETER_TRY(source.url, place.string_or("url", ""));
    AIMETER_TRY(source.licence, place.string_or("licence", ""));
    data.sources.emplace(key, std::move(source));
  }
  return {};
}

Status read_header(const Place& root, BookData& data) {
  AIMETER_CHECK_OK(
      root.only({"format", "version", "effective_from", "currency", "sources", "providers"}));
  AIMETER_TRY(const Place format, root.member("format"));
  AIMETER_TRY(const std::string name, format.string());
  if (name != kFormatName) return format.refuse("\"aimeter-prices/1\"");
  AIMETER_TRY(data.version, root.string("version"));
  if (data.version.empty() || data.version.size() > kNameBytesMax) {
    return bad_input("prices.version", data.version, "1 to 191 bytes");
  }
  if (root.has("effective_from")) {
    AIMETER_TRY(const std::string from, root.string("effective_from"));
    AIMETER_TRY(data.effective_from, parse_instant("prices.effective_from", from));
  }
  AIMETER_TRY(data.currency, root.string_or("currency", "usd"));
  AIMETER_CHECK_OK(Money::parse("0", data.currency));
  return read_sources(root, data);
}

std::string member(std::string_view key, std::string_view json) {
  return fmt::format(", \"{}\": {}", key, json);
}

std::string prices_json(const PriceSet& prices) {
  std::string text;
  for (const KindCard& card : kind_cards()) {
    const UnitPrice* price = prices.find(card.kind);
    if (price == nullptr) continue;
    text +=
        fmt::format("{}\"{}\": \"{}\"", text.empty() ? "" : ", ", card.name, price_text(*price));
  }
  return "{" + text + "}";
}

std::string row_json(const Row& row) {
  std::string text;
  if (!row.service_tier.empty()) text += member("service_tier", quoted(row.service_tier));
  if (!row.source.empty()) text += member("source", quoted(row.source));
  if (row.from) text += member("from", quoted(text_of(*row.from)));
  if (row.window) {
    const std::string window = when_text(Row{.window = row.window});
    const std::size_t dash = window.find('-');
    text += member(
        "hours", fmt::format("[\"{}\", \"{}\"]", window.substr(0, dash), window.substr(dash + 1)));
  }
  text += member("prices", prices_json(row.base));
  std::string tiers;
  for (const ContextTier& tier : row.tiers) {
    tiers += fmt::format("{}{{\"above\": {}, \"prices\": {}}}", tiers.empty() ? "" : ", ",
                         tier.above_tokens, prices_json(tier.prices));
  }
  if (!tiers.empty()) text += member("tiers", "[" + tiers + "]");
  return "{" + text.substr(2) + "}";
}

std::string at_parent_json(std::uint64_t bits) {
  if (bits == all_parts()) return "\"all\"";
  std::string text;
  for (const KindCard& card : kind_cards()) {
    if ((bits & bit_of(card.kind)) == 0) continue;
    text += (text.empty() ? "" : ", ") + quoted(card.name);
  }
  return "[" + text + "]";
}

std::string model_json(const Model& model) {
  std::string text = "{\"id\": " + quoted(model.id);
  if (model.match != equals_rule(model.id)) text += member("match", rule_text(model.match));
  if (!model.source.empty()) text += member("source", quoted(model.source));
  if (!model.reference.empty()) text += member("reference", quoted(model.reference));
  if (model.at_parent != 0) text += member("at_parent", at_parent_json(model.at_parent));
  if (model.max_tokens) text += member("max_tokens", std::to_string(*model.max_tokens));
  std::string rows;
  for (const Row& row : model.rows) rows += (rows.empty() ? "" : ", ") + row_json(row);
  return text + member("rows", "[" + rows + "]") + "}";
}

std::string strings_json(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + quoted(text);
  return "[" + list + "]";
}

std::string provider_json(const Provider& provider) {
  std::string text = "  {\"id\": " + quoted(provider.id);
  if (!provider.aliases.empty()) text += member("aliases", strings_json(provider.aliases));
  if (provider.match) text += member("match", rule_text(*provider.match));
  if (!provider.fallback.empty()) text += member("fallback", strings_json(provider.fallback));
  text += ", \"models\": [";
  std::string models;
  for (const Model& model : provider.models) {
    models += (models.empty() ? "\n    " : ",\n    ") + model_json(model);
  }
  return text + models + "]}";
}

}  // namespace

Result<Reading> read_aimeter(std::string_view document) {
  AIMETER_TRY(const Json json, parse_document("prices", document));
  const Place root(json, "prices");
  Reading reading;
  AIMETER_CHECK_OK(read_header(root, reading.data));
  AIMETER_TRY(const Place providers, root.member("providers"));
  AIMETER_TRY(const std::vector<Place> items, providers.array());
  std::set<std::string, std::less<>> ids;
  for (const Place& item : items) {
    AIMETER_TRY(Provider provider, read_provider(item, reading.data));
    if (!ids.insert(provider.id).second) {
      return bad_input(item.where() + ".id", provider.id, "every provider once");
    }
    reading.entries += static_cast<std::int64_t>(provider.models.size());
    reading.data.providers.push_back(std::move(provider));
  }
  return reading;
}

std::string write_aimeter(const BookData& data) {
  std::string text =
      fmt::format("{{\"format\": \"{}\", \"version\": {}", kFormatName, quoted(data.version));
  if (data.effective_from != Instant{}) {
    text += member("effective_from", quoted(text_of(data.effective_from)));
  }
  text += member("currency", quoted(data.currency));
  std::string sources;
  for (const auto& [key, source] : data.sources) {
    std::string body = "\"name\": " + quoted(source.name) + member("date", quoted(source.date));
    if (!source.url.empty()) body += member("url", quoted(source.url));
    if (!source.licence.empty()) body += member("licence", quoted(source.licence));
    sources += fmt::format("{}\n  {}: {{{}}}", sources.empty() ? "" : ",", quoted(key), body);
  }
  if (!sources.empty()) text += ",\n \"sources\": {" + sources + "}";
  std::string providers;
  for (const Provider& provider : data.providers) {
    providers += (providers.empty() ? "\n" : ",\n") + provider_json(provider);
  }
  return text + ",\n \"providers\": [" + providers + "]}\n";
}

}  // namespace aimeter::pricing
