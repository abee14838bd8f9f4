// Package:       store
// Units:         as in batches.h.
// Errors:        as in batches.h; the state is untouched by an error.
// Thread safety: under MemoryStore's mutex.
// Ownership:     borrows the state.
//
// Overage batches in the memory store.
#pragma once

#include <set>
#include <utility>

#include "store/memory_state.h"

namespace aimeter::store::memory {

[[nodiscard]] Result<Changed> freeze(State& state, const FreezeOverages& change,
                                     const base::Key16& store, Instant now);
// Periods with overage that the next batch would charge.
[[nodiscard]] Result<std::set<std::pair<Account, Period::Span>>> unbilled_periods(
    const State& state);
[[nodiscard]] Result<Changed> put(State& state, const ClaimBatch& change, Instant now);
[[nodiscard]] Result<Changed> put(State& state, const EndBatch& change, Instant now);

}  // namespace aimeter::store::memory
