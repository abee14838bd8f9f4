// Package:       meter
// Units:         none
// Errors:        none
// Thread safety: pure functions.
// Ownership:     none.
//
// What makes two uses of one idempotency key the same call: a digest of what the caller gave
// before the call, without estimates and without what the answer says. Length-prefixed, so that
// names cannot run together. Stored: the order and form of the parts never change.
#pragma once

#include <cstdint>

#include "aimeter/call.h"
#include "store/settlement.h"

namespace aimeter::meter {

constexpr std::string_view kKeyKind = "usage";

[[nodiscard]] store::KeyRef key_of_call(const Call& call, const Account& account);
[[nodiscard]] store::KeyRef key_of_record(const UsageRecord& record, const Account& account);

}  // namespace aimeter::meter
