#include "store/settlement.h"

namespace aimeter::store {

base::Key16 key_of(std::string_view tenant, std::string_view kind, std::string_view key) {
  std::string text;
  text.reserve(tenant.size() + kind.size() + key.size() + 2);
  text.append(tenant).append(1, '\0').append(kind).append(1, '\0').append(key);
  return base::first16(base::sha256(text));
}

}  // namespace aimeter::store
