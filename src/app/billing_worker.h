// Package:       app
// Units:         Durations of the engine's clock.
// Errors:        none: what fails is logged and tried again, later each time.
// Thread safety: step() on its worker's thread.
// Ownership:     borrows store, driver and clock.
//
// billing.overage_sync_strategy = immediate: what is above a limit goes to the billing service
// within a second, never inside the call.
#pragma once

#include <string>

#include "aimeter/billing.h"
#include "base/workers.h"
#include "store/store.h"

namespace aimeter::app {

class BillingWorker final : public base::Worker {
 public:
  struct Deps {
    store::Store& store;
    BillingDriver& driver;
    const Clock& clock;
  };
  BillingWorker(const Deps& deps, std::string sender, store::FreezeOverages::By by);
  bool step() override;

 private:
  [[nodiscard]] Result<bool> has_work() const;
  void wait_longer();

  const Deps deps_;
  const std::string sender_;
  const store::FreezeOverages::By by_;
  Instant not_before_ = {};
  Duration pause_ = {};
};

}  // namespace aimeter::app
