// Package:       cli
// Units:         lines counted from 1, the header is line 1
// Errors:        invalid_argument naming line and column. A bad line is skipped: next() goes on
//                behind it.
// Thread safety: a reader is used by one thread.
// Ownership:     borrows the stream.
//
// CSV with a header (RFC 4180), read line by line in bounded memory: LF or CRLF, a byte order mark,
// a last line without its end, quotes. A line break inside quotes is not accepted: one line, one
// row.
#pragma once

#include <cstddef>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/result.h"

namespace aimeter::cli {

constexpr std::size_t kCsvLineBytesMax = 1U << 20U;

class CsvReader {
 public:
  struct Row {
    std::size_t line = 0;
    std::vector<std::string> fields = {};  // as many as columns()
  };

  // Reads the header. Errors: nothing to read, a column twice, one of `needed` missing.
  [[nodiscard]] static Result<CsvReader> open(std::istream& in,
                                              const std::vector<std::string>& needed);
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;
  // Nothing at the end. Empty lines are no rows.
  [[nodiscard]] Result<std::optional<Row>> next();
  [[nodiscard]] std::size_t line() const { return line_; }  // that next() read last

 private:
  explicit CsvReader(std::istream& in) : in_(&in) {}
  [[nodiscard]] Result<std::optional<std::string>> read_line();
  [[nodiscard]] Result<std::vector<std::string>> split(std::string_view text) const;

  std::istream* in_;
  std::vector<std::string> columns_;
  std::size_t line_ = 0;
};

// `text` as one field: in quotes when it must be.
[[nodiscard]] std::string csv_field(std::string_view text);

}  // namespace aimeter::cli
