// Package:       currency
// Units:         a rate is how much of `to` one unit of `from` is; amounts in nano-units.
// Errors:        invalid_argument naming the rate (parse); overflow (convert).
// Thread safety: a Rates never changes once it is made; any thread may read it.
// Ownership:     values.
//
// Exchange rates as the operator gives them. Looked up: direct, else 1 / reverse, else over usd; a
// computed rate has 18 significant digits. There is no rate that nobody gave: never 1:1.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/decimal.h"
#include "aimeter/time.h"

namespace aimeter::currency {

struct DatedRate {
  std::string from = {}, to = {};
  Instant since = {};  // in force from then on, until the next of the pair
  Decimal rate = {};
};
// A rate that was looked up; travels with what it converted.
struct PinnedRate {
  std::string from = {}, to = {};
  Decimal rate = {};
  friend bool operator==(const PinnedRate&, const PinnedRate&) = default;
};

constexpr int kRateDigits = 18;

class Rates {
 public:
  Rates() = default;
  explicit Rates(std::vector<DatedRate> rates);
  // Of two different currencies. Empty: nobody gave one.
  [[nodiscard]] std::optional<Decimal> find(std::string_view from, std::string_view to,
                                            Instant at) const;
  [[nodiscard]] bool empty() const { return rates_.empty(); }

 private:
  [[nodiscard]] std::optional<Decimal> given(std::string_view from, std::string_view to,
                                             Instant at) const;
  [[nodiscard]] std::optional<Decimal> either_way(std::string_view from, std::string_view to,
                                                  Instant at) const;
  std::vector<DatedRate> rates_;  // by since
};

// A rate in the configuration: "usd_eur" = "0.92", or by the day from which it holds.
[[nodiscard]] Result<DatedRate> parse_rate(std::string_view pair, std::string_view rate,
                                           std::string_view since = {});

// `nanos` of one currency in another. Errors: invalid_argument (out of range).
[[nodiscard]] Result<std::int64_t> convert(std::int64_t nanos, const Decimal& rate,
                                           Rounding rounding);
// The same currency is itself; else by the pinned rate. Empty: there is none, or it is too much.
[[nodiscard]] std::optional<std::int64_t> convert_pinned(const Money& money, std::string_view to,
                                                         const std::vector<PinnedRate>& rates,
                                                         Rounding rounding);

}  // namespace aimeter::currency
