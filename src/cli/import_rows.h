// Package:       cli
// Units:         rows counted from 0, lines from 1; tokens; RFC 3339 times.
// Errors:        invalid_argument naming line, column and value; the next row can be read.
// Thread safety: belongs to the command's thread.
// Ownership:     a source borrows its stream.
//
// Rows of usage from CSV with a header or from JSON Lines, as usage records.
#pragma once

#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "aimeter/usage.h"

namespace aimeter::cli {

struct ImportOptions {
  std::string provider = {}, model = {}, tenant = {};
  Billable billable = {};                       // empty: the row's, else its tenant, else its user
  std::map<std::string, std::string> map = {};  // field -> column
  std::string timezone = "UTC";                 // of times without an offset
  std::optional<Instant> starting_at = {};      // of offset_ms
  std::int64_t spread_tenants = 0;              // row i belongs to t%02d of i mod N
};

// "field=COLUMN,...". Errors: an unknown field, a field twice.
[[nodiscard]] Result<std::map<std::string, std::string>> parse_map(std::string_view text);

class RowSource {
 public:
  virtual ~RowSource() = default;
  struct Row {
    std::int64_t number = 0;  // from 0, bad ones counted
    std::size_t line = 0;
    Result<UsageRecord> record = UsageRecord{};
  };
  // Nothing at the end.
  [[nodiscard]] virtual std::optional<Row> next() = 0;
};

[[nodiscard]] Result<std::unique_ptr<RowSource>> csv_rows(std::istream& in,
                                                          const ImportOptions& options);
[[nodiscard]] Result<std::unique_ptr<RowSource>> jsonl_rows(std::istream& in,
                                                            const ImportOptions& options);

}  // namespace aimeter::cli
