#include "app/settings.h"

#include "base/ids.h"

namespace aimeter::app {
namespace {

constexpr std::string_view kSqlite = "sqlite:";

Status check_positive(std::string_view field, Duration value) {
  if (value > Duration(0)) return {};
  return bad_input(field, std::to_string(value.count()) + " us", "more than 0");
}

Status check_waits(const WaitOptions& waits) {
  AIMETER_CHECK_OK(check_positive("hold_wait", waits.hold_wait));
  AIMETER_CHECK_OK(check_positive("hold_ttl", waits.hold_ttl));
  AIMETER_CHECK_OK(check_positive("lease_ttl", waits.lease_ttl));
  AIMETER_CHECK_OK(check_positive("heartbeat", waits.heartbeat));
  AIMETER_CHECK_OK(check_positive("max_lateness", waits.max_lateness));
  AIMETER_CHECK_OK(check_positive("max_clock_skew", waits.max_clock_skew));
  return {};
}

Result<ledger::Durability> durability_of(std::string_view dsn, std::string_view text) {
  const bool in_memory = dsn == kMemoryDsn;
  if (text.empty()) return in_memory ? ledger::Durability::memory : ledger::Durability::journal;
  if (text == "memory") return ledger::Durability::memory;
  if (in_memory) return bad_input("storage.durability", text, "memory, with the store memory:");
  if (text == "journal") return ledger::Durability::journal;
  if (text == "store") return ledger::Durability::store;
  return bad_input("storage.durability", text, "memory, journal or store");
}

std::string journal_folder(std::string_view dsn, const std::string& given) {
  if (dsn == kMemoryDsn) return {};
  if (!given.empty()) return given;
  if (dsn.starts_with(kSqlite)) return std::string(dsn.substr(kSqlite.size())) + ".aimeter";
  return {};
}

Result<plans::LimitOptions> limit_options(const OpenOptions& options) {
  plans::LimitOptions limits{.period = options.limits.period};
  AIMETER_TRY(limits.overage_behavior,
              parse_overage_behavior("billing.overage_behavior", options.overage_behavior));
  if (options.limits.plan_change == "split") {
    limits.plan_change = plans::PlanChange::split;
  } else if (options.limits.plan_change != "carry") {
    return bad_input("limits.plan_change", options.limits.plan_change, "carry or split");
  }
  return limits;
}

Result<plans::WithoutSubscription> without_subscription(const std::string& text) {
  if (text == "allow") return plans::WithoutSubscription::allow;
  if (text == "refuse") return plans::WithoutSubscription::refuse;
  return bad_input("limits.without_subscription", text, "allow or refuse");
}

}  // namespace

Status check_options(const OpenOptions& options) {
  AIMETER_CHECK_OK(check_waits(options.waits));
  AIMETER_CHECK_OK(Period::check(options.limits.period));
  AIMETER_CHECK_OK(limit_options(options));
  AIMETER_CHECK_OK(meter_options(options));
  AIMETER_CHECK_OK(resolver_options(options));
  AIMETER_CHECK_OK(without_subscription(options.limits.without_subscription));
  AIMETER_CHECK_OK(base::check_id("default_provider", options.default_provider));
  const int percent = options.limits.approaching_percent;
  if (percent < 1 || percent > 100)
    return bad_input("limits.approaching_percent", std::to_string(percent), "1 to 100");
  const JournalOptions& journal = options.journal;
  if (journal.batch_size < 1) return bad_input("storage.batch_size", "0", "at least 1");
  if (journal.far_behind < 1) return bad_input("journal.far_behind", "0", "at least 1");
  return {};
}

Result<tenancy::ResolverOptions> resolver_options(const OpenOptions& options) {
  const TenancyOptions& given = options.tenancy;
  tenancy::ResolverOptions made{.resolver = options.tenant_resolver,
                                .required = options.tenant_required};
  AIMETER_TRY(made.on_mismatch,
              tenancy::parse_on_mismatch("tenancy.on_mismatch", given.on_mismatch));
  made.trusted_proxies = given.trusted_proxies;
  made.base_domains = given.base_domains;
  made.central_domains = given.central_domains;
  made.path_segment = given.path_segment;
  made.path_prefix = given.path_prefix;
  made.header = given.header;
  made.query = given.query;
  made.cookie = given.cookie;
  made.chain = given.chain;
  made.jwt.claim = given.jwt.claim;
  made.jwt.key_file = given.jwt.key_file;
  made.jwt.issuer = given.jwt.issuer;
  made.jwt.audience = given.jwt.audience;
  made.jwt.algorithms = given.jwt.algorithms;
  made.jwt.leeway_s = given.jwt.leeway_s;
  return made;
}

Result<ledger::Options> ledger_options(std::string_view dsn, const OpenOptions& options) {
  ledger::Options made{.segment_bytes = options.journal.segment_bytes,
                       .batch_size = options.journal.batch_size,
                       .far_behind = options.journal.far_behind,
                       .hold_wait = options.waits.hold_wait,
                       .lease_ttl = options.waits.lease_ttl,
                       .hold_ttl = options.waits.hold_ttl,
                       .heartbeat = options.waits.heartbeat,
                       .max_clock_skew = options.waits.max_clock_skew};
  AIMETER_TRY(made.durability, durability_of(dsn, options.journal.durability));
  made.journal_dir = journal_folder(dsn, options.journal.folder);
  AIMETER_TRY(made.limits, limit_options(options));
  AIMETER_TRY(made.without_subscription, without_subscription(options.limits.without_subscription));
  made.book.approaching_percent = options.limits.approaching_percent;
  made.wallets = {.currency = options.currency,
                  .overdraft = options.billing.credit_overdraft_allowed};
  return made;
}

Result<meter::Options> meter_options(const OpenOptions& options) {
  meter::Options made{.default_provider = options.default_provider, .currency = options.currency};
  AIMETER_TRY(made.unknown_model,
              parse_unknown_model("pricing.unknown_model", options.pricing.unknown_model));
  if (made.unknown_model == UnknownModel::default_price && !options.pricing.default_price) {
    return bad_input("pricing.unknown_model", "default_price", "pricing.default_price beside it");
  }
  if (!options.security.validate_feature_names) made.feature_names = meter::FeatureNames::any;
  if (!options.security.sanitize_metadata) made.metadata = meter::Metadata::as_given;
  made.first_estimate_tokens = options.limits.first_estimate.count;
  if (made.first_estimate_tokens < 0) {
    return bad_input("limits.first_estimate", std::to_string(made.first_estimate_tokens),
                     "0 or more");
  }
  made.payment_failure_grace_days = options.payment_failure_grace_days;
  if (made.payment_failure_grace_days < 0 || made.payment_failure_grace_days > 3'660) {
    return bad_input("billing.payment_failure_grace_period_days",
                     std::to_string(made.payment_failure_grace_days), "0 to 3660");
  }
  const std::string& strategy = options.billing.overage_sync_strategy;
  if (strategy != "batch" && strategy != "immediate")
    return bad_input("billing.overage_sync_strategy", strategy, "batch or immediate");
  if (!options.billing.auto_sync_ids) made.billing_ids = store::ApplyBillingEvent::Ids::keep;
  made.overdraft = options.billing.credit_overdraft_allowed;
  made.billing_driver = options.billing.driver;
  std::vector<currency::DatedRate> rates;
  for (const CurrencyRate& given : options.billing.currency_rates) {
    AIMETER_TRY(currency::DatedRate rate,
                currency::parse_rate(given.pair, given.rate, given.since));
    rates.push_back(std::move(rate));
  }
  if (!rates.empty()) made.rates = std::make_shared<const currency::Rates>(std::move(rates));
  made.max_lateness = options.waits.max_lateness;
  made.max_ahead = options.waits.max_ahead;
  AIMETER_TRY(made.limits, limit_options(options));
  return made;
}

}  // namespace aimeter::app
