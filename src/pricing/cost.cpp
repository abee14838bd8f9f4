#include "pricing/cost.h"

#include <algorithm>
#include <array>
#include <limits>

namespace aimeter::pricing {
namespace {

constexpr int kQuotientPlaces = 24;

std::int64_t& at(Quantities& quantities, Kind kind) {
  return quantities.of.at(static_cast<std::size_t>(kind));
}

Status check_count(std::string_view field, std::int64_t count) {
  if (count >= 0) return {};
  return bad_input(field, std::to_string(count), "a count of 0 or more");
}

Status check_counts(const Usage& usage) {
  struct Field {
    std::string_view name;
    std::int64_t count;
  };
  const std::array fields = {
      Field{"input_tokens", usage.input_tokens.count},
      Field{"cached_input_tokens", usage.cached_input_tokens.count},
      Field{"cache_write_tokens", usage.cache_write_tokens.count},
      Field{"cache_write_5m_tokens", usage.cache_write_5m_tokens.count},
      Field{"cache_write_1h_tokens", usage.cache_write_1h_tokens.count},
      Field{"input_audio_tokens", usage.input_audio_tokens.count},
      Field{"cached_input_audio_tokens", usage.cached_input_audio_tokens.count},
      Field{"output_tokens", usage.output_tokens.count},
      Field{"reasoning_tokens", usage.reasoning_tokens.count},
      Field{"output_audio_tokens", usage.output_audio_tokens.count},
      Field{"total_tokens", usage.total_tokens.count},
  };
  for (const Field& field : fields) {
    if (field.count < 0) return check_count(field.name, field.count);
  }
  for (const auto& [unit, count] : usage.units) {
    if (count < 0) return check_count("units." + unit, count);
  }
  return {};
}

// Takes `part` out of `rest`. Both are 0 or more.
Status take(std::string_view field, std::int64_t& rest, std::int64_t part) {
  if (part > rest) {
    return bad_input(field, std::to_string(part),
                     "parts that fit into their whole; only " + std::to_string(rest) + " are left");
  }
  rest -= part;
  return {};
}

Status split_cache_writes(const Usage& usage, Quantities& parts, std::int64_t& input) {
  const std::int64_t short_term = usage.cache_write_5m_tokens.count;
  const std::int64_t long_term = usage.cache_write_1h_tokens.count;
  AIMETER_CHECK_OK(take("cache_write_5m_tokens", input, short_term));
  AIMETER_CHECK_OK(take("cache_write_1h_tokens", input, long_term));
  at(parts, Kind::cache_write_5m) = short_term;
  at(parts, Kind::cache_write_1h) = long_term;
  // Writes whose term is not told; some answers give the terms alone.
  const std::int64_t other =
      std::max<std::int64_t>(0, usage.cache_write_tokens.count - short_term - long_term);
  AIMETER_CHECK_OK(take("cache_write_tokens", input, other));
  at(parts, Kind::cache_write) = other;
  return {};
}

Status split_input(const Usage& usage, Quantities& parts) {
  const std::int64_t cached_audio = usage.cached_input_audio_tokens.count;
  std::int64_t input = usage.input_tokens.count;
  std::int64_t cached = usage.cached_input_tokens.count;
  std::int64_t audio = usage.input_audio_tokens.count;
  // Answers that name cached audio alone mean it as part of both.
  if (cached != 0) AIMETER_CHECK_OK(take("cached_input_audio_tokens", cached, cached_audio));
  if (audio != 0) AIMETER_CHECK_OK(take("cached_input_audio_tokens", audio, cached_audio));
  AIMETER_CHECK_OK(take("cached_input_audio_tokens", input, cached_audio));
  AIMETER_CHECK_OK(take("cached_input_tokens", input, cached));
  AIMETER_CHECK_OK(take("input_audio_tokens", input, audio));
  AIMETER_CHECK_OK(split_cache_writes(usage, parts, input));
  at(parts, Kind::cached_input_audio) = cached_audio;
  at(parts, Kind::cached_input) = cached;
  at(parts, Kind::input_audio) = audio;
  at(parts, Kind::input) = input;
  return {};
}

Status split_output(const Usage& usage, Quantities& parts) {
  std::int64_t output = usage.output_tokens.count;
  AIMETER_CHECK_OK(take("reasoning_tokens", output, usage.reasoning_tokens.count));
  AIMETER_CHECK_OK(take("output_audio_tokens", output, usage.output_audio_tokens.count));
  at(parts, Kind::reasoning) = usage.reasoning_tokens.count;
  at(parts, Kind::output_audio) = usage.output_audio_tokens.count;
  at(parts, Kind::output) = output;
  return {};
}

Status split_units(const Usage& usage, Quantities& parts) {
  for (const auto& [unit, count] : usage.units) {
    if (count == 0) continue;
    const std::optional<Kind> kind = kind_of_unit(unit);
    if (!kind) {
      parts.unknown_units.push_back({unit, count});
      continue;
    }
    at(parts, *kind) = count;
    const KindCard& card = card_of(*kind);
    if (!card.tokens) continue;
    const Kind whole = card.direction == Direction::input ? Kind::input : Kind::output;
    AIMETER_CHECK_OK(take("units." + unit, at(parts, whole), count));
  }
  return {};
}

// Adds the parts of one cost up.
class Sum {
 public:
  Sum(const PricedBy& by, const Row* row, CostResult& result)
      : by_(by), row_(row), result_(result) {}

