#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "aimeter/pricing.h"
#include "base/hash.h"
#include "pricing/cost.h"
#include "pricing/format.h"
#include "pricing/index.h"

namespace aimeter {
namespace {

using pricing::BookData;
using pricing::Found;
using pricing::KindCard;
using pricing::Model;
using pricing::Reading;
using pricing::Row;

struct FormatName {
  BookFormat format;
  std::string_view name;
};
constexpr std::array kFormats = {FormatName{BookFormat::aimeter, "aimeter"},
                                 FormatName{BookFormat::genai_prices, "genai-prices"},
                                 FormatName{BookFormat::litellm, "litellm"}};

std::string prices_text(const pricing::PriceSet& prices) {
  std::string text;
  for (const KindCard& card : pricing::kind_cards()) {
    const pricing::UnitPrice* price = prices.find(card.kind);
    if (price == nullptr) continue;
    text += (text.empty() ? "" : ", ") + std::string(card.name) + " " + price_text(*price);
  }
  return text;
}

std::string row_text(const Row& row) {
  std::string text = prices_text(row.base);
  for (const pricing::ContextTier& tier : row.tiers) {
    text += "; above " + std::to_string(tier.above_tokens) + ": " + prices_text(tier.prices);
  }
  return text;
}

std::string source_text(const BookData& data, const std::string& key) {
  const auto source = data.sources.find(key);
  if (source == data.sources.end()) return "";
  const std::string& date = source->second.date;
  return date.empty() ? source->second.name : source->second.name + ", " + date;
}

void add_lines(const BookData& data, const std::string& provider, const Model& model,
               std::vector<PriceLine>& lines) {
  for (const Row& row : model.rows) {
    lines.push_back({provider, model.id, row.service_tier, when_text(row), row_text(row),
                     source_text(data, row.source.empty() ? model.source : row.source)});
  }
}

std::unexpected<Error> not_priced(const PriceQuery& query) {
  return fail(Code::not_found, "no price for model \"" + std::string(query.model) +
                                   "\" of provider \"" + std::string(query.provider) + "\"");
}

// Where a row stands: what two books are compared by.
using Key = std::array<std::string, 4>;
Key key_of(const PriceLine& line) {
  return {line.provider, line.model, line.service_tier, line.when};
}

}  // namespace

std::string_view name_of(CostOutcome outcome) {
  constexpr std::array<std::string_view, 3> kNames = {"priced", "partial", "unknown_model"};
  return kNames.at(static_cast<std::size_t>(outcome));
}

std::string_view name_of(CostSource source) {
  constexpr std::array<std::string_view, 4> kNames = {"book", "caller", "provider",
                                                      "configuration"};
  return kNames.at(static_cast<std::size_t>(source));
}

Result<BookFormat> parse_book_format(std::string_view field, std::string_view text) {
  for (const FormatName& row : kFormats) {
    if (row.name == text) return row.format;
  }
  return bad_input(field, text, "genai-prices, litellm or aimeter");
}

BookFormat guess_format(std::string_view document) {
  constexpr std::size_t kHeadBytes = 512;
  const std::size_t first = document.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return BookFormat::aimeter;
  if (document[first] == '[') return BookFormat::genai_prices;
  const std::string_view head = document.substr(first, kHeadBytes);
  return head.find("\"aimeter-prices/") == std::string_view::npos ? BookFormat::litellm
                                                                  : BookFormat::aimeter;
}

Result<ImportedBook> PriceBook::import(std::string_view document, const ImportOptions& options) {
  const auto read = [&]() -> Result<Reading> {
    if (options.format == BookFormat::genai_prices)
      return pricing::read_genai_prices(document, options);
    if (options.format == BookFormat::litellm) return pricing::read_litellm(document, options);
    return pricing::read_aimeter(document);
  };
  AIMETER_TRY(Reading reading, read());
  BookData& data = reading.data;
  if (options.effective_from) data.effective_from = *options.effective_from;
  if (!options.version.empty()) data.version = options.version;
  if (data.version.empty()) {
    const auto* row = std::find_if(kFormats.begin(), kFormats.end(), [&](const FormatName& known) {
      return known.format == options.format;
    });
    // A day where one is given; else the document itself names its version.
    data.version =
        std::string(row->name) + "-" +
        (options.effective_from ? text_of(*options.effective_from).substr(0, 10)
                                : base::hex(base::view_of(base::sha256(document))).substr(0, 12));
  }
  if (options.effective_from) {
    for (auto& [key, source] : data.sources) {
      if (source.date.empty()) source.date = text_of(*options.effective_from).substr(0, 10);
    }
  }
  // A book is kept in our own format: what that cannot say must not be installed.
  if (options.format != BookFormat::aimeter) {
    AIMETER_CHECK_OK(pricing::read_aimeter(pricing::write_aimeter(data)));
  }
  return ImportedBook{std::make_shared<PriceBook>(std::make_unique<BookData>(std::move(data))),
                      reading.entries, std::move(reading.skipped)};
}

PriceBook::PriceBook(std::unique_ptr<BookData> data)
    : data_(std::move(data)), index_(std::make_unique<pricing::Index>(*data_)) {}
PriceBook::~PriceBook() = default;

const std::string& PriceBook::version() const { return data_->version; }
Instant PriceBook::effective_from() const { return data_->effective_from; }

std::size_t PriceBook::models() const {
  std::size_t count = 0;
  for (const pricing::Provider& provider : data_->providers) count += provider.models.size();
  return count;
}

std::string PriceBook::to_document() const { return pricing::write_aimeter(*data_); }

std::vector<PriceLine> PriceBook::lines() const {
  std::vector<PriceLine> lines;
  for (const pricing::Provider& provider : data_->providers) {
    for (const Model& model : provider.models) add_lines(*data_, provider.id, model, lines);
  }
  return lines;
}

Result<std::vector<PriceLine>> PriceBook::lines_of(std::string_view provider_name,
                                                   std::string_view model) const {
  const pricing::Provider* provider = index_->find_provider(provider_name);
  if (provider == nullptr) return not_priced({.provider = provider_name, .model = model});
  std::vector<PriceLine> lines;
  if (model.empty()) {
    for (const Model& each : provider->models) add_lines(*data_, provider->id, each, lines);
    return lines;
  }
  const Found found = index_->find(provider_name, model);
  if (found.model == nullptr) return not_priced({.provider = provider_name, .model = model});
  add_lines(*data_, provider->id, *found.model, lines);
  return lines;
}

std::vector<PriceDifference> PriceBook::diff(const PriceBook& newer) const {
  using Change = PriceDifference::Change;
  std::vector<PriceDifference> differences;
  std::map<Key, PriceLine> before;
  for (PriceLine& line : lines()) before.emplace(key_of(line), std::move(line));
  for (PriceLine& line : newer.lines()) {
    const auto old = before.find(key_of(line));
    if (old == before.end()) {
      differences.push_back({Change::added, {}, std::move(line)});
      continue;
    }
    if (old->second.prices != line.prices) {
      differences.push_back({Change::changed, old->second, std::move(line)});
    }
    before.erase(old);
  }
  for (auto& [key, line] : before) differences.push_back({Change::removed, std::move(line), {}});
  return differences;
}

bool PriceBook::knows(std::string_view provider, std::string_view model) const {
  return index_->find(provider, model).model != nullptr;
}

Result<std::string> PriceBook::resolve(std::string_view provider, std::string_view model) const {
  const Found found = index_->find(provider, model);
  if (found.model == nullptr) return not_priced({.provider = provider, .model = model});
  return found.model->id;
}

Result<CostResult> PriceBook::cost(const PriceQuery& query, const Usage& usage) const {
  const Found found = index_->find(query.provider, query.model);
  AIMETER_TRY(CostResult result,
              pricing::cost_by({*data_, found.provider, found.model}, query, usage));
  result.keeps = weak_from_this().lock();
  return result;
}

Result<Money> PriceBook::upper_bound(const PriceQuery& query, const TokenBound& bound) const {
  const auto rounded = [&](const Decimal& cost) {
    return cost.to_money(data_->currency, Rounding::up);
  };
  if (!query.model.empty()) {
    const Found found = index_->find(query.provider, query.model);
    if (found.model == nullptr) return not_priced(query);
    AIMETER_TRY(const Decimal cost, pricing::dearest(*found.model, query, bound));
    return rounded(cost);
  }
  const pricing::Provider* provider = index_->find_provider(query.provider);
  std::optional<Decimal> most;
  const auto look = [&](const pricing::Provider& at) {
    for (const Model& model : at.models) {
      const Result<Decimal> cost = pricing::dearest(model, query, bound);
      if (cost && (!most || *cost > *most)) most = *cost;
    }
  };
  if (provider != nullptr) {
    look(*provider);
    for (const pricing::Provider* fallback : index_->fallbacks_of(*provider)) look(*fallback);
  }
  if (!most) return not_priced(query);
  return rounded(*most);
}

}  // namespace aimeter
