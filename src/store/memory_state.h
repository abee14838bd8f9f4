// Package:       store
// Units:         amounts as in settlement.h; times in Instant by the store's clock.
// Errors:        none: plain data.
// Thread safety: none: MemoryStore's mutex guards all of it.
// Ownership:     MemoryStore owns its state.
//
// Everything that the memory store knows. What the tables of a driver hold, in the plainest form.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "store/bound.h"
#include "store/record.h"
#include "store/store.h"
#include "wallet/purse.h"

namespace aimeter::store::memory {

struct Budget {
  BudgetState state = {};
  std::uint8_t told = 0;
};

struct LeaseKey {
  BudgetKey budget = {};
  EngineId engine = 0;
  auto operator<=>(const LeaseKey&) const = default;
};
struct Lease {
  std::uint32_t epoch = 1;
  Amount leased = 0, held = 0;  // held: as last reported
  bool recall = false;
};

struct DetachedHold {
  Account account = {};
  Instant expires_at = {};
  std::vector<LeaseBack> parts = {};  // what it keeps of each budget's `leased`
};

// What adjustments have left of a usage; in the order of its budgets.
struct Left {
  std::vector<Amount> parts = {};
  Amount input_tokens = 0, cached_input_tokens = 0, output_tokens = 0, total_tokens = 0;
  Amount cost_nanos = 0;
};
struct Row {
  Settlement settlement = {};
  Left left = {};
};

struct Dead {
  DeadSettlement dead = {};
  EngineId engine = 0;
  std::vector<LeaseBack> counted = {};  // what it added to `used`
};

struct Seal {  // of the pruned rows of one budget
  Amount sum = 0;
  std::int64_t rows = 0, last_row = 0;
};

struct Wallet {
  wallet::Purse purse = {};
  std::int64_t transactions = 0;
};
struct TopUp {
  AutoTopUp rule = {};
  std::string key = {};
  Amount claimed = 0;
  Instant claimed_at = {};
  Instant not_before = {};
  std::int64_t declined = 0;
};
struct CreditRow {
  BudgetKey wallet = {};
  CreditTransaction transaction = {};
};

using RollupKey = std::tuple<Account, std::string, std::string, std::string, std::string, Instant>;
[[nodiscard]] inline RollupKey key_of(const RollupRow& cell) {
  return {cell.account, cell.provider, cell.model, cell.feature, cell.currency, cell.bucket};
}

template <class T>
struct Owned {
  Account account = {};
  T value = {};
};

struct Catalogue {
  std::uint64_t version = 1;
  std::int64_t last_id = 0;                              // of plans, subscriptions, overrides
  std::map<std::int64_t, std::vector<Plan>> plans = {};  // all versions, the one in force last
  std::map<std::int64_t, std::vector<plans::DatedPrice>> prices = {};  // of each version
  std::map<std::int64_t, Owned<Subscription>> subscriptions = {};
  std::map<std::int64_t, Owned<UsageLimitOverride>> overrides = {};
  std::set<TenantId> tenants = {};
  std::map<std::string, TenantId> domains = {};
  std::map<std::string, ApiKeyRow> api_keys = {};
  std::map<std::string, PriceBookRow> price_books = {};
};

struct State {
  std::map<EngineId, EngineState> engines = {};
  std::map<BudgetKey, Budget> budgets = {};
  std::map<LeaseKey, Lease> leases = {};
  std::map<base::Key16, DetachedHold> holds = {};
  std::vector<HoldKey> hold_keys = {};       // newest first
  std::map<base::Key16, KeySeen> keys = {};  // of calls, and (kind "hold") of ended detached holds
  std::map<std::int64_t, Row> rows = {};
  std::map<std::int64_t, Dead> dead = {};
  std::map<RollupKey, RollupRow> rollups = {};
  std::map<BudgetKey, Seal> seals = {};
  std::map<RollupKey, RollupRow> sealed = {};  // cells of pruned rows
  std::map<std::pair<EngineId, std::uint64_t>, Orphan> orphans = {};
  std::map<BudgetKey, Wallet> wallets = {};
  std::map<std::int64_t, CreditRow> credits = {};  // by id
  std::map<base::Key16, KeySeen> credit_keys = {};
  std::map<BudgetKey, TopUp> top_ups = {};  // by wallet
  std::int64_t last_credit = 0, last_lot = 0;
  std::map<std::int64_t, BatchRow> batches = {};
  std::set<std::string> billing_events = {};                             // that were applied
  std::map<std::string, billing::SubscriptionFacts> billing_facts = {};  // by the service's id
  std::map<std::int64_t, OverageLine> overages = {};
  std::map<BudgetKey, std::set<std::int64_t>> open_overages = {};  // of which something remains
  std::vector<AuditRow> audit = {};
  Catalogue catalogue = {};
};

[[nodiscard]] inline Budget& budget_at(State& state, const BudgetKey& key) {
  Budget& budget = state.budgets[key];
  budget.state.key = key;
  return budget;
}

}  // namespace aimeter::store::memory
