// CSV with a header, as rows and as usage records of an import. The first byte says which.
// Package: cli
// Parser: src/cli/csv.cpp src/cli/import_rows.cpp
#include <sstream>
#include <string>

#include "base/ids.h"
#include "cli/csv.h"
#include "cli/import_rows.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

std::string line_of(const std::vector<std::string>& fields) {
  // Alone and empty it would be an empty line, which is no row.
  if (fields.size() == 1 && fields.front().empty()) return "\"\"\n";
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += ',';
    line += cli::csv_field(fields[i]);
  }
  return line + "\n";
}

// What was read, written again; bad lines are left out.
std::string rewritten(const std::string& text) {
  std::istringstream in(text);
  Result<cli::CsvReader> reader = cli::CsvReader::open(in, {});
  if (!reader) {
    AIMETER_ASSERT(reader.error().code == Code::invalid_argument);
    return "";
  }
  std::string again = line_of(reader->columns());
  std::size_t line = 1;
  for (;;) {
    const auto row = reader->next();
    if (row && !*row) return again;
    AIMETER_ASSERT(reader->line() > line);  // it goes on behind a bad line
    line = reader->line();
    if (!row) continue;
    AIMETER_ASSERT((*row)->fields.size() == reader->columns().size());
    again += line_of((*row)->fields);
  }
}

// Fields, divided by tabs, that are written as a row come back as they were.
void expect_fields(std::string_view text) {
  std::vector<std::string> fields(1);
  for (const char c : text) {
    if (c == '\t')
      fields.emplace_back();
    else if (c != '\n' && c != '\r')
      fields.back() += c;
  }
  std::vector<std::string> columns;
  for (std::size_t i = 0; i < fields.size(); ++i) columns.push_back(std::to_string(i));
  const std::string line = line_of(fields);
  if (!base::is_utf8(line)) return;
  std::istringstream in(line_of(columns) + line);
  Result<cli::CsvReader> reader = cli::CsvReader::open(in, columns);
  AIMETER_ASSERT(reader.has_value());
  const auto row = reader->next();
  AIMETER_ASSERT(row && *row);
  AIMETER_ASSERT((*row)->fields == fields);
  AIMETER_ASSERT(!reader->next().value());
}

void expect_record(const UsageRecord& record) {
  AIMETER_ASSERT(record.usage.check().has_value());
  AIMETER_ASSERT(!record.provider.empty() && record.provider.size() <= 191);
  AIMETER_ASSERT(!record.account.billable.type.empty() && !record.account.billable.id.empty());
  AIMETER_ASSERT(record.account.tenant.text.empty() ||
                 TenantId::parse(record.account.tenant.text).has_value());
}

void import_rows(const std::string& text, bool json) {
  const cli::ImportOptions options{
      .provider = "trace",
      .model = "fixed",
      .billable = {"team", "1"},
      .timezone = "Europe/Berlin",
      .starting_at = Instant(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1))};
  std::istringstream in(text);
  auto source = json ? cli::jsonl_rows(in, options) : cli::csv_rows(in, options);
  if (!source) return;
  std::int64_t expected = 0;
  while (const auto row = (*source)->next()) {
    AIMETER_ASSERT(row->number == expected++);
    if (row->record) {
      expect_record(*row->record);
    } else {
      AIMETER_ASSERT(row->record.error().code == Code::invalid_argument);
    }
  }
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte();
  const std::string text(input.rest());
  if (choice % 2 == 1) {
    fuzz::import_rows(text, choice % 4 == 3);
    return 0;
  }
  fuzz::expect_fields(text);
  const std::string again = fuzz::rewritten(text);
  if (!again.empty()) AIMETER_ASSERT(fuzz::rewritten(again) == again);
  return 0;
}
