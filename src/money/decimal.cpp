#include "aimeter/decimal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

namespace aimeter {
namespace {

__extension__ typedef unsigned __int128 Uint128;

constexpr int kDigitsMax = 38;  // of a mantissa: 10^38 < 2^127
constexpr Int128 kLargest = static_cast<Int128>(~Uint128{0} >> 1);
constexpr int kExponentDigitsMax = 4;

constexpr std::array<Int128, kDigitsMax + 1> powers_of_ten() {
  std::array<Int128, kDigitsMax + 1> powers{};
  powers[0] = 1;
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}
constexpr auto kTen = powers_of_ten();

Int128 ten_to(int exponent) { return kTen.at(static_cast<std::size_t>(exponent)); }

std::unexpected<Error> overflow(std::string_view what, const Decimal& value) {
  return bad_input(what, value.text(), "a result of at most 38 digits and 36 places");
}

// The exponent, where `divisor` is 1, 10, 100 ...
std::optional<int> power_of_ten(std::int64_t divisor) {
  constexpr std::int64_t kMillion = 1'000'000;
  if (divisor == kMillion) return 6;  // nearly every price
  int power = 0;
  while (divisor % 10 == 0) {
    divisor /= 10;
    ++power;
  }
  if (divisor != 1) return std::nullopt;
  return power;
}

bool multiply(Int128 a, Int128 b, Int128& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

bool fits_digits(const Decimal& value) {
  constexpr Int128 kBeyond = kTen.back();  // the first number of more than kDigitsMax digits
  return -kBeyond < value.mantissa() && value.mantissa() < kBeyond;
}

bool is_digit(char c) { return '0' <= c && c <= '9'; }

// Rounds dividend / divisor to a whole number. Requires divisor > 0.
Int128 divide(Int128 dividend, Int128 divisor, Rounding rounding) {
  const Int128 quotient = dividend / divisor;
  const Int128 rest = dividend % divisor;
  if (rest == 0 || rounding == Rounding::down) return quotient;
  const Int128 away = dividend < 0 ? quotient - 1 : quotient + 1;
  if (rounding == Rounding::up) return away;
  const Int128 size = rest < 0 ? -rest : rest;
  const Int128 other = divisor - size;
  if (size != other) return size > other ? away : quotient;
  return quotient % 2 == 0 ? quotient : away;
}

// The digits of a literal, read from left to right.
struct Literal {
  bool negative = false;
  Int128 mantissa = 0;
  int digits = 0;    // behind leading zeros
  int places = 0;    // behind the point
  int exponent = 0;  // as written
  int pending = 0;   // zeros seen at the end of the digits, not yet in the mantissa
};

bool add_digit(Literal& literal, char c) {
  if (c == '0') {
    ++literal.pending;
    return true;
  }
  const int shift = literal.pending + 1;
  if (literal.mantissa != 0 || literal.digits != 0) {
    if (literal.digits + shift > kDigitsMax) return false;
    literal.mantissa *= ten_to(shift);
    literal.digits += shift;
  } else {
    literal.digits = 1;
  }
  literal.mantissa += c - '0';
  literal.pending = 0;
  return true;
}

bool read_exponent(std::string_view text, Literal& literal) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || text.size() > kExponentDigitsMax) return false;
  if (!std::all_of(text.begin(), text.end(), is_digit)) return false;
  for (const char c : text) literal.exponent = literal.exponent * 10 + (c - '0');
  if (negative) literal.exponent = -literal.exponent;
  return true;
}

bool read_literal(std::string_view text, Literal& literal) {
  if (!text.empty() && text.front() == '-') {
    literal.negative = true;
    text.remove_prefix(1);
  }
  bool point = false;
  bool digit_before = false;
  while (!text.empty() && (is_digit(text.front()) || (text.front() == '.' && !point))) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '.') {
      if (!digit_before || text.empty() || !is_digit(text.front())) return false;
      point = true;
      continue;
    }
    digit_before = true;
    if (point) ++literal.places;
    if (!add_digit(literal, c)) return false;
  }
  if (!digit_before) return false;
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  return read_exponent(text.substr(1), literal);
}

}  // namespace

Decimal::Decimal(Int128 mantissa, int scale) : mantissa_(mantissa), scale_(scale) {
  AIMETER_ASSERT(scale >= 0);
  AIMETER_ASSERT(scale <= kScaleMax);
  if (mantissa_ == 0) scale_ = 0;
  const auto fits_64 = [](Int128 value) { return value == static_cast<std::int64_t>(value); };
  while (scale_ > 0 && !fits_64(mantissa_) && mantissa_ % 10 == 0) {
    mantissa_ /= 10;
    --scale_;
  }
  if (scale_ == 0 || !fits_64(mantissa_)) return;
  auto small = static_cast<std::int64_t>(mantissa_);
  while (scale_ > 0 && small % 10 == 0) {
    small /= 10;
    --scale_;
  }
  mantissa_ = small;
}

Result<Decimal> Decimal::parse(std::string_view field, std::string_view text) {
  constexpr std::string_view kExpected =
      "a decimal number like 0.15 or 1.9e-08, at most 38 digits and 36 places";
  Literal literal;
  if (!read_literal(text, literal)) return bad_input(field, text, kExpected);
  if (literal.mantissa == 0) return Decimal();
  // value = mantissa * 10^(pending + exponent - places)
  const int power = literal.pending + literal.exponent - literal.places;
  Int128 mantissa = literal.negative ? -literal.mantissa : literal.mantissa;
  if (power >= 0) {
    if (literal.digits + power > kDigitsMax) return bad_input(field, text, kExpected);
    return Decimal(mantissa * ten_to(power), 0);
  }
  if (-power > kScaleMax) return bad_input(field, text, kExpected);
  return Decimal(mantissa, -power);
}

