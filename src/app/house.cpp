#include "app/house.h"

#include <fmt/format.h>
#include <unistd.h>

#include "app/settings.h"
#include "base/aside.h"
#include "base/fork.h"
#include "base/log.h"
#include "drivers/billing_drivers.h"
#include "drivers/builtin.h"
#include "drivers/resolvers.h"

namespace aimeter::app {
namespace {

constexpr base::Wait kDueIdle = std::chrono::seconds(1);
constexpr std::size_t kHostBytesMax = 255;

std::string host_name() {
  char name[kHostBytesMax + 1] = {};
  return gethostname(name, kHostBytesMax) == 0 ? std::string(name) : std::string();
}

Result<std::unique_ptr<TenantResolver>> make_resolver(const OpenOptions& options,
                                                      const tenancy::ResolverSetup& setup,
                                                      std::string_view name) {
  const auto own = options.tenant_resolvers.find(std::string(name));
  if (own == options.tenant_resolvers.end()) return drivers::make_resolver(name, setup);
  std::unique_ptr<TenantResolver> made = own->second ? own->second() : nullptr;
  if (made) return made;
  return bad_input("tenant_resolvers", name, "a factory that makes a resolver");
}

void log_prices(const Error& error) {
  base::log(base::LogLevel::error,
            "app: the price books cannot be read, the old ones stay: " + error.message);
}

}  // namespace

House::House(std::string_view dsn, OpenOptions options)
    : dsn_(dsn),
      options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : system_clock()) {}

House::~House() {
  if (charging_) workers_->stop(*charging_);
  if (top_ups_) workers_->stop(*top_ups_);
  if (scheduler_) workers_->stop(*scheduler_);
}

Result<std::shared_ptr<MeterCore>> House::build(std::string_view dsn, OpenOptions options) {
  AIMETER_CHECK_OK(check_options(options));
  const std::shared_ptr<House> house(new House(dsn, std::move(options)),
                                     [born = base::ForkMark()](House* made) {
                                       // A forked child must not stop threads that it does not
                                       // have: there it leaks.
                                       if (born.forked()) return;
                                       if (!base::on_worker_thread()) return delete made;
                                       base::aside([made] { delete made; });
                                     });
  AIMETER_CHECK_OK(house->build_answers());
  AIMETER_CHECK_OK(house->build_billing());
  AIMETER_CHECK_OK(house->open_store());
  AIMETER_CHECK_OK(house->build_tenancy());
  AIMETER_CHECK_OK(house->build_prices());
  AIMETER_CHECK_OK(house->open_ledger());
  AIMETER_CHECK_OK(house->build_core());
  std::shared_ptr<MeterCore> handle(house, &*house->core_);
  house->core_->bind(handle);
  return handle;
}

Status House::open_store() {
  store_ = options_.ports.store;
  if (store_ != nullptr) return {};
  AIMETER_TRY(own_store_, drivers::open_store(dsn_, {.clock = &clock_}));
  store_ = own_store_.get();
  return {};
}

Status House::build_tenancy() {
  domains_.emplace(*store_);
  api_keys_.emplace(*store_);
  AIMETER_TRY(const tenancy::ResolverOptions options, resolver_options(options_));
  const tenancy::ResolverPorts ports{.domains = &*domains_, .keys = &*api_keys_, .clock = &clock_};
  tenancy::ResolverSetup setup{.options = options, .ports = ports};
  setup.make = [this, &setup](std::string_view name) {
    return make_resolver(options_, setup, name);
  };
  AIMETER_TRY(std::unique_ptr<TenantResolver> resolver,
              make_resolver(options_, setup, options.resolver));
  tenancy_ =
      std::make_unique<tenancy::Tenancy>(tenancy::Tenancy::rules_of(options), std::move(resolver));
  return {};
}

Result<std::shared_ptr<const Prices>> House::read_prices() const {
  Prices::Options options{.books = options_.pricing.books,
                          .configured = options_.pricing.configured,
                          .default_price = options_.pricing.default_price,
                          .currency = options_.currency};
  AIMETER_TRY(const std::vector<store::PriceBookRow> rows, store_->price_books());
  for (const store::PriceBookRow& row : rows) {
    AIMETER_TRY(const ImportedBook imported,
                PriceBook::import(row.document, {.format = BookFormat::aimeter,
                                                 .version = row.version,
                                                 .effective_from = row.effective_from}));
    options.books.push_back(imported.book);
  }
  return std::make_shared<const Prices>(std::move(options));
}

Status House::build_prices() {
  AIMETER_TRY(std::shared_ptr<const Prices> prices, read_prices());
  prices_.emplace(std::move(prices), [this] { reload_prices(); });
  return {};
}

