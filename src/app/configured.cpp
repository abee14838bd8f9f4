#include "app/configured.h"

namespace aimeter::app {
namespace {

Result<ConfiguredPrice> price_of(const config::ModelPrice& price, std::string_view field) {
  AIMETER_TRY(ConfiguredPrice made,
              ConfiguredPrice::parse(field, price.input_price_per_1k, price.output_price_per_1k));
  made.provider = price.provider;
  made.model = price.model;
  return made;
}

TenancyOptions tenancy_of(const tenancy::ResolverOptions& given) {
  TenancyOptions made{.central_domains = given.central_domains,
                      .base_domains = given.base_domains,
                      .trusted_proxies = given.trusted_proxies,
                      .path_segment = given.path_segment,
                      .path_prefix = given.path_prefix,
                      .header = given.header,
                      .query = given.query,
                      .cookie = given.cookie,
                      .chain = given.chain};
  made.jwt = {.claim = given.jwt.claim,
              .key_file = given.jwt.key_file,
              .issuer = given.jwt.issuer,
              .audience = given.jwt.audience,
              .algorithms = given.jwt.algorithms,
              .leeway_s = given.jwt.leeway_s};
  const bool refuse = given.on_mismatch == tenancy::OnMismatch::refuse;
  made.on_mismatch = refuse ? "refuse" : "explicit_wins";
  return made;
}

std::string durability_of(const std::optional<ledger::Durability>& durability) {
  if (!durability) return {};
  switch (*durability) {
    case ledger::Durability::memory:
      return "memory";
    case ledger::Durability::journal:
      return "journal";
    case ledger::Durability::store:
      return "store";
  }
  return {};
}

}  // namespace

Result<OpenOptions> options_of(const config::Settings& settings) {
  OpenOptions options{.tenant_resolver = settings.tenancy.resolver,
                      .tenant_required = settings.tenancy.required};
  options.overage_behavior = name_of(settings.billing.overage_behavior);
  options.payment_failure_grace_days = settings.billing.payment_failure_grace_period_days;
  options.default_provider = settings.default_provider;
  options.provider_extractors = settings.extractors;
  options.currency = settings.billing.currency;
  options.billing.credit_overdraft_allowed = settings.billing.credit_overdraft_allowed;
  for (const auto& [name, rate] : settings.billing.currency_rates) {
    const auto day = name.find('@');  // "usd_eur@2026-03-01"
    CurrencyRate& given = options.billing.currency_rates.emplace_back();
    given.pair = name.substr(0, day);
    given.rate = rate;
    if (day != std::string::npos) given.since = name.substr(day + 1);
  }
  options.tenancy = tenancy_of(settings.tenancy);
  options.limits.period = settings.period;
  options.limits.plan_change = settings.plan_change == plans::PlanChange::carry ? "carry" : "split";
  const bool allow = settings.without_subscription == plans::WithoutSubscription::allow;
  options.limits.without_subscription = allow ? "allow" : "refuse";
  options.limits.approaching_percent = settings.approaching_percent;
  options.limits.first_estimate = Tokens{settings.first_estimate};
  options.pricing.unknown_model = settings.unknown_model;
  for (const config::ModelPrice& price : settings.prices) {
    AIMETER_TRY(ConfiguredPrice made,
                price_of(price, "providers." + price.provider + ".models." + price.model));
    options.pricing.configured.push_back(std::move(made));
  }
  if (settings.default_price) {
    AIMETER_TRY(options.pricing.default_price,
                price_of(*settings.default_price, "pricing.default_price"));
  }
  options.billing = {.overage_sync_strategy = settings.billing.overage_sync_strategy,
                     .driver = settings.billing.driver,
                     .auto_sync_ids = settings.stripe.auto_sync_ids,
                     .stripe = {.secret_key = settings.stripe.secret_key,
                                .webhook_secret = settings.stripe.webhook_secret,
                                .api_base = settings.stripe.api_base,
                                .meter_event = settings.stripe.meter_event}};
  options.security = {.validate_feature_names = settings.security.validate_feature_names,
                      .sanitize_metadata = settings.security.sanitize_metadata};
  options.journal.durability = durability_of(settings.storage.durability);
  options.journal.folder = settings.storage.journal_dir;
  options.journal.batch_size = static_cast<std::size_t>(settings.storage.batch_size);
  options.waits.hold_wait = std::chrono::milliseconds(settings.waits.hold_wait_ms);
  options.waits.hold_ttl = std::chrono::seconds(settings.waits.hold_ttl_s);
  options.waits.lease_ttl = std::chrono::seconds(settings.waits.lease_ttl_s);
  options.waits.heartbeat = std::chrono::milliseconds(settings.waits.heartbeat_ms);
  options.waits.max_lateness = std::chrono::days(settings.storage.max_lateness_days);
  options.waits.max_clock_skew = std::chrono::milliseconds(settings.storage.max_clock_skew_ms);
  return options;
}

}  // namespace aimeter::app
