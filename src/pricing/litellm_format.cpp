#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "pricing/format.h"
#include "pricing/litellm_fields.h"

namespace aimeter::pricing {
namespace {

using Sort = LitellmField::Sort;

// Parts that LiteLLM itself charges at the whole's price when it lists none for them.
const std::uint64_t kAtParent = bit_of(Kind::cached_input) | bit_of(Kind::reasoning) |
                                bit_of(Kind::cache_write_5m) | bit_of(Kind::input_image) |
                                bit_of(Kind::output_image);

// The prices of one entry while its fields are read: default tier, then the others.
class Entry {
 public:
  explicit Entry(std::string_view mode) : mode_(mode) {}

  // Tokens are priced one by one in the file and by the million in a book: the digits are the same.
  static Result<UnitPrice> price_of(Kind kind, const Place& place) {
    constexpr std::int64_t kMillion = 1'000'000;
    AIMETER_TRY(const Decimal amount, place.price());
    if (!card_of(kind).tokens) return UnitPrice{amount, 1};
    const Result<Decimal> per_million = amount.times(kMillion);
    if (!per_million || *per_million > Decimal::of(kPriceMax)) {
      return place.refuse("a price of a token from 0 to 1000");
    }
    return UnitPrice{*per_million, kMillion};
  }

  Status add(std::string_view name, const Place& place) {
    if (place.is(Json::Kind::null)) return {};
    if (name == "search_context_cost_per_query") return add_searches(place);
    if (name == "tiered_pricing") return add_ranges(place);
    const LitellmField field = litellm_field(name);
    if (field.sort == Sort::no_price) return {};
    if (field.sort == Sort::not_understood) return leave_out(name);
    AIMETER_TRY(const UnitPrice price, price_of(field.kind, place));
    set(rows_[std::string(field.service_tier)], field, price);
    return {};
  }
  [[nodiscard]] const std::vector<std::string>& left_out() const { return left_out_; }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::vector<Row> rows();

 private:
  static ContextTier& tier_of(Row& row, std::int64_t above) {
    auto tier = std::find_if(row.tiers.begin(), row.tiers.end(),
                             [&](const ContextTier& known) { return known.above_tokens >= above; });
    if (tier == row.tiers.end() || tier->above_tokens != above) {
      tier = row.tiers.insert(tier, ContextTier{.above_tokens = above});
    }
    return *tier;
  }
  static void set(Row& row, const LitellmField& field, const UnitPrice& price) {
    PriceSet& prices = field.above_tokens == 0 ? row.base : tier_of(row, field.above_tokens).prices;
    // Two fields for one kind, an old name and a new one: the dearer counts.
    const UnitPrice* known = prices.find(field.kind);
    if (known == nullptr || known->amount < price.amount) prices.set(field.kind, price);
  }
  // A price that depends on something no usage tells (seconds of an interval, size of an image):
  // the kind it refines is not priced at all, so that such a call is provisional instead of too
  // cheap.
  Status leave_out(std::string_view name) {
    left_out_.emplace_back(name);
    const std::size_t interval = name.find("_above_");
    if (interval == std::string_view::npos) return {};
    const LitellmField refined = litellm_field(name.substr(0, interval));
    if (refined.sort == Sort::price) unsure_.insert(refined.kind);
    return {};
  }
  Status add_searches(const Place& place);
  Status add_ranges(const Place& place);
  static void join_sides(PriceSet& prices, std::string_view mode);
  static void complete_tier(const Row& standard, Row& row);

