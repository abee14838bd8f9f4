// Minor units of currencies, and what a batch asks for: the rounded sum, never a sum of roundings.
#include "billing/rounding.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace aimeter::billing {
namespace {

constexpr Int128 kNano = 1;
constexpr Int128 kWhole = 1'000'000'000;

TEST(MinorUnits, EachCurrencyIsWrittenAsTheServiceTakesIt) {
  struct Row {
    const char* sentence;
    const char* currency;
    Int128 nanos;
    std::int64_t units;
  };
  constexpr Row kRows[] = {
      {"two decimals: cents", "usd", 12 * kWhole, 1'200},
      {"no decimals: the yen itself", "jpy", 500 * kWhole, 500},
      {"three decimals, the last digit 0", "kwd", 5'124'000'000 * kNano, 5'120},
      {"three decimals, above the half goes up", "kwd", 5'126'000'000 * kNano, 5'130},
      {"whole shillings in hundredths", "ugx", 5 * kWhole, 500},
      {"no fraction of a shilling", "ugx", 5 * kWhole + 400'000'000, 500},
      {"whole kronur in hundredths", "isk", 5 * kWhole, 500},
      {"forint are charged with two decimals", "huf", 10'450'000'000 * kNano, 1'045},
      {"new dollars are charged with two decimals", "twd", 800'450'000'000 * kNano, 80'045},
      {"half a cent goes to the even one below", "usd", 125'000'000 * kNano / 25, 0},
      {"half a cent goes to the even one above", "usd", 15'000'000 * kNano, 2},
      {"a nano above the half goes up", "usd", 5'000'001 * kNano, 1},
      {"a nano below the half goes down", "usd", 14'999'999 * kNano, 1},
      {"a credit is rounded like a charge", "usd", -15'000'000 * kNano, -2},
      {"half a cent of credit goes to 0", "usd", -5'000'000 * kNano, 0},
      {"nothing is nothing", "usd", 0, 0},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Result<std::int64_t> units = rounded_units(row.nanos, row.currency);
    ASSERT_TRUE(units) << units.error().message;
    EXPECT_EQ(*units, row.units);
  }
}

TEST(MinorUnits, TheListsOfTheServiceHold) {
  for (const char* currency : {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf",
                               "vnd", "vuv", "xaf", "xof", "xpf"}) {
    EXPECT_EQ(minor_unit_of(currency), (MinorUnit{.digits = 0, .step = 1})) << currency;
  }
  for (const char* currency : {"bhd", "jod", "kwd", "omr", "tnd"}) {
    EXPECT_EQ(minor_unit_of(currency), (MinorUnit{.digits = 3, .step = 10})) << currency;
  }
  for (const char* currency : {"isk", "ugx"}) {
    EXPECT_EQ(minor_unit_of(currency), (MinorUnit{.digits = 2, .step = 100})) << currency;
  }
  for (const char* currency : {"usd", "eur", "gbp", "huf", "twd"}) {
    EXPECT_EQ(minor_unit_of(currency), (MinorUnit{.digits = 2, .step = 1})) << currency;
  }
}

TEST(MinorUnits, UnitsBecomeTheSameMoneyAgain) {
  for (const char* currency : {"usd", "jpy", "kwd", "ugx"}) {
    SCOPED_TRACE(currency);
    const MinorUnit unit = minor_unit_of(currency);
    const Result<Money> money = money_of_units(-37 * unit.step, currency);
    ASSERT_TRUE(money);
    EXPECT_EQ(money->currency, currency);
    EXPECT_EQ(to_minor_units(*money).value(), -37 * unit.step);
  }
  EXPECT_EQ(money_of_units(1'999, "usd").value().text(), "19.99");
  EXPECT_EQ(money_of_units(1'999, "jpy").value().text(), "1999");
  EXPECT_EQ(money_of_units(1'990, "kwd").value().text(), "1.99");
}

TEST(MinorUnits, WhatIsOutOfRangeIsRefusedByName) {
  const Result<Money> money = money_of_units(std::numeric_limits<std::int64_t>::max(), "jpy");
  ASSERT_FALSE(money);
  EXPECT_EQ(money.error().code, Code::invalid_argument);
  EXPECT_NE(money.error().message.find("9223372036854775807"), std::string::npos);
  const Int128 most = static_cast<Int128>(std::numeric_limits<std::int64_t>::max());
  EXPECT_FALSE(rounded_units(most * kWhole, "usd"));
  EXPECT_TRUE(rounded_units(most * (kWhole / 100), "usd"));
  EXPECT_FALSE(rounded_units(-most * kWhole, "usd"));
  EXPECT_FALSE(next_batch_units(most * (kWhole / 100), -1, "usd"));
}

// 10,000 lines of 0.0000685 are 0.685, however they are cut into batches.
TEST(Rounding, TenThousandTinyLinesAreTheRoundedSum) {
  struct Row {
    const char* currency;
    std::int64_t units;
  };
  constexpr Row kRows[] = {{"usd", 68}, {"jpy", 1}, {"kwd", 680}, {"ugx", 100}};
  constexpr std::int64_t kLineNanos = 68'500;
  constexpr int kLines = 10'000;
  for (const Row& row : kRows) {
    for (const int per_batch : {1, 7, 100, 3'333, kLines}) {
      SCOPED_TRACE(row.currency + std::string(" in batches of ") + std::to_string(per_batch));
      Int128 all = 0;
      std::int64_t sent = 0;
      for (int line = 1; line <= kLines; ++line) {
        all += kLineNanos;
        if (line % per_batch != 0 && line != kLines) continue;
        const Result<std::int64_t> batch = next_batch_units(all, sent, row.currency);
        ASSERT_TRUE(batch);
        sent += *batch;
      }
      EXPECT_EQ(sent, row.units);
      EXPECT_EQ(rounded_units(Int128{kLineNanos} * kLines, row.currency).value(), row.units);
    }
  }
}

TEST(Rounding, AnyCutIntoBatchesEndsAtTheRoundedSum) {
  std::mt19937_64 dice(20261124);
  for (int run = 0; run < 200; ++run) {
    const char* const currency = std::array{"usd", "jpy", "kwd", "isk"}.at(dice() % 4);
    Int128 all = 0;
    std::int64_t sent = 0;
    for (int line = 0; line < 300; ++line) {
      all += static_cast<std::int64_t>(dice() % 40'000'000'001ULL) - 20'000'000'000;  // credits too
      if (dice() % 3 != 0) continue;
      sent += next_batch_units(all, sent, currency).value();
      ASSERT_EQ(sent, rounded_units(all, currency).value()) << "run " << run;
      ASSERT_EQ(sent % minor_unit_of(currency).step, 0);
    }
  }
}

}  // namespace
}  // namespace aimeter::billing
