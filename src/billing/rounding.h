// Package:       billing
// Units:         sums in nano-units (128 bits), batches in minor units of the currency.
// Errors:        invalid_argument (out of the range of int64).
// Thread safety: pure functions.
// Ownership:     none.
//
// What is sent is rounded as a whole, never line by line: after any number of batches the batches
// of a cell (account, period, currency) together are the rounded sum of its lines.
#pragma once

#include <cstdint>
#include <string_view>

#include "aimeter/billing.h"
#include "aimeter/decimal.h"

namespace aimeter::billing {

// round(all lines), half-even, in minor units.
[[nodiscard]] Result<std::int64_t> rounded_units(Int128 lines_nanos, std::string_view currency);
// round(all lines) - (all batches before): what the next batch of the cell asks for. It may be 0
// (nothing to send) or negative (a credit). The invoice preview and the sync both call this.
[[nodiscard]] Result<std::int64_t> next_batch_units(Int128 all_lines_nanos,
                                                    std::int64_t batched_units,
                                                    std::string_view currency);

}  // namespace aimeter::billing
