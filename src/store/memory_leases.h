// Package:       store
// Units:         amounts as in settlement.h; times in Instant.
// Errors:        failed_precondition, not_found, invalid_argument: nothing changed.
// Thread safety: none: MemoryStore's mutex guards the state.
// Ownership:     none.
//
// Engines and what they may hold from: leases grow only under the limit, and go back when their
// engine says so, closes, or was silent.
#pragma once

#include <span>
#include <vector>

#include "store/memory_state.h"

namespace aimeter::store::memory {

[[nodiscard]] Result<EngineRef> open_engine(State& state, const EngineCard& card, Instant now);
[[nodiscard]] Result<std::vector<LeaseGrant>> lease(State& state, EngineRef engine,
                                                    std::span<const LeaseAsk> asks, Instant now);
[[nodiscard]] Result<Pulse> renew(State& state, EngineRef engine, std::span<const HeldReport> held,
                                  Instant now);
[[nodiscard]] Status give_back(State& state, EngineRef engine, std::span<const LeaseBack> parts);
[[nodiscard]] Status close_engine(State& state, EngineId engine, Instant now);
[[nodiscard]] std::vector<Lessee> lessees(const State& state);
[[nodiscard]] int take_back(State& state, std::span<const Lessee> silent);

}  // namespace aimeter::store::memory
