// Strict JSON, as every document of ours is read.
// Package: base
// Parser: src/base/json.cpp
#include <boost/json.hpp>
#include <string>

#include "base/json.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

void visit(const base::Json& json) {
  AIMETER_ASSERT(!json.excerpt().empty());
  switch (json.kind()) {
    case base::Json::Kind::number: {
      const Result<std::int64_t> whole = json.integer("n");
      if (whole && *whole != 0) AIMETER_ASSERT(std::to_string(*whole) == json.literal());
      const Result<std::uint64_t> positive = json.unsigned_integer("n");
      if (positive && *positive != 0) AIMETER_ASSERT(std::to_string(*positive) == json.literal());
      if (const auto count = json.count("n")) AIMETER_ASSERT(*count >= 0 && *count == *whole);
      break;
    }
    case base::Json::Kind::array:
      for (const base::Json& item : json.items()) visit(item);
      break;
    case base::Json::Kind::object:
      for (const auto& [key, value] : json.members()) {
        AIMETER_ASSERT(json.find(key) == &value);  // a key is there once
        visit(value);
      }
      break;
    default:
      break;
  }
  (void)json.decimal("d").has_value();
}

// What we accept, the JSON library accepts too, but for numbers that its type cannot hold.
void expect_json(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = base::kJsonDepthMax + 1;
  boost::system::error_code failed;
  boost::json::monotonic_resource memory;
  boost::json::parse({text.data(), text.size()}, failed, &memory, options);
  AIMETER_ASSERT(!failed || failed == boost::json::error::exponent_overflow);
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  const std::string_view text = fuzz::Input(data, size).rest();
  const Result<base::Json> json = base::Json::parse("body", text);
  if (!json) {
    AIMETER_ASSERT(json.error().code == Code::invalid_argument);
    return 0;
  }
  fuzz::visit(*json);
  fuzz::expect_json(text);
  const std::string compact = json->text();
  AIMETER_ASSERT(compact.size() <= 6 * text.size());  // \u001f
  const Result<base::Json> again = base::Json::parse("body", compact);
  AIMETER_ASSERT(again.has_value());
  AIMETER_ASSERT(again->text() == compact);
  Result<base::JsonFields> fields = base::JsonFields::of(*json, "");
  AIMETER_ASSERT(fields.has_value() == (json->kind() == base::Json::Kind::object));
  if (!fields) return 0;
  (void)fields->optional_count("n").has_value();
  (void)fields->optional_boolean("b").has_value();
  (void)fields->optional_string("s").has_value();
  (void)fields->optional_decimal("d").has_value();
  (void)fields->optional_object("o").has_value();
  (void)fields->array("a").has_value();
  for (const auto& [key, value] : json->members()) (void)fields->take(key);
  AIMETER_ASSERT(fields->refuse_others().has_value());
  return 0;
}
