// Package:       ledger
// Units:         bytes; at most kHoldTokenBytesMax characters.
// Errors:        parse_hold_token: invalid_argument (not the form of a token), without its text.
// Thread safety: pure functions.
// Ownership:     values.
//
// The token of a detached hold: everything that its settlement needs, signed, so that any engine of
// the store settles it. Text: "ah1_" and base64url of
//   key number u32 | settlement in the codec of store/codec.h | HMAC-SHA-256 of all before it
// Little-endian. Whoever has the token may settle or release its hold.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "store/store.h"

namespace aimeter::ledger {

constexpr std::string_view kHoldTokenPrefix = "ah1_";
constexpr std::size_t kHoldTokenBytesMax = 64U << 10;  // metadata (16 KiB) is in it
constexpr std::size_t kHoldIdBytes = 16;

// What a detached hold will settle as if nothing becomes known of its answer: account, names, pins,
// budgets with what each holds, key, meta; usage and total_cost are what it holds; `token`,
// `hold`, `hold_engine`, `epoch` name it; `expires_at` is when it ends by itself.
using HoldClaim = store::Settlement;

struct ParsedHoldToken {
  std::uint32_t key = 0;  // number of the key that signed it
  std::string body = {};  // what was signed
  base::Digest signature = {};
  HoldClaim claim = {};
};

[[nodiscard]] std::string make_hold_token(const HoldClaim& claim, const store::HoldKey& key);
// The form alone: whatever it says is not to be believed.
[[nodiscard]] Result<ParsedHoldToken> parse_hold_token(std::string_view text);
enum class Signature : std::uint8_t { good, wrong, unknown_key };
[[nodiscard]] Signature check_signature(const ParsedHoldToken& token,
                                        std::span<const store::HoldKey> keys);

}  // namespace aimeter::ledger
