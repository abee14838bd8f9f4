// Package:       app
// Units:         Instants of the engine's clock.
// Errors:        none: what cannot be read is read at the next turn.
// Thread safety: step() on its worker's thread.
// Ownership:     borrows store, clock and bus.
//
// Says once per engine when a subscription ends by time alone. Reads all subscriptions again only
// when the catalogue changed.
#pragma once

#include <utility>
#include <vector>

#include "aimeter/events.h"
#include "base/workers.h"
#include "store/store.h"

namespace aimeter::app {

class ExpiryWatch final : public base::Worker {
 public:
  ExpiryWatch(const store::Store& store, const Clock& clock, const Events& events);
  bool step() override;

 private:
  void read_again();

  const store::Store& store_;
  const Clock& clock_;
  const Events& events_;
  Instant looked_at_;
  std::uint64_t catalogue_ = 0;
  bool read_ = false;
  std::vector<std::pair<Account, Subscription>> ending_;  // will end, or have not been told
};

}  // namespace aimeter::app
