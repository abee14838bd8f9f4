// Package:       pricing
// Units:         prices as Decimal per `per` units (usually 1,000,000 tokens); costs as Money too.
// Errors:        not_found (no price for this model then), invalid_argument (bad usage or file).
// Thread safety: PriceBook and Prices are immutable; any thread, without a lock of the caller.
// Ownership:     books are shared; a CostResult keeps the book alive that its views point into.
//
// A usage is split into parts that do not overlap; each part has one price; the exact costs are
// summed and rounded once. A part without a price is listed, never counted as 0.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/decimal.h"
#include "aimeter/money.h"
#include "aimeter/provider.h"
#include "aimeter/result.h"
#include "aimeter/time.h"

namespace aimeter {

namespace pricing {
struct BookData;
struct Row;
class Index;
}  // namespace pricing

enum class CostOutcome {
  priced,        // every part has its price
  partial,       // parts without a price are listed in `unpriced`; the sums hold the others
  unknown_model  // no price row: all parts are in `unpriced`, the sums are 0 and mean nothing
};
// Stored: the numbers keep their meaning for ever.
enum class CostSource : std::uint8_t { book = 0, caller = 1, provider = 2, configuration = 3 };
[[nodiscard]] std::string_view name_of(CostOutcome outcome);  // "priced" and so on
[[nodiscard]] std::string_view name_of(CostSource source);    // "book" and so on

// One line of the arithmetic: quantity * unit_price / per = cost.
struct CostPart {
  std::string_view kind = {};       // "input", "cached_input", "reasoning", "images" ...
  std::string_view priced_as = {};  // whose price: its own kind, or the parent's
  std::int64_t quantity = 0;
  Decimal unit_price = {};
  std::int64_t per = 1;
  Decimal cost = {};
};

struct UnpricedPart {
  std::string kind = {};
  std::int64_t quantity = 0;
};

class PriceBook;

struct CostResult {
  CostOutcome outcome = CostOutcome::priced;
  CostSource source = CostSource::book;
  std::string_view provider = {}, model = {};  // as the book names them; empty with unknown_model
  std::string_view price_version = {};         // the book's, "configuration", or empty
  std::string currency = "usd";
  // Exact; total = input + output + what has no direction (requests, searches).
  Decimal input = {}, output = {}, total = {};
  Money input_cost = {}, output_cost = {}, total_cost = {};  // each rounded once, half-even
  bool default_tier = false;  // the service tier has no prices: the default's, outcome partial
  std::vector<CostPart> parts = {};
  std::vector<UnpricedPart> unpriced = {};
  std::shared_ptr<const void> keeps = {};  // what the views point into

  [[nodiscard]] bool provisional() const { return outcome != CostOutcome::priced; }
};

struct PriceQuery {
  std::string_view provider = {}, model = {};
  Instant at = {};
  std::string_view service_tier = {};  // empty: the usage's, else the default tier
};

// The most a call can use, for a hold.
struct TokenBound {
  std::int64_t input_tokens = 0, output_tokens = 0;
  std::map<std::string, std::int64_t> units = {};
};

enum class BookFormat { aimeter, genai_prices, litellm };
[[nodiscard]] Result<BookFormat> parse_book_format(std::string_view field, std::string_view text);

// By content: an array is genai-prices, an object with "aimeter-prices/" our own, else LiteLLM.
[[nodiscard]] BookFormat guess_format(std::string_view document);

// What an importer left out, each with its reason.
struct SkippedEntry {
  std::string entry = {}, reason = {};
};
struct ImportedBook {
  std::shared_ptr<const PriceBook> book = {};
  std::int64_t entries = 0;  // seen in the file
  std::vector<SkippedEntry> skipped = {};
};
struct ImportOptions {
  BookFormat format = BookFormat::aimeter;
  std::string version = {};                    // empty: the document's, else FORMAT-DAY or -HASH
  std::optional<Instant> effective_from = {};  // empty: the document's, else the beginning of time
  std::string source = {};                     // said in every row; empty: the format's name
};

struct PriceLine {  // one row of `prices list`, and the unit of a diff
  std::string provider = {}, model = {}, service_tier = {}, when = {}, prices = {}, source = {};
  friend bool operator==(const PriceLine&, const PriceLine&) = default;
};
struct PriceDifference {
  enum class Change { added, removed, changed };
  Change change = Change::changed;
  PriceLine before = {}, after = {};
};

// One dated version of the prices. Immutable.
class PriceBook : public std::enable_shared_from_this<PriceBook> {
 public:
  using Ref = std::shared_ptr<const PriceBook>;

