#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

namespace aimeter::base {

namespace bj = boost::json;

// Handler of Boost's parser: builds the tree, keeps literals, refuses a key that comes twice.
class JsonBuilder {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  using Code = bj::error_code;
  using View = bj::string_view;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t count, Code&) {
    AIMETER_ASSERT(count <= values_.size());
    Json value;
    value.value_ = std::vector<Json>(first(count), values_.end());
    replace(count, std::move(value));
    return true;
  }
  bool on_object_begin(Code&) { return true; }
  bool on_object_end(std::size_t count, Code& code) {
    AIMETER_ASSERT(count <= values_.size());
    std::vector<Json::Member> members;
    members.reserve(count);
    auto value = first(count);
    for (auto key = keys_.end() - static_cast<std::ptrdiff_t>(count); key != keys_.end(); ++key) {
      members.emplace_back(std::move(*key), std::move(*value++));
    }
    keys_.resize(keys_.size() - count);
    if (!check_unique(members, code)) return false;
    Json object;
    object.value_ = std::move(members);
    replace(count, std::move(object));
    return true;
  }
  bool on_key_part(View text, std::size_t, Code&) { return append(text); }
  bool on_key(View text, std::size_t, Code&) {
    append(text);
    keys_.push_back(std::exchange(text_, {}));
    return true;
  }
  bool on_string_part(View text, std::size_t, Code&) { return append(text); }
  bool on_string(View text, std::size_t, Code&) {
    append(text);
    return push(std::exchange(text_, {}));
  }
  bool on_number_part(View text, Code&) { return append(text); }
  bool on_int64(std::int64_t, View text, Code&) { return number(text); }
  bool on_uint64(std::uint64_t, View text, Code&) { return number(text); }
  bool on_double(double, View text, Code&) { return number(text); }  // tidy: the literal is kept
  bool on_bool(bool value, Code&) { return push(value); }
  bool on_null(Code&) { return push(std::monostate{}); }
  bool on_comment_part(View, Code&) { return true; }
  bool on_comment(View, Code&) { return true; }

  [[nodiscard]] Json result() { return std::move(values_.front()); }
  [[nodiscard]] const std::optional<std::string>& duplicate() const { return duplicate_; }

 private:
  std::vector<Json>::iterator first(std::size_t count) {
    return values_.end() - static_cast<std::ptrdiff_t>(count);
  }
  void replace(std::size_t count, Json value) {
    values_.resize(values_.size() - count);
    values_.push_back(std::move(value));
  }
  bool append(View text) {
    text_.append(text.data(), text.size());
    return true;
  }
  bool number(View text) {
    append(text);
    return push(Json::Number{std::exchange(text_, {})});
  }
  template <class T>
  bool push(T value) {
    Json json;
    json.value_ = std::move(value);
    values_.push_back(std::move(json));
    return true;
  }
  bool check_unique(const std::vector<Json::Member>& members, Code& code) {
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const auto& member : members) keys.push_back(member.first);
    std::ranges::sort(keys);
    const auto twice = std::ranges::adjacent_find(keys);
    if (twice == keys.end()) return true;
    duplicate_ = std::string(*twice);
    code = bj::make_error_code(bj::error::syntax);
    return false;
  }

  std::vector<Json> values_;
  std::vector<std::string> keys_;
  std::string text_;
  std::optional<std::string> duplicate_;
};

namespace {

constexpr std::size_t kExcerptBytes = 40;

struct Place {
  std::size_t line = 1, column = 1;
};

Place place_of(std::string_view text, std::size_t offset) {
  Place place;
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') place = {place.line + 1, 0};
    ++place.column;
  }
  return place;
}

std::string reason_of(const bj::error_code& code, const JsonBuilder& builder, std::size_t depth) {
  if (builder.duplicate()) return fmt::format("key \"{}\" comes twice", *builder.duplicate());
  if (code == bj::error::too_deep) return fmt::format("nested deeper than {}", depth);
  if (code == bj::error::extra_data) return "text behind the document";
  if (code == bj::error::incomplete) return "it ends too early";
  return code.message();
}

bool is_integer_literal(std::string_view literal) {
  return literal.find_first_of(".eE") == std::string_view::npos;
}

template <class T>
Result<T> integer_of(std::string_view literal, std::string_view field, std::string_view expected) {
  T value = 0;
  const char* end = literal.data() + literal.size();
  const auto [stop, problem] = std::from_chars(literal.data(), end, value);
  if (!is_integer_literal(literal) || problem != std::errc{} || stop != end) {
    return bad_input(field, literal, expected);
  }
  return value;
}

