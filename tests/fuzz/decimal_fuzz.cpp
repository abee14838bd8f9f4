// Decimals and amounts of money: two numbers, divided by a space.
// Package: money
// Parser: src/money/decimal.cpp src/money/money.cpp
#include <limits>
#include <string>

#include "aimeter/decimal.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

void expect_text(const Decimal& number) {
  const Result<Decimal> again = Decimal::parse("again", number.text());
  AIMETER_ASSERT(again.has_value());
  AIMETER_ASSERT(*again == number);
  AIMETER_ASSERT(again->text() == number.text());
  AIMETER_ASSERT(number.scale() >= 0 && number.scale() <= Decimal::kScaleMax);
  AIMETER_ASSERT(number.scale() == 0 || number.mantissa() % 10 != 0);
}

// At most half a place away; from exactly half the last digit is even.
void expect_nearest(const Decimal& number, const Decimal& even, int places) {
  const Result<Decimal> off = number.minus(even);
  const Result<Decimal> twice = off ? off->times(2) : off;
  if (!twice) return;
  const Decimal place(1, places), back(-1, places);
  AIMETER_ASSERT(back <= *twice && *twice <= place);
  if (*twice == place || *twice == back)
    AIMETER_ASSERT(even.scale() < places || even.mantissa() % 2 == 0);
}

// Rounding moves by less than one place, to the side that it names.
void expect_rounding(const Decimal& number) {
  for (const int places : {0, 3, 9}) {
    const Decimal up = number.rounded(places, Rounding::up);
    const Decimal down = number.rounded(places, Rounding::down);
    const Decimal even = number.rounded(places, Rounding::half_even);
    AIMETER_ASSERT(even == up || even == down);
    AIMETER_ASSERT(number.is_negative() ? up <= number && number <= down
                                        : down <= number && number <= up);
    AIMETER_ASSERT(even.scale() <= places);
    if (number.scale() <= places) AIMETER_ASSERT(even == number);
    expect_nearest(number, even, places);
  }
  for (const Rounding rounding : {Rounding::half_even, Rounding::up, Rounding::down}) {
    const Result<Money> money = number.to_money("usd", rounding);
    if (money) AIMETER_ASSERT(Decimal::of(*money) == number.rounded(9, rounding));
  }
}

void expect_sums(const Decimal& a, const Decimal& b) {
  AIMETER_ASSERT((a < b) == (b > a));
  const Result<Decimal> sum = a.plus(b);
  if (sum) {
    AIMETER_ASSERT(*b.plus(a) == *sum);
    expect_text(*sum);
    const Result<Decimal> back = sum->minus(b);
    if (back) AIMETER_ASSERT(*back == a);
  }
  const Result<Decimal> product = a.times(b);
  if (product) {
    AIMETER_ASSERT(*b.times(a) == *product);
    AIMETER_ASSERT(product->is_zero() == (a.is_zero() || b.is_zero()));
    expect_text(*product);
  }
  const Result<Decimal> ten = a.times(10);
  if (ten) AIMETER_ASSERT(ten->over(10, 36, Rounding::half_even).value() == a);
  const Result<Decimal> third = a.over(3, 6, Rounding::down);
  if (third) AIMETER_ASSERT(third->scale() <= 6);
}

void expect_money(std::string_view text) {
  const Result<Money> money = Money::parse(text);
  if (!money) {
    AIMETER_ASSERT(money.error().code == Code::invalid_argument);
    return;
  }
  const Result<Money> again = Money::parse(money->text());
  AIMETER_ASSERT(again.has_value());
  AIMETER_ASSERT(*again == *money);
  const Result<Decimal> same = Decimal::parse("money", text);
  if (same) AIMETER_ASSERT(*same == Decimal::of(*money));
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  const std::string_view first = input.until(' '), second = input.rest();
  fuzz::expect_money(first);
  const Result<Decimal> a = Decimal::parse("a", first);
  const Result<Decimal> b = Decimal::parse("b", second);
  if (!a) {
    AIMETER_ASSERT(a.error().code == Code::invalid_argument);
    return 0;
  }
  fuzz::expect_text(*a);
  fuzz::expect_rounding(*a);
  if (b) fuzz::expect_sums(*a, *b);
  return 0;
}
