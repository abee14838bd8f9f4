// Package:       drivers
// Units:         Money to the nano-unit; Instant in UTC.
// Errors:        invalid_argument naming file, table, row, column, value and what is accepted;
//                corrupt and unavailable naming the file.
// Thread safety: belongs to one thread.
// Ownership:     a File owns its connection; Cells are valid inside their callback.
//
// A foreign SQLite file, read only and in one snapshot, cell by cell. Money never passes a floating
// point number: a REAL is read as SQLite writes it, to 15 digits, and rounded to the six places of
// its column.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/money.h"
#include "aimeter/time.h"

namespace aimeter::drivers::laravel {

constexpr int kMoneyPlaces = 6;  // of the reference's columns

class Cells {  // one row
 public:
  using Columns = std::map<std::string, int, std::less<>>;
  struct Place {
    const std::string& file;
    std::string_view table;
  };
  Cells(sqlite3_stmt* statement, const Columns& columns, const Place& place)
      : statement_(statement), columns_(columns), place_(place) {}

  // A column that is not there is NULL.
  [[nodiscard]] std::optional<std::string> text(std::string_view column) const;
  [[nodiscard]] Result<std::string> needed_text(std::string_view column) const;
  [[nodiscard]] Result<std::optional<std::int64_t>> count(std::string_view column) const;  // >= 0
  [[nodiscard]] Result<std::int64_t> id(std::string_view column = "id") const;
  [[nodiscard]] Result<bool> flag(std::string_view column, bool absent) const;
  [[nodiscard]] Result<std::optional<Money>> money(std::string_view column,
                                                   std::string_view currency) const;
  [[nodiscard]] Result<Money> needed_money(std::string_view column,
                                           std::string_view currency) const;
  // Three letters, given back in lower case; NULL: `absent`.
  [[nodiscard]] Result<std::string> currency(std::string_view column,
                                             std::string_view absent) const;
  [[nodiscard]] Result<std::optional<Instant>> time(std::string_view column,
                                                    std::string_view zone) const;
  [[nodiscard]] std::unexpected<Error> bad(std::string_view column, std::string_view value,
                                           std::string_view expected) const;

 private:
  [[nodiscard]] int at(std::string_view column) const;  // -1: there is none, or NULL
  [[nodiscard]] std::string named(std::string_view column) const;
  sqlite3_stmt* statement_;
  const Columns& columns_;
  Place place_;
};

class File {
 public:
  // Errors: no file, no database.
  [[nodiscard]] static Result<std::unique_ptr<File>> open(const std::string& path);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] Result<bool> has_table(std::string_view name) const;
  // `sql` selects from `table`, every column.
  struct Rows {
    const char* sql = "";
    std::string_view table = {};
  };
  [[nodiscard]] Result<std::vector<std::string>> columns(const Rows& rows) const;
  [[nodiscard]] Status each(const Rows& rows, const std::function<Status(const Cells&)>& row) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;
  File(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}
  [[nodiscard]] Result<Statement> prepared(const char* sql) const;
  [[nodiscard]] std::unexpected<Error> failed(int code) const;
  sqlite3* db_;
  std::string path_;
};

}  // namespace aimeter::drivers::laravel