bool is_plain_decimal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto digits = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos) return digits(text);
  return digits(text.substr(0, point)) && digits(text.substr(point + 1));
}

void append_to(const Json& value, std::string& text, std::size_t bytes_most) {
  if (text.size() > bytes_most) return;
  switch (value.kind()) {
    case Json::Kind::null:
      text += "null";
      return;
    case Json::Kind::boolean:
      text += value.boolean() ? "true" : "false";
      return;
    case Json::Kind::number:
      text += value.literal();
      return;
    case Json::Kind::string:
      text += bj::serialize(bj::string_view(value.string()));
      return;
    case Json::Kind::array:
      text += '[';
      for (const Json& item : value.items()) {
        append_to(item, text, bytes_most);
        text += ',';
      }
      if (text.back() == ',') text.pop_back();
      text += ']';
      return;
    case Json::Kind::object:
      text += '{';
      for (const auto& [key, member] : value.members()) {
        text += bj::serialize(bj::string_view(key)) + ":";
        append_to(member, text, bytes_most);
        text += ',';
      }
      if (text.back() == ',') text.pop_back();
      text += '}';
      return;
  }
}

constexpr std::string_view kIntegerExpected =
    "an integer from -9223372036854775808 to 9223372036854775807, without fraction or exponent";
constexpr std::string_view kUnsignedExpected =
    "an integer from 0 to 18446744073709551615, without fraction or exponent";
constexpr std::string_view kCountExpected =
    "an integer from 0 to 9223372036854775807, without fraction or exponent";

}  // namespace

std::string_view name_of(Json::Kind kind) {
  switch (kind) {
    case Json::Kind::null:
      return "null";
    case Json::Kind::boolean:
      return "boolean";
    case Json::Kind::number:
      return "number";
    case Json::Kind::string:
      return "string";
    case Json::Kind::array:
      return "array";
    case Json::Kind::object:
      return "object";
  }
  return "";
}

Result<Json> Json::parse(std::string_view field, std::string_view text) {
  return parse(field, text, Limits{});
}

Result<Json> Json::parse(std::string_view field, std::string_view text, const Limits& limits) {
  if (text.size() > limits.bytes) {
    return bad_input(field, fmt::format("{} bytes", text.size()),
                     fmt::format("JSON of at most {} bytes", limits.bytes));
  }
  bj::parse_options options;
  options.max_depth = limits.depth;
  bj::basic_parser<JsonBuilder> parser(options);
  bj::error_code code;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), code);
  if (!code && used < text.size()) code = bj::make_error_code(bj::error::extra_data);
  if (code) {
    const Place place = place_of(text, used);
    const std::size_t from = used < kExcerptBytes / 2 ? 0 : used - kExcerptBytes / 2;
    return bad_input(field, text.substr(from, kExcerptBytes),
                     fmt::format("JSON (line {}, column {}: {})", place.line, place.column,
                                 reason_of(code, parser.handler(), limits.depth)));
  }
  return parser.handler().result();
}

bool Json::boolean() const {
  AIMETER_ASSERT(kind() == Kind::boolean);
  return *std::get_if<bool>(&value_);
}

const std::string& Json::literal() const {
  AIMETER_ASSERT(kind() == Kind::number);
  return std::get_if<Number>(&value_)->literal;
}

const std::string& Json::string() const {
  AIMETER_ASSERT(kind() == Kind::string);
  return *std::get_if<std::string>(&value_);
}

const std::vector<Json>& Json::items() const {
  AIMETER_ASSERT(kind() == Kind::array);
  return *std::get_if<std::vector<Json>>(&value_);
}

const std::vector<Json::Member>& Json::members() const {
  AIMETER_ASSERT(kind() == Kind::object);
  return *std::get_if<std::vector<Member>>(&value_);
}

const Json* Json::find(std::string_view key) const {
  if (kind() != Kind::object) return nullptr;
  const auto found = std::ranges::find(members(), key, &Member::first);
  return found == members().end() ? nullptr : &found->second;
}

Result<std::int64_t> Json::integer(std::string_view field) const {
  if (kind() != Kind::number) return bad_input(field, excerpt(), kIntegerExpected);
  return integer_of<std::int64_t>(literal(), field, kIntegerExpected);
}

Result<std::uint64_t> Json::unsigned_integer(std::string_view field) const {
  if (kind() != Kind::number) return bad_input(field, excerpt(), kUnsignedExpected);
  return integer_of<std::uint64_t>(literal(), field, kUnsignedExpected);
}

Result<std::int64_t> Json::count(std::string_view field) const {
  if (kind() != Kind::number) return bad_input(field, excerpt(), kCountExpected);
  AIMETER_TRY(const std::int64_t value, integer_of<std::int64_t>(literal(), field, kCountExpected));
  if (value < 0) return bad_input(field, literal(), kCountExpected);
  return value;
}

