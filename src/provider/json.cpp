#include "provider/json.h"

#include <simdjson.h>

#include <array>
#include <bit>
#include <charconv>
#include <type_traits>

namespace aimeter::provider {
namespace {

namespace dom = simdjson::dom;
using Place = Json::Place;

// A thread keeps its parser, but not the memory of an unusually large document.
constexpr std::size_t kKeptParserBytes = std::size_t{1} << 20;
constexpr std::size_t kDepthMax = 1024;

static_assert(sizeof(dom::element) == sizeof(Place));
static_assert(std::is_trivially_copyable_v<dom::element>);
static_assert(std::is_trivially_copyable_v<dom::object::iterator>);
static_assert(std::is_trivially_copyable_v<dom::array::iterator>);

dom::element element_of(Place place) { return std::bit_cast<dom::element>(place); }

template <class T>
Place place_of(const T& x) {
  return std::bit_cast<Place>(x);
}

dom::parser& parser_of_this_thread() {
  thread_local dom::parser parser;
  return parser;
}

}  // namespace

Json::Kind Json::kind() const {
  if (place_.document == nullptr) return Kind::absent;
  switch (element_of(place_).type()) {
    case dom::element_type::NULL_VALUE:
      return Kind::null;
    case dom::element_type::BOOL:
      return Kind::boolean;
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
      return Kind::whole;
    case dom::element_type::DOUBLE:
      return Kind::number;
    case dom::element_type::STRING:
      return Kind::text;
    case dom::element_type::ARRAY:
      return Kind::array;
    case dom::element_type::OBJECT:
      return Kind::object;
  }
  return Kind::absent;
}

bool Json::has_value() const {
  const Kind k = kind();
  return k != Kind::absent && k != Kind::null;
}

std::optional<std::int64_t> Json::count() const {
  if (place_.document == nullptr) return std::nullopt;
  const dom::element element = element_of(place_);
  if (element.type() != dom::element_type::INT64) return std::nullopt;
  const std::int64_t value = element.get_int64().value_unsafe();
  if (value < 0) return std::nullopt;
  return value;
}

std::optional<std::int64_t> Json::whole() const {
  if (kind() != Kind::number) return count();
  constexpr std::int64_t kExactMost = std::int64_t{1} << 53;
  const auto value = element_of(place_).get_double().value_unsafe();
  if (!(value >= 0 && value <= kExactMost)) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(value);
  if (static_cast<std::remove_cv_t<decltype(value)>>(whole) != value) return std::nullopt;
  return whole;
}

std::string_view Json::text() const {
  if (place_.document == nullptr) return {};
  const dom::element element = element_of(place_);
  if (element.type() != dom::element_type::STRING) return {};
  return element.get_string().value_unsafe();
}

bool Json::truth() const {
  return kind() == Kind::boolean && element_of(place_).get_bool().value_unsafe();
}

std::string Json::number_text() const {
  const Kind k = kind();
  if (k != Kind::whole && k != Kind::number) return {};
  const dom::element element = element_of(place_);
  std::array<char, 64> room;
  std::to_chars_result end = {};
  if (element.type() == dom::element_type::INT64)
    end = std::to_chars(room.begin(), room.end(), element.get_int64().value_unsafe());
  else if (element.type() == dom::element_type::UINT64)
    end = std::to_chars(room.begin(), room.end(), element.get_uint64().value_unsafe());
  else
    end = std::to_chars(room.begin(), room.end(), element.get_double().value_unsafe());
  return {room.data(), end.ptr};
}

std::string Json::brief(std::size_t limit) const {
  switch (kind()) {
    case Kind::absent:
      return {};
    case Kind::null:
      return "null";
    case Kind::boolean:
      return truth() ? "true" : "false";
    case Kind::whole:
    case Kind::number:
      return number_text().substr(0, limit);
    case Kind::text:
      return std::string(text().substr(0, limit));
    case Kind::array:
      return "[...]";
    case Kind::object:
      return "{...}";
  }
  return {};
}

Json Json::find(std::string_view key) const {
  for (Fields at = fields(); at.next();)
    if (at.key() == key) return at.value();
  return {};
}

Fields Json::fields() const {
  if (kind() != Kind::object) return {Place{}, Place{}};
  const dom::object object = element_of(place_).get_object().value_unsafe();
  return {place_of(object.begin()), place_of(object.end())};
}

Items Json::items() const {
  if (kind() != Kind::array) return {Place{}, Place{}};
  const dom::array array = element_of(place_).get_array().value_unsafe();
  return {place_of(array.begin()), place_of(array.end())};
}

bool Fields::next() {
  if (next_.index == end_.index) return false;
  auto at = std::bit_cast<dom::object::iterator>(next_);
  key_ = at.key();
  value_ = Json(place_of(at.value()));
  ++at;
  next_ = place_of(at);
  return true;
}

bool Items::next() {
  if (next_.index == end_.index) return false;
  auto at = std::bit_cast<dom::array::iterator>(next_);
  value_ = Json(place_of(*at));
  ++at;
  next_ = place_of(at);
  return true;
}

std::string with_room_to_parse(std::string_view text) {
  std::string copy;
  copy.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  copy.append(text);
  return copy;  // not what append() returns: that would be copied, without the room
}

std::optional<Json> parse_json(std::string& text) {
  dom::parser& parser = parser_of_this_thread();
  if (parser.capacity() > kKeptParserBytes && text.size() <= kKeptParserBytes)
    parser = dom::parser();
  if (text.capacity() < text.size() + simdjson::SIMDJSON_PADDING)
    text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  if (parser.max_depth() != kDepthMax &&
      parser.allocate(text.size(), kDepthMax) != simdjson::SUCCESS)
    return std::nullopt;
  dom::element root;
  if (parser.parse(text.data(), text.size(), false).get(root) != simdjson::SUCCESS)
    return std::nullopt;
  return Json(place_of(root));
}

}  // namespace aimeter::provider
