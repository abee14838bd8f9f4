// Package:       app
// Units:         none
// Errors:        those of the store.
// Thread safety: any thread.
// Ownership:     borrow the store.
//
// The store behind the ports of the tenant resolvers.
#pragma once

#include "store/store.h"
#include "tenancy/resolve.h"

namespace aimeter::app {

class StoreDomains final : public tenancy::DomainLookup {
 public:
  explicit StoreDomains(const store::Store& store) : store_(store) {}
  [[nodiscard]] Result<std::optional<TenantId>> tenant_of_domain(
      std::string_view host) const override {
    return store_.tenant_of_domain(host);
  }

 private:
  const store::Store& store_;
};

class StoreApiKeys final : public tenancy::ApiKeyLookup {
 public:
  explicit StoreApiKeys(const store::Store& store) : store_(store) {}
  // A scope that this version does not know gives nothing.
  [[nodiscard]] Result<std::optional<tenancy::ApiKeyRecord>> find(
      std::string_view id) const override;

 private:
  const store::Store& store_;
};

}  // namespace aimeter::app
