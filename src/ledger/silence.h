// Package:       ledger
// Units:         microseconds of boot time
// Errors:        none
// Thread safety: one thread (control).
// Ownership:     owns what it remembers.
//
// Who has not renewed for too long. Wall clocks step, so the length of a silence is no difference
// of wall times: it is what this engine has seen pass on its own boot clock since `renewed_at` of
// the other last changed. Nobody is silent who was not watched that long.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "store/store.h"

namespace aimeter::ledger {

class Silence {
 public:
  explicit Silence(Duration longest) : longest_(longest) {}

  struct Look {  // boot time, before and after the store was asked
    Duration asked = {}, heard = {};
  };
  // Of all lessees there are: those that have been as they are for `longest`.
  [[nodiscard]] std::vector<store::Lessee> look(std::span<const store::Lessee> lessees, Look at);

 private:
  struct Seen {
    Instant renewed_at = {};
    Duration since = {};
  };
  const Duration longest_;
  std::map<store::EngineId, Seen> seen_;
};

}  // namespace aimeter::ledger
