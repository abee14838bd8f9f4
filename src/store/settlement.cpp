#include "store/settlement.h"

namespace aimeter::store {

base::Key16 key_of(std::string_view tenant, std::string_view kind, std::string_view key) {
  std::string bytes;
  bytes.reserve(tenant.size() + kind.size() + key.size() + 2);
  bytes.append(tenant).push_back('\0');
  bytes.append(kind).push_back('\0');
  bytes.append(key);
  return base::first16(base::sha256(bytes));
}

}  // namespace aimeter::store
