// Package:       app
// Units:         durations in microseconds (Duration); byte counts say so.
// Errors:        open: invalid_argument naming the option, failed_precondition (what this version
//                does not do), unavailable and corrupt of the store and the journal: nothing was
//                opened.
// Thread safety: an Engine is a cheap handle; copies share one engine; any thread.
// Ownership:     the last handle, view, meter or hold closes the engine. Borrowed: what OpenOptions
//                names with a pointer.
//
// One engine: meters, limits and bills. A forked child must not use its parent's engine: every call
// is refused (failed_precondition).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aimeter/billing.h"
#include "aimeter/events.h"
#include "aimeter/meter.h"
#include "aimeter/tenant_view.h"

namespace aimeter {

namespace base {
class Files;
class Workers;
}  // namespace base
namespace store {
class Store;
}  // namespace store

template <class T>
using Factory = std::function<std::unique_ptr<T>()>;

struct JwtOptions {
  std::string claim = "tenant_id", key_file = {}, issuer = {}, audience = {};
  std::vector<std::string> algorithms = {};
  int leeway_s = 60;
};
struct TenancyOptions {  // settings of the built-in resolvers
  std::vector<std::string> central_domains = {}, base_domains = {}, trusted_proxies = {};
  int path_segment = 1;
  std::string path_prefix = {};
  std::string header = "X-Tenant", query = "tenant", cookie = "tenant";
  std::vector<std::string> chain = {};
  JwtOptions jwt = {};
  std::string on_mismatch = "refuse";  // or "explicit_wins"
};
struct LimitSettings {
  Period::Options period = {};
  std::string plan_change = "carry";           // or "split"
  std::string without_subscription = "allow";  // or "refuse"
  int approaching_percent = 80;
  Tokens first_estimate = {4'096};
};
struct PricingOptions {
  std::vector<PriceBook::Ref> books =
      {};  // beside those in the store; none at all: the shipped one
  std::vector<ConfiguredPrice> configured = {};
  std::string unknown_model = "provisional";  // or "refuse", "default_price"
  std::optional<ConfiguredPrice> default_price = {};
};
struct CurrencyRate {
  std::string pair = {}, rate = {};  // "usd_eur", "0.92"
  std::string since = {};            // a time; empty: from ever
};
struct SecurityOptions {
  bool validate_feature_names = true, sanitize_metadata = true;
};
struct JournalOptions {
  std::string durability =
      {};                   // "memory", "journal", "store"; empty: journal, or memory for memory:
  std::string folder = {};  // empty: FILE.aimeter/ beside the database
  std::uint64_t segment_bytes = 64ULL << 20;
  std::size_t batch_size = 16'384;
  std::uint64_t far_behind = 8'192;  // settlements that the store lacks; from there on calls wait
};
struct WaitOptions {
  Duration hold_wait = std::chrono::milliseconds(2'500), hold_ttl = std::chrono::minutes(10);
  Duration lease_ttl = std::chrono::seconds(30), heartbeat = std::chrono::seconds(1);
  Duration max_lateness = std::chrono::days(90), max_ahead = std::chrono::minutes(5);
  Duration max_clock_skew = std::chrono::seconds(2);
};
struct StripeSettings {  // of the driver "stripe"; no secret is ever logged or shown
  std::string secret_key = {}, webhook_secret = {};
  std::string api_base = {};     // empty: Stripe's own
  std::string meter_event = {};  // name of a meter's events: overage goes there
};
struct BillingSettings {
  std::string overage_sync_strategy = "batch";  // by command; "immediate": within a second
  std::string driver = "null";  // "stripe", or a name of OpenOptions::billing_drivers
  bool auto_sync_ids = true;    // fills ids of the service into a subscription's meta
  StripeSettings stripe = {};
  bool credit_overdraft_allowed = false;  // a balance below zero before a call
  std::vector<CurrencyRate> currency_rates = {};
};
struct Ports {  // for simulators and tests; borrowed; null = the system's
  base::Files* files = nullptr;
  base::Workers* workers = nullptr;
  store::Store* store = nullptr;  // instead of what the DSN names
};

struct OpenOptions {
  const Clock* clock = nullptr;  // borrowed; null = the system's
  std::string tenant_resolver = "null";
  std::optional<bool> tenant_required = {};  // empty: as soon as there is a resolver
  std::string overage_behavior = "block";    // or "charge", "allow"
  std::map<std::string, Factory<TenantResolver>> tenant_resolvers = {};
  std::map<std::string, Factory<ProviderClient>> providers = {};
  std::map<std::string, Factory<BillingDriver>> billing_drivers = {};
  std::string default_provider = "openai";
  std::map<std::string, std::string> provider_extractors = {};  // providers.P.extractor
  std::string currency = "usd";
  int payment_failure_grace_days = 7;  // 0: a failed payment ends at once
  TenancyOptions tenancy = {};
  LimitSettings limits = {};
  PricingOptions pricing = {};
  BillingSettings billing = {};
  SecurityOptions security = {};
  JournalOptions journal = {};
  WaitOptions waits = {};
  Ports ports = {};
};

struct EngineHealth {
  std::uint64_t engine = 0, backlog = 0;  // backlog: settled, not yet in the store
  bool granting = true;
  std::string why_not = {};
  std::optional<Error> journal = {}, store = {};
};

class Engine {
 public:
  explicit Engine(std::shared_ptr<MeterCore> core) : core_(std::move(core)) {}

