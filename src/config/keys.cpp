#include "config/keys.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "aimeter/decimal.h"

namespace aimeter::config {
namespace {

using Taken = std::optional<std::string>;  // empty, or what would be accepted
using Setter = std::function<Taken(Settings&, const Value&)>;
using Getter = std::function<std::string(const Settings&)>;

std::string variable_of(std::string_view path) {
  std::string name = "AI_METERING_";
  for (const char c : path) {
    name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

class Table {
 public:
  Key& add(std::string path, std::string variable, std::string about) {
    Key key{.path = path, .about = std::move(about)};
    if (!variable.empty()) key.variables.push_back(std::move(variable));
    const std::string own = variable_of(path);
    if (std::ranges::find(key.variables, own) == key.variables.end()) key.variables.push_back(own);
    keys_.push_back(std::move(key));
    return keys_.back();
  }
  // Another place in the file for the key that was added last.
  void also(std::string path) {
    Key key = keys_.back();
    key.path = std::move(path);
    key.variables = {variable_of(key.path)};
    key.alias = true;
    keys_.push_back(std::move(key));
  }
  std::vector<Key> take() { return std::move(keys_); }

 private:
  std::vector<Key> keys_;
};

// ---------------------------------------------------------------- readers of one type

Setter text(std::function<void(Settings&, const std::string&)> put) {
  return [put = std::move(put)](Settings& settings, const Value& value) -> Taken {
    const auto* given = std::get_if<std::string>(&value);
    if (given == nullptr) return "text";
    put(settings, *given);
    return {};
  };
}

Setter one_of(std::vector<std::string> accepted,
              std::function<void(Settings&, const std::string&)> put) {
  return [accepted = std::move(accepted), put = std::move(put)](Settings& settings,
                                                                const Value& value) -> Taken {
    const auto* given = std::get_if<std::string>(&value);
    if (given == nullptr || std::ranges::find(accepted, *given) == accepted.end()) {
      return fmt::format("one of {}", fmt::join(accepted, ", "));
    }
    put(settings, *given);
    return {};
  };
}

std::optional<bool> flag_of(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  const auto* given = std::get_if<std::string>(&value);
  if (given == nullptr) return std::nullopt;
  if (*given == "true" || *given == "1") return true;
  if (*given == "false" || *given == "0" || given->empty()) return false;
  return std::nullopt;
}

Setter flag(std::function<void(Settings&, bool)> put) {
  return [put = std::move(put)](Settings& settings, const Value& value) -> Taken {
    const std::optional<bool> given = flag_of(value);
    if (!given) return "true or false";
    put(settings, *given);
    return {};
  };
}

std::optional<std::int64_t> number_of(const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  const auto* given = std::get_if<std::string>(&value);
  if (given == nullptr || given->empty() || given->size() > 18) return std::nullopt;
  std::int64_t number = 0;
  for (const char c : *given) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

struct Range {
  std::int64_t least = 0, most = 0;
};
Setter number(Range range, std::function<void(Settings&, std::int64_t)> put) {
  return [range, put = std::move(put)](Settings& settings, const Value& value) -> Taken {
    const std::optional<std::int64_t> given = number_of(value);
    if (!given || *given < range.least || *given > range.most) {
      return fmt::format("a whole number from {} to {}", range.least, range.most);
    }
    put(settings, *given);
    return {};
  };
}

Setter list(std::function<void(Settings&, std::vector<std::string>)> put) {
  return [put = std::move(put)](Settings& settings, const Value& value) -> Taken {
    if (const auto* items = std::get_if<std::vector<std::string>>(&value)) {
      put(settings, *items);
      return {};
    }
    const auto* given = std::get_if<std::string>(&value);
    if (given == nullptr) return "a list of texts";
    std::vector<std::string> items;  // of the environment: separated by commas
    std::string item;
    for (const char c : *given + ",") {
      if (c != ',') {
        if (c != ' ') item += c;
      } else if (!item.empty()) {
        items.push_back(std::exchange(item, {}));
      }
    }
    put(settings, std::move(items));
    return {};
  };
}

// A class name of the reference maps by its last segment: "App\\Billing\\NullBillingDriver" ->
// null.
std::string class_name(const std::string& given, std::string_view suffix) {
  const std::size_t slash = given.find_last_of('\\');
  std::string name = slash == std::string::npos ? given : given.substr(slash + 1);
  if (name.size() <= suffix.size() || !name.ends_with(suffix)) return given;
  name.resize(name.size() - suffix.size());
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name == "cashier" ? "stripe" : name;
}

std::string shown(bool value) { return value ? "true" : "false"; }
std::string shown(const std::vector<std::string>& items) {
  return fmt::format("[{}]", fmt::join(items, ", "));
}

// ---------------------------------------------------------------- the rows, by section

void add_tenancy(Table& table) {
  Key* key = &table.add("tenancy.resolver", "AI_METERING_TENANT_RESOLVER",
                        "how the tenant of a request is found; null: none, single-tenant use");
  key->set = text([](Settings& s, const std::string& v) {
    s.tenancy.resolver = v.empty() ? "null" : class_name(v, "TenantResolver");
  });
  key->get = [](const Settings& s) { return s.tenancy.resolver; };
  table.also("tenant_resolver");
  key = &table.add("tenancy.required", "", "a call without a tenant is refused");
  key->set = flag([](Settings& s, bool v) { s.tenancy.required = v; });
  key->get = [](const Settings& s) {
    return s.tenancy.required ? shown(*s.tenancy.required)
                              : std::string("when there is a resolver");
  };
  key = &table.add("tenancy.on_mismatch", "", "an explicit tenant inside another one's scope");
  key->set = one_of({"refuse", "explicit_wins"}, [](Settings& s, const std::string& v) {
    s.tenancy.on_mismatch =
        v == "refuse" ? tenancy::OnMismatch::refuse : tenancy::OnMismatch::explicit_wins;
  });
  key->get = [](const Settings& s) {
    return s.tenancy.on_mismatch == tenancy::OnMismatch::refuse ? "refuse" : "explicit_wins";
  };
  key =
      &table.add("tenancy.path_segment", "", "which segment of the path names the tenant, from 1");
  key->set = number(
      {1, 16}, [](Settings& s, std::int64_t v) { s.tenancy.path_segment = static_cast<int>(v); });
  key->get = [](const Settings& s) { return std::to_string(s.tenancy.path_segment); };
}

using Field = std::string tenancy::ResolverOptions::*;
using ListField = std::vector<std::string> tenancy::ResolverOptions::*;

void add_tenancy_lists(Table& table) {
  const std::tuple<const char*, ListField, const char*> lists[] = {
      {"tenancy.central_domains", &tenancy::ResolverOptions::central_domains,
       "hosts without a tenant (resolver domain)"},
      {"tenancy.base_domains", &tenancy::ResolverOptions::base_domains,
       "what comes before them is the tenant (resolver subdomain)"},
      {"tenancy.trusted_proxies", &tenancy::ResolverOptions::trusted_proxies,
       "CIDR ranges whose tenant header is believed"},
      {"tenancy.chain", &tenancy::ResolverOptions::chain, "resolvers asked in this order"}};
  for (const auto& [path, field, about] : lists) {
    Key& key = table.add(path, "", about);
    key.set =
        list([field](Settings& s, std::vector<std::string> v) { s.tenancy.*field = std::move(v); });
    key.get = [field](const Settings& s) { return shown(s.tenancy.*field); };
  }
  const std::tuple<const char*, Field, const char*> texts[] = {
      {"tenancy.path_prefix", &tenancy::ResolverOptions::path_prefix,
       "the segment behind it is the tenant; wins over path_segment"},
      {"tenancy.header", &tenancy::ResolverOptions::header, "name of the tenant's header"},
      {"tenancy.query", &tenancy::ResolverOptions::query, "name of the tenant's query parameter"},
      {"tenancy.cookie", &tenancy::ResolverOptions::cookie, "name of the tenant's cookie"}};
  for (const auto& [path, field, about] : texts) {
    Key& key = table.add(path, "", about);
    key.set = text([field](Settings& s, const std::string& v) { s.tenancy.*field = v; });
    key.get = [field](const Settings& s) { return s.tenancy.*field; };
  }
}

void add_jwt(Table& table) {
  using JwtField = std::string tenancy::JwtOptions::*;
  const std::tuple<const char*, JwtField, const char*> texts[] = {
      {"tenancy.jwt.claim", &tenancy::JwtOptions::claim, "the claim that names the tenant"},
      {"tenancy.jwt.key_file", &tenancy::JwtOptions::key_file,
       "PEM of the issuer's public key, or the secret of HS256"},
      {"tenancy.jwt.issuer", &tenancy::JwtOptions::issuer, "required `iss`; empty: not asked for"},
      {"tenancy.jwt.audience", &tenancy::JwtOptions::audience,
       "required `aud`; empty: not asked for"}};
  for (const auto& [path, field, about] : texts) {
    Key& key = table.add(path, "", about);
    key.set = text([field](Settings& s, const std::string& v) { s.tenancy.jwt.*field = v; });
    key.get = [field](const Settings& s) { return s.tenancy.jwt.*field; };
  }
  Key* key = &table.add("tenancy.jwt.algorithms", "", "accepted `alg`, at least one, never none");
  key->set = list(
      [](Settings& s, std::vector<std::string> v) { s.tenancy.jwt.algorithms = std::move(v); });
  key->get = [](const Settings& s) { return shown(s.tenancy.jwt.algorithms); };
  key = &table.add("tenancy.jwt.leeway_s", "", "seconds that clocks may differ");
  key->set = number(
      {0, 300}, [](Settings& s, std::int64_t v) { s.tenancy.jwt.leeway_s = static_cast<int>(v); });
  key->get = [](const Settings& s) { return std::to_string(s.tenancy.jwt.leeway_s); };
}

void add_billing(Table& table) {
  Key* key = &table.add("billing.driver", "AI_METERING_BILLING_DRIVER", "who charges overage");
  key->set = [](Settings& s, const Value& value) -> Taken {
    const auto* given = std::get_if<std::string>(&value);
    const std::string name = given == nullptr ? ""
                             : given->empty() ? "null"
                                              : class_name(*given, "BillingDriver");
    const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
      return ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '_';
    });
    if (!plain) return "null, stripe or the name of a driver that the application registers";
    s.billing.driver = name == "cashier" ? "stripe" : name;
    return {};
  };
  key->get = [](const Settings& s) { return s.billing.driver; };
  key = &table.add("billing.overage_behavior", "AI_METERING_OVERAGE_BEHAVIOR",
                   "above a plan's limit: block, charge or allow");
  key->set = one_of({"block", "charge", "allow"}, [](Settings& s, const std::string& v) {
    s.billing.overage_behavior = *parse_overage_behavior("", v);
  });
  key->get = [](const Settings& s) { return std::string(name_of(s.billing.overage_behavior)); };
  key = &table.add("billing.overage_sync_strategy", "AI_METERING_OVERAGE_SYNC_STRATEGY",
                   "when overages go to the billing driver");
  key->set = one_of({"batch", "immediate"},
                    [](Settings& s, const std::string& v) { s.billing.overage_sync_strategy = v; });
  key->get = [](const Settings& s) { return s.billing.overage_sync_strategy; };
  key = &table.add("billing.credit_overdraft_allowed", "AI_METERING_CREDIT_OVERDRAFT",
                   "a balance below zero before a call");
  key->set = flag([](Settings& s, bool v) { s.billing.credit_overdraft_allowed = v; });
  key->get = [](const Settings& s) { return shown(s.billing.credit_overdraft_allowed); };
  key = &table.add("billing.currency", "AI_METERING_CURRENCY", "ISO 4217, lower case");
  key->set = [](Settings& s, const Value& value) -> Taken {
    const auto* given = std::get_if<std::string>(&value);
    const bool good = given != nullptr && given->size() == 3 &&
                      std::ranges::all_of(*given, [](char c) { return 'a' <= c && c <= 'z'; });
    if (!good) return "three lower-case letters (ISO 4217), such as usd";
    s.billing.currency = *given;
    return {};
  };
  key->get = [](const Settings& s) { return s.billing.currency; };
  key = &table.add("billing.payment_failure_grace_period_days",
                   "AI_METERING_PAYMENT_FAILURE_GRACE_PERIOD", "0: a failed payment ends at once");
  key->set = number({0, 365}, [](Settings& s, std::int64_t v) {
    s.billing.payment_failure_grace_period_days = static_cast<int>(v);
  });
  key->get = [](const Settings& s) {
    return std::to_string(s.billing.payment_failure_grace_period_days);
  };
}

void add_period(Table& table) {
  Key* key = &table.add("period.type", "AI_METERING_PERIOD_TYPE", "length of a plan's period");
  key->set = one_of({"hourly", "daily", "weekly", "monthly", "yearly", "rolling"},
                    [](Settings& s, const std::string& v) {
                      s.period.type = *parse_period_type("period.type", v);
                    });
  key->get = [](const Settings& s) { return std::string(name_of(s.period.type)); };
  key = &table.add("period.alignment", "AI_METERING_PERIOD_ALIGNMENT",
                   "calendar, or rolling from the subscription's start");
  key->set = one_of({"calendar", "rolling"}, [](Settings& s, const std::string& v) {
    s.period.alignment = *parse_alignment("period.alignment", v);
  });
  key->get = [](const Settings& s) { return std::string(name_of(s.period.alignment)); };
  key = &table.add("period.timezone", "AI_METERING_TIMEZONE", "IANA zone of calendar boundaries");
  key->set = [](Settings& s, const Value& value) -> Taken {
    const auto* given = std::get_if<std::string>(&value);
    if (given == nullptr || !Period::check({.timezone = *given})) {
      return "an IANA time zone, such as Europe/London";
    }
    s.period.timezone = *given;
    return {};
  };
  key->get = [](const Settings& s) { return s.period.timezone; };
  key = &table.add("period.days", "", "length of type rolling, in days");
  key->set =
      number({1, 3'660}, [](Settings& s, std::int64_t v) { s.period.days = static_cast<int>(v); });
  key->get = [](const Settings& s) { return std::to_string(s.period.days); };
  key = &table.add("period.week_start", "", "first day of a week: 1 Monday, 0 Sunday");
  key->set = number({0, 1},
                    [](Settings& s, std::int64_t v) { s.period.week_start = static_cast<int>(v); });
  key->get = [](const Settings& s) { return std::to_string(s.period.week_start); };
}

void add_limits(Table& table) {
  Key* key = &table.add("limits.without_subscription", "",
                        "an account without an active subscription: allow or refuse its calls");
  key->set = one_of({"allow", "refuse"}, [](Settings& s, const std::string& v) {
    s.without_subscription =
        v == "allow" ? plans::WithoutSubscription::allow : plans::WithoutSubscription::refuse;
  });
  key->get = [](const Settings& s) {
    return s.without_subscription == plans::WithoutSubscription::allow ? "allow" : "refuse";
  };
  key = &table.add("limits.plan_change", "", "the count at a plan change: carry or split by plan");
  key->set = one_of({"carry", "split"}, [](Settings& s, const std::string& v) {
    s.plan_change = v == "carry" ? plans::PlanChange::carry : plans::PlanChange::split;
  });
  key->get = [](const Settings& s) {
    return s.plan_change == plans::PlanChange::carry ? "carry" : "split";
  };
  table.also("plan_change");
  key = &table.add("limits.approaching_percent", "", "used percentage that counts as approaching");
  key->set = number(
      {1, 100}, [](Settings& s, std::int64_t v) { s.approaching_percent = static_cast<int>(v); });
  key->get = [](const Settings& s) { return std::to_string(s.approaching_percent); };
  key = &table.add("limits.first_estimate", "", "tokens held before 20 calls were seen");
  key->set = number({1, 100'000'000}, [](Settings& s, std::int64_t v) { s.first_estimate = v; });
  key->get = [](const Settings& s) { return std::to_string(s.first_estimate); };
  key = &table.add("pricing.unknown_model", "", "a model without a price");
  key->set = one_of({"provisional", "refuse", "default_price"},
                    [](Settings& s, const std::string& v) { s.unknown_model = v; });
  key->get = [](const Settings& s) { return s.unknown_model; };
  key = &table.add("default_provider", "AI_METERING_DEFAULT_PROVIDER", "when a call names none");
  key->set = text([](Settings& s, const std::string& v) { s.default_provider = v; });
  key->get = [](const Settings& s) { return s.default_provider; };
}

void add_default_price(Table& table) {
  using PriceField = std::string ModelPrice::*;
  const std::pair<const char*, PriceField> fields[] = {
      {"pricing.default_price.input_price_per_1k", &ModelPrice::input_price_per_1k},
      {"pricing.default_price.output_price_per_1k", &ModelPrice::output_price_per_1k}};
  for (const auto& [path, field] : fields) {
    Key& key = table.add(path, "", "of a model that no price book knows; decimal text");
    key.set = [field](Settings& s, const Value& value) -> Taken {
      const std::optional<std::string> price = price_text(value);
      if (!price) return "a price as decimal text, such as \"0.0025\"";
      if (!s.default_price) s.default_price.emplace();
      (*s.default_price).*field = *price;
      return {};
    };
    key.get = [field](const Settings& s) {
      return s.default_price ? (*s.default_price).*field : std::string();
    };
  }
}

void add_storage(Table& table) {
  Key* key = &table.add("storage.url", "AI_METERING_DB_CONNECTION",
                        "sqlite:FILE or memory:, or a name under [connections]");
  key->set = text([](Settings& s, const std::string& v) { s.storage.url = v; });
  key->get = [](const Settings& s) { return s.storage.url; };
  table.also("storage.connection");
  key = &table.add("storage.prune_after_days", "AI_METERING_PRUNE_AFTER_DAYS", "cleanup's default");
  key->set = number({1, 36'500}, [](Settings& s, std::int64_t v) {
    s.storage.prune_after_days = static_cast<int>(v);
  });
  key->get = [](const Settings& s) { return std::to_string(s.storage.prune_after_days); };
  key = &table.add("storage.durability", "", "when a call returns: memory, journal or store");
  key->set = one_of({"memory", "journal", "store"}, [](Settings& s, const std::string& v) {
    s.storage.durability = v == "memory"    ? ledger::Durability::memory
                           : v == "journal" ? ledger::Durability::journal
                                            : ledger::Durability::store;
  });
  key->get = [](const Settings& s) {
    if (!s.storage.durability) return "journal";
    return *s.storage.durability == ledger::Durability::memory    ? "memory"
           : *s.storage.durability == ledger::Durability::journal ? "journal"
                                                                  : "store";
  };
  key = &table.add("performance.queue_usage_recording", "AI_METERING_QUEUE_RECORDING",
                   "true or a queue's name: storage.durability = memory");
  key->set = [](Settings& s, const Value& value) -> Taken {
    const auto* given = std::get_if<std::string>(&value);
    const std::optional<bool> asked = flag_of(value);
    if (!asked && given == nullptr) return "true, false or a queue's name";
    if (asked.value_or(true)) s.storage.durability = ledger::Durability::memory;
    return {};
  };
  key->get = [](const Settings& s) {
    return shown(s.storage.durability == ledger::Durability::memory);
  };
  key = &table.add("storage.batch_size", "AI_METERING_BATCH_SIZE",
                   "settlements per transaction, at most");
  key->set = number({1, 1'000'000}, [](Settings& s, std::int64_t v) { s.storage.batch_size = v; });
  key->get = [](const Settings& s) { return std::to_string(s.storage.batch_size); };
  table.also("performance.batch_size");
  key = &table.add("journal.dir", "", "folder of the journals; empty: beside the database");
  key->set = text([](Settings& s, const std::string& v) { s.storage.journal_dir = v; });
  key->get = [](const Settings& s) { return s.storage.journal_dir; };
}

void add_numbers(Table& table) {
  struct Row {
    const char* path;
    Range range;
    std::int64_t& (*field)(Settings&);
    const char* about;
  };
  const Row rows[] = {{"storage.max_clock_skew_ms",
                       {1, 60'000},
                       [](Settings& s) -> std::int64_t& { return s.storage.max_clock_skew_ms; },
                       "an engine whose clock is off by more grants nothing"},
                      {"storage.max_lateness_days",
                       {1, 3'660},
                       [](Settings& s) -> std::int64_t& { return s.storage.max_lateness_days; },
                       "older usage is refused, except by import --history"},
                      {"holds.wait_ms",
                       {1, 600'000},
                       [](Settings& s) -> std::int64_t& { return s.waits.hold_wait_ms; },
                       "how long a hold may wait for the store"},
                      {"holds.ttl_s",
                       {1, 86'400},
                       [](Settings& s) -> std::int64_t& { return s.waits.hold_ttl_s; },
                       "when a detached hold expires"},
                      {"leases.ttl_s",
                       {1, 3'600},
                       [](Settings& s) -> std::int64_t& { return s.waits.lease_ttl_s; },
                       "how long an engine grants without the store"},
                      {"leases.heartbeat_ms",
                       {10, 60'000},
                       [](Settings& s) -> std::int64_t& { return s.waits.heartbeat_ms; },
                       "how often leases renew"}};
  for (const Row& row : rows) {
    Key& key = table.add(row.path, "", row.about);
    key.set = number(row.range, [field = row.field](Settings& s, std::int64_t v) { field(s) = v; });
    key.get = [field = row.field](const Settings& s) {
      return std::to_string(field(const_cast<Settings&>(s)));
    };
  }
}

struct FlagRow {
  const char* path;
  const char* variable;
  bool& (*field)(Settings&);
  const char* about;
};

void add_flags(Table& table) {
  const FlagRow rows[] = {
      {"security.validate_feature_names", "AI_METERING_VALIDATE_FEATURES",
       [](Settings& s) -> bool& { return s.security.validate_feature_names; },
       "features are [A-Za-z0-9_]{1,100}"},
      {"security.sanitize_metadata", "AI_METERING_SANITIZE_METADATA",
       [](Settings& s) -> bool& { return s.security.sanitize_metadata; },
       "secrets in metadata become [redacted]"},
      {"security.prevent_race_conditions", "",
       [](Settings& s) -> bool& { return s.security.prevent_race_conditions; },
       "always on; false warns"},
      {"logging.enabled", "AI_METERING_LOGGING_ENABLED",
       [](Settings& s) -> bool& { return s.logging.enabled; }, "write a log at all"},
      {"logging.log_failures", "AI_METERING_LOG_FAILURES",
       [](Settings& s) -> bool& { return s.logging.log_failures; }, "log failed provider calls"},
      {"features.soft_deletes", "AI_METERING_SOFT_DELETES",
       [](Settings& s) -> bool& { return s.soft_deletes; }, "deleting marks a row"},
      {"stripe.auto_sync_ids", "AI_METERING_AUTO_SYNC_STRIPE_IDS",
       [](Settings& s) -> bool& { return s.stripe.auto_sync_ids; },
       "fills the subscription's meta"}};
  for (const FlagRow& row : rows) {
    Key& key = table.add(row.path, row.variable, row.about);
    key.set = flag([field = row.field](Settings& s, bool v) { field(s) = v; });
    key.get = [field = row.field](const Settings& s) {
      return shown(field(const_cast<Settings&>(s)));
    };
  }
  table.also("auto_sync_stripe_ids");
  Key* key = &table.add("logging.level", "AI_METERING_LOG_LEVEL", "debug, info, warning or error");
  key->set = one_of({"debug", "info", "notice", "warning", "error", "critical"},
                    [](Settings& s, const std::string& v) { s.logging.level = v; });
  key->get = [](const Settings& s) { return s.logging.level; };
  key =
      &table.add("rate_limit.enabled", "AI_METERING_RATE_LIMIT", "requests and tokens per minute");
  key->set = [](Settings& s, const Value& value) -> Taken {
    const std::optional<bool> on = flag_of(value);
    if (!on) return "true or false";
    if (*on) return "false (rate limits come with a later version)";
    s.rate_limit_enabled = false;
    return {};
  };
  key->get = [](const Settings& s) { return shown(s.rate_limit_enabled); };
  table.also("security.rate_limit_enabled");
}

void add_accepted(Table& table) {
  for (const char* path : {"performance.cache_limit_checks", "performance.cache_ttl"}) {
    Key& key = table.add(path, "", "accepted for the reference's sake; no effect");
    key.set = [name = std::string(path)](Settings& s, const Value&) -> Taken {
      s.warnings.push_back(name + " has no effect: limits are counters in memory");
      return {};
    };
    key.get = [](const Settings&) { return std::string(kNoEffect); };
  }
}

void add_stripe(Table& table) {
  using StripeField = std::string Settings::Stripe::*;
  const std::tuple<const char*, const char*, StripeField> rows[] = {
      {"stripe.secret_key", "STRIPE_SECRET", &Settings::Stripe::secret_key},
      {"stripe.publishable_key", "STRIPE_KEY", &Settings::Stripe::publishable_key},
      {"stripe.webhook_secret", "STRIPE_WEBHOOK_SECRET", &Settings::Stripe::webhook_secret}};
  for (const auto& [path, variable, field] : rows) {
    Key& key = table.add(path, variable, "never logged");
    key.secret = true;
    key.set = text([field](Settings& s, const std::string& v) { s.stripe.*field = v; });
    key.get = [field](const Settings& s) { return s.stripe.*field; };
  }
  const std::tuple<const char*, StripeField, const char*> plain[] = {
      {"stripe.api_base", &Settings::Stripe::api_base,
       "where Stripe's API is; empty: Stripe's own"},
      {"stripe.meter_event", &Settings::Stripe::meter_event,
       "name of a meter's events; given: overage goes there, not to invoice items"}};
  for (const auto& [path, field, about] : plain) {
    Key& key = table.add(path, "", about);
    key.set = text([field](Settings& s, const std::string& v) { s.stripe.*field = v; });
    key.get = [field](const Settings& s) { return s.stripe.*field; };
  }
}

std::vector<Key> make_keys() {
  Table table;
  add_storage(table);
  add_tenancy(table);
  add_tenancy_lists(table);
  add_jwt(table);
  add_limits(table);
  add_default_price(table);
  add_period(table);
  add_billing(table);
  add_numbers(table);
  add_flags(table);
  add_stripe(table);
  add_accepted(table);
  return table.take();
}

}  // namespace

std::optional<std::string> price_text(const Value& value) {
  std::string given;
  if (const auto* number = std::get_if<std::int64_t>(&value)) given = std::to_string(*number);
  if (const auto* as_text = std::get_if<std::string>(&value)) given = *as_text;
  const Result<Decimal> parsed = Decimal::parse("price", given);
  if (!parsed || parsed->is_negative()) return std::nullopt;
  return given;
}

const std::vector<Key>& all_keys() {
  static const std::vector<Key> keys = make_keys();
  return keys;
}

}  // namespace aimeter::config
