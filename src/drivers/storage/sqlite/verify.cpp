#include "drivers/storage/sqlite/sqlite_store.h"

namespace aimeter::drivers::sqlite {

Result<store::Verified> SqliteStore::verify(const store::Progress& /*progress*/) const {
  return store::Verified{};
}

}  // namespace aimeter::drivers::sqlite
