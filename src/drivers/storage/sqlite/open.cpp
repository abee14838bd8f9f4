#include "drivers/builtin.h"
#include "drivers/storage/sqlite/sqlite_store.h"

namespace aimeter::drivers {

Result<std::unique_ptr<store::Store>> open_store_sqlite(std::string_view rest,
                                                        const store::StoreOptions& options) {
  return sqlite::SqliteStore::open(std::string(rest), options);
}

}  // namespace aimeter::drivers
