// Package:       ledger
// Units:         bytes
// Errors:        corrupt for bytes that are no such value.
// Thread safety: pure functions.
// Ownership:     none.
//
// The byte form of what only the ledger writes: a release frame is hold u64, little-endian, and its
// reason in UTF-8 (at most kReasonBytesMax).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aimeter/result.h"

namespace aimeter::ledger {

constexpr std::size_t kReasonBytesMax = 200;

struct Release {
  std::uint64_t hold = 0;
  std::string reason = {};
};
[[nodiscard]] std::string encode_release(const Release& release);
[[nodiscard]] Result<Release> decode_release(std::string_view bytes);

}  // namespace aimeter::ledger
