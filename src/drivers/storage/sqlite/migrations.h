// Package:       drivers
// Units:         times in Instant by the store's clock.
// Errors:        failed_precondition (a newer file; an older one under Migrate::refuse), and the
//                connection's own.
// Thread safety: as the connection's.
// Ownership:     none.
//
// The schema as numbered scripts, forward only. Each runs in one transaction under the writer's
// lock together with its row of ai_migrations, so a file has a version or it has the one before.
#pragma once

#include <span>
#include <vector>

#include "drivers/storage/sqlite/connection.h"
#include "store/store.h"

namespace aimeter::drivers::sqlite {

extern const char* const kSchema1;  // schema_1.cpp
extern const char* const kSchema2;
extern const char* const kSchemaBilling;
extern const char* const kSchemaBatches;
extern const char* const kSchemaTopUps;
extern const char* const kSchemaRefunds;
extern const char* const kSchema4;

struct Script {
  int number = 0;
  const char* name = "";
  const char* sql = "";
};
// Number i + 1 at index i.
[[nodiscard]] std::span<const Script> scripts();

// The highest number in the file, 0 for an empty one.
[[nodiscard]] Result<int> version_of(Connection& connection);
// Requires: the writer's lock. Errors: failed_precondition naming both versions: nothing changed.
[[nodiscard]] Status migrate(Connection& connection, const store::StoreOptions& options,
                             const Clock& clock);
[[nodiscard]] Result<std::vector<store::Migration>> migrations_of(Connection& connection);

}  // namespace aimeter::drivers::sqlite