  std::string mode_;
  std::map<std::string, Row> rows_;  // by service tier
  std::vector<std::string> left_out_;
  std::set<Kind> unsure_;
};

Status Entry::add_searches(const Place& place) {
  AIMETER_TRY(const auto sizes, place.object());
  PriceSet& prices = rows_[""].base;
  for (const auto& [size, value] : sizes) {
    AIMETER_TRY(const Decimal amount, value.price());
    Kind kind = Kind::searches;
    if (size.ends_with("_low")) kind = Kind::searches_low;
    if (size.ends_with("_high")) kind = Kind::searches_high;
    prices.set(kind, {amount, 1});
  }
  const UnitPrice* medium = prices.find(Kind::searches);
  if (medium == nullptr) return {};
  const UnitPrice usual = *medium;
  for (const Kind kind : {Kind::searches_low, Kind::searches_high}) {
    const UnitPrice* price = prices.find(kind);
    if (price != nullptr && *price == usual) prices.erase(kind);
  }
  return {};
}

Status Entry::add_ranges(const Place& place) {
  AIMETER_TRY(const std::vector<Place> items, place.array());
  for (const Place& item : items) {
    if (!item.has("range")) return leave_out("tiered_pricing without a range of tokens");
    AIMETER_TRY(const Place range, item.member("range"));
    AIMETER_TRY(const std::vector<Place> ends, range.array());
    if (ends.size() != 2) return range.refuse("two numbers of tokens");
    AIMETER_TRY(const std::int64_t above, ends[0].integer());
    AIMETER_TRY(const auto members, item.object());
    for (const auto& [name, value] : members) {
      LitellmField field = litellm_field(name);
      if (field.sort == Sort::not_understood) AIMETER_CHECK_OK(leave_out(name));
      if (field.sort != Sort::price) continue;
      field.above_tokens = above;
      AIMETER_TRY(const UnitPrice price, price_of(field.kind, value));
      set(rows_[std::string(field.service_tier)], field, price);
    }
  }
  return {};
}

// The catalogue files the one price of a unit on either side, or the same on both. The sides stay
// apart only where both cost something else; what an image generator makes is output on either
// side.
void Entry::join_sides(PriceSet& prices, std::string_view mode) {
  struct Sides {
    Kind input, output, joined;
    bool only_of_images;
  };
  constexpr Sides kSides[] = {
      {Kind::input_seconds, Kind::output_seconds, Kind::seconds, false},
      {Kind::input_characters, Kind::output_characters, Kind::characters, false},
      {Kind::input_images, Kind::images, Kind::images, true},
      {Kind::input_pixels, Kind::pixels, Kind::pixels, true},
  };
  const bool makes_images = mode == "image_generation" || mode == "image_edit";
  for (const Sides& sides : kSides) {
    if (sides.only_of_images && !makes_images) continue;
    const UnitPrice* input = prices.find(sides.input);
    const UnitPrice* output = prices.find(sides.output);
    if (input == nullptr && output == nullptr) continue;
    if (input != nullptr && output != nullptr && !input->amount.is_zero() &&
        !output->amount.is_zero() && *input != *output) {
      continue;
    }
    const bool take_output = input == nullptr || (output != nullptr && !output->amount.is_zero());
    const UnitPrice one = take_output ? *output : *input;
    prices.erase(sides.input);
    prices.erase(sides.output);
    prices.set(sides.joined, one);
  }
}

// What a service tier does not price itself and is no token is priced as usual; so is a long
// context.
void Entry::complete_tier(const Row& standard, Row& row) {
  for (const KindCard& card : kind_cards()) {
    const UnitPrice* price = standard.base.find(card.kind);
    if (!card.tokens && price != nullptr && row.base.find(card.kind) == nullptr) {
      row.base.set(card.kind, *price);
    }
  }
  for (const ContextTier& usual : standard.tiers) {
    PriceSet& prices = tier_of(row, usual.above_tokens).prices;
    for (const KindCard& card : kind_cards()) {
      const UnitPrice* price = usual.prices.find(card.kind);
      if (price != nullptr && prices.find(card.kind) == nullptr) prices.set(card.kind, *price);
    }
  }
}

std::vector<Row> Entry::rows() {
  std::vector<Row> rows;
  Row& standard = rows_[""];
  join_sides(standard.base, mode_);
  for (const Kind kind : unsure_) standard.base.erase(kind);
  rows.push_back(standard);
  for (auto& [tier, row] : rows_) {
    if (tier.empty()) continue;
    row.service_tier = tier;
    join_sides(row.base, mode_);
    complete_tier(standard, row);
    rows.push_back(row);
  }
  return rows;
}

// Of chat models the file gives both sides, or only the input's, which the window then is. Its
// values are written by many hands: what is no whole number says nothing.
std::optional<std::int64_t> max_tokens_of(const Json& entry) {
  const auto count = [&](std::string_view name) -> std::int64_t {
    const Json* value = entry.find(name);
    if (value == nullptr || value->kind() != Json::Kind::number) return 0;
    return Place(*value, std::string(name)).integer().value_or(0);
  };
  const std::int64_t input = count("max_input_tokens");
  std::int64_t both = 0;
  if (input == 0 || __builtin_add_overflow(input, count("max_output_tokens"), &both)) {
    return std::nullopt;
  }
  return both;
}

// Places models into providers, in the order of the file.
class Catalogue {
 public:
  explicit Catalogue(Reading& reading) : reading_(reading) {}

