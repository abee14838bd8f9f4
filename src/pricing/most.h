// Package:       pricing
// Units:         tokens, in and out together
// Errors:        none: nothing when it is not known.
// Thread safety: pure function.
// Ownership:     borrows the book.
//
// The most that one call of a model can use, as its book says: a bound for a guess. It reads the
// whole provider, some microseconds, so it is not for every call.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "aimeter/pricing.h"

namespace aimeter::pricing {

[[nodiscard]] std::optional<std::int64_t> max_tokens(const PriceBook& book,
                                                     std::string_view provider,
                                                     std::string_view model);

}  // namespace aimeter::pricing
