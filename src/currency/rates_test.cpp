#include "currency/rates.h"

#include <gtest/gtest.h>

namespace aimeter::currency {
namespace {

constexpr Instant kMarch = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1);

Rates rates_of(std::initializer_list<std::pair<const char*, const char*>> given) {
  std::vector<DatedRate> all;
  for (const auto& [pair, rate] : given) all.push_back(parse_rate(pair, rate).value());
  return Rates(std::move(all));
}

std::string text_of(const std::optional<Decimal>& rate) { return rate ? rate->text() : "none"; }

struct Row {
  const char* words;
  const char* from;
  const char* to;
  const char* rate;
};

TEST(Rates, AreDirectElseReversedElseOverUsd) {
  const Rates rates =
      rates_of({{"usd_eur", "0.92"}, {"usd_jpy", "150"}, {"gbp_usd", "1.25"}, {"eur_chf", "0.95"}});
  constexpr Row kRows[] = {
      {"direct", "usd", "eur", "0.92"},
      {"one over the reverse, 18 digits, half to even", "eur", "usd", "1.08695652173913043"},
      {"a small reverse has 18 digits too", "jpy", "usd", "0.00666666666666666667"},
      {"over usd, both given from it", "eur", "jpy", "163.043478260869564"},
      {"over usd, in and out", "gbp", "jpy", "187.5"},
      {"direct goes before over usd", "eur", "chf", "0.95"},
      {"over another currency than usd there is none", "usd", "chf", "none"},
      {"nobody gave one", "usd", "kwd", "none"},
      {"nobody gave one half of the way", "gbp", "kwd", "none"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.words);
    EXPECT_EQ(text_of(rates.find(row.from, row.to, kMarch)), row.rate);
  }
  EXPECT_EQ(text_of(Rates().find("usd", "eur", kMarch)), "none");
}

TEST(Rates, OfADayHoldUntilTheNext) {
  const Rates rates({parse_rate("usd_eur", "0.95", "2026-04-01").value(),
                     parse_rate("usd_eur", "0.92", "2026-03-01").value()});
  EXPECT_EQ(text_of(rates.find("usd", "eur", kMarch - Duration(1))), "none");
  EXPECT_EQ(text_of(rates.find("usd", "eur", kMarch)), "0.92");
  const Instant april = std::chrono::sys_days(std::chrono::year(2026) / 4 / 1);
  EXPECT_EQ(text_of(rates.find("usd", "eur", april - Duration(1))), "0.92");
  EXPECT_EQ(text_of(rates.find("usd", "eur", april)), "0.95");
}

TEST(Rates, BadOnesNameTheirPair) {
  constexpr std::pair<const char*, const char*> kBad[] = {{"usd_eur", "0"},
                                                          {"usd_eur", "-1"},
                                                          {"usd_eur", "x"},
                                                          {"usd_eur", ""},
                                                          {"usdeur", "1"},
                                                          {"usd_usd", "1"},
                                                          {"USD_eur", "1"},
                                                          {"usd_euro", "1"},
                                                          {"usd_eur", "0.0000000000000000001"},
                                                          {"usd_eur", "10000000000000000000"}};
  for (const auto& [pair, rate] : kBad) {
    SCOPED_TRACE(pair);
    const auto parsed = parse_rate(pair, rate);
    ASSERT_FALSE(parsed) << rate;
    EXPECT_EQ(parsed.error().code, Code::invalid_argument);
    EXPECT_NE(parsed.error().message.find(pair), std::string::npos) << parsed.error().message;
  }
  EXPECT_FALSE(parse_rate("usd_eur", "1", "yesterday"));
}

TEST(Rates, AConversionIsRoundedOnceAsNamed) {
  const Decimal rate = Decimal::parse_or_die("0.5");
  EXPECT_EQ(convert(5, rate, Rounding::half_even), 2);  // 2.5
  EXPECT_EQ(convert(7, rate, Rounding::half_even), 4);  // 3.5
  EXPECT_EQ(convert(5, rate, Rounding::up), 3);
  EXPECT_EQ(convert(4, rate, Rounding::up), 2);
  EXPECT_EQ(convert(-5, rate, Rounding::half_even), -2);
  EXPECT_FALSE(convert(INT64_MAX, Decimal::of(2), Rounding::up));
}

TEST(Rates, APinnedRateConvertsItsOwnPairOnly) {
  const std::vector<PinnedRate> rates{{"usd", "eur", Decimal::parse_or_die("0.92")}};
  EXPECT_EQ(convert_pinned({100, "usd"}, "eur", rates, Rounding::half_even), 92);
  EXPECT_EQ(convert_pinned({100, "usd"}, "usd", rates, Rounding::half_even), 100);
  EXPECT_EQ(convert_pinned({100, "eur"}, "usd", rates, Rounding::half_even), std::nullopt);
  EXPECT_EQ(convert_pinned({0, "jpy"}, "usd", rates, Rounding::half_even), 0);
}

}  // namespace
}  // namespace aimeter::currency
