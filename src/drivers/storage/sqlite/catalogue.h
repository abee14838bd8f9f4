// Package:       drivers
// Units:         as in store/store.h.
// Errors:        invalid_argument, not_found, conflict, failed_precondition: the caller rolls back.
// Thread safety: as the lane's and the connection's.
// Ownership:     values are returned by value.
//
// Plans as versions, contracts, tenants, domains, keys and price books. A slug is unique in its
// tenant and looked up there first, then in "".
#pragma once

#include <optional>
#include <string_view>

#include "drivers/storage/sqlite/lane.h"
#include "plans/limits.h"
#include "store/store.h"

namespace aimeter::drivers::sqlite {

[[nodiscard]] Result<std::optional<Plan>> find_plan_in(Connection& connection,
                                                       std::string_view tenant,
                                                       std::string_view slug);
[[nodiscard]] Result<plans::Contract> contract_of(Connection& connection, const Account& account);
[[nodiscard]] Result<std::vector<Plan>> plans_in(Connection& connection,
                                                 const std::optional<TenantId>& tenant);
template <class T>
using Owned = std::pair<Account, T>;
[[nodiscard]] Result<std::vector<Owned<Subscription>>> subscriptions_in(
    Connection& connection, const std::optional<TenantId>& tenant);
[[nodiscard]] Result<std::vector<Owned<UsageLimitOverride>>> overrides_in(
    Connection& connection, const std::optional<TenantId>& tenant);
[[nodiscard]] Result<std::vector<store::ApiKeyRow>> api_keys_in(Connection& connection,
                                                                std::optional<std::string> tenant,
                                                                std::optional<std::string> id);

// One change of the catalogue or of what it stands on, inside the lane's transaction.
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutPlan& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::DeletePlan& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutSubscription& change,
                                         Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutOverride& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::MoveAllowance& change,
                                         Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::FreezeOverages& change,
                                         Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::ClaimBatch& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::EndBatch& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::ApplyBillingEvent& change,
                                         Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutBillingIds& change,
                                         Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutTenant& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutDomain& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutApiKey& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::RevokeApiKey& change,
                                         Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutPrices& change, Instant now);

}  // namespace aimeter::drivers::sqlite