// Called after any change of the catalogue: reads the books again only if they are others.
void House::reload_prices() {
  const auto rows = store_->price_books();
  if (!rows) return log_prices(rows.error());
  std::vector<std::string> versions;
  for (const store::PriceBookRow& row : *rows) {
    versions.push_back(row.version + "@" + text_of(row.effective_from));
  }
  const base::Lock lock(prices_mutex_);
  if (versions == price_versions_) return;
  Result<std::shared_ptr<const Prices>> prices = read_prices();
  if (!prices) return log_prices(prices.error());
  prices_->put(*std::move(prices));
  price_versions_ = std::move(versions);
}

Status House::build_answers() {
  meter::Answers::Setup setup;
  for (const auto& [name, factory] : options_.providers) {
    std::unique_ptr<ProviderClient> client = factory ? factory() : nullptr;
    if (!client) return bad_input("providers", name, "a factory that makes a client");
    setup.clients.emplace(name, std::move(client));
  }
  for (const auto& [provider, extractor] : options_.provider_extractors) {
    if (drivers::find_extractor(extractor) == nullptr) {
      return bad_input("providers." + provider + ".extractor", extractor,
                       fmt::format("one of {}", fmt::join(drivers::extractor_names(), ", ")));
    }
    setup.extractors.emplace(provider, extractor);
  }
  for (const ConfiguredPrice& price : options_.pricing.configured) {
    setup.priced.insert(price.provider);
  }
  setup.find = drivers::find_extractor;
  setup.built_in = drivers::extractor_names();
  answers_.emplace(std::move(setup));
  return {};
}

Status House::build_billing() {
  const std::string& name = options_.billing.driver;
  const auto own = options_.billing_drivers.find(name);
  if (own != options_.billing_drivers.end()) {
    billing_ = own->second ? own->second() : nullptr;
    if (billing_) return {};
    return bad_input("billing_drivers", name, "a factory that makes a driver");
  }
  const StripeSettings& stripe = options_.billing.stripe;
  AIMETER_TRY(billing_, drivers::make_billing_driver(
                            name, {.stripe = {.secret_key = stripe.secret_key,
                                              .webhook_secret = stripe.webhook_secret,
                                              .api_base = stripe.api_base,
                                              .meter_event = stripe.meter_event},
                                   .clock = &clock_}));
  return {};
}

Status House::open_ledger() {
  facts_.emplace(events_);
  workers_ = options_.ports.workers;
  if (workers_ == nullptr) {
    own_workers_ = base::make_system_workers();
    workers_ = own_workers_.get();
  }
  base::Files& files =
      options_.ports.files != nullptr ? *options_.ports.files : base::system_files();
  AIMETER_TRY(ledger::Options options, ledger_options(dsn_, options_));
  options.host = host_name();
  const ledger::Sinks sinks{
      .odd = [this](const store::Settlement& settlement,
                    const store::Outcome& outcome) { facts_->odd(settlement, outcome); },
      .orphan = [this](const store::Orphan& orphan) { facts_->orphan(orphan); },
      .expired = [this](const store::EndedHold& hold) { facts_->expired(hold); },
      .charged = [this](const store::OverageLine& line) { facts_->charged(line); },
      .catalogue_changed = [this](std::uint64_t) { reload_prices(); },
      .credits = [this](const store::CreditMove& move) { facts_->credits(move); }};
  AIMETER_TRY(ledger_,
              ledger::Ledger::open({*store_, files, *workers_, clock_}, std::move(options), sinks));
  return {};
}

void House::start_charging() {
  const BillingSettings& billing = options_.billing;
  if (billing.driver != "null") {
    top_ups_ = std::make_unique<TopUpWatch>(TopUpWatch::Deps{*ledger_, *store_, clock_, *billing_});
    workers_->start("aim-top-ups", *top_ups_, kDueIdle);
  }
  if (billing.overage_sync_strategy != "immediate" || billing.driver == "null") return;
  const auto by = billing.stripe.meter_event.empty() ? store::FreezeOverages::By::money
                                                     : store::FreezeOverages::By::quantity;
  charging_ = std::make_unique<BillingWorker>(
      BillingWorker::Deps{*store_, *billing_, clock_},
      fmt::format("{} engine {}", host_name(), ledger_->health().engine), by);
  workers_->start("aim-billing", *charging_, kDueIdle);
}

Status House::build_core() {
  AIMETER_TRY(meter::Options options, meter_options(options_));
  core_.emplace(meter::Core::Deps{*tenancy_, *ledger_, *store_, clock_, *answers_, *prices_,
                                  *facts_, billing_.get()},
                std::move(options));
  scheduler_ = std::make_unique<Scheduler>(*core_, clock_);
  workers_->start("aim-due", *scheduler_, kDueIdle);
  start_charging();
  AIMETER_TRY(const ledger::Options ledger, ledger_options(dsn_, options_));
  if (!ledger.journal_dir.empty() && options_.ports.files == nullptr) {
    refusals_ = std::make_unique<RefusalLog>(ledger.journal_dir, clock_, events_);
  }
  return {};
}

}  // namespace aimeter::app
