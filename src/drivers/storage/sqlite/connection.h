// Package:       drivers
// Units:         bytes; SQLite integers are int64.
// Errors:        unavailable (busy, full, read-only, I/O), corrupt (damaged file),
//                invalid_argument (a value that the schema refuses: is_row_error()).
// Thread safety: a Connection and its queries belong to one thread at a time.
// Ownership:     a Connection owns its prepared statements; a Query borrows one until destroyed.
//
// One SQLite connection. Statements are prepared once per literal and reset after each use, because
// an open SELECT keeps the WAL from being reset. Every error names the file.
#pragma once

#include <sqlite3.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "aimeter/result.h"
#include "drivers/storage/sqlite/sync_mark.h"

namespace aimeter::drivers::sqlite {

struct Blob {  // bound as BLOB; text is bound as TEXT
  std::string_view bytes = {};
};

enum class Access { write, read };

struct Database {
  std::string path = {};
  std::string vfs = {};            // SQLite's name of the disk that it lies on; "": the system's
  const SyncMark* mark = nullptr;  // left when a sync fails; outlives the connections
};

class Connection {
 public:
  // Opens and sets the pragmas. Errors: unavailable, corrupt; each names `path`.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const Database& database,
                                                                Access access);
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const std::string& path,
                                                                Access access) {
    return open(Database{.path = path}, access);
  }
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `sql` is a literal: its address is the key of the statement.
  [[nodiscard]] Result<sqlite3_stmt*> prepared(const char* sql);
  [[nodiscard]] Status run_script(const std::string& sql);  // several statements, no values
  [[nodiscard]] std::unexpected<Error> failed(int code) const;
  [[nodiscard]] std::int64_t last_id() const { return sqlite3_last_insert_rowid(db_); }
  [[nodiscard]] std::int64_t changes() const { return sqlite3_changes64(db_); }
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
  [[nodiscard]] sqlite3* raw() const { return db_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // Pages in the log after the last commit of this connection.
  [[nodiscard]] int log_pages() const { return log_pages_; }
  // A constraint, a type or a size that one row breaks: the batch is bisected.
  [[nodiscard]] bool was_row_error() const { return row_error_; }
  void note_row_error() { row_error_ = true; }
  void forget_row_error() { row_error_ = false; }
  // Since it was opened. What was written before it is not to be relied on.
  [[nodiscard]] bool saw_failed_sync() const { return failed_sync_; }
  // Copies the log into the file as far as no reader needs it, and says so when a sync fails, which
  // closing the last connection does not. True: all of it.
  [[nodiscard]] Result<bool> checkpoint();
  // Only after a checkpoint() of all: the last connection to close may take the log away.
  void let_log_go();

 private:
  Connection(sqlite3* db, const Database& database)
      : db_(db), path_(database.path), mark_(database.mark) {}

  sqlite3* db_;
  std::string path_;
  const SyncMark* mark_;
  mutable bool row_error_ = false, failed_sync_ = false;
  int log_pages_ = 0;
  boost::unordered_flat_map<const char*, sqlite3_stmt*> statements_;
};

class Query {
 public:
  template <class... Values>
  Query(Connection& connection, const char* sql, const Values&... values)
      : connection_(connection) {
    auto statement = connection.prepared(sql);
    if (!statement) {
      error_ = std::move(statement).error();
      return;
    }
    statement_ = *statement;
    int at = 0;
    (bind(++at, values), ...);
  }
  ~Query() { reset(); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  [[nodiscard]] Result<bool> step();  // true: a row is there
  [[nodiscard]] Status run();         // steps to the end
  void reset();
  // For loops: bind, run and reset again and again. Values must live until the next reset.
  template <class... Values>
  [[nodiscard]] Status again(const Values&... values) {
    if (error_) return std::unexpected(*error_);
    int at = 0;
    (bind_borrowed(++at, values), ...);
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
      const auto error = connection_.failed(code);
      sqlite3_reset(statement_);
      return error;
    }
    sqlite3_reset(statement_);
    return {};
  }

  [[nodiscard]] std::int64_t integer(int column) const {
    return sqlite3_column_int64(statement_, column);
  }
  [[nodiscard]] bool is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  [[nodiscard]] std::optional<std::int64_t> optional_integer(int column) const {
    if (is_null(column)) return std::nullopt;
    return integer(column);
  }
  [[nodiscard]] std::string_view bytes(int column) const;  // until the next step
  [[nodiscard]] std::string text(int column) const { return std::string(bytes(column)); }

  void bind(int at, std::int64_t value) { sqlite3_bind_int64(statement_, at, value); }
  void bind(int at, int value) { sqlite3_bind_int64(statement_, at, value); }
  void bind(int at, std::uint32_t value) { sqlite3_bind_int64(statement_, at, value); }
  void bind(int at, std::uint64_t value) {
    sqlite3_bind_int64(statement_, at, static_cast<std::int64_t>(value));
  }
  void bind(int at, std::string_view text) { bind_text(at, text, SQLITE_TRANSIENT); }
  void bind(int at, const std::string& text) { bind_text(at, text, SQLITE_TRANSIENT); }
  void bind(int at, Blob blob) { bind_blob(at, blob.bytes, SQLITE_TRANSIENT); }
  void bind(int at, std::nullopt_t) { sqlite3_bind_null(statement_, at); }
  template <class T>
  void bind(int at, const std::optional<T>& value) {
    if (value) {
      bind(at, *value);
    } else {
      sqlite3_bind_null(statement_, at);
    }
  }

 private:
  template <class T>
  void bind_borrowed(int at, const T& value) {
    bind(at, value);
  }
  void bind_borrowed(int at, std::string_view text) { bind_text(at, text, SQLITE_STATIC); }
  void bind_borrowed(int at, Blob blob) { bind_blob(at, blob.bytes, SQLITE_STATIC); }
  template <class T>
  void bind_borrowed(int at, const std::optional<T>& value) {
    if (value) {
      bind_borrowed(at, *value);
    } else {
      sqlite3_bind_null(statement_, at);
    }
  }
  void bind_text(int at, std::string_view text, sqlite3_destructor_type lifetime);
  void bind_blob(int at, std::string_view bytes, sqlite3_destructor_type lifetime);

  Connection& connection_;
  sqlite3_stmt* statement_ = nullptr;
  std::optional<Error> error_ = {};
};

// Runs one statement to its end; the number of changed rows.
template <class... Values>
[[nodiscard]] Result<std::int64_t> run(Connection& connection, const char* sql,
                                       const Values&... values) {
  Query query(connection, sql, values...);
  AIMETER_CHECK_OK(query.run());
  return connection.changes();
}

// The first column of the first row; empty when there is no row.
template <class... Values>
[[nodiscard]] Result<std::optional<std::int64_t>> find_integer(Connection& connection,
                                                               const char* sql,
                                                               const Values&... values) {
  Query query(connection, sql, values...);
  AIMETER_TRY(const bool found, query.step());
  if (!found) return std::nullopt;
  return query.optional_integer(0);
}

}  // namespace aimeter::drivers::sqlite
