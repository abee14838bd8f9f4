#include <algorithm>
#include <array>

#include "aimeter/pricing.h"
#include "pricing/cost.h"
#include "pricing/document.h"
#include "pricing/format.h"
#include "pricing/index.h"

namespace aimeter {
namespace {

using pricing::BookData;
using pricing::Model;

constexpr std::string_view kConfigured = "configuration";
constexpr std::string_view kDefault = "default_price";
constexpr std::int64_t kThousand = 1'000;

// Of two versions from the same instant the later one in the list is in force.
bool before(Instant when, const PriceBook::Ref& book) { return when < book->effective_from(); }

Model model_of(const ConfiguredPrice& price) {
  pricing::Row row;
  row.base.set(pricing::Kind::input, {price.input_per_1k, kThousand});
  row.base.set(pricing::Kind::output, {price.output_per_1k, kThousand});
  return Model{.id = price.model,
               .match = pricing::equals_rule(price.model),
               .rows = {std::move(row)},
               .at_parent = pricing::all_parts()};
}

struct ModeName {
  UnknownModel mode;
  std::string_view name;
};
constexpr std::array kModes = {ModeName{UnknownModel::provisional, "provisional"},
                               ModeName{UnknownModel::refuse, "refuse"},
                               ModeName{UnknownModel::default_price, "default_price"}};

}  // namespace

Result<ConfiguredPrice> ConfiguredPrice::parse(std::string_view field, std::string_view input,
                                               std::string_view output) {
  ConfiguredPrice price;
  const std::string path(field);
  AIMETER_TRY(price.input_per_1k, pricing::parse_price(path + ".input_price_per_1k", input));
  AIMETER_TRY(price.output_per_1k, pricing::parse_price(path + ".output_price_per_1k", output));
  return price;
}

Result<UnknownModel> parse_unknown_model(std::string_view field, std::string_view text) {
  for (const ModeName& row : kModes) {
    if (row.name == text) return row.mode;
  }
  return bad_input(field, text, "provisional, refuse or default_price");
}

// The configured prices as a book of their own, and the default price as another with one model.
struct Prices::Configured {
  std::shared_ptr<const PriceBook> book = {};
  std::shared_ptr<const PriceBook> defaults = {};  // null: no default price

  [[nodiscard]] bool sets(const PriceQuery& query) const {
    return !book->data().providers.empty() && book->knows(query.provider, query.model);
  }
  [[nodiscard]] pricing::PricedBy by_default() const {
    const pricing::Provider& provider = defaults->data().providers.front();
    return {defaults->data(), &provider, &provider.models.front()};
  }
};

Prices::Prices(Options options)
    : options_(std::move(options)), configured_(std::make_unique<Configured>()) {
  std::vector<PriceBook::Ref> books = options_.books;
  // Its effective_from is the beginning of time, so one that is given for that instant replaces it.
  books.insert(books.begin(), PriceBook::shipped());
  for (PriceBook::Ref& book : books) {
    const auto later =
        std::upper_bound(books_.begin(), books_.end(), book->effective_from(), before);
    books_.insert(later, std::move(book));
  }
  auto data = std::make_unique<BookData>();
  data->version = kConfigured;
  data->currency = options_.currency;
  for (const ConfiguredPrice& price : options_.configured) {
    auto provider = std::find_if(data->providers.begin(), data->providers.end(),
                                 [&](const auto& known) { return known.id == price.provider; });
    if (provider == data->providers.end()) {
      provider = data->providers.insert(provider, pricing::Provider{.id = price.provider});
    }
    provider->models.push_back(model_of(price));
  }
  configured_->book = std::make_shared<PriceBook>(std::move(data));
  if (!options_.default_price) return;
  auto defaults = std::make_unique<BookData>();
  defaults->version = kDefault;
  defaults->currency = options_.currency;
  Model model = model_of(*options_.default_price);
  model.id = kDefault;
  defaults->providers.push_back({.id = std::string(kDefault), .models = {std::move(model)}});
  configured_->defaults = std::make_shared<PriceBook>(std::move(defaults));
}
Prices::~Prices() = default;

const PriceBook::Ref& Prices::in_force(Instant at) const {
  const auto later = std::upper_bound(books_.begin(), books_.end(), at, before);
  return later == books_.begin() ? books_.front() : *std::prev(later);
}

PriceBook::Ref Prices::find_version(std::string_view version) const {
  const auto found = std::find_if(books_.rbegin(), books_.rend(),
                                  [&](const auto& book) { return book->version() == version; });
  return found == books_.rend() ? nullptr : *found;
}

Result<PriceBook::Ref> Prices::book_for(Instant at, std::string_view version) const {
  if (version.empty() || version == kConfigured || version == kDefault) return in_force(at);
  PriceBook::Ref book = find_version(version);
  if (book == nullptr) {
    return bad_input("price_version", version, "the version of an installed price book");
  }
  return book;
}

Result<CostResult> Prices::cost(const PriceQuery& query, const Usage& usage,
                                std::string_view version) const {
  const auto configured = [](Result<CostResult> result) {
    if (result && result->source == CostSource::book) result->source = CostSource::configuration;
    return result;
  };
  if (configured_->sets(query)) return configured(configured_->book->cost(query, usage));
  AIMETER_TRY(const PriceBook::Ref book, book_for(query.at, version));
  Result<CostResult> result = book->cost(query, usage);
  if (!result || result->outcome != CostOutcome::unknown_model) return result;
  if (configured_->defaults == nullptr) return result;
  result = pricing::cost_by(configured_->by_default(), query, usage);
  if (result) result->keeps = configured_->defaults;
  return configured(std::move(result));
}

Result<Money> Prices::upper_bound(const PriceQuery& query, const TokenBound& bound,
                                  std::string_view version) const {
  if (configured_->sets(query)) return configured_->book->upper_bound(query, bound);
  // Without a model the configured ones of the provider may be the dearest.
  std::optional<Money> configured;
  if (query.model.empty() && !options_.configured.empty()) {
    if (auto most = configured_->book->upper_bound(query, bound)) configured = *std::move(most);
  }
  AIMETER_TRY(const PriceBook::Ref book, book_for(query.at, version));
  const Result<Money> listed = book->upper_bound(query, bound);
  if (configured && (!listed || configured->nanos > listed->nanos)) return *configured;
  if (listed || listed.error().code != Code::not_found) return listed;
  if (configured_->defaults == nullptr) return listed;
  const pricing::PricedBy by = configured_->by_default();
  AIMETER_TRY(const Decimal cost, pricing::dearest(*by.model, query, bound));
  return cost.to_money(options_.currency, Rounding::up);
}

bool Prices::can_price(const PriceQuery& query) const {
  return upper_bound(query, {.input_tokens = 1, .output_tokens = 1}).has_value();
}

}  // namespace aimeter
