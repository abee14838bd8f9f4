// Package:       store
// Units:         bytes, little-endian, varints (LEB128, zigzag for signed).
// Errors:        corrupt for bytes that are no such value (never throws, never reads beyond).
// Thread safety: pure functions.
// Ownership:     none.
//
// The byte form of settlements and begins, as the journal carries it. A settlement begins with its
// seq, u64, then a version byte; a begin with the version byte. A value has exactly one byte form.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "store/settlement.h"

namespace aimeter::store {

// Bytes of a newer version are refused with corrupt, naming both versions. A value is written in
// the lowest version that can say it. 2: what is charged as overage.
constexpr std::uint8_t kCodecVersion = 2;

[[nodiscard]] std::string encode(const Settlement& settlement);
[[nodiscard]] Result<Settlement> decode_settlement(std::string_view bytes);
[[nodiscard]] std::string encode(const Begin& begin);
[[nodiscard]] Result<Begin> decode_begin(std::string_view bytes);

// An upper bound of encode(settlement).size() for a call whose names, pins and meta are these;
// usage, costs and counts may still grow to their largest values. What a hold reserves. What the
// answer may bring along is bounded too: so many units, names and tiers of so many bytes.
constexpr std::size_t kUnitsReserved = 8;
constexpr std::size_t kUnitNameBytesReserved = 24;
constexpr std::size_t kServiceTierBytesReserved = 32;
constexpr std::size_t kCurrencyBytesReserved = 8;
[[nodiscard]] std::size_t encoded_bytes_max(const Settlement& settlement);
// The same with `budgets` in place of the settlement's own.
[[nodiscard]] std::size_t encoded_bytes_max(const Settlement& settlement,
                                            std::span<const BudgetPart> budgets);

}  // namespace aimeter::store