  [[nodiscard]] Meter meter() const;                 // takes the ambient tenant now, not at call()
  [[nodiscard]] Meter meter(Context context) const;  // ... or the configured resolver's
  template <HasContext R>
  [[nodiscard]] Meter meter(const R& request) const {
    return meter(Context(context_of(request)));
  }
  [[nodiscard]] TenantView tenant(std::string_view id) const;
  template <HasTenantId T>
  [[nodiscard]] TenantView tenant(const T& tenant_object) const {
    const std::string id = tenant_id_of(tenant_object);
    return tenant(std::string_view(id));
  }
  [[nodiscard]] Result<TenantView> current() const;  // failed_precondition outside a TenantScope
  [[nodiscard]] Result<std::optional<TenantId>> resolve_tenant(const Context& context) const;
  [[nodiscard]] Admin admin() const { return Admin(core_); }
  // ---- Detached holds (Hold::detach). The token says whose; TenantView has the same for its own.
  // Settled before, here or elsewhere: the first record, duplicate set. Expired before: it counts,
  // flagged late. Errors: invalid_argument (no token; usage that contradicts itself),
  // permission_denied (not a token of this store), failed_precondition (released before, older than
  // max_lateness), unavailable (not counted: try again).
  [[nodiscard]] Result<Settled> settle(std::string_view token, const Usage& usage) const;
  // A provider's own text. provider_failed (status >= 400, an error body): the hold is released.
  [[nodiscard]] Result<Settled> settle(std::string_view token, const HttpAnswer& answer) const;
  void settle(std::string_view token, Answered answered, SettleDone done) const;  // never blocks
  // Released or expired before: nothing changes. Errors: as above, failed_precondition (settled).
  [[nodiscard]] Status release(std::string_view token) const;
  // A webhook of the billing service, as it came: proved, applied once, in whatever order they
  // come; subscriptions follow. Ok also for what was applied before and what means nothing here.
  // Errors: unauthenticated (not proved: answer 400), invalid_argument (of an unknown shape),
  // failed_precondition (no secret, a driver without webhooks), unavailable (send it again).
  [[nodiscard]] Status webhook(const Webhook& webhook) const;
  [[nodiscard]] Events& events() const;
  [[nodiscard]] EngineHealth health() const;
  // Returns when the store has everything that was settled before.
  [[nodiscard]] Status drain() const;
  template <class F>
  decltype(auto) run_as(std::string_view id, F&& work) const {
    const TenantScope scope(id);
    return std::forward<F>(work)();
  }
  template <HasTenantId T, class F>
  decltype(auto) run_as(const T& tenant_object, F&& work) const {
    const TenantScope scope(tenant_object);
    return std::forward<F>(work)();
  }
  [[nodiscard]] const std::shared_ptr<MeterCore>& core() const { return core_; }

 private:
  std::shared_ptr<MeterCore> core_;
};

// `dsn`: "memory:", "sqlite:FILE".
[[nodiscard]] Result<Engine> open(std::string_view dsn, OpenOptions options = {});

}  // namespace aimeter
