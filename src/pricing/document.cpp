#include "pricing/document.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <limits>

namespace aimeter::pricing {

Result<Json> parse_document(std::string_view field, std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) {
    return bad_input(field, "EF BB BF", "JSON in UTF-8 without a byte order mark");
  }
  return Json::parse(field, text, {.bytes = kDocumentBytesMax, .depth = kDocumentDepthMax});
}

std::unexpected<Error> Place::refuse(std::string_view expected) const {
  return bad_input(where_, json_->excerpt(), expected);
}

Result<Place> Place::member(std::string_view key) const {
  if (!is(Json::Kind::object)) return refuse("an object");
  const Json* found = json_->find(key);
  const std::string where = where_ + "." + std::string(key);
  if (found == nullptr) return bad_input(where, "", "a value; it is missing");
  return Place(*found, where);
}

Result<std::string> Place::string() const {
  if (!is(Json::Kind::string)) return refuse("a string");
  return json_->string();
}

Result<std::string> Place::string(std::string_view key) const {
  AIMETER_TRY(const Place place, member(key));
  return place.string();
}

Result<std::string> Place::string_or(std::string_view key, std::string_view absent) const {
  return has(key) ? string(key) : Result<std::string>(std::string(absent));
}

Result<Decimal> parse_price(std::string_view field, std::string_view text) {
  constexpr std::string_view kExpected =
      "a decimal number between 0 and 1000000000, at most 38 digits and 36 places";
  const Result<Decimal> value = Decimal::parse(field, text);
  if (!value || value->is_negative() || *value > Decimal::of(kPriceMax)) {
    return bad_input(field, text, kExpected);
  }
  return value;
}

Result<Decimal> Place::price() const {
  if (!is(Json::Kind::number)) return refuse("a number between 0 and 1000000000");
  return parse_price(where_, json_->literal());
}

Result<std::int64_t> Place::integer() const {
  constexpr std::string_view kExpected = "a whole number between 0 and 9223372036854775807";
  if (!is(Json::Kind::number)) return refuse(kExpected);
  const Result<Decimal> value = Decimal::parse(where_, json_->literal());
  if (!value || value->scale() != 0 || value->is_negative() ||
      value->mantissa() > std::numeric_limits<std::int64_t>::max()) {
    return refuse(kExpected);
  }
  return static_cast<std::int64_t>(value->mantissa());
}

Result<std::vector<Place>> Place::array() const {
  if (!is(Json::Kind::array)) return refuse("an array");
  std::vector<Place> places;
  places.reserve(json_->items().size());
  for (std::size_t i = 0; i < json_->items().size(); ++i) {
    places.emplace_back(json_->items()[i], where_ + "[" + std::to_string(i) + "]");
  }
  return places;
}

Result<std::vector<std::pair<std::string, Place>>> Place::object() const {
  if (!is(Json::Kind::object)) return refuse("an object");
  std::vector<std::pair<std::string, Place>> places;
  places.reserve(json_->members().size());
  for (const auto& [key, value] : json_->members()) {
    places.emplace_back(key, Place(value, where_ + "." + key));
  }
  return places;
}

Status Place::only(std::initializer_list<std::string_view> keys) const {
  if (!is(Json::Kind::object)) return refuse("an object");
  for (const auto& [key, value] : json_->members()) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    std::string expected = "one of";
    for (const std::string_view known : keys) expected += " " + std::string(known);
    return bad_input(where_ + "." + key, value.excerpt(), expected);
  }
  return {};
}

std::string quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string(text.data(), text.size()));
}

}  // namespace aimeter::pricing
