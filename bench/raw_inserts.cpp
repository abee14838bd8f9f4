#include "bench/raw_inserts.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "bench/scenario.h"
#include "drivers/builtin.h"

namespace aimeter::bench {
namespace {

constexpr std::int64_t kPatternsMax = 20'000;
// As the store's: drivers/storage/sqlite.
constexpr int kLogPagesMax = 16'384;
constexpr const char* kPragmas =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536; PRAGMA mmap_size = 1073741824;";
constexpr const char* kByAccount =
    "INSERT INTO ai_usages_by_account(tenant, account, occurred_at, id) VALUES(?1, ?2, ?3, ?4)";
constexpr const char* kKey =
    "INSERT INTO ai_keys_seen_1(key, ref, content, at) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO "
    "NOTHING";

struct Closer {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, Closer>;
using Statement = std::unique_ptr<sqlite3_stmt, Closer>;

std::unexpected<Error> failure(sqlite3* database) {
  return fail(Code::unavailable, fmt::format("SQLite: {}", sqlite3_errmsg(database)));
}

Result<Database> open_database(const std::string& file) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) return failure(opened);
  return database;
}

Status run_script(sqlite3* database, const std::string& sql) {
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return failure(database);
}

Result<Statement> prepare(sqlite3* database, const std::string& sql) {
  sqlite3_stmt* made = nullptr;
  const int code =
      sqlite3_prepare_v3(database, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
  if (code != SQLITE_OK) return failure(database);
  return Statement(made);
}

Status step(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  sqlite3_reset(statement);
  if (code == SQLITE_DONE || code == SQLITE_ROW) return {};
  return failure(sqlite3_db_handle(statement));
}

struct ValueEnd {
  void operator()(sqlite3_value* value) const { sqlite3_value_free(value); }
};
using Value = std::unique_ptr<sqlite3_value, ValueEnd>;
using Row = std::vector<Value>;

// Rows of ours, with the columns that must differ from row to row.
struct Patterns {
  std::vector<Row> rows = {};
  std::size_t id = 0, tenant = 0, account = 0, occurred_at = 0, key = 0, columns = 0;
  std::string key_table = {};  // its CREATE TABLE
};

Result<std::size_t> column(sqlite3_stmt* statement, std::string_view name) {
  for (int i = 0; i < sqlite3_column_count(statement); ++i) {
    if (name == sqlite3_column_name(statement, i)) return static_cast<std::size_t>(i);
  }
  return fail(Code::failed_precondition, fmt::format("ai_usages has no column {}", name));
}

Result<std::string> key_table_of(sqlite3* database) {
  AIMETER_TRY(const Statement table,
              prepare(database, "SELECT sql FROM sqlite_master WHERE name = 'ai_keys_seen_1'"));
  if (sqlite3_step(table.get()) != SQLITE_ROW) {
    return fail(Code::failed_precondition, "there is no table of keys to copy");
  }
  return std::string(reinterpret_cast<const char*>(sqlite3_column_text(table.get(), 0)));
}

Result<Patterns> read_patterns(const std::string& file, Keys keys) {
  AIMETER_TRY(const Database database, open_database(file));
  AIMETER_TRY(const Statement read,
              prepare(database.get(), "SELECT * FROM ai_usages ORDER BY id DESC LIMIT ?1"));
  Patterns found;
  AIMETER_TRY(found.id, column(read.get(), "id"));
  AIMETER_TRY(found.tenant, column(read.get(), "tenant"));
  AIMETER_TRY(found.account, column(read.get(), "account"));
  AIMETER_TRY(found.occurred_at, column(read.get(), "occurred_at"));
  AIMETER_TRY(found.key, column(read.get(), "key"));
  found.columns = static_cast<std::size_t>(sqlite3_column_count(read.get()));
  sqlite3_bind_int64(read.get(), 1, kPatternsMax);
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(read.get())) == SQLITE_ROW) {
    Row row;
    for (std::size_t i = 0; i < found.columns; ++i) {
      row.emplace_back(sqlite3_value_dup(sqlite3_column_value(read.get(), static_cast<int>(i))));
    }
    found.rows.push_back(std::move(row));
  }
  if (code != SQLITE_DONE) return failure(database.get());
  if (found.rows.empty()) return fail(Code::failed_precondition, file + ": has no rows to copy");
  if (keys == Keys::fresh) {
    AIMETER_TRY(found.key_table, key_table_of(database.get()));
  }
  return found;
}

