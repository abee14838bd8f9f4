// Package:       provider
// Units:         bytes
// Errors:        none
// Thread safety: pure functions; a KeyFilter is a value.
// Ownership:     a KeyFilter borrows its keys (string literals).
//
// Looks at 16 bytes at a time: ends of lines, and whether a JSON text can hold a key at all.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace aimeter::provider {

// Position of the first '\n' or '\r', or npos.
[[nodiscard]] std::size_t find_line_end(std::string_view text);

// Tells frames that need not be parsed. False only when no key of the text begins with one of
// `keys`, or each that does has the value null; a \u escape anywhere is a hit, because it may
// spell a key.
class KeyFilter {
 public:
  // Keys without their quotes. Requires: at most kFirstLettersMax different first letters.
  static constexpr std::size_t kFirstLettersMax = 3;
  explicit KeyFilter(std::span<const std::string_view> keys);
  [[nodiscard]] bool hit(std::string_view json) const;

 private:
  [[nodiscard]] bool hit_at(std::string_view json, std::size_t quote) const;
  std::span<const std::string_view> keys_;
  std::array<char, kFirstLettersMax> letters_ = {};
};

}  // namespace aimeter::provider
