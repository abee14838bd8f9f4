// Package:       meter
// Units:         Duration in microseconds; tokens as counts.
// Errors:        none: values, filled by the app.
// Thread safety: values.
// Ownership:     none.
//
// What an operator chooses about calls.
#pragma once

#include <memory>
#include <string>

#include "aimeter/pricing.h"
#include "aimeter/time.h"
#include "currency/rates.h"
#include "plans/limits.h"
#include "store/follow.h"

namespace aimeter::meter {

enum class FeatureNames : unsigned char { checked, any };
enum class Metadata : unsigned char { sanitized, as_given };

struct Options {
  std::string default_provider = "openai";
  std::string currency = "usd";
  std::shared_ptr<const currency::Rates> rates = {};  // null: none
  std::string billing_driver = "null";
  bool overdraft = false;  // a balance below zero refuses no call
  UnknownModel unknown_model = UnknownModel::provisional;
  FeatureNames feature_names = FeatureNames::checked;
  Metadata metadata = Metadata::sanitized;
  std::int64_t first_estimate_tokens = 4'096;
  Duration max_lateness = std::chrono::days(90);
  Duration max_ahead = std::chrono::minutes(5);
  int payment_failure_grace_days = 7;
  store::ApplyBillingEvent::Ids billing_ids = store::ApplyBillingEvent::Ids::fill;
  plans::LimitOptions limits = {};  // the ledger's
};

}  // namespace aimeter::meter