  Status add(const std::string& key, const Place& place) {
    ++reading_.entries;
    if (key == "sample_spec") return skip(key, "describes the format");
    if (!place.is(Json::Kind::object)) return place.refuse("an object");
    const Json* provider = place.json().find("litellm_provider");
    if (provider == nullptr || provider->kind() != Json::Kind::string) {
      return skip(key, "names no provider");
    }
    AIMETER_TRY(const std::string mode, place.string_or("mode", ""));
    Entry entry(mode);
    AIMETER_TRY(const auto members, place.object());
    for (const auto& [name, value] : members) AIMETER_CHECK_OK(entry.add(name, value));
    for (const std::string& name : entry.left_out()) {
      AIMETER_CHECK_OK(skip(key, "not carried: " + name));
    }
    if (entry.empty()) {
      return entry.left_out().empty() ? skip(key, "has no price") : Status{};
    }
    return place_model(key, provider->string(), place, entry);
  }

 private:
  Status skip(const std::string& key, const std::string& reason) {
    reading_.skipped.push_back({key, reason});
    return {};
  }
  Status place_model(const std::string& key, const std::string& litellm, const Place& place,
                     Entry& entry) {
    Model model{.rows = entry.rows(), .at_parent = kAtParent, .source = "litellm"};
    AIMETER_TRY(model.reference, place.string_or("source", ""));
    model.max_tokens = max_tokens_of(place.json());
    const LitellmProvider names = litellm_provider(litellm);
    Provider& provider = provider_of(names);
    // "together_ai/meta-llama/X" is called "meta-llama/X" at the provider itself.
    const std::size_t slash = key.find('/');
    const std::string before = slash == std::string::npos ? "" : key.substr(0, slash);
    const bool own =
        before == names.id || before == names.alias || litellm_provider(before).id == names.id;
    model.id = own ? key.substr(slash + 1) : key;
    if (model.id.empty() || key.size() > kNameBytesMax) {
      return skip(key, fmt::format("its name is not of 1 to {} bytes", kNameBytesMax));
    }
    if (!ids_[names.id].insert(model.id).second) {
      model.id = key;
      if (!ids_[names.id].insert(key).second)
        return skip(key, "its name is taken by another entry");
    }
    model.match = equals_rule(model.id);
    Rule any{.op = Rule::Op::any, .rules = {equals_rule(model.id)}};
    if (key != model.id) any.rules.push_back(equals_rule(key));
    if (model.id.starts_with("ft:")) {
      any.rules.push_back({.op = Rule::Op::starts_with, .text = model.id + ":"});
    }
    if (any.rules.size() > 1) model.match = any;
    provider.models.push_back(std::move(model));
    return {};
  }
  Provider& provider_of(const LitellmProvider& names) {
    std::vector<Provider>& providers = reading_.data.providers;
    const auto known = index_.find(names.id);
    if (known == index_.end()) {
      index_.emplace(names.id, providers.size());
      providers.push_back({.id = names.id});
      const std::string_view other = extractor_name(names.id);
      if (!other.empty()) providers.back().aliases.emplace_back(other);
    }
    Provider& provider = providers[index_.at(names.id)];
    std::vector<std::string>& aliases = provider.aliases;
    if (names.alias != names.id &&
        std::find(aliases.begin(), aliases.end(), names.alias) == aliases.end()) {
      aliases.push_back(names.alias);
    }
    return provider;
  }

  Reading& reading_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, std::set<std::string>> ids_;
};

}  // namespace

Result<Reading> read_litellm(std::string_view document, const ImportOptions& options) {
  AIMETER_TRY(const Json json, parse_document("prices", document));
  const Place root(json, "prices");
  Reading reading;
  reading.data.sources["litellm"] = {
      .name = options.source.empty() ? "BerriAI/litellm, model_prices_and_context_window.json"
                                     : options.source,
      .date = "",
      .url = "https://github.com/BerriAI/litellm",
      .licence = "MIT"};
  AIMETER_TRY(const auto members, root.object());
  Catalogue catalogue(reading);
  for (const auto& [key, place] : members) AIMETER_CHECK_OK(catalogue.add(key, place));
  return reading;
}

}  // namespace aimeter::pricing
