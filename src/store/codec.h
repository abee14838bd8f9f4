// Package:       store
// Units:         bytes, little-endian, varints (LEB128, zigzag for signed).
// Errors:        corrupt for bytes that are no such value (never throws, never reads beyond).
// Thread safety: pure functions.
// Ownership:     none.
//
// The byte form of settlements and begins, as the journal carries it. settle and detach begin with
// seq u64.
#pragma once

#include <string>
#include <string_view>

#include "store/settlement.h"

namespace aimeter::store {

[[nodiscard]] std::string encode(const Settlement& settlement);
[[nodiscard]] Result<Settlement> decode_settlement(std::string_view bytes);
[[nodiscard]] std::string encode(const Begin& begin);
[[nodiscard]] Result<Begin> decode_begin(std::string_view bytes);
// An upper bound of encode(settlement).size() for a call whose names and meta are these; usage,
// costs and counts may still grow to their largest values. What a hold reserves.
[[nodiscard]] std::size_t encoded_bytes_max(const Settlement& settlement);

}  // namespace aimeter::store
