// Package:       billing
// Units:         seconds since 1970 in the header; Durations.
// Errors:        unauthenticated naming what is wrong; failed_precondition without a secret. Never
//                the secret nor the expected signature.
// Thread safety: pure functions.
// Ownership:     borrows.
//
// The signature of a webhook: "t=SECONDS,v1=HEX", HMAC-SHA-256 over "SECONDS.BODY", several v1
// while a secret rotates. Source: docs.stripe.com/webhooks/signature, read 2026-11-24.
#pragma once

#include <string>
#include <string_view>

#include "aimeter/result.h"
#include "aimeter/time.h"

namespace aimeter::billing {

constexpr Duration kSignatureTolerance = std::chrono::seconds(300);
constexpr std::size_t kSignatureHeaderMax = 4'096;

struct SignedBody {
  std::string_view body = {}, header = {};
};
struct SignatureRule {
  std::string_view secret = {};
  Instant received_at = {};
  Duration tolerance = kSignatureTolerance;
};

// The signature is looked at before the age, in constant time over all that are given. One from
// the future is accepted: only its maker can have signed it, and clocks differ.
[[nodiscard]] Status verify_signature(const SignedBody& given, const SignatureRule& rule);
// The header of a body that is sent now. For tests and for replays.
[[nodiscard]] std::string signature_header(std::string_view body, std::string_view secret,
                                           Instant at);

}  // namespace aimeter::billing
