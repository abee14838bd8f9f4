// Package:       store
// Units:         amounts in tokens, requests or nano-units of the budget's currency; times in
//                Instant.
// Errors:        none: values (codec.h checks bytes).
// Thread safety: values.
// Ownership:     none.
//
// The one write of a finished call: usage, counters, key, all or nothing. Identity is (engine,
// seq). It carries its hold: `used += actual, leased -= held`, never conditional. `held` is what
// the lease gives up: at most `actual`; what a hold set aside beyond that went back to the engine's
// lease when the call settled. A duplicate counts 0 and still gives it up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/plan.h"
#include "aimeter/usage.h"
#include "base/hash.h"
#include "billing/overage.h"
#include "budget/key.h"
#include "currency/rates.h"

namespace aimeter::store {

using EngineId = std::uint64_t;  // given by the store when an engine opens
using Seq = std::uint64_t;       // 1, 2, 3 ... per engine
using budget::Amount;

constexpr int kSeqBits = 40;
[[nodiscard]] constexpr std::int64_t row_id(EngineId engine, Seq seq) {
  return static_cast<std::int64_t>((engine << kSeqBits) | seq);
}

using budget::BudgetKey;

struct BudgetPart {
  BudgetKey key = {};
  Amount held = 0;                   // what the lease gives up, 0 when the budget is not leased
  Amount actual = 0;                 // signed in an adjustment
  std::optional<Amount> limit = {};  // pinned; empty = unlimited
  bool blocking = false, shadow = false, would_refuse = false;
  // What the plan includes: above it the usage is charged, at the price of the pins. Empty: nothing
  // is. Differs from `limit` where a cap on the overage blocks.
  std::optional<Amount> allowance = {};
  bool counted = false;  // in the memory of the engine that settled it; no meaning elsewhere
  friend bool operator==(const BudgetPart&, const BudgetPart&) = default;
};

struct Pins {                // fixed at the hold, travel with it
  Period::Span period = {};  // of the account's token counter
  std::int64_t subscription = 0, plan = 0, plan_version = 0;
  std::string plan_slug = {};
  BillingMode mode = BillingMode::plan;
  std::string price_version = {}, price_model = {};  // which row priced it
  std::string tenant_found_by = {};                  // "explicit", "ambient", "resolver:domain" ...
  std::string estimate_source = {};                  // "given", "learned", "first", "none"
  Amount estimate_tokens = 0, estimate_cost_nanos = 0;
  bool capped = false;
  std::uint64_t catalogue = 0;
  // What converted total_cost into the currencies of its budgets. Both amounts are stored: the
  // budget's is its `actual`.
  std::vector<currency::PinnedRate> rates = {};
  std::optional<billing::OveragePrice> overage = {};  // of the part that has an allowance
  std::optional<Instant> terms_at = {};  // when its terms were in force; empty: at occurred_at
  friend bool operator==(const Pins&, const Pins&) = default;
};

// Stored: bits keep their meaning for ever.
enum Flag : std::uint32_t {
  kEstimated = 1U << 0,
  kProvisional = 1U << 1,
  kDuplicate = 1U << 2,
  kAdjustment = 1U << 3,
  kLate = 1U << 4,
  kTotalOnly = 1U << 5,
  kHistory = 1U << 6,
  kWouldRefuse = 1U << 7,
  kCostFromCaller = 1U << 8,
  kCostFromProvider = 1U << 9,
  kCostFromConfiguration = 1U << 10,
  kUsageManual = 1U << 11,
  kDetach = 1U << 12,  // no usage row: moves `held` from the lease to a row of ai_holds
  // Paid for before it came here: counts in limits, takes no credits, is never overage.
  kBilledElsewhere = 1U << 13,
};

struct KeyRef {
  base::Key16 key = {};       // first 16 bytes of SHA-256(tenant, 0, kind, 0, key)
  std::uint64_t content = 0;  // digest of what the caller gave before the call
  friend bool operator==(const KeyRef&, const KeyRef&) = default;
};
[[nodiscard]] base::Key16 key_of(std::string_view tenant, std::string_view kind,
                                 std::string_view key);

struct Settlement {
  Seq seq = 0;
  std::uint64_t hold = 0;    // number of its hold in its engine, 0 = none
  EngineId hold_engine = 0;  // whose lease it gives up
  std::uint32_t epoch = 0;   // of that lease
  std::uint32_t flags = 0;
  Instant occurred_at = {};
  Account account = {};
  std::string user = {}, provider = {}, model = {}, feature = {}, api_key = {}, session = {};
  Pins pins = {};
  std::vector<BudgetPart> budgets = {};
  Usage usage = {};  // signed counts in an adjustment
  Money input_cost = {}, output_cost = {}, total_cost = {};
  std::optional<KeyRef> key = {};
  std::int64_t adjusts = 0;  // row id
  std::string meta = {};     // JSON object, or ""
  std::string token = {};    // of a detach and of a detached hold's settlement: 16 bytes
  Instant expires_at = {};   // of a detach
  friend bool operator==(const Settlement&, const Settlement&) = default;
};

// A hold that began; bytes of a begin frame. Without an end after a crash it is an orphan.
struct Begin {
  std::uint64_t hold = 0;
  std::uint32_t epoch = 0;
  Instant opened_at = {};
  Account account = {};
  std::string user = {}, provider = {}, model = {}, feature = {}, estimate_source = {};
  std::vector<BudgetPart> budgets = {};  // held only
  friend bool operator==(const Begin&, const Begin&) = default;
};

}  // namespace aimeter::store