  Status add(const Quantities& quantities, Kind kind) {
    const std::int64_t count = quantities.of.at(static_cast<std::size_t>(kind));
    if (count == 0) return {};
    PartPrice found;
    if (row_ != nullptr) found = price_of({*by_.model, *row_}, quantities.input_tokens, kind);
    const UnitPrice* price = found.price;
    if (price == nullptr) {
      result_.unpriced.push_back({std::string(name_of(kind)), count});
      return {};
    }
    AIMETER_TRY(const Decimal cost, product(*price, count));
    Decimal* sum = sum_of(card_of(kind).direction);
    AIMETER_TRY(*sum, sum->plus(cost));
    result_.parts.push_back(
        {name_of(kind), name_of(found.priced_as), count, price->amount, price->per, cost});
    return {};
  }
  Status finish() {
    AIMETER_TRY(const Decimal both, result_.input.plus(result_.output));
    AIMETER_TRY(result_.total, both.plus(other_));
    return {};
  }

 private:
  Decimal* sum_of(Direction direction) {
    if (direction == Direction::input) return &result_.input;
    return direction == Direction::output ? &result_.output : &other_;
  }

  const PricedBy& by_;
  const Row* row_;
  CostResult& result_;
  Decimal other_;  // neither input nor output
};

// What the usage says it cost itself.
struct Given {
  const std::optional<Money>& input;
  const std::optional<Money>& output;
};

Status keep_given(const Given& given, Quantities& parts, CostResult& result) {
  const auto keep = [&](Direction direction, const Money& cost, Decimal& sum) -> Status {
    if (cost.currency != result.currency) {
      return bad_input("currency", cost.currency, "the currency of the prices, " + result.currency);
    }
    sum = Decimal::of(cost);
    result.source = CostSource::caller;
    for (const KindCard& card : kind_cards()) {
      if (card.direction == direction) at(parts, card.kind) = 0;
    }
    return {};
  };
  if (given.input) AIMETER_CHECK_OK(keep(Direction::input, *given.input, result.input));
  if (given.output) AIMETER_CHECK_OK(keep(Direction::output, *given.output, result.output));
  return {};
}

Status round_sums(CostResult& result) {
  AIMETER_TRY(result.input_cost, result.input.to_money(result.currency, Rounding::half_even));
  AIMETER_TRY(result.output_cost, result.output.to_money(result.currency, Rounding::half_even));
  AIMETER_TRY(result.total_cost, result.total.to_money(result.currency, Rounding::half_even));
  return {};
}

Result<CostResult> given_total(const Usage& usage) {
  CostResult result;
  result.source = CostSource::caller;
  result.currency = usage.total_cost->currency;
  result.total = Decimal::of(*usage.total_cost);
  if (usage.input_cost) result.input = Decimal::of(*usage.input_cost);
  if (usage.output_cost) result.output = Decimal::of(*usage.output_cost);
  AIMETER_CHECK_OK(round_sums(result));
  return result;
}

// The row of the asked tier; else the default tier's, which does not tell this tier's price.
const Row* choose_row(const PricedBy& by, const PriceQuery& query, const Usage& usage,
                      CostResult& result) {
  if (by.model == nullptr) return nullptr;
  const std::string_view asked =
      query.service_tier.empty() ? std::string_view(usage.service_tier) : query.service_tier;
  const std::string tier = tier_named(asked);
  if (const Row* row = row_of(*by.model, tier, query.at)) return row;
  if (tier.empty()) return nullptr;
  result.default_tier = true;
  return row_of(*by.model, "", query.at);
}

}  // namespace

Result<Quantities> split(const Usage& usage) {
  Quantities parts;
  AIMETER_CHECK_OK(check_counts(usage));
  if (usage.total_only) {
    at(parts, Kind::input) = usage.total_tokens.count / 2;
    at(parts, Kind::output) = usage.total_tokens.count - usage.total_tokens.count / 2;
  } else {
    AIMETER_CHECK_OK(split_input(usage, parts));
    AIMETER_CHECK_OK(split_output(usage, parts));
  }
  parts.input_tokens = usage.total_only ? at(parts, Kind::input) : usage.input_tokens.count;
  AIMETER_CHECK_OK(split_units(usage, parts));
  return parts;
}

std::string tier_named(std::string_view service_tier) {
  std::string name(service_tier);
  for (char& c : name) {
    if ('A' <= c && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  constexpr std::array<std::string_view, 4> kDefault = {"default", "standard", "auto", "on_demand"};
  if (std::find(kDefault.begin(), kDefault.end(), name) != kDefault.end()) name.clear();
  return name;
}

const Row* row_of(const Model& model, std::string_view tier, Instant when) {
  const auto found = std::find_if(model.rows.rbegin(), model.rows.rend(), [&](const Row& row) {
    return row.service_tier == tier && row.in_force(when);
  });
  return found == model.rows.rend() ? nullptr : &*found;
}

PartPrice price_of(const ModelRow& at, std::int64_t input_tokens, Kind kind) {
  if (const UnitPrice* own = at.row.find(kind, input_tokens)) return {own, kind};
  const KindCard& card = card_of(kind);
  if (!card.parent || (at.model.at_parent & bit_of(kind)) == 0) return {};
  if (card.other_parent && at.row.find(*card.parent, input_tokens) == nullptr) {
    const UnitPrice* other = at.row.find(*card.other_parent, input_tokens);
    if (other != nullptr) return {other, *card.other_parent};
  }
  return price_of(at, input_tokens, *card.parent);
}

Result<Decimal> product(const UnitPrice& price, std::int64_t quantity) {
  AIMETER_TRY(const Decimal whole, price.amount.times(quantity));
  return whole.over(price.per, kQuotientPlaces, Rounding::half_even);
}

Result<CostResult> cost_by(const PricedBy& by, const PriceQuery& query, const Usage& usage) {
  if (usage.total_cost) return given_total(usage);
  AIMETER_TRY(Quantities parts, split(usage));
  CostResult result;
  result.currency = by.book.currency;
  AIMETER_CHECK_OK(keep_given({usage.input_cost, usage.output_cost}, parts, result));
  const Row* row = choose_row(by, query, usage, result);
  if (row != nullptr) {
    result.provider = by.provider->id;
    result.model = by.model->id;
    result.price_version = by.book.version;
    std::int64_t& requests = at(parts, Kind::requests);
    if (requests == 0 && row->find(Kind::requests, parts.input_tokens) != nullptr) requests = 1;
  }
  result.parts.reserve(4);
  Sum sum(by, row, result);
  for (std::size_t i = 0; i < kKinds; ++i) {
    AIMETER_CHECK_OK(sum.add(parts, static_cast<Kind>(i)));
  }
  AIMETER_CHECK_OK(sum.finish());
  for (UnpricedPart& unit : parts.unknown_units) result.unpriced.push_back(std::move(unit));
  if (!result.unpriced.empty() || result.default_tier) result.outcome = CostOutcome::partial;
  // Both costs given, nothing else used: there was nothing to price.
  const bool all_given = usage.input_cost && usage.output_cost && result.unpriced.empty();
  if (row == nullptr && !all_given) result.outcome = CostOutcome::unknown_model;
  AIMETER_CHECK_OK(round_sums(result));
  return result;
}

}  // namespace aimeter::pricing
