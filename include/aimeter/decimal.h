// Package:       money
// Units:         none: an exact decimal number, mantissa * 10^-scale.
// Errors:        invalid_argument for text that is no number or too long, and for overflow.
// Thread safety: values.
// Ownership:     none.
//
// Always in lowest form: no trailing zero behind the point, zero has scale 0; so equal numbers are
// equal member by member. Nothing is ever rounded here except where a Rounding is named.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "aimeter/money.h"
#include "aimeter/result.h"

namespace aimeter {

__extension__ typedef __int128 Int128;

class Decimal {
 public:
  // Enough for every price list seen (23 places) times a 64-bit count.
  static constexpr int kScaleMax = 36;

  constexpr Decimal() = default;
  // mantissa * 10^-scale. Requires 0 <= scale <= kScaleMax.
  Decimal(Int128 mantissa, int scale);
  static Decimal of(std::int64_t whole) { return Decimal(whole, 0); }
  static Decimal of(const Money& money) { return Decimal(money.nanos, 9); }

  // A number as JSON and C write it: -0.25, 1.9e-08, 3E2. Every digit is kept; nothing passes a
  // floating point number. `field` is named in the error. Errors: not a number (NaN, inf, empty,
  // spaces), more than 38 digits or kScaleMax places.
  [[nodiscard]] static Result<Decimal> parse(std::string_view field, std::string_view text);
  // For literals in code: ends the process on bad text.
  static Decimal parse_or_die(std::string_view text);

  [[nodiscard]] Int128 mantissa() const { return mantissa_; }
  [[nodiscard]] int scale() const { return scale_; }
  [[nodiscard]] bool is_zero() const { return mantissa_ == 0; }
  [[nodiscard]] bool is_negative() const { return mantissa_ < 0; }
  [[nodiscard]] std::string text() const;  // plain, shortest: "0.0000135", "12.5", "0"

  [[nodiscard]] Result<Decimal> plus(const Decimal& other) const;
  [[nodiscard]] Result<Decimal> minus(const Decimal& other) const;
  [[nodiscard]] Result<Decimal> times(std::int64_t count) const;
  [[nodiscard]] Result<Decimal> times(const Decimal& other) const;
  // Exact for a power of ten; else to `places` places, rounded as named. Requires divisor > 0.
  [[nodiscard]] Result<Decimal> over(std::int64_t divisor, int places, Rounding rounding) const;
  // To at most `places` places.
  [[nodiscard]] Decimal rounded(int places, Rounding rounding) const;
  // To nano-units of a currency. Errors: out of the range of Money.
  [[nodiscard]] Result<Money> to_money(std::string_view currency, Rounding rounding) const;

  friend bool operator==(const Decimal&, const Decimal&) = default;
  friend std::strong_ordering operator<=>(const Decimal& a, const Decimal& b);

 private:
  Int128 mantissa_ = 0;
  std::int32_t scale_ = 0;
};

}  // namespace aimeter
