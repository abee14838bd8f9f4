#include <algorithm>
#include <bit>

#include "pricing/cost.h"

namespace aimeter::pricing {
namespace {

// a / a_per > b / b_per. `per` is at most kPerMax, amounts are far from the limits: no overflow is
// possible that would not have been refused when the book was read; if there is one, a is kept.
bool dearer(const UnitPrice& a, const UnitPrice& b) {
  if (a.per == b.per) return a.amount > b.amount;
  const Result<Decimal> left = a.amount.times(b.per);
  const Result<Decimal> right = b.amount.times(a.per);
  return !left || !right || *left > *right;
}

struct TokenKinds {  // as bits, see bit_of()
  std::uint64_t input = 0, output = 0, any = 0;
};

const TokenKinds& token_kinds() {
  static const TokenKinds kKinds = [] {
    TokenKinds kinds;
    for (const KindCard& card : kind_cards()) {
      if (!card.tokens) continue;
      kinds.any |= bit_of(card.kind);
      if (card.direction == Direction::input) kinds.input |= bit_of(card.kind);
      if (card.direction == Direction::output) kinds.output |= bit_of(card.kind);
    }
    return kinds;
  }();
  return kKinds;
}

// The dearest price of any of the kinds `wanted`, over the base and the tiers so much input
// reaches.
const UnitPrice* dearest_price(const Row& row, std::int64_t input_tokens, std::uint64_t wanted) {
  const UnitPrice* best = nullptr;
  const auto look = [&](const PriceSet& prices) {
    for (std::uint64_t left = prices.mask() & wanted; left != 0; left &= left - 1) {
      const UnitPrice* price = prices.find(static_cast<Kind>(std::countr_zero(left)));
      if (best == nullptr || dearer(*price, *best)) best = price;
    }
  };
  look(row.base);
  for (const ContextTier& tier : row.tiers) {
    if (input_tokens > tier.above_tokens) look(tier.prices);
  }
  return best;
}

Status add(Decimal& sum, const UnitPrice& price, std::int64_t count) {
  if (count == 0) return {};
  AIMETER_TRY(const Decimal cost, product(price, count));
  AIMETER_TRY(sum, sum.plus(cost));
  return {};
}

std::unexpected<Error> no_price(const Model& model, std::string_view what) {
  return fail(Code::not_found,
              "no price for " + std::string(what) + " of model \"" + model.id + "\"");
}

Status add_tokens(const Model& model, const Row& row, const TokenBound& bound, Decimal& sum) {
  const TokenKinds& kinds = token_kinds();
  const UnitPrice* input = dearest_price(row, bound.input_tokens, kinds.input);
  const UnitPrice* output = dearest_price(row, bound.input_tokens, kinds.output);
  // A model may have one direction only (embeddings): its price bounds the other as well.
  if (input == nullptr && output == nullptr) {
    input = output = dearest_price(row, bound.input_tokens, kinds.any);
  }
  if (input == nullptr) input = output;
  if (output == nullptr) output = input;
  const UnitPrice* either = input;
  const std::int64_t tokens = std::max(bound.input_tokens, bound.output_tokens);
  if (either == nullptr) return tokens > 0 ? no_price(model, "tokens") : Status{};
  AIMETER_CHECK_OK(add(sum, *input, bound.input_tokens));
  return add(sum, *output, bound.output_tokens);
}

Result<Decimal> bound_by(const Model& model, const Row& row, const TokenBound& bound) {
  Decimal sum;
  AIMETER_CHECK_OK(add_tokens(model, row, bound, sum));
  const UnitPrice* request = row.find(Kind::requests, bound.input_tokens);
  if (request != nullptr && !bound.units.contains("requests")) {
    AIMETER_CHECK_OK(add(sum, *request, 1));
  }
  for (const auto& [unit, count] : bound.units) {
    if (count < 0) return bad_input("units." + unit, std::to_string(count), "a count of 0 or more");
    const std::optional<Kind> kind = kind_of_unit(unit);
    if (kind && card_of(*kind).tokens) continue;  // inside the token counts
    const UnitPrice* price =
        kind ? price_of({model, row}, bound.input_tokens, *kind).price : nullptr;
    if (price == nullptr) return no_price(model, unit);
    AIMETER_CHECK_OK(add(sum, *price, count));
  }
  return sum;
}

// A later row of the same tier holds all day by now: this one is history.
bool superseded(const Model& model, const Row& row, Instant at) {
  const auto* end = model.rows.data() + model.rows.size();
  return std::any_of(&row + 1, end, [&](const Row& later) {
    return later.service_tier == row.service_tier && !later.window &&
           (!later.from || *later.from <= at);
  });
}

}  // namespace

Result<Decimal> dearest(const Model& model, const PriceQuery& query, const TokenBound& bound) {
  if (bound.input_tokens < 0 || bound.output_tokens < 0) {
    return bad_input("tokens", std::to_string(std::min(bound.input_tokens, bound.output_tokens)),
                     "a count of 0 or more");
  }
  const std::string tier = tier_named(query.service_tier);
  std::optional<Decimal> most;
  for (const Row& row : model.rows) {
    if (row.from && query.at < *row.from) continue;
    if (superseded(model, row, query.at)) continue;
    // A named tier may be answered by the default one; an unnamed one by any.
    if (!query.service_tier.empty() && !row.service_tier.empty() && row.service_tier != tier) {
      continue;
    }
    const Result<Decimal> cost = bound_by(model, row, bound);
    if (!cost && row.service_tier.empty()) return cost;
    if (cost && (!most || *cost > *most)) most = *cost;
  }
  if (!most) return no_price(model, "this time");
  return *most;
}

}  // namespace aimeter::pricing