class Writer {
 public:
  static Result<Writer> open(const RawRun& run, Patterns patterns) {
    AIMETER_TRY(Database database, open_database(run.file));
    AIMETER_CHECK_OK(run_script(database.get(), kPragmas + patterns.key_table));
    Writer writer(std::move(database), std::move(patterns), run.keys);
    sqlite3* raw = writer.database_.get();
    std::string marks = "?1";
    for (std::size_t i = 1; i < writer.patterns_.columns; ++i) marks += fmt::format(", ?{}", i + 1);
    AIMETER_TRY(writer.begin_, prepare(raw, "BEGIN IMMEDIATE"));
    AIMETER_TRY(writer.commit_, prepare(raw, "COMMIT"));
    AIMETER_TRY(writer.usage_,
                prepare(raw, fmt::format("INSERT INTO ai_usages VALUES({})", marks)));
    AIMETER_TRY(writer.by_account_, prepare(raw, kByAccount));
    if (run.keys == Keys::fresh) {
      AIMETER_TRY(writer.key_, prepare(raw, kKey));
    }
    return writer;
  }

  Status write_transaction(std::uint64_t rows) {
    int pages = 0;
    sqlite3_wal_hook(
        database_.get(),
        [](void* out, sqlite3*, const char*, int in_log) {
          *static_cast<int*>(out) = in_log;
          return SQLITE_OK;
        },
        &pages);
    AIMETER_CHECK_OK(step(begin_.get()));
    for (std::uint64_t i = 0; i < rows; ++i) AIMETER_CHECK_OK(write_row());
    AIMETER_CHECK_OK(step(commit_.get()));
    if (pages < kLogPagesMax) return {};
    sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                              nullptr);
    return {};
  }

 private:
  Writer(Database database, Patterns patterns, Keys keys)
      : database_(std::move(database)),
        patterns_(std::move(patterns)),
        keys_(keys),
        next_id_(sqlite3_value_int64(patterns_.rows.front()[patterns_.id].get())),
        next_at_(sqlite3_value_int64(patterns_.rows.front()[patterns_.occurred_at].get())) {}

  Status write_row() {
    const Row& row = patterns_.rows[written_++ % patterns_.rows.size()];
    const std::int64_t id = next_id_++;
    const std::int64_t at = next_at_ += 10;
    const std::array<std::uint64_t, 2> key = {random_(), random_()};
    sqlite3_stmt* usage = usage_.get();
    for (std::size_t i = 0; i < row.size(); ++i) {
      sqlite3_bind_value(usage, static_cast<int>(i) + 1, row[i].get());
    }
    sqlite3_bind_int64(usage, static_cast<int>(patterns_.id) + 1, id);
    sqlite3_bind_int64(usage, static_cast<int>(patterns_.occurred_at) + 1, at);
    if (keys_ == Keys::fresh) {
      sqlite3_bind_blob(usage, static_cast<int>(patterns_.key) + 1, key.data(), sizeof(key),
                        SQLITE_STATIC);
    }
    AIMETER_CHECK_OK(step(usage));
    sqlite3_bind_value(by_account_.get(), 1, row[patterns_.tenant].get());
    sqlite3_bind_value(by_account_.get(), 2, row[patterns_.account].get());
    sqlite3_bind_int64(by_account_.get(), 3, at);
    sqlite3_bind_int64(by_account_.get(), 4, id);
    AIMETER_CHECK_OK(step(by_account_.get()));
    if (keys_ == Keys::none) return {};
    sqlite3_bind_blob(key_.get(), 1, key.data(), sizeof(key), SQLITE_STATIC);
    sqlite3_bind_int64(key_.get(), 2, id);
    sqlite3_bind_int64(key_.get(), 3, static_cast<std::int64_t>(random_()));
    sqlite3_bind_int64(key_.get(), 4, at);
    return step(key_.get());
  }

  Database database_;
  Patterns patterns_;
  Keys keys_;
  Statement begin_ = {}, commit_ = {}, usage_ = {}, by_account_ = {}, key_ = {};
  std::mt19937_64 random_{1};
  std::uint64_t written_ = 0;
  std::int64_t next_id_, next_at_;
};

}  // namespace

Result<double> raw_rows_per_second(const RawRun& run) {
  AIMETER_TRY(Patterns patterns, read_patterns(run.like, run.keys));
  {  // the schema is the store's own
    AIMETER_TRY(const auto made, drivers::open_store("sqlite:" + run.file, {}));
  }
  AIMETER_TRY(Writer writer, Writer::open(run, std::move(patterns)));
  const Stopwatch watch;
  std::uint64_t rows = 0;
  while (rows < run.rows) {
    AIMETER_CHECK_OK(writer.write_transaction(run.rows_per_transaction));
    rows += run.rows_per_transaction;
  }
  return static_cast<double>(rows) / watch.seconds();
}

Result<std::int64_t> number_in(const std::string& file, const std::string& query) {
  AIMETER_TRY(const Database database, open_database(file));
  AIMETER_TRY(const Statement read, prepare(database.get(), query));
  if (sqlite3_step(read.get()) != SQLITE_ROW) return failure(database.get());
  return sqlite3_column_int64(read.get(), 0);
}

Result<std::int64_t> count_rows(const std::string& file) {
  return number_in(file, "SELECT count(*) FROM ai_usages");
}

}  // namespace aimeter::bench
