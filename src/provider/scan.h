// Package:       provider
// Units:         bytes
// Errors:        none
// Thread safety: pure functions; a KeyFilter is a value.
// Ownership:     a KeyFilter borrows its keys (string literals).
//
// Ends of lines, and whether a JSON text can hold a key at all; 32 bytes at a time where the
// processor can (AVX2).
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
  // Keys without their quotes. Requires: at most kFirstLettersMax different first letters, 'u' one
  // of them, so that a look for keys finds \u escapes.
  static constexpr std::size_t kFirstLettersMax = 3;
  using Letters = std::array<char, kFirstLettersMax>;
  explicit KeyFilter(std::span<const std::string_view> keys);
  [[nodiscard]] bool hit(std::string_view json) const;

 private:
  [[nodiscard]] bool hit_at(std::string_view json, std::size_t quote) const;
  std::span<const std::string_view> keys_;
  Letters letters_ = {};
};

}  // namespace aimeter::provider
