// Package:       base
// Units:         bytes of UTF-8
// Errors:        invalid_argument, naming the field, the value and what is accepted.
// Thread safety: values; a const Json may be read by any threads.
// Ownership:     a Json owns its text; JsonFields borrows the Json that it reads.
//
// Strict JSON: a key twice in one object, nesting beyond a limit, invalid UTF-8, a byte order mark
// and text behind the document are refused. A number keeps its literal, so that no digit is ever
// lost: 1e3 and 1.5 are numbers, but no integers. To write JSON, use Boost.JSON.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "aimeter/result.h"

namespace aimeter::base {

constexpr std::size_t kJsonBytesMax = 16U << 20U;
constexpr std::size_t kJsonDepthMax = 64;

class Json {
 public:
  enum class Kind { null, boolean, number, string, array, object };
  using Member = std::pair<std::string, Json>;
  struct Limits {
    std::size_t bytes = kJsonBytesMax;
    std::size_t depth = kJsonDepthMax;
  };

  Json() = default;  // null
  // `field` names the document in errors: "body", "prices.json".
  [[nodiscard]] static Result<Json> parse(std::string_view field, std::string_view text);
  [[nodiscard]] static Result<Json> parse(std::string_view field, std::string_view text,
                                          const Limits& limits);

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(value_.index()); }
  [[nodiscard]] bool is_null() const { return kind() == Kind::null; }
  // Each of these requires its kind.
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] const std::string& literal() const;  // of a number, as written: "1.50", "1e3"
  [[nodiscard]] const std::string& string() const;
  [[nodiscard]] const std::vector<Json>& items() const;
  [[nodiscard]] const std::vector<Member>& members() const;  // in the order of the text
  // Absent key, or no object: nullptr. Linear: for many look-ups in a big object build an index.
  [[nodiscard]] const Json* find(std::string_view key) const;

  // The value if it is an integer literal in range; `field` is named in the error.
  [[nodiscard]] Result<std::int64_t> integer(std::string_view field) const;
  [[nodiscard]] Result<std::uint64_t> unsigned_integer(std::string_view field) const;
  [[nodiscard]] Result<std::int64_t> count(std::string_view field) const;  // an integer >= 0
  [[nodiscard]] Result<bool> boolean(std::string_view field) const;
  [[nodiscard]] Result<std::string> string(std::string_view field) const;
  // The literal of a number without exponent, or a string that is one: "0.00015". For money and
  // rates.
  [[nodiscard]] Result<std::string> decimal(std::string_view field) const;
  // Compact JSON of the first bytes, for errors and logs.
  [[nodiscard]] std::string excerpt() const;
  [[nodiscard]] std::string text() const;  // all of it, compact, numbers as they were written

 private:
  friend class JsonBuilder;
  struct Number {
    std::string literal;
  };
  std::variant<std::monostate, bool, Number, std::string, std::vector<Json>, std::vector<Member>>
      value_;
};

[[nodiscard]] std::string_view name_of(Json::Kind kind);

// The members of one object: typed, required or optional, and in the end those nobody asked for.
// Optional: absent and null are the same, never zero. Errors name "path.key".
class JsonFields {
 public:
  // `path` names the object: "usage"; empty for the document itself.
  [[nodiscard]] static Result<JsonFields> of(const Json& value, std::string path);

  [[nodiscard]] Result<std::int64_t> integer(std::string_view key);
  [[nodiscard]] Result<std::int64_t> count(std::string_view key);
  [[nodiscard]] Result<bool> boolean(std::string_view key);
  [[nodiscard]] Result<std::string> string(std::string_view key);
  [[nodiscard]] Result<std::string> decimal(std::string_view key);
  [[nodiscard]] Result<JsonFields> object(std::string_view key);
  [[nodiscard]] Result<const std::vector<Json>*> array(std::string_view key);

  [[nodiscard]] Result<std::optional<std::int64_t>> optional_integer(std::string_view key);
  [[nodiscard]] Result<std::optional<std::int64_t>> optional_count(std::string_view key);
  [[nodiscard]] Result<std::optional<bool>> optional_boolean(std::string_view key);
  [[nodiscard]] Result<std::optional<std::string>> optional_string(std::string_view key);
  [[nodiscard]] Result<std::optional<std::string>> optional_decimal(std::string_view key);
  [[nodiscard]] Result<std::optional<JsonFields>> optional_object(std::string_view key);

  // The raw member; nullptr when absent or null. Counts as asked for.
  [[nodiscard]] const Json* take(std::string_view key);
  // "path.key".
  [[nodiscard]] std::string name_of(std::string_view key) const;
  // Errors: invalid_argument naming a member that no call above asked for, and those that were.
  [[nodiscard]] Status refuse_others() const;

 private:
  JsonFields(const Json& value, std::string path) : value_(&value), path_(std::move(path)) {}
  [[nodiscard]] Result<const Json*> need(std::string_view key);

  const Json* value_;
  std::string path_;
  std::vector<std::string> asked_;
};

}  // namespace aimeter::base
