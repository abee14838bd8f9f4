#include "drivers/storage/sqlite/connection.h"

#include <fmt/format.h>

namespace aimeter::drivers::sqlite {
namespace {

// A lane holds the writer's flock while it writes, so that busy is rare: recovery, a checkpoint
// that restarts the log, or a program that is not ours.
constexpr int kBusyWaitMax_ms = 5'000;
constexpr const char* kPragmas =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA foreign_keys = OFF;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -65536;"  // KiB
    "PRAGMA mmap_size = 1073741824;";
constexpr const char* kReaderPragmas =
    "PRAGMA query_only = ON;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -8192;"
    "PRAGMA mmap_size = 1073741824;";

// Two writers on sqlite3_busy_timeout starve one of them; short equal naps do not.
int nap_when_busy(void*, int calls) {
  if (calls > kBusyWaitMax_ms) return 0;
  sqlite3_sleep(1);
  return 1;
}

Code code_of(int primary) {
  switch (primary) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::corrupt;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return Code::invalid_argument;
    default:
      return Code::unavailable;
  }
}

std::string_view words_of(int primary) {
  switch (primary) {
    case SQLITE_NOTADB:
      return "is no SQLite database";
    case SQLITE_CORRUPT:
      return "is damaged";
    case SQLITE_FULL:
      return "the disk is full; nothing was written";
    case SQLITE_READONLY:
      return "is read-only";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "is locked by another program";
    case SQLITE_CANTOPEN:
      return "cannot be opened";
    case SQLITE_IOERR:
      return "the disk failed";
    default:
      return "refused the statement";
  }
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const Database& database, Access access) {
  const std::string& path = database.path;
  const char* const vfs = database.vfs.empty() ? nullptr : database.vfs.c_str();
  sqlite3* db = nullptr;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (access == Access::write) flags |= SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, vfs);
  std::unique_ptr<Connection> connection(new Connection(db, database));
  if (code != SQLITE_OK) return connection->failed(code);
  if (access == Access::write && sqlite3_db_readonly(db, "main") == 1) {
    return connection->failed(SQLITE_READONLY);
  }
  sqlite3_busy_handler(db, nap_when_busy, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  AIMETER_CHECK_OK(connection->run_script(access == Access::write ? kPragmas : kReaderPragmas));
  if (access == Access::write) {
    sqlite3_wal_hook(
        db,
        [](void* pages, sqlite3*, const char*, int count) {
          *static_cast<int*>(pages) = count;
          return SQLITE_OK;
        },
        &connection->log_pages_);
  }
  return connection;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(db_);
}

Result<sqlite3_stmt*> Connection::prepared(const char* sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return failed(code);
  statements_.emplace(sql, statement);
  return statement;
}

Result<bool> Connection::checkpoint() {
  int pages = 0, copied = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
  if (code != SQLITE_OK) return failed(code);
  return copied >= pages;
}

void Connection::let_log_go() {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
}

Status Connection::run_script(const std::string& sql) {
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failed(code);
  return {};
}

std::unexpected<Error> Connection::failed(int code) const {
  const int primary = code & 0xff;
  const Code ours = code_of(primary);
  if (ours == Code::invalid_argument) row_error_ = true;
  if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) {
    failed_sync_ = true;
    if (mark_ != nullptr) mark_->leave();
  }
  return fail(ours, fmt::format("{}: {} ({}, SQLite {})", path_, words_of(primary),
                                db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code), code));
}

Result<bool> Query::step() {
  if (error_) return std::unexpected(*error_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_.failed(code);
}

Status Query::run() {
  for (;;) {
    AIMETER_TRY(const bool more, step());
    if (!more) return {};
  }
}

void Query::reset() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

std::string_view Query::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(size)};
}

void Query::bind_text(int at, std::string_view text, sqlite3_destructor_type lifetime) {
  // A null pointer would bind NULL; an empty text is a text.
  sqlite3_bind_text64(statement_, at, text.data() == nullptr ? "" : text.data(), text.size(),
                      lifetime, SQLITE_UTF8);
}

void Query::bind_blob(int at, std::string_view bytes, sqlite3_destructor_type lifetime) {
  sqlite3_bind_blob64(statement_, at, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                      lifetime);
}

}  // namespace aimeter::drivers::sqlite
