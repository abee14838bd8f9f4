#include "app/lookups.h"

namespace aimeter::app {

Result<std::optional<tenancy::ApiKeyRecord>> StoreApiKeys::find(std::string_view id) const {
  AIMETER_TRY(const std::optional<store::ApiKeyRow> row, store_.find_api_key(id));
  if (!row) return std::optional<tenancy::ApiKeyRecord>();
  tenancy::ApiKeyRecord record{.id = row->id,
                               .tenant = TenantId{row->tenant},
                               .secret_sha256 = row->secret_sha256,
                               .expires_at = row->expires_at,
                               .revoked_at = row->revoked_at};
  for (const std::string& name : row->scopes) {
    if (const auto scope = tenancy::parse_api_scope("scope", name)) record.scopes.push_back(*scope);
  }
  return std::optional(std::move(record));
}

}  // namespace aimeter::app
