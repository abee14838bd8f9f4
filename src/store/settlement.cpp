#include "store/store.h"

#include <algorithm>

namespace aimeter::store {

base::Key16 key_of(std::string_view tenant, std::string_view kind, std::string_view key) {
  std::string text;
  text.reserve(tenant.size() + kind.size() + key.size() + 2);
  text.append(tenant).append(1, '\0').append(kind).append(1, '\0').append(key);
  return base::first16(base::sha256(text));
}

HoldKey new_hold_key(std::uint32_t number, Instant made_at) {
  HoldKey key{.number = number, .made_at = made_at};
  std::ranges::copy(base::random_bytes(key.secret.size()), key.secret.begin());
  return key;
}

base::Key16 hold_key_of(const TenantId& tenant, std::string_view token) {
  return key_of(tenant.text, "hold", token);
}

}  // namespace aimeter::store
