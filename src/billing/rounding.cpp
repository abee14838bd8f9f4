#include "billing/rounding.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace aimeter {
namespace {

// Source of all four lists: docs.stripe.com/currencies, sections "Zero-decimal currencies",
// "Three-decimal currencies" and "Special cases", read 2026-11-24. ugx stands in the first list
// and among the special cases; the latter rule charges. huf and twd are special for payouts only.
constexpr std::array<std::string_view, 15> kZeroDecimal = {"bif", "clp", "djf", "gnf", "jpy",
                                                           "kmf", "krw", "mga", "pyg", "rwf",
                                                           "vnd", "vuv", "xaf", "xof", "xpf"};
// "these API calls require the last digit to be 0": multiples of ten.
constexpr std::array<std::string_view, 5> kThreeDecimal = {"bhd", "jod", "kwd", "omr", "tnd"};
// Whole units only, written with two decimals that are always 00.
constexpr std::array<std::string_view, 2> kWholeInHundredths = {"isk", "ugx"};

constexpr int kNanoDigits = 9;

bool is_in(const auto& list, std::string_view currency) {
  return std::ranges::find(list, currency) != list.end();
}

std::int64_t nanos_of_unit(const MinorUnit& unit) {
  std::int64_t nanos = 1;
  for (int i = unit.digits; i < kNanoDigits; ++i) nanos *= 10;
  return nanos;
}

}  // namespace

MinorUnit minor_unit_of(std::string_view currency) {
  if (is_in(kZeroDecimal, currency)) return {.digits = 0, .step = 1};
  if (is_in(kThreeDecimal, currency)) return {.digits = 3, .step = 10};
  if (is_in(kWholeInHundredths, currency)) return {.digits = 2, .step = 100};
  return {};
}

Result<std::int64_t> to_minor_units(const Money& money) {
  return billing::rounded_units(money.nanos, money.currency);
}

Result<Money> money_of_units(std::int64_t units, std::string_view currency) {
  std::int64_t nanos = 0;
  if (__builtin_mul_overflow(units, nanos_of_unit(minor_unit_of(currency)), &nanos)) {
    return bad_input("amount", std::to_string(units), "minor units within the range of money");
  }
  return Money{nanos, std::string(currency)};
}

namespace billing {

Result<std::int64_t> rounded_units(Int128 lines_nanos, std::string_view currency) {
  const MinorUnit unit = minor_unit_of(currency);
  const Int128 grain = static_cast<Int128>(nanos_of_unit(unit)) * unit.step;
  Int128 steps = lines_nanos / grain;
  const Int128 rest = lines_nanos % grain;
  const Int128 twice = 2 * (rest < 0 ? -rest : rest);
  const bool away = twice > grain || (twice == grain && steps % 2 != 0);
  if (away) steps += lines_nanos < 0 ? -1 : 1;
  const Int128 units = steps * unit.step;
  if (units > std::numeric_limits<std::int64_t>::max() ||
      units < std::numeric_limits<std::int64_t>::min()) {
    return bad_input("amount", Decimal(lines_nanos, kNanoDigits).text(),
                     "a sum within the range of int64 minor units");
  }
  return static_cast<std::int64_t>(units);
}

Result<std::int64_t> next_batch_units(Int128 all_lines_nanos, std::int64_t batched_units,
                                      std::string_view currency) {
  AIMETER_TRY(const std::int64_t all, rounded_units(all_lines_nanos, currency));
  std::int64_t next = 0;
  if (__builtin_sub_overflow(all, batched_units, &next)) {
    return bad_input("amount", fmt::format("{} - {}", all, batched_units), "within int64");
  }
  return next;
}

}  // namespace billing
}  // namespace aimeter
