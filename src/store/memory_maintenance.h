// Package:       store
// Units:         times in Instant by the store's clock; limits in rows.
// Errors:        invalid_argument, not_found, failed_precondition: nothing changed.
// Thread safety: none: MemoryStore's mutex guards the state.
// Ownership:     none.
//
// Changes that are no catalogue: orphans, detached holds that end, erasing of people, pruning of
// whole periods under a seal. And verify, which counts everything again.
#pragma once

#include "store/memory_state.h"

namespace aimeter::store::memory {

[[nodiscard]] Result<Changed> put(State& state, const PutOrphans& change);
[[nodiscard]] Result<Changed> drop(State& state, const DropOrphan& change);
[[nodiscard]] Result<Changed> release(State& state, const ReleaseHold& change);
[[nodiscard]] Changed expire(State& state, const ExpireHolds& change, Instant now);
[[nodiscard]] Changed rotate(State& state, const RotateHoldKeys& change, Instant now);
[[nodiscard]] Result<Changed> erase(State& state, const Erase& change);
[[nodiscard]] Result<Changed> prune(State& state, const Prune& change);
[[nodiscard]] Result<Verified> verify(const State& state, const Progress& progress);

}  // namespace aimeter::store::memory
