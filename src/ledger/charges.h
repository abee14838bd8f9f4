// Package:       ledger
// Units:         as in store/settlement.h
// Errors:        none.
// Thread safety: pure functions.
// Ownership:     none.
//
// What is charged above a plan's limit is pinned with the hold: the allowance of the one budget
// that charges, and its price.
#pragma once

#include "plans/limits.h"
#include "store/settlement.h"

namespace aimeter::ledger {

// By the terms that the settlement's budgets come from. At most one budget charges.
void pin_charge(store::Settlement& settlement, const plans::EffectiveLimits& limits);
// For a record: terms that are in force `now` count as pinned now; those of a period that is over
// as of no catalogue, so that they move nothing that later ones have moved.
void pin_terms_at(store::Settlement& settlement, const plans::EffectiveLimits& limits, Instant now);

}  // namespace aimeter::ledger
