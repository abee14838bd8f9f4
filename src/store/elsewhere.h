// Package:       store
// Units:         none
// Errors:        none
// Thread safety: a constant.
// Ownership:     none.
//
// One more bit of a settlement's flags, beside those of Flag in settlement.h: usage that was paid
// for before it came here. It counts in limits, takes no credits and is never charged as overage.
#pragma once

#include "store/settlement.h"

namespace aimeter::store {

constexpr std::uint32_t kBilledElsewhere = 1U << 13;  // stored: keeps its meaning for ever
static_assert(kBilledElsewhere == std::uint32_t{kDetach} << 1U, "no other flag has this bit");

}  // namespace aimeter::store
