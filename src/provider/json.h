// Package:       provider
// Units:         bytes
// Errors:        none: what cannot be parsed gives no Json.
// Thread safety: parse_json() works on a parser of the calling thread.
// Ownership:     a Json is a view: valid until the next parse_json() on the same thread.
//
// Read-only view of one parsed JSON document. The whole text is validated (UTF-8, syntax, depth
// 1,024), keys are unescaped. The only header behind which simdjson stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aimeter::provider {

class Fields;
class Items;

class Json {
 public:
  enum class Kind { absent, null, boolean, whole, number, text, array, object };

  Json() = default;
  [[nodiscard]] Kind kind() const;
  [[nodiscard]] bool is(Kind kind_wanted) const { return kind() == kind_wanted; }
  // Present and not null.
  [[nodiscard]] bool has_value() const;
  // A whole number from 0 to the largest int64, written without point or exponent.
  [[nodiscard]] std::optional<std::int64_t> count() const;
  // As count(), and also a whole one written with point or exponent ("28.0") up to 2^53: some
  // providers write every number so.
  [[nodiscard]] std::optional<std::int64_t> whole() const;
  [[nodiscard]] std::string_view text() const;  // "" for what is no text
  [[nodiscard]] bool truth() const;             // the literal true
  // Any number as the shortest decimal text that means the same; "" for what is no number.
  [[nodiscard]] std::string number_text() const;
  // A number or text, at most `limit` bytes of it; for messages.
  [[nodiscard]] std::string brief(std::size_t limit) const;
  // The first field of that name, or absent. For objects; anything else has no fields.
  [[nodiscard]] Json find(std::string_view key) const;
  [[nodiscard]] Fields fields() const;
  [[nodiscard]] Items items() const;

  struct Place {
    const void* document = nullptr;
    std::size_t index = 0;
  };
  explicit Json(Place place) : place_(place) {}

 private:
  Place place_ = {};
};

// for (Fields at = object.fields(); at.next();) at.key(), at.value();
class Fields {
 public:
  Fields(Json::Place begin, Json::Place end) : next_(begin), end_(end) {}
  bool next();
  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] Json value() const { return value_; }

 private:
  Json::Place next_, end_;
  std::string_view key_ = {};
  Json value_ = {};
};

class Items {
 public:
  Items(Json::Place begin, Json::Place end) : next_(begin), end_(end) {}
  bool next();
  [[nodiscard]] Json value() const { return value_; }

 private:
  Json::Place next_, end_;
  Json value_ = {};
};

// A copy that parse_json() need not grow.
[[nodiscard]] std::string with_room_to_parse(std::string_view text);
// Parses text[0, size). The string's capacity is grown so that the parser may read past the end.
[[nodiscard]] std::optional<Json> parse_json(std::string& text);

}  // namespace aimeter::provider
