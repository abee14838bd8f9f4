// Package:       pricing
// Units:         amounts per `per` units; tiers in input tokens; windows in seconds of the UTC day.
// Errors:        none: plain data, checked by whoever reads it from a document.
// Thread safety: values; immutable once inside a PriceBook.
// Ownership:     plain values.
//
// What a price book holds. Models of a provider are asked in order: the first whose rule matches
// wins. Of a model's rows the last one in force wins; a context tier that is reached prices the
// whole request.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aimeter/decimal.h"
#include "aimeter/result.h"
#include "aimeter/time.h"
#include "pricing/kind.h"

namespace aimeter::pricing {

struct UnitPrice {
  Decimal amount = {};
  std::int64_t per = 1;
  friend bool operator==(const UnitPrice&, const UnitPrice&) = default;
};

// At most one price per kind, found by counting bits.
class PriceSet {
 public:
  [[nodiscard]] const UnitPrice* find(Kind kind) const {
    const std::uint64_t bit = bit_of(kind);
    if ((mask_ & bit) == 0) return nullptr;
    return &prices_[static_cast<std::size_t>(std::popcount(mask_ & (bit - 1)))];
  }
  void set(Kind kind, const UnitPrice& price);
  void erase(Kind kind);
  [[nodiscard]] bool empty() const { return mask_ == 0; }
  [[nodiscard]] std::uint64_t mask() const { return mask_; }
  friend bool operator==(const PriceSet&, const PriceSet&) = default;

 private:
  std::uint64_t mask_ = 0;
  std::vector<UnitPrice> prices_;  // by kind
};

struct ContextTier {
  std::int64_t above_tokens = 0;  // reached when the request has more input tokens than this
  PriceSet prices = {};
  friend bool operator==(const ContextTier&, const ContextTier&) = default;
};

struct DayWindow {  // [start, end); over midnight when end < start
  std::int32_t start_s = 0, end_s = 0;
  friend bool operator==(const DayWindow&, const DayWindow&) = default;
};

struct Row {
  std::string service_tier = {};         // empty: the default one
  std::optional<Instant> from = {};      // in force from this instant on
  std::optional<DayWindow> window = {};  // only in these hours, UTC
  PriceSet base = {};
  std::vector<ContextTier> tiers = {};  // rising
  std::string source = {};              // empty: the model's

  [[nodiscard]] bool in_force(Instant at) const;
  // Own price of a kind in a request with so much input: the highest tier reached that has one.
  [[nodiscard]] const UnitPrice* find(Kind kind, std::int64_t input_tokens) const {
    for (auto tier = tiers.rbegin(); tier != tiers.rend(); ++tier) {
      if (input_tokens <= tier->above_tokens) continue;
      if (const UnitPrice* price = tier->prices.find(kind)) return price;
    }
    return base.find(kind);
  }
  friend bool operator==(const Row&, const Row&) = default;
};

struct Rule {
  enum class Op : std::uint8_t { equals, starts_with, ends_with, contains, regex, any, all };
  Op op = Op::equals;
  std::string text = {};
  std::vector<Rule> rules = {};                     // of any and all
  std::shared_ptr<const std::regex> compiled = {};  // of regex

  [[nodiscard]] bool matches(std::string_view name) const;
  friend bool operator==(const Rule& a, const Rule& b) {
    return a.op == b.op && a.text == b.text && a.rules == b.rules;
  }
};

struct Model {
  std::string id = {};
  Rule match = {};
  std::vector<Row> rows = {};
  std::uint64_t at_parent = 0;  // parts charged at their parent's price when they have none
  std::optional<std::int64_t> max_tokens = {};  // the most of one call, in and out together
  std::string source = {};                      // a key of BookData::sources
  std::string reference = {};                   // where the source says it has it from
  friend bool operator==(const Model&, const Model&) = default;
};

struct Provider {
  std::string id = {};
  std::vector<std::string> aliases = {};   // other names, lower case, asked before the rules
  std::optional<Rule> match = {};          // of a lower-cased provider name
  std::vector<std::string> fallback = {};  // providers whose models are asked next
  std::vector<Model> models = {};
  friend bool operator==(const Provider&, const Provider&) = default;
};

struct Source {
  std::string name = {}, date = {}, url = {}, licence = {};
  friend bool operator==(const Source&, const Source&) = default;
};

struct BookData {
  std::string version = {};
  Instant effective_from = {};
  std::string currency = "usd";
  std::map<std::string, Source> sources = {};
  std::vector<Provider> providers = {};
  friend bool operator==(const BookData&, const BookData&) = default;
};

constexpr std::size_t kNameBytesMax = 191;  // longer model names match nothing
constexpr std::size_t kPatternBytesMax = 256;
constexpr int kRuleDepthMax = 8;

// Compiles a pattern of a safe subset of ECMAScript: no quantifier on a group that has one inside,
// no back reference, no look-around, at most two unbounded quantifiers. So a match of a name of at
// most kNameBytesMax takes microseconds. Errors: invalid_argument naming `field`.
[[nodiscard]] Result<Rule> regex_rule(std::string_view field, std::string_view pattern);

}  // namespace aimeter::pricing
