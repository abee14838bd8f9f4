#include "drivers/laravel_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "aimeter/decimal.h"

namespace aimeter::drivers::laravel {
namespace {

constexpr std::string_view kDatabase =
    "a SQLite database of the package ajooda/laravel-ai-metering";
constexpr std::string_view kDecimal = "a decimal of at most 9 places";
constexpr std::int64_t kRealMost = 1'000'000'000;  // beyond it 15 digits have no six places

std::string bytes_of(sqlite3_stmt* statement, int column) {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
  const int size = sqlite3_column_bytes(statement, column);
  return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

// ---------------------------------------------------------------- cells

int Cells::at(std::string_view column) const {
  const auto found = columns_.find(column);
  if (found == columns_.end()) return -1;
  return sqlite3_column_type(statement_, found->second) == SQLITE_NULL ? -1 : found->second;
}

std::string Cells::named(std::string_view column) const {
  return fmt::format("{}: {} row {}, {}", place_.file, place_.table, text("id").value_or("?"),
                     column);
}

std::unexpected<Error> Cells::bad(std::string_view column, std::string_view value,
                                  std::string_view expected) const {
  return bad_input(named(column), value, expected);
}

std::optional<std::string> Cells::text(std::string_view column) const {
  const int place = at(column);
  if (place < 0) return std::nullopt;
  return bytes_of(statement_, place);
}

Result<std::string> Cells::needed_text(std::string_view column) const {
  if (std::optional<std::string> value = text(column)) return *std::move(value);
  return bad(column, "NULL", "a text");
}

Result<std::optional<std::int64_t>> Cells::count(std::string_view column) const {
  const std::optional<std::string> value = text(column);
  if (!value) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc() || end != value->data() + value->size() || number < 0) {
    return bad(column, *value, "a whole number from 0 to 9223372036854775807, or NULL");
  }
  return number;
}

Result<std::int64_t> Cells::id(std::string_view column) const {
  AIMETER_TRY(const std::optional<std::int64_t> number, count(column));
  if (number) return *number;
  return bad(column, "NULL", "a whole number");
}

Result<bool> Cells::flag(std::string_view column, bool absent) const {
  const std::optional<std::string> value = text(column);
  if (!value) return absent;
  if (*value == "0" || *value == "1") return *value == "1";
  return bad(column, *value, "0 or 1");
}

Result<std::optional<Money>> Cells::money(std::string_view column,
                                          std::string_view currency) const {
  const int place = at(column);
  if (place < 0) return std::nullopt;
  const bool real = sqlite3_column_type(statement_, place) == SQLITE_FLOAT;
  const std::string value = bytes_of(statement_, place);
  Result<Decimal> number = Decimal::parse(column, value);
  if (!number) return bad(column, value, kDecimal);
  const Decimal most = Decimal::of(kRealMost);
  if (real && (*number >= most || Decimal(-most.mantissa(), 0) >= *number)) {
    return bad(column, value, "less than 1000000000 in a REAL, or a text");
  }
  if (real) number = number->rounded(kMoneyPlaces, Rounding::half_even);
  Result<Money> money = number->to_money(currency, Rounding::half_even);
  if (!money || Decimal::of(*money) != *number) return bad(column, value, kDecimal);
  return *std::move(money);
}

Result<Money> Cells::needed_money(std::string_view column, std::string_view currency) const {
  AIMETER_TRY(std::optional<Money> money, this->money(column, currency));
  if (money) return *std::move(money);
  return bad(column, "NULL", kDecimal);
}

Result<std::string> Cells::currency(std::string_view column, std::string_view absent) const {
  const std::optional<std::string> value = text(column);
  if (!value) return std::string(absent);
  std::string lower = *value;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const bool good =
      lower.size() == 3 && std::ranges::all_of(lower, [](char c) { return c >= 'a' && c <= 'z'; });
  if (good) return lower;
  return bad(column, *value, "a currency of three letters, such as usd");
}

Result<std::optional<Instant>> Cells::time(std::string_view column, std::string_view zone) const {
  const std::optional<std::string> value = text(column);
  if (!value) return std::nullopt;
  const Result<Instant> instant = parse_instant(column, *value, zone);
  if (instant) return *instant;
  return bad(column, *value, "a time such as 2026-03-15 09:30:00, or NULL");
}

// ---------------------------------------------------------------- file

Result<std::unique_ptr<File>> File::open(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    return bad_input("FILE", path, "a file that can be read");
  }
  sqlite3* db = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<File> file(new File(db, path));
  if (code != SQLITE_OK) return file->failed(code);
  // One snapshot for all that is read: what is checked is what is carried.
  AIMETER_TRY(const Statement begin, file->prepared("BEGIN"));
  if (const int begun = sqlite3_step(begin.get()); begun != SQLITE_DONE) {
    return file->failed(begun);
  }
  AIMETER_TRY(const bool any, file->has_table("ai_usages"));
  (void)any;
  return file;
}

File::~File() { sqlite3_close_v2(db_); }

std::unexpected<Error> File::failed(int code) const {
  const int primary = code & 0xff;
  if (primary == SQLITE_NOTADB) return bad_input("FILE", path_, kDatabase);
  if (primary == SQLITE_CANTOPEN) return bad_input("FILE", path_, "a file that can be read");
  const char* const words = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code);
  return fail(primary == SQLITE_CORRUPT ? Code::corrupt : Code::unavailable,
              fmt::format("{}: {} (SQLite {})", path_, words, code));
}

Result<File::Statement> File::prepared(const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) return failed(code);
  return Statement(statement, sqlite3_finalize);
}

Result<bool> File::has_table(std::string_view name) const {
  AIMETER_TRY(
      const Statement found,
      prepared("SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1"));
  sqlite3_bind_text64(found.get(), 1, name.data(), name.size(), SQLITE_STATIC, SQLITE_UTF8);
  const int code = sqlite3_step(found.get());
  if (code == SQLITE_ROW || code == SQLITE_DONE) return code == SQLITE_ROW;
  return failed(code);
}

Result<std::vector<std::string>> File::columns(const Rows& rows) const {
  AIMETER_TRY(const Statement statement, prepared(rows.sql));
  std::vector<std::string> names;
  for (int i = 0; i < sqlite3_column_count(statement.get()); ++i) {
    names.emplace_back(sqlite3_column_name(statement.get(), i));
  }
  return names;
}

Status File::each(const Rows& rows, const std::function<Status(const Cells&)>& row) const {
  AIMETER_TRY(const Statement statement, prepared(rows.sql));
  Cells::Columns columns;
  for (int i = 0; i < sqlite3_column_count(statement.get()); ++i) {
    columns.emplace(sqlite3_column_name(statement.get(), i), i);
  }
  const Cells cells(statement.get(), columns, {path_, rows.table});
  for (;;) {
    const int code = sqlite3_step(statement.get());
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return failed(code);
    AIMETER_CHECK_OK(row(cells));
  }
}

}  // namespace aimeter::drivers::laravel
