// Package:       cli
// Units:         money as decimal strings, times as RFC 3339
// Errors:        none
// Thread safety: pure functions.
// Ownership:     none.
//
// Records and limits as JSON objects and as words, the same in every command.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "aimeter/limit.h"
#include "aimeter/usage.h"
#include "aimeter/wallet.h"

namespace aimeter::cli {

[[nodiscard]] boost::json::object object_of(const UsageRecord& record);
[[nodiscard]] std::string flags_of(const UsageRecord& record);  // "estimated late"
[[nodiscard]] boost::json::object object_of(const LimitCheck& check);
[[nodiscard]] boost::json::object object_of(const Plan& plan);
[[nodiscard]] boost::json::object object_of(const Account& account,
                                            const CreditTransaction& transaction);
[[nodiscard]] boost::json::object object_of(const CreditLot& lot);
[[nodiscard]] boost::json::object object_of(const Account& account,
                                            const Subscription& subscription);

}  // namespace aimeter::cli
