// Package:       pricing
// Units:         Decimal, exact; Money rounded once.
// Errors:        invalid_argument (a negative count, parts above their whole, out of range).
// Thread safety: pure functions.
// Ownership:     views of a result point into the book.
//
// Prices one usage by one model of a book. Parts never overlap, and their quantities add up to the
// input and the output of the usage.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/pricing.h"
#include "pricing/book.h"

namespace aimeter::pricing {

struct Quantities {
  std::array<std::int64_t, kKinds> of = {};
  std::int64_t input_tokens = 0;                 // all of it: what context tiers look at
  std::vector<UnpricedPart> unknown_units = {};  // names that no kind has
};

// The parts of a usage. Only a total: half of it input, the other half and the odd token output.
[[nodiscard]] Result<Quantities> split(const Usage& usage);

// "" for the default tier and its other names (default, standard, auto, on_demand), else lower
// case.
[[nodiscard]] std::string tier_named(std::string_view service_tier);

struct PricedBy {
  const BookData& book;
  const Provider* provider = nullptr;
  const Model* model = nullptr;  // null: nothing prices it
};
[[nodiscard]] Result<CostResult> cost_by(const PricedBy& by, const PriceQuery& query,
                                         const Usage& usage);

// The last row of that tier that is in force; null when there is none.
[[nodiscard]] const Row* row_of(const Model& model, std::string_view tier, Instant at);
// Price of a part: its own, else its parent's where the model says so; null when there is none.
struct PartPrice {
  const UnitPrice* price = nullptr;
  Kind priced_as = Kind::input;  // whose price it is
};
struct ModelRow {
  const Model& model;
  const Row& row;
};
[[nodiscard]] PartPrice price_of(const ModelRow& at, std::int64_t input_tokens, Kind kind);
// quantity * price, exact; for a `per` that is no power of ten to 24 places, half-even.
[[nodiscard]] Result<Decimal> product(const UnitPrice& price, std::int64_t quantity);

// The most that `bound` can cost by any row of the model in force at query.at, exact.
[[nodiscard]] Result<Decimal> dearest(const Model& model, const PriceQuery& query,
                                      const TokenBound& bound);

}  // namespace aimeter::pricing
