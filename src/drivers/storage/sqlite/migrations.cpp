#include "drivers/storage/sqlite/migrations.h"

#include <fmt/format.h>

#include "base/fault.h"
#include "drivers/storage/sqlite/transaction.h"

namespace aimeter::drivers::sqlite {

namespace {

constexpr const char* kMigrationsTable =
    "CREATE TABLE IF NOT EXISTS ai_migrations(number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " applied_at INTEGER NOT NULL) STRICT";

Status run_one(Connection& connection, const Script& script, Instant now) {
  AIMETER_TRY(Transaction transaction, Transaction::begin(connection, store::Sync::full));
  AIMETER_CHECK_OK(run(connection, kMigrationsTable));
  AIMETER_CHECK_OK(connection.run_script(script.sql));
  AIMETER_CHECK_OK(run(connection, "INSERT INTO ai_migrations VALUES(?1, ?2, ?3)", script.number,
                       std::string_view(script.name), now.time_since_epoch().count()));
  AIMETER_FAULT_POINT("store.before_migration");
  AIMETER_CHECK_OK(transaction.commit());
  AIMETER_FAULT_POINT("store.after_migration");
  return {};
}

}  // namespace

std::span<const Script> scripts() {
  static const Script kScripts[] = {{1, "first schema", kSchema1},
                                    {2, "wallets", kSchema2},
                                    {3, "events of billing services", kSchemaBilling},
                                    {4, "overages", kSchema4},
                                    {5, "overage batches", kSchemaBatches},
                                    {6, "top-ups by themselves", kSchemaTopUps},
                                    {7, "refunds of a usage", kSchemaRefunds}};
  return kScripts;
}

Result<int> version_of(Connection& connection) {
  AIMETER_TRY(const auto there,
              find_integer(connection,
                           "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = "
                           "'ai_migrations'"));
  if (!there) return 0;
  // The table and its first row are made together: nothing or a gap is damage, no older version.
  AIMETER_TRY(const auto number,
              find_integer(connection,
                           "SELECT max(number) FROM ai_migrations HAVING count(*) = max(number) "
                           "AND min(number) = 1"));
  if (!number) {
    return fail(Code::corrupt, connection.path() + ": is damaged (ai_migrations has a gap)");
  }
  return static_cast<int>(*number);
}

Status migrate(Connection& connection, const store::StoreOptions& options, const Clock& clock) {
  AIMETER_TRY(const int version, version_of(connection));
  const int ours = static_cast<int>(scripts().size());
  if (version > ours) {
    return fail(Code::failed_precondition,
                fmt::format("{}: is of schema version {}, newer than this program's {}; use a "
                            "newer aimeter",
                            connection.path(), version, ours));
  }
  if (version == ours) return {};
  if (options.migrate == store::StoreOptions::Migrate::refuse) {
    return fail(Code::failed_precondition,
                fmt::format("{}: is of schema version {}, this program needs {}; run `aimeter "
                            "migrate`",
                            connection.path(), version, ours));
  }
  for (const Script& script : scripts().subspan(static_cast<std::size_t>(version))) {
    AIMETER_CHECK_OK(run_one(connection, script, clock.now()));
  }
  return {};
}

Result<std::vector<store::Migration>> migrations_of(Connection& connection) {
  std::vector<store::Migration> all;
  for (const Script& script : scripts()) all.push_back({script.number, script.name, {}});
  Query query(connection, "SELECT number, applied_at FROM ai_migrations ORDER BY number");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return all;
    const auto number = static_cast<std::size_t>(query.integer(0));
    if (number - 1 < all.size()) all[number - 1].applied_at = Instant(Duration(query.integer(1)));
  }
}

}  // namespace aimeter::drivers::sqlite
