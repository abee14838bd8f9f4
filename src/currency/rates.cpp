#include "currency/rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace aimeter::currency {
namespace {

constexpr std::string_view kPivot = "usd";

bool is_currency(std::string_view text) {
  return text.size() == 3 && std::ranges::all_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
}

// Digits before the point; for numbers below 1 the zeros behind it, negative.
int magnitude(const Decimal& number) {
  int digits = -number.scale();
  for (Int128 left = number.mantissa(); left != 0; left /= 10) ++digits;
  return digits;
}

Decimal to_digits(const Decimal& number) {
  const int places = std::clamp(kRateDigits - magnitude(number), 0, Decimal::kScaleMax);
  return number.rounded(places, Rounding::half_even);
}

// 1 / rate, rounded once. Requires a rate as parse_rate takes it.
std::optional<Decimal> reciprocal(const Decimal& rate) {
  const auto divisor = static_cast<std::int64_t>(rate.mantissa());
  // 1 / (m / 10^s) = 10^s / m
  Result<Decimal> scaled = Decimal::of(1);
  for (int i = 0; i < rate.scale() && scaled; ++i) scaled = scaled->times(std::int64_t{10});
  if (!scaled) return std::nullopt;
  const int enough = std::clamp(kRateDigits + magnitude(rate), 0, Decimal::kScaleMax);
  const Result<Decimal> cut = scaled->over(divisor, enough, Rounding::down);
  if (!cut || cut->is_zero()) return std::nullopt;
  const int places = std::clamp(kRateDigits - magnitude(*cut), 0, Decimal::kScaleMax);
  const Result<Decimal> inverse = scaled->over(divisor, places, Rounding::half_even);
  return inverse ? std::optional(*inverse) : std::nullopt;
}

}  // namespace

// By their dates; those of one date in the order given.
Rates::Rates(std::vector<DatedRate> rates) {
  for (DatedRate& rate : rates) {
    const auto after = std::ranges::upper_bound(rates_, rate.since, {}, &DatedRate::since);
    rates_.insert(after, std::move(rate));
  }
}

std::optional<Decimal> Rates::given(std::string_view from, std::string_view to, Instant at) const {
  std::optional<Decimal> found;
  for (const DatedRate& rate : rates_) {
    if (rate.since > at) break;
    if (rate.from == from && rate.to == to) found = rate.rate;
  }
  return found;
}

std::optional<Decimal> Rates::either_way(std::string_view from, std::string_view to,
                                         Instant at) const {
  if (auto direct = given(from, to, at)) return direct;
  const auto reverse = given(to, from, at);
  return reverse ? reciprocal(*reverse) : std::nullopt;
}

std::optional<Decimal> Rates::find(std::string_view from, std::string_view to, Instant at) const {
  if (auto rate = either_way(from, to, at)) return rate;
  if (from == kPivot || to == kPivot) return std::nullopt;
  const auto into = either_way(from, kPivot, at), out = either_way(kPivot, to, at);
  if (!into || !out) return std::nullopt;
  const Result<Decimal> product = into->times(*out);
  if (!product || product->is_zero()) return std::nullopt;
  return to_digits(*product);
}

Result<DatedRate> parse_rate(std::string_view pair, std::string_view rate, std::string_view since) {
  const std::string field = fmt::format("billing.currency_rates.{}", pair);
  const auto bar = pair.find('_');
  const std::string_view from = pair.substr(0, bar);
  const std::string_view to = bar == std::string_view::npos ? "" : pair.substr(bar + 1);
  if (!is_currency(from) || !is_currency(to) || from == to) {
    return bad_input("billing.currency_rates", pair,
                     "two currencies of ISO 4217 in lower case, such as usd_eur");
  }
  DatedRate dated{.from = std::string(from), .to = std::string(to)};
  AIMETER_TRY(dated.rate, Decimal::parse(field, rate));
  constexpr auto kMantissaMax = std::numeric_limits<std::int64_t>::max();
  if (dated.rate.is_negative() || dated.rate.is_zero() || dated.rate.mantissa() > kMantissaMax ||
      dated.rate.scale() > kRateDigits || magnitude(dated.rate) > kRateDigits) {
    return bad_input(field, rate,
                     fmt::format("a decimal above 0 of at most {} digits and places", kRateDigits));
  }
  if (!since.empty()) {
    AIMETER_TRY(dated.since, parse_instant(field, since));
  }
  return dated;
}

Result<std::int64_t> convert(std::int64_t nanos, const Decimal& rate, Rounding rounding) {
  AIMETER_TRY(const Decimal product, Decimal(nanos, 9).times(rate));
  AIMETER_TRY(const Money money, product.to_money("", rounding));
  return money.nanos;
}

std::optional<std::int64_t> convert_pinned(const Money& money, std::string_view to,
                                           const std::vector<PinnedRate>& rates,
                                           Rounding rounding) {
  if (money.currency == to) return money.nanos;
  if (money.nanos == 0) return 0;
  for (const PinnedRate& rate : rates) {
    if (rate.from != money.currency || rate.to != to) continue;
    const auto converted = convert(money.nanos, rate.rate, rounding);
    return converted ? std::optional(*converted) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace aimeter::currency
