// Package:       store
// Units:         times in Instant by the store's clock.
// Errors:        invalid_argument, not_found, conflict, failed_precondition: nothing changed.
// Thread safety: none: MemoryStore's mutex guards the catalogue.
// Ownership:     values are returned by value.
//
// Plans as versions, contracts, tenants, domains, keys and price books. A slug is unique in its
// tenant and looked up there first, then in "".
#pragma once

#include <optional>
#include <string_view>

#include "plans/limits.h"
#include "store/memory_state.h"

namespace aimeter::store::memory {

[[nodiscard]] std::optional<Plan> find_plan(const Catalogue& catalogue, std::string_view tenant,
                                            std::string_view slug);
[[nodiscard]] plans::Contract contract_of(const Catalogue& catalogue, const Account& account);

[[nodiscard]] Result<Changed> put(Catalogue& catalogue, const PutPlan& change, Instant now);
[[nodiscard]] Result<Changed> put(Catalogue& catalogue, const DeletePlan& change);
[[nodiscard]] Result<Changed> put(Catalogue& catalogue, const PutSubscription& change);
[[nodiscard]] Result<Changed> put(Catalogue& catalogue, const PutOverride& change);
[[nodiscard]] Result<Changed> put(Catalogue& catalogue, const PutTenant& change);
[[nodiscard]] Result<Changed> put(Catalogue& catalogue, const PutDomain& change);
[[nodiscard]] Result<Changed> put(Catalogue& catalogue, const PutApiKey& change);
[[nodiscard]] Result<Changed> revoke(Catalogue& catalogue, const RevokeApiKey& change, Instant now);
[[nodiscard]] Result<Changed> put(Catalogue& catalogue, const PutPrices& change);

}  // namespace aimeter::store::memory