  // The book that ships with aimeter, parsed at its first use (some ms).
  [[nodiscard]] static const Ref& shipped();
  // Reads a whole document. Nothing is imported on an error, which names field, value and what is
  // expected.
  [[nodiscard]] static Result<ImportedBook> import(std::string_view document,
                                                   const ImportOptions& options);
  explicit PriceBook(std::unique_ptr<pricing::BookData> data);
  ~PriceBook();
  PriceBook(const PriceBook&) = delete;
  PriceBook& operator=(const PriceBook&) = delete;

  [[nodiscard]] const std::string& version() const;
  [[nodiscard]] Instant effective_from() const;
  [[nodiscard]] std::size_t models() const;
  // The format "aimeter" (docs/reference/price-book.md). import(to_document()) is equal to this
  // book.
  [[nodiscard]] std::string to_document() const;
  [[nodiscard]] std::vector<PriceLine> lines() const;
  // Of the provider that is called so, and of its model if one is named. Errors: not_found.
  [[nodiscard]] Result<std::vector<PriceLine>> lines_of(std::string_view provider,
                                                        std::string_view model) const;
  [[nodiscard]] std::vector<PriceDifference> diff(const PriceBook& newer) const;

  // Whether some model of the book answers to these names.
  [[nodiscard]] bool knows(std::string_view provider, std::string_view model) const;
  // Id in this book of the model that `provider` calls `model`. Errors: not_found.
  [[nodiscard]] Result<std::string> resolve(std::string_view provider,
                                            std::string_view model) const;
  [[nodiscard]] Result<CostResult> cost(const PriceQuery& query, const Usage& usage) const;
  [[nodiscard]] Result<Money> upper_bound(const PriceQuery& query, const TokenBound& bound) const;
  [[nodiscard]] const pricing::BookData& data() const { return *data_; }

 private:
  std::unique_ptr<pricing::BookData> data_;
  std::unique_ptr<pricing::Index> index_;
};

// providers.P.models.M.input_price_per_1k and output_price_per_1k of the configuration.
struct ConfiguredPrice {
  std::string provider = {}, model = {};
  Decimal input_per_1k = {}, output_per_1k = {};
  // `field` is the path to the model, "providers.trace.models.fixed". Errors: not a decimal,
  // negative.
  [[nodiscard]] static Result<ConfiguredPrice> parse(std::string_view field, std::string_view input,
                                                     std::string_view output);
};

// pricing.unknown_model
enum class UnknownModel { provisional, refuse, default_price };
[[nodiscard]] Result<UnknownModel> parse_unknown_model(std::string_view field,
                                                       std::string_view text);

// Every price an engine knows at one moment: the versions, and what the configuration sets above
// them.
class Prices {
 public:
  struct Options {
    std::vector<PriceBook::Ref> books = {};  // any order; the shipped book holds before them
    std::vector<ConfiguredPrice> configured = {};
    std::optional<ConfiguredPrice> default_price = {};  // of models that nothing else prices
    std::string currency = "usd";                       // of the configured prices
  };
  explicit Prices(Options options);
  ~Prices();
  Prices(const Prices&) = delete;
  Prices& operator=(const Prices&) = delete;

  // The book in force at `at`: the latest effective_from that is not after it; before all of them
  // the shipped book.
  [[nodiscard]] const PriceBook::Ref& in_force(Instant at) const;
  [[nodiscard]] PriceBook::Ref find_version(std::string_view version) const;  // null: not known

  // Prices one usage by the version in force at query.at, or by `version` when it is not empty (a
  // hold's pin). Costs that the usage carries are kept. Only a total: half at the input price, half
  // at the output price, the odd token to output. Errors: invalid_argument (a negative count, parts
  // above their whole, an amount out of range, an unknown version). An unknown model is an outcome,
  // not an error.
  [[nodiscard]] Result<CostResult> cost(const PriceQuery& query, const Usage& usage,
                                        std::string_view version = {}) const;
  // The most that so much can cost, at the dearest matching price (any service tier, context tier,
  // hour and part), rounded up. An empty model: the provider's dearest. Errors: not_found (nothing
  // prices it).
  [[nodiscard]] Result<Money> upper_bound(const PriceQuery& query, const TokenBound& bound,
                                          std::string_view version = {}) const;
  [[nodiscard]] bool can_price(const PriceQuery& query) const;
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  struct Configured;
  [[nodiscard]] Result<PriceBook::Ref> book_for(Instant at, std::string_view version) const;
  Options options_;
  std::vector<PriceBook::Ref> books_;  // by effective_from
  std::unique_ptr<Configured> configured_;
};

}  // namespace aimeter