Result<bool> Json::boolean(std::string_view field) const {
  if (kind() != Kind::boolean) return bad_input(field, excerpt(), "true or false");
  return boolean();
}

Result<std::string> Json::string(std::string_view field) const {
  if (kind() != Kind::string) return bad_input(field, excerpt(), "a string");
  return string();
}

Result<std::string> Json::decimal(std::string_view field) const {
  const bool text = kind() == Kind::string || kind() == Kind::number;
  const std::string value = !text ? "" : kind() == Kind::string ? string() : literal();
  if (!is_plain_decimal(value)) {
    return bad_input(field, excerpt(), "a plain decimal such as 0.00015, as number or string");
  }
  return value;
}

std::string Json::excerpt() const {
  std::string text;
  append_to(*this, text, kExcerptBytes);
  return text;
}

std::string Json::text() const {
  std::string text;
  append_to(*this, text, std::numeric_limits<std::size_t>::max());
  return text;
}

Result<JsonFields> JsonFields::of(const Json& value, std::string path) {
  if (value.kind() != Json::Kind::object) {
    return bad_input(path.empty() ? "document" : path, value.excerpt(), "an object");
  }
  return JsonFields(value, std::move(path));
}

std::string JsonFields::name_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const Json* JsonFields::take(std::string_view key) {
  asked_.emplace_back(key);
  const Json* value = value_->find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<const Json*> JsonFields::need(std::string_view key) {
  const Json* value = take(key);
  if (value != nullptr) return value;
  const bool is_null = value_->find(key) != nullptr;
  return bad_input(name_of(key), is_null ? "null" : "", "a value: the field is required");
}

Result<std::int64_t> JsonFields::integer(std::string_view key) {
  AIMETER_TRY(const Json* value, need(key));
  return value->integer(name_of(key));
}

Result<std::int64_t> JsonFields::count(std::string_view key) {
  AIMETER_TRY(const Json* value, need(key));
  return value->count(name_of(key));
}

Result<bool> JsonFields::boolean(std::string_view key) {
  AIMETER_TRY(const Json* value, need(key));
  return value->boolean(name_of(key));
}

Result<std::string> JsonFields::string(std::string_view key) {
  AIMETER_TRY(const Json* value, need(key));
  return value->string(name_of(key));
}

Result<std::string> JsonFields::decimal(std::string_view key) {
  AIMETER_TRY(const Json* value, need(key));
  return value->decimal(name_of(key));
}

Result<JsonFields> JsonFields::object(std::string_view key) {
  AIMETER_TRY(const Json* value, need(key));
  return of(*value, name_of(key));
}

Result<const std::vector<Json>*> JsonFields::array(std::string_view key) {
  AIMETER_TRY(const Json* value, need(key));
  if (value->kind() != Json::Kind::array) {
    return bad_input(name_of(key), value->excerpt(), "an array");
  }
  return &value->items();
}

Result<std::optional<std::int64_t>> JsonFields::optional_integer(std::string_view key) {
  if (take(key) == nullptr) return std::nullopt;
  return integer(key);
}

Result<std::optional<std::int64_t>> JsonFields::optional_count(std::string_view key) {
  if (take(key) == nullptr) return std::nullopt;
  return count(key);
}

Result<std::optional<bool>> JsonFields::optional_boolean(std::string_view key) {
  if (take(key) == nullptr) return std::nullopt;
  AIMETER_TRY(const bool value, boolean(key));
  return std::optional<bool>(value);
}

Result<std::optional<std::string>> JsonFields::optional_string(std::string_view key) {
  if (take(key) == nullptr) return std::nullopt;
  return string(key);
}

Result<std::optional<std::string>> JsonFields::optional_decimal(std::string_view key) {
  if (take(key) == nullptr) return std::nullopt;
  return decimal(key);
}

Result<std::optional<JsonFields>> JsonFields::optional_object(std::string_view key) {
  if (take(key) == nullptr) return std::nullopt;
  return object(key);
}

Status JsonFields::refuse_others() const {
  for (const auto& [key, value] : value_->members()) {
    if (std::ranges::find(asked_, key) != asked_.end()) continue;
    std::vector<std::string> known = asked_;
    std::ranges::sort(known);
    known.erase(std::ranges::unique(known).begin(), known.end());
    return bad_input(name_of(key), value.excerpt(),
                     fmt::format("no such field; one of {}", fmt::join(known, ", ")));
  }
  return {};
}

}  // namespace aimeter::base
