// Package:       config
// Units:         none
// Errors:        a setter's text says what would be accepted.
// Thread safety: the table is constant.
// Ownership:     none.
//
// Every key there is: its place in the file, its variables in the environment, how it is read into
// Settings and shown again. One row a key; nothing else knows them.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/settings.h"

namespace aimeter::config {

// A value as file or environment gives it. Text from the environment may stand for any type.
using Value = std::variant<std::string, std::int64_t, bool, std::vector<std::string>>;

// What a key without effect shows for its value.
constexpr std::string_view kNoEffect = "no effect";

struct Key {
  std::string path = {};                    // "billing.currency"
  std::vector<std::string> variables = {};  // full names, the reference's first
  std::string about = {};
  // Empty: taken. Else what would be accepted.
  std::function<std::optional<std::string>(Settings&, const Value&)> set = {};
  std::function<std::string(const Settings&)> get = {};
  bool secret = false;
  bool alias = false;  // another name of a key: not shown
};

[[nodiscard]] const std::vector<Key>& all_keys();
// A price as decimal text (a whole number may stand for it); nothing when it is none.
[[nodiscard]] std::optional<std::string> price_text(const Value& value);

}  // namespace aimeter::config
