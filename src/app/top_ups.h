// Package:       app
// Units:         Instants of the engine's clock.
// Errors:        none: what fails is logged, and tried again when its claim is due.
// Thread safety: step() on its worker's thread.
// Ownership:     borrows ledger, store, clock and driver.
//
// Asks the billing driver for the top-ups of wallets that have fallen below their threshold. A
// claim in the store comes first, so that of all engines one asks at a time; its key names the
// payment, so that asking again after a crash or without an answer takes nothing twice.
#pragma once

#include "aimeter/billing.h"
#include "base/workers.h"
#include "ledger/ledger.h"

namespace aimeter::app {

class TopUpWatch final : public base::Worker {
 public:
  struct Deps {
    ledger::Ledger& ledger;
    store::Store& store;
    const Clock& clock;
    BillingDriver& driver;
  };
  explicit TopUpWatch(const Deps& deps) : deps_(deps), looked_at_(deps.clock.now()) {}
  bool step() override;

 private:
  void ask(const store::TopUpState& claim);
  [[nodiscard]] Meta ids_of(const Account& account);

  Deps deps_;
  Instant looked_at_;
};

}  // namespace aimeter::app