Decimal Decimal::parse_or_die(std::string_view text) {
  const Result<Decimal> parsed = parse("literal", text);
  AIMETER_ASSERT(parsed.has_value());
  return *parsed;
}

std::string Decimal::text() const {
  Uint128 rest = mantissa_ < 0 ? Uint128{0} - static_cast<Uint128>(mantissa_)
                               : static_cast<Uint128>(mantissa_);
  std::string digits;
  while (rest != 0) {
    digits += static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  }
  const auto places = static_cast<std::size_t>(scale_);
  if (digits.size() <= places) digits.append(places + 1 - digits.size(), '0');
  if (places > 0) digits.insert(places, 1, '.');
  if (mantissa_ < 0) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

Result<Decimal> Decimal::plus(const Decimal& other) const {
  const int scale = std::max(scale_, other.scale_);
  Int128 a = 0;
  Int128 b = 0;
  Int128 sum = 0;
  if (!multiply(mantissa_, ten_to(scale - scale_), a) ||
      !multiply(other.mantissa_, ten_to(scale - other.scale_), b) ||
      __builtin_add_overflow(a, b, &sum)) {
    return overflow("sum", *this);
  }
  const Decimal result(sum, scale);
  if (!fits_digits(result)) return overflow("sum", *this);
  return result;
}

Result<Decimal> Decimal::minus(const Decimal& other) const {
  Decimal negated = other;
  if (negated.mantissa_ == -kLargest - 1) return overflow("difference", *this);
  negated.mantissa_ = -negated.mantissa_;
  return plus(negated);
}

Result<Decimal> Decimal::times(std::int64_t count) const {
  Int128 product = 0;
  if (!multiply(mantissa_, count, product)) return overflow("product", *this);
  const Decimal result(product, scale_);
  if (!fits_digits(result)) return overflow("product", *this);
  return result;
}

Result<Decimal> Decimal::times(const Decimal& other) const {
  Int128 product = 0;
  int scale = scale_ + other.scale_;
  if (!multiply(mantissa_, other.mantissa_, product)) return overflow("product", *this);
  while (scale > kScaleMax && product % 10 == 0) {
    product /= 10;
    --scale;
  }
  if (scale > kScaleMax) return overflow("product", *this);
  const Decimal result(product, scale);
  if (!fits_digits(result)) return overflow("product", *this);
  return result;
}

Result<Decimal> Decimal::over(std::int64_t divisor, int places, Rounding rounding) const {
  AIMETER_ASSERT(divisor > 0);
  if (const std::optional<int> power = power_of_ten(divisor)) {
    const int scale = scale_ + *power;
    if (scale <= kScaleMax) return Decimal(mantissa_, scale);
    Int128 shrunk = mantissa_;
    int left = scale;
    while (left > kScaleMax && shrunk % 10 == 0) {
      shrunk /= 10;
      --left;
    }
    if (left > kScaleMax) return overflow("quotient", *this);
    return Decimal(shrunk, left);
  }
  // Digits behind the wanted place must count as well: rounding once, on the whole quotient.
  const int scale = std::max(places, scale_);
  Int128 dividend = 0;
  if (!multiply(mantissa_, ten_to(scale - scale_), dividend)) return overflow("quotient", *this);
  Int128 whole_divisor = 0;
  if (!multiply(divisor, ten_to(scale - places), whole_divisor)) {
    return overflow("quotient", *this);
  }
  return Decimal(divide(dividend, whole_divisor, rounding), places);
}

Decimal Decimal::rounded(int places, Rounding rounding) const {
  if (scale_ <= places) return *this;
  return Decimal(divide(mantissa_, ten_to(scale_ - places), rounding), places);
}

Result<Money> Decimal::to_money(std::string_view currency, Rounding rounding) const {
  constexpr int kMoneyPlaces = 9;
  const Decimal nanos = rounded(kMoneyPlaces, rounding);
  Int128 amount = 0;
  const bool fits = multiply(nanos.mantissa_, ten_to(kMoneyPlaces - nanos.scale_), amount) &&
                    amount >= std::numeric_limits<std::int64_t>::min() &&
                    amount <= std::numeric_limits<std::int64_t>::max();
  if (!fits) return bad_input("amount", text(), "an amount between -9223372036 and 9223372036");
  return Money{static_cast<std::int64_t>(amount), std::string(currency)};
}

std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) {
  if (a.scale_ == b.scale_) return a.mantissa_ <=> b.mantissa_;
  if ((a.mantissa_ < 0) != (b.mantissa_ < 0)) return a.mantissa_ <=> b.mantissa_;
  const bool a_coarser = a.scale_ < b.scale_;
  const Decimal& coarse = a_coarser ? a : b;
  const Decimal& fine = a_coarser ? b : a;
  Int128 scaled = 0;
  if (multiply(coarse.mantissa_, ten_to(fine.scale_ - coarse.scale_), scaled)) {
    return a_coarser ? scaled <=> fine.mantissa_ : fine.mantissa_ <=> scaled;
  }
  // Too large to align: the coarse one is farther from zero.
  const bool coarse_greater = coarse.mantissa_ > 0;
  return a_coarser == coarse_greater ? std::strong_ordering::greater : std::strong_ordering::less;
}

}  // namespace aimeter
