// Package:       app
// Units:         none
// Errors:        open: see aimeter/engine.h.
// Thread safety: built and destroyed by one thread; in between everything is shared.
// Ownership:     owns every object of one engine, in the order of their lives: what is below is
//                destroyed first.
//
// The only place that builds and owns objects.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "aimeter/engine.h"
#include "app/billing_worker.h"
#include "app/lookups.h"
#include "app/refusal_log.h"
#include "app/scheduler.h"
#include "app/top_ups.h"
#include "base/files.h"
#include "base/mutex.h"
#include "base/workers.h"
#include "ledger/ledger.h"
#include "meter/core.h"
#include "store/store.h"
#include "tenancy/resolve.h"

namespace aimeter::app {

class House {
 public:
  // Every option is checked before anything is opened.
  [[nodiscard]] static Result<std::shared_ptr<MeterCore>> build(std::string_view dsn,
                                                                OpenOptions options);
  ~House();
  House(const House&) = delete;
  House& operator=(const House&) = delete;

 private:
  House(std::string_view dsn, OpenOptions options);
  [[nodiscard]] Status open_store();
  [[nodiscard]] Status build_tenancy();
  [[nodiscard]] Status build_prices();
  [[nodiscard]] Status build_answers();
  [[nodiscard]] Status build_billing();
  [[nodiscard]] Status open_ledger();
  [[nodiscard]] Status build_core();
  void start_charging();
  [[nodiscard]] Result<std::shared_ptr<const Prices>> read_prices() const;
  void reload_prices();

  std::string dsn_;
  OpenOptions options_;
  const Clock& clock_;
  Events events_;
  std::unique_ptr<base::Workers> own_workers_;
  base::Workers* workers_ = nullptr;
  std::unique_ptr<store::Store> own_store_;
  store::Store* store_ = nullptr;
  std::optional<StoreDomains> domains_;
  std::optional<StoreApiKeys> api_keys_;
  std::unique_ptr<tenancy::Tenancy> tenancy_;
  std::optional<meter::PriceShelf> prices_;
  base::Mutex prices_mutex_;
  std::vector<std::string> price_versions_ AIMETER_GUARDED_BY(prices_mutex_);
  std::optional<meter::Answers> answers_;
  std::unique_ptr<BillingDriver> billing_;
  std::optional<meter::Facts> facts_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::optional<meter::Core> core_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<TopUpWatch> top_ups_;
  std::unique_ptr<BillingWorker> charging_;  // of the strategy immediate
  std::unique_ptr<RefusalLog> refusals_;
};

}  // namespace aimeter::app
