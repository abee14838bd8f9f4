// Package:       store
// Units:         as in follow.h.
// Errors:        as in follow.h; the state is untouched by an error.
// Thread safety: under MemoryStore's mutex.
// Ownership:     borrows the state.
//
// Events of the billing service in the memory store.
#pragma once

#include "store/memory_state.h"

namespace aimeter::store::memory {

[[nodiscard]] Result<Changed> apply(State& state, const ApplyBillingEvent& change);
[[nodiscard]] Result<Changed> put(State& state, const PutBillingIds& change);

}  // namespace aimeter::store::memory
