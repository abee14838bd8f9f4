#include "meter/meta.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/ids.h"
#include "base/json.h"

namespace aimeter::meter {
namespace {

constexpr std::string_view kRedacted = "[redacted]";

// A key is secret when its letters and digits, in lower case, contain one of these ...
constexpr std::array<std::string_view, 10> kSecretParts = {
    "authorization", "password",  "passwd", "secret",     "apikey",
    "privatekey",    "accesskey", "cookie", "credential", "bearer"};
// ... or are one of these: the words of a conversation and of a login.
constexpr std::array<std::string_view, 11> kSecretWords = {
    "prompt",       "prompts", "messages",   "message", "token",       "accesstoken",
    "refreshtoken", "content", "completion", "jwt",     "systemprompt"};

std::string letters_of(std::string_view key) {
  std::string letters;
  for (const char c : key) {
    if (c >= 'A' && c <= 'Z') {
      letters += static_cast<char>(c + ('a' - 'A'));
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      letters += c;
    }
  }
  return letters;
}

bool looks_like_json(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && (text[first] == '{' || text[first] == '[');
}

std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
    }
  }
  return deepest;
}

void redact(boost::json::value& value) {
  if (auto* object = value.if_object()) {
    for (auto& member : *object) {
      if (is_secret_key(member.key())) {
        member.value() = kRedacted;
      } else {
        redact(member.value());
      }
    }
  } else if (auto* array = value.if_array()) {
    for (auto& item : *array) redact(item);
  }
}

// A value that is JSON is looked into; one that is not is left as it is.
Result<std::string> kept_value(std::string_view key, std::string_view text) {
  if (!looks_like_json(text)) return std::string(text);
  if (depth_of(text) >= kMetaDepthMax) {  // the metadata itself is the first level
    return bad_input("meta." + std::string(key), text, "JSON of at most 8 levels");
  }
  boost::system::error_code failed;
  boost::json::value value = boost::json::parse(text, failed);
  if (failed) return std::string(text);
  const boost::json::value before = value;
  redact(value);
  return value == before ? std::string(text) : boost::json::serialize(value);
}

Status check_text(std::string_view field, std::string_view text) {
  if (!base::is_utf8(text)) return bad_input(field, text, "UTF-8");
  if (base::has_control(text)) return bad_input(field, text, "text without control characters");
  return {};
}

}  // namespace

bool is_secret_key(std::string_view key) {
  const std::string letters = letters_of(key);
  return std::ranges::any_of(kSecretParts,
                             [&](std::string_view part) { return letters.contains(part); }) ||
         std::ranges::find(kSecretWords, letters) != kSecretWords.end();
}

Result<Meta> kept_meta(const Meta& meta, Metadata how) {
  if (how == Metadata::as_given) return meta;
  Meta kept;
  std::size_t bytes = 2;
  for (const auto& [key, value] : meta) {
    AIMETER_CHECK_OK(check_text("meta key", key));
    AIMETER_CHECK_OK(check_text("meta." + key, value));
    if (is_secret_key(key)) {
      kept.emplace(key, kRedacted);
    } else {
      AIMETER_TRY(std::string text, kept_value(key, value));
      kept.emplace(key, std::move(text));
    }
    bytes += key.size() + kept[key].size() + 6;  // quotes, colon, comma
    if (bytes > kMetaBytesMax) {
      return bad_input("meta", std::to_string(bytes) + " bytes and more", "at most 16384 bytes");
    }
  }
  return kept;
}

Result<std::string> json_of(const Meta& kept) {
  if (kept.empty()) return std::string();
  boost::json::object object;
  for (const auto& [key, value] : kept) {
    if (!base::is_utf8(key) || !base::is_utf8(value))
      return bad_input("meta." + key, value, "UTF-8");
    object.emplace(key, value);
  }
  std::string text = boost::json::serialize(object);
  if (text.size() > kMetaBytesMax) {
    return bad_input("meta", std::to_string(text.size()) + " bytes", "at most 16384 bytes");
  }
  return text;
}

}  // namespace aimeter::meter
