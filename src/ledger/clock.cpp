// Three clocks: wall time (this machine's), the store's, and boot time, which only goes on. Wall
// time decides periods and is the store's; leases end by boot time. A clock that is off, or one
// that has stepped, grants nothing.
#include <fmt/format.h>

#include "ledger/engine_ledger.h"

namespace aimeter::ledger {

EngineLedger::ClockReading EngineLedger::read_clock() const {
  return {deps_.clock.now(), deps_.clock.boot()};
}

void EngineLedger::watch_clock(const ClockReading& before, Instant store_now) {
  const ClockReading after = read_clock();
  const Duration skew = options_.max_clock_skew;
  const bool off = store_now < before.wall - skew || store_now > after.wall + skew;
  const Offset offset{.least = store_now.time_since_epoch() - after.boot,
                      .most = store_now.time_since_epoch() - before.boot};
  const bool stepped = store_offset_ && (offset.least > store_offset_->most + skew ||
                                         offset.most < store_offset_->least - skew);
  store_offset_ = offset;
  if (stepped) {
    stepped_until_ = settled_from_ = after.boot + options_.lease_ttl;
  }
  wall_offset_us_.store((after.wall.time_since_epoch() - after.boot).count(),
                        std::memory_order_relaxed);
  const bool waits = after.boot < stepped_until_;
  clock_.store(off     ? ClockState::off
               : waits ? ClockState::stepped
                       : ClockState::good,
               std::memory_order_relaxed);
}

Status EngineLedger::clock_is_good() const {
  switch (clock_.load(std::memory_order_relaxed)) {
    case ClockState::good:
      return {};
    case ClockState::off:
      return fail(Code::unavailable,
                  "this machine's clock is off the store's by more than max_clock_skew");
    case ClockState::stepped:
      return fail(Code::unavailable,
                  "the clock has stepped by more than max_clock_skew; nothing is granted for "
                  "lease_ttl, until it is known that it stays");
  }
  return {};
}

bool EngineLedger::is_ahead(Instant at, Duration boot) const {
  const Duration expected = boot + Duration(wall_offset_us_.load(std::memory_order_relaxed));
  return at.time_since_epoch() - expected > options_.max_clock_skew;
}

bool EngineLedger::clock_has_moved() const {
  const ClockReading now = read_clock();
  const Duration expected = now.boot + Duration(wall_offset_us_.load(std::memory_order_relaxed));
  const Duration moved = now.wall.time_since_epoch() - expected;
  return moved > options_.max_clock_skew || -moved > options_.max_clock_skew;
}

}  // namespace aimeter::ledger
