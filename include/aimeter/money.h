// Package:       money
// Units:         Money in int64 nano-units (1e-9) of its currency; Tokens in tokens; Percent in
//                hundredths.
// Errors:        invalid_argument for text that is no plain decimal of at most 9 places or out of
//                range.
// Thread safety: values.
// Ownership:     none.
//
// Money is exact: no floating point anywhere, text form is a plain decimal ("0.00015").
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "aimeter/result.h"

namespace aimeter {

struct Tokens {
  std::int64_t count = 0;
  auto operator<=>(const Tokens&) const = default;
};

enum class Rounding { half_even, up, down };  // up and down: away from zero, towards zero

struct Money {
  std::int64_t nanos = 0;
  std::string currency = "usd";  // ISO 4217, lower case

  // A plain decimal: optional '-', digits, optional '.' and 1..9 digits; no exponent, no spaces.
  [[nodiscard]] static Result<Money> parse(std::string_view text,
                                           std::string_view currency = "usd");
  // For literals in code: ends the process on bad text.
  static Money parse_or_die(std::string_view text, std::string_view currency = "usd");
  [[nodiscard]] std::string text() const;  // shortest exact form: "0.00015", "12.5", "0"
  friend bool operator==(const Money&, const Money&) = default;
};

inline namespace literals {
inline Money operator""_usd(const char* text) { return Money::parse_or_die(text); }
}  // namespace literals

struct Percent {
  std::int64_t hundredths = 0;
  [[nodiscard]] std::string text() const;  // "85.00"
  // 100 * used / limit, cut to hundredths, saturating. A limit of 0 is 100 %.
  [[nodiscard]] static Percent of(std::int64_t used, std::int64_t limit);
  auto operator<=>(const Percent&) const = default;
};

}  // namespace aimeter
