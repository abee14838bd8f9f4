// Package:       time
// Units:         wall time as Instant; boot time as a Duration since an arbitrary start.
// Errors:        none
// Thread safety: any thread may read and set.
// Ownership:     none.
//
// The clock of tests: it moves only when told, wall and boot time independently.
#pragma once

#include <atomic>

#include "aimeter/time.h"

namespace aimeter::time {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant wall, Duration boot = Duration(0))
      : wall_(wall.time_since_epoch().count()), boot_(boot.count()) {}

  [[nodiscard]] Instant now() const override { return Instant(Duration(wall_.load())); }
  [[nodiscard]] Duration boot() const override { return Duration(boot_.load()); }

  void set_wall(Instant wall) { wall_.store(wall.time_since_epoch().count()); }
  void set_boot(Duration boot) { boot_.store(boot.count()); }
  // Time passes: both move.
  void advance(Duration by) {
    wall_.fetch_add(by.count());
    boot_.fetch_add(by.count());
  }

 private:
  std::atomic<Duration::rep> wall_, boot_;
};

}  // namespace aimeter::time
