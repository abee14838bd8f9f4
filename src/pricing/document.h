// Package:       pricing
// Units:         bytes
// Errors:        invalid_argument naming the place in the document, the value and what is expected.
// Thread safety: values.
// Ownership:     a Place borrows the Json that it stands in.
//
// A place in a price document: every refusal says where it stands, "providers[3].models[0].id".
// Prices are taken from their literal; no floating point number comes near them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aimeter/decimal.h"
#include "aimeter/result.h"
#include "base/json.h"

namespace aimeter::pricing {

using base::Json;

constexpr std::size_t kDocumentBytesMax = 64U << 20U;
constexpr std::size_t kDocumentDepthMax = 32;
// A price above this is a unit error, not a price (USD 1,000,000 for one token, say).
constexpr std::int64_t kPriceMax = 1'000'000'000;

[[nodiscard]] Result<Json> parse_document(std::string_view field, std::string_view text);

class Place {
 public:
  Place(const Json& json, std::string where) : json_(&json), where_(std::move(where)) {}

  [[nodiscard]] const Json& json() const { return *json_; }
  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] bool has(std::string_view key) const { return json_->find(key) != nullptr; }
  [[nodiscard]] bool is(Json::Kind kind) const { return json_->kind() == kind; }

  // Each errors when the value is missing or of another kind.
  [[nodiscard]] Result<Place> member(std::string_view key) const;
  [[nodiscard]] Result<std::string> string() const;
  [[nodiscard]] Result<std::string> string(std::string_view key) const;
  [[nodiscard]] Result<std::string> string_or(std::string_view key, std::string_view absent) const;
  [[nodiscard]] Result<Decimal> price() const;         // a number from 0 to kPriceMax
  [[nodiscard]] Result<std::int64_t> integer() const;  // 0 or more; 2.56e5 is whole too
  [[nodiscard]] Result<std::vector<Place>> array() const;
  [[nodiscard]] Result<std::vector<std::pair<std::string, Place>>> object() const;
  // Errors on a member that is not in the list.
  [[nodiscard]] Status only(std::initializer_list<std::string_view> keys) const;
  [[nodiscard]] std::unexpected<Error> refuse(std::string_view expected) const;

 private:
  const Json* json_;
  std::string where_;
};

// Errors: not a decimal number from 0 to kPriceMax.
[[nodiscard]] Result<Decimal> parse_price(std::string_view field, std::string_view text);
// As a JSON string, quotes included.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace aimeter::pricing
