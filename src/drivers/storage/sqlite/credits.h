// Package:       drivers
// Units:         as in store/credits.h.
// Errors:        as in store/credits.h: the caller rolls back.
// Thread safety: as the lane's and the connection's.
// Ownership:     values are returned by value.
//
// What changes wallets beside settlements, and what reads them.
#pragma once

#include "drivers/storage/sqlite/lane.h"
#include "store/store.h"

namespace aimeter::drivers::sqlite {

[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::AddCredits& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::DeductCredits& change,
                                         Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::RefundCredits& change,
                                         Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::ExpireCredits& change,
                                         Instant now);
// top_ups.cpp
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutAutoTopUp& change,
                                         Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::BeginTopUps& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::EndTopUp& change, Instant now);

// The currency of an account's wallet, "" when there is none.
[[nodiscard]] Result<std::string> wallet_currency_of(Connection& connection,
                                                     const Account& account);

}  // namespace aimeter::drivers::sqlite
