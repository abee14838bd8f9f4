// Package:       app
// Units:         minor units of currencies.
// Errors:        those of the store: what was charged before stays charged and marked. What the
//                billing service says of one batch is in the report and stops nobody, but a key
//                that it does not accept.
// Thread safety: one thread; any number of syncs, in any processes, may run on one store.
// Ownership:     borrows store and driver.
//
// Takes what is above the plans' limits to the billing service: freeze, claim, charge, mark. Killed
// anywhere, the next run goes on; each batch is charged once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aimeter/billing.h"
#include "store/store.h"

namespace aimeter::app {

struct SyncOptions {
  std::optional<TenantId> tenant = {};
  std::size_t limit = 100;  // batches that are sent at most
  std::string sender = {};  // names this run: host, process, engine
  store::FreezeOverages::By by = store::FreezeOverages::By::money;
  enum class Ids { stored, looked_up } ids = Ids::looked_up;  // looked up where they are missing
  std::function<bool(std::int64_t done, std::int64_t total)> progress = {};  // false: stop
};
struct SyncFailure {
  std::int64_t batch = 0;
  Account account = {};
  Error error = {};
};
struct SyncReport {
  std::int64_t frozen = 0, charged = 0, waiting = 0;  // waiting: to be sent, beyond the limit
  std::map<std::string, std::int64_t> units = {};     // charged, by currency
  std::vector<SyncFailure> failures = {};
  bool interrupted = false;
};

[[nodiscard]] Result<SyncReport> sync_overages(store::Store& store, BillingDriver& driver,
                                               const SyncOptions& options);

// What a sync would freeze now, without freezing it: also what an invoice preview shows as open.
[[nodiscard]] Result<std::vector<store::BatchRow>> batches_to_come(
    const store::Store& store, const store::OverageFilter& filter, store::FreezeOverages::By by);

}  // namespace aimeter::app
