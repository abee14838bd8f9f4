#include "aimeter/money.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "aimeter/decimal.h"

namespace aimeter {
namespace {

constexpr std::int64_t kMax64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin64 = std::numeric_limits<std::int64_t>::min();

TEST(Money, parses_plain_decimals_and_says_them_back_in_shortest_form) {
  struct Row {
    const char* sentence;
    const char* text;
    std::int64_t nanos;
    const char* back;
  };
  constexpr Row kRows[] = {
      {"nothing", "0", 0, "0"},
      {"minus zero is zero", "-0.00", 0, "0"},
      {"one nano-unit", "0.000000001", 1, "0.000000001"},
      {"trailing zeros go", "12.500", 12'500'000'000, "12.5"},
      {"a price", "0.00015", 150'000, "0.00015"},
      {"a negative amount", "-3.25", -3'250'000'000, "-3.25"},
      {"19.99 is 19.99, not 19.98", "19.99", 19'990'000'000, "19.99"},
      {"the largest amount", "9223372036.854775807", kMax64, "9223372036.854775807"},
      {"the smallest amount", "-9223372036.854775808", kMin64, "-9223372036.854775808"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Result<Money> money = Money::parse(row.text);
    ASSERT_TRUE(money.has_value());
    EXPECT_EQ(money->nanos, row.nanos);
    EXPECT_EQ(money->currency, "usd");
    EXPECT_EQ(money->text(), row.back);
  }
}

TEST(Money, refuses_what_is_no_plain_decimal_and_names_it) {
  for (const char* text :
       {"", "-", ".5", "1.", "1e3", "+1", " 1", "1 ", "1,5", "0x10", "NaN", "inf", "1.2.3",
        "0.0000000001", "9223372036.854775808", "-9223372036.854775809", "1e400"}) {
    SCOPED_TRACE(text);
    const Result<Money> money = Money::parse(text);
    ASSERT_FALSE(money.has_value());
    EXPECT_EQ(money.error().code, Code::invalid_argument);
    EXPECT_EQ(money.error().message.find("amount: \"" + std::string(text) + "\""), 0U);
    EXPECT_NE(money.error().message.find("at most 9 places"), std::string::npos);
  }
  for (const char* currency : {"", "USD", "us", "usdx", "u1d"}) {
    const Result<Money> money = Money::parse("1", currency);
    ASSERT_FALSE(money.has_value());
    EXPECT_NE(money.error().message.find("currency"), std::string::npos);
  }
}

TEST(Money, literals_are_exact) {
  EXPECT_EQ(0.0000135_usd, (Money{13'500, "usd"}));
  EXPECT_EQ(12_usd, (Money{12'000'000'000, "usd"}));
}

TEST(Percent, is_cut_to_hundredths_and_saturates) {
  struct Row {
    const char* sentence;
    std::int64_t used, limit, hundredths;
    const char* text;
  };
  constexpr Row kRows[] = {
      {"nothing used", 0, 100, 0, "0.00"},
      {"cut, not rounded", 2, 3, 6'666, "66.66"},
      {"just below the whole", 9'999'999, 10'000'000, 9'999, "99.99"},
      {"a limit of zero is full", 0, 0, 10'000, "100.00"},
      {"over the limit", 150, 100, 15'000, "150.00"},
      {"a product beyond 64 bits", kMax64, kMax64, 10'000, "100.00"},
      {"saturates", kMax64, 1, kMax64, "92233720368547758.07"},
      {"negative after corrections", -1, 200, -50, "-0.50"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(Percent::of(row.used, row.limit).hundredths, row.hundredths);
    EXPECT_EQ(Percent::of(row.used, row.limit).text(), row.text);
  }
}

TEST(Decimal, keeps_every_digit_of_a_literal) {
  struct Row {
    const char* sentence;
    const char* text;
    const char* plain;
    int scale;
  };
  constexpr Row kRows[] = {
      {"zero in any dress", "-0.000e+10", "0", 0},
      {"plain", "0.15", "0.15", 2},
      {"a float literal", "1.9e-08", "0.000000019", 9},
      {"a float artefact of 17 digits", "2.9999999999999997e-06", "0.0000029999999999999997", 22},
      {"23 places", "1.2345678901234567e-07", "0.00000012345678901234567", 23},
      {"upper-case exponent", "3E2", "300", 0},
      {"exponent with plus", "2.5e+1", "25", 0},
      {"trailing zeros are trimmed", "10.2500", "10.25", 2},
      {"whole zeros stay", "1000", "1000", 0},
      {"exponent above the places", "1.5e1", "15", 0},
      {"negative", "-7.5e-1", "-0.75", 2},
      {"leading zeros", "000.5", "0.5", 1},
      {"38 digits", "12345678901234567890123456789012345678",
       "12345678901234567890123456789012345678", 0},
      {"36 places", "1e-36", "0.000000000000000000000000000000000001", 36},
      {"many zeros behind the point are no digits", "0.5000000000000000000000000000000000000000000",
       "0.5", 1},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Result<Decimal> value = Decimal::parse("price", row.text);
    ASSERT_TRUE(value.has_value());
    EXPECT_EQ(value->text(), row.plain);
    EXPECT_EQ(value->scale(), row.scale);
  }
}

TEST(Decimal, refuses_what_it_cannot_hold_and_names_the_field) {
  for (const char* text : {"",
                           "-",
                           "+1",
                           ".",
                           ".5",
                           "5.",
                           "1e",
                           "1e+",
                           "e5",
                           "NaN",
                           "Infinity",
                           "-inf",
                           "0x1",
                           "1_000",
                           " 1",
                           "1 ",
                           "1.5.2",
                           "1e400",
                           "1e-400",
                           "1e-37",
                           "1e38",
                           "1e99999999999",
                           "123456789012345678901234567890123456789",
                           "1,5"}) {
    SCOPED_TRACE(text);
    const Result<Decimal> value = Decimal::parse("input_price", text);
    ASSERT_FALSE(value.has_value());
    EXPECT_EQ(value.error().code, Code::invalid_argument);
    EXPECT_EQ(value.error().message.find("input_price: \"" + std::string(text) + "\""), 0U);
    EXPECT_NE(value.error().message.find("expected a decimal number"), std::string::npos);
  }
}

TEST(Decimal, adds_and_multiplies_exactly_and_says_when_it_cannot) {
  const auto of = [](const char* text) { return Decimal::parse_or_die(text); };
  EXPECT_EQ(of("0.0000015").plus(of("0.000012"))->text(), "0.0000135");
  EXPECT_EQ(of("0.5").plus(of("0.5"))->text(), "1");
  EXPECT_EQ(of("0.5").minus(of("0.75"))->text(), "-0.25");
  EXPECT_EQ(of("1.2345678901234567e-07").times(std::int64_t{1'000'000'007})->text(),
            "123.45678987654319308641969");
  EXPECT_EQ(of("2.9999999999999997e-06").times(kMax64)->text(),
            "27670116110564.3246539883889435672579");
  EXPECT_EQ(of("0.05").times(of("20"))->text(), "1");
  EXPECT_EQ(of("1e37").times(std::int64_t{100}).error().code, Code::invalid_argument);
  EXPECT_EQ(of("1e37").plus(of("1e-36")).error().code, Code::invalid_argument);
  EXPECT_EQ(of("1e-20").times(of("1e-20")).error().code, Code::invalid_argument);
  // What comes out can be read again: 38 digits, though 128 bits would hold a few more.
  const std::string nines(37, '9');
  EXPECT_EQ(of((nines + "8").c_str()).plus(of("1"))->text(), nines + "9");
  EXPECT_EQ(of((nines + "9").c_str()).plus(of("1")).error().code, Code::invalid_argument);
  EXPECT_EQ(of(("-" + nines + "9").c_str()).minus(of("1")).error().code, Code::invalid_argument);
  EXPECT_EQ(of("5e37").times(std::int64_t{2}).error().code, Code::invalid_argument);
  EXPECT_EQ(of("5e37").times(of("2")).error().code, Code::invalid_argument);
  EXPECT_EQ(of("3e37").times(of("3"))->text(), "90000000000000000000000000000000000000");
}

TEST(Decimal, divides_exactly_by_powers_of_ten_and_else_rounds_as_named) {
  const auto of = [](const char* text) { return Decimal::parse_or_die(text); };
  EXPECT_EQ(of("0.15").over(1'000'000, 9, Rounding::down)->text(), "0.00000015");
  EXPECT_EQ(of("1e-36").times(std::int64_t{1'000})->over(1'000, 2, Rounding::down)->text(),
            "0.000000000000000000000000000000000001");
  EXPECT_EQ(of("1e-36").over(10, 2, Rounding::down).error().code, Code::invalid_argument);
  EXPECT_EQ(of("0.36").over(3'600, 24, Rounding::half_even)->text(), "0.0001");
  EXPECT_EQ(of("1").over(3, 6, Rounding::half_even)->text(), "0.333333");
  EXPECT_EQ(of("2").over(3, 6, Rounding::down)->text(), "0.666666");
  EXPECT_EQ(of("2").over(3, 6, Rounding::half_even)->text(), "0.666667");
  EXPECT_EQ(of("1").over(3, 6, Rounding::up)->text(), "0.333334");
  EXPECT_EQ(of("-1").over(3, 6, Rounding::up)->text(), "-0.333334");
  // 0.25 to one place is a tie only if nothing was cut before: 1.0000001 / 4 is above it.
  EXPECT_EQ(of("1").over(4, 1, Rounding::half_even)->text(), "0.2");
  EXPECT_EQ(of("1.0000001").over(4, 1, Rounding::half_even)->text(), "0.3");
}

TEST(Decimal, rounds_to_nanos_once_as_named) {
  struct Row {
    const char* sentence;
    const char* text;
    Rounding rounding;
    std::int64_t nanos;
  };
  constexpr Row kRows[] = {
      {"exact stays", "0.0000135", Rounding::half_even, 13'500},
      {"a tie goes to the even neighbour below", "0.0000000025", Rounding::half_even, 2},
      {"a tie goes to the even neighbour above", "0.0000000035", Rounding::half_even, 4},
      {"just above a tie", "0.00000000250000000000001", Rounding::half_even, 3},
      {"just below a tie", "0.00000000349999999999999", Rounding::half_even, 3},
      {"up is away from zero", "0.0000000000000000000001", Rounding::up, 1},
      {"up of a negative is away from zero", "-0.0000000001", Rounding::up, -1},
      {"down is towards zero", "0.0000000019", Rounding::down, 1},
      {"a negative tie", "-0.0000000025", Rounding::half_even, -2},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Result<Money> money = Decimal::parse_or_die(row.text).to_money("eur", row.rounding);
    ASSERT_TRUE(money.has_value());
    EXPECT_EQ(money->nanos, row.nanos);
    EXPECT_EQ(money->currency, "eur");
  }
  const Result<Money> large = Decimal::parse_or_die("9223372036.9").to_money("usd", Rounding::down);
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code, Code::invalid_argument);
  EXPECT_NE(large.error().message.find("9223372036.9"), std::string::npos);
}

TEST(Decimal, compares_by_value) {
  const auto of = [](const char* text) { return Decimal::parse_or_die(text); };
  EXPECT_EQ(of("1.50"), of("1.5"));
  EXPECT_LT(of("0.1"), of("0.11"));
  EXPECT_GT(of("1"), of("0.999999999999999999999999"));
  EXPECT_LT(of("-1"), of("1e-36"));
  EXPECT_GT(of("1e37"), of("1e-36"));
  EXPECT_LT(of("-1e37"), of("-1e-36"));
  EXPECT_LT(of("-0.11"), of("-0.1"));
}

}  // namespace
}  // namespace aimeter
