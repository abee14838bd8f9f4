#include "aimeter/money.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "aimeter/decimal.h"

namespace aimeter {
namespace {

constexpr std::int64_t kFullHundredths = 10'000;

bool is_plain_decimal(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  const auto is_digit = [](char c) { return '0' <= c && c <= '9'; };
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  if (whole.empty() || !std::all_of(whole.begin(), whole.end(), is_digit)) return false;
  if (point == std::string_view::npos) return true;
  const std::string_view places = text.substr(point + 1);
  return !places.empty() && places.size() <= 9 &&
         std::all_of(places.begin(), places.end(), is_digit);
}

bool is_currency(std::string_view text) {
  return text.size() == 3 &&
         std::all_of(text.begin(), text.end(), [](char c) { return 'a' <= c && c <= 'z'; });
}

}  // namespace

Result<Money> Money::parse(std::string_view text, std::string_view currency) {
  constexpr std::string_view kExpected =
      "a plain decimal of at most 9 places between -9223372036 and 9223372036, like 0.00015";
  if (!is_currency(currency)) {
    return bad_input("currency", currency, "three lower-case letters of ISO 4217, like usd");
  }
  if (!is_plain_decimal(text)) return bad_input("amount", text, kExpected);
  const Result<Decimal> value = Decimal::parse("amount", text);
  if (!value) return bad_input("amount", text, kExpected);
  Result<Money> money = value->to_money(currency, Rounding::half_even);
  if (!money) return bad_input("amount", text, kExpected);
  return money;
}

Money Money::parse_or_die(std::string_view text, std::string_view currency) {
  Result<Money> money = parse(text, currency);
  AIMETER_ASSERT(money.has_value());
  return *std::move(money);
}

std::string Money::text() const { return Decimal(nanos, 9).text(); }

std::string Percent::text() const {
  const std::int64_t size = hundredths < 0 ? -hundredths : hundredths;
  return fmt::format("{}{}.{:02}", hundredths < 0 ? "-" : "", size / 100, size % 100);
}

Percent Percent::of(std::int64_t used, std::int64_t limit) {
  if (limit <= 0) return Percent{kFullHundredths};
  const Int128 exact = Int128{used} * kFullHundredths / limit;
  constexpr Int128 kMax = std::numeric_limits<std::int64_t>::max();
  return Percent{static_cast<std::int64_t>(std::clamp(exact, -kMax, kMax))};
}

}  // namespace aimeter
