// Package:       config
// Units:         each field says its own.
// Errors:        invalid_argument (every bad key at once), failed_precondition (of a later
//                version).
// Thread safety: values.
// Ownership:     none.
//
// One TOML file, overridden by the environment: plain values for every package. Nothing else reads
// a file of configuration or the environment. Keys of the reference keep their names and meanings.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/period.h"
#include "aimeter/plan.h"
#include "aimeter/result.h"
#include "ledger/ledger.h"
#include "tenancy/resolve.h"

namespace aimeter::config {

struct ModelPrice {
  std::string provider = {}, model = {};
  std::string input_price_per_1k = {}, output_price_per_1k = {};  // decimal text
};

struct Settings {
  std::string default_provider = "openai";
  std::map<std::string, std::string> extractors = {};  // provider -> extractor
  std::vector<ModelPrice> prices = {};
  tenancy::ResolverOptions tenancy = {};
  Period::Options period = {};
  plans::PlanChange plan_change = plans::PlanChange::carry;
  plans::WithoutSubscription without_subscription = plans::WithoutSubscription::allow;
  int approaching_percent = 80;
  std::int64_t first_estimate = 4'096;        // tokens
  std::string unknown_model = "provisional";  // refuse, default_price
  std::optional<ModelPrice> default_price = {};
  struct Billing {
    std::string driver = "null";
    OverageBehavior overage_behavior = OverageBehavior::block;
    std::string overage_sync_strategy = "batch";
    bool credit_overdraft_allowed = false;
    std::string currency = "usd";
    int payment_failure_grace_period_days = 7;
    std::map<std::string, std::string> currency_rates = {};  // "usd_eur", or
        // "usd_eur@2026-03-01" from that day on -> decimal text
  } billing = {};
  struct Storage {
    std::string url = "sqlite:aimeter.db";
    int prune_after_days = 365;
    std::optional<ledger::Durability> durability = {};  // empty: journal, memory for memory:
    std::int64_t batch_size = 16'384;
    std::string journal_dir = {};
    std::int64_t max_clock_skew_ms = 2'000;
    std::int64_t max_lateness_days = 90;
  } storage = {};
  struct Waits {
    std::int64_t hold_wait_ms = 2'500, hold_ttl_s = 600, lease_ttl_s = 30, heartbeat_ms = 1'000;
  } waits = {};
  struct Security {
    bool validate_feature_names = true, sanitize_metadata = true, prevent_race_conditions = true;
  } security = {};
  bool rate_limit_enabled = false;
  struct Logging {
    bool enabled = true, log_failures = true;
    std::string level = "info";
  } logging = {};
  bool soft_deletes = false;
  struct Stripe {
    std::string secret_key = {}, publishable_key = {}, webhook_secret = {}, api_base = {};
    std::string meter_event = {};
    bool auto_sync_ids = true;
  } stripe = {};

  std::vector<std::string> warnings = {};  // keys that are accepted and have no effect
};

// Looks a variable of the environment up; empty when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
[[nodiscard]] Environment process_environment();

// `toml`: the file's text, `file`: its name for messages. Errors name every bad key with its value
// and what is accepted, one a line; nothing is half taken.
[[nodiscard]] Result<Settings> load(std::string_view toml, std::string_view file,
                                    const Environment& environment);

// "key = value" of every key in force, secrets as "[redacted]", and where each came from.
struct Shown {
  std::string key = {}, value = {},
              source = {};  // "default", "file", "environment AI_METERING_..."
};
[[nodiscard]] Result<std::vector<Shown>> show(std::string_view toml, std::string_view file,
                                              const Environment& environment);
// A commented aimeter.toml with every key at its default.
[[nodiscard]] std::string starter_file();

}  // namespace aimeter::config
