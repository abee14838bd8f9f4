// Package:       app
// Units:         Instants of the engine's clock.
// Errors:        none: what cannot be done now is done at the next turn, and logged.
// Thread safety: step() on its worker's thread.
// Ownership:     borrows the core and the clock.
//
// Once a second what is due in subscriptions is done: changes that were to come, ends by time,
// renewals. When the catalogue has changed, else once a minute, limits that rose credit what they
// cover. Of several engines on one store each is done by one, and told by that one.
#pragma once

#include <cstdint>

#include "base/workers.h"
#include "meter/core.h"

namespace aimeter::app {

class Scheduler final : public base::Worker {
 public:
  Scheduler(meter::Core& core, const Clock& clock);
  bool step() override;

 private:
  meter::Core& core_;
  const Clock& clock_;
  [[nodiscard]] Status do_due();
  [[nodiscard]] Status move_allowances(Instant now);

  Instant looked_at_, moved_at_;
  std::uint64_t catalogue_ = 0;
};

}  // namespace aimeter::app
