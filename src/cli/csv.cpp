#include "cli/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"

namespace aimeter::cli {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string at_line(std::size_t line) { return fmt::format("line {}", line); }

}  // namespace

Result<CsvReader> CsvReader::open(std::istream& in, const std::vector<std::string>& needed) {
  CsvReader reader(in);
  AIMETER_TRY(std::optional<std::string> header, reader.read_line());
  if (header && header->starts_with(kByteOrderMark)) header->erase(0, kByteOrderMark.size());
  if (!header || header->empty()) {
    if (needed.empty()) return bad_input("line 1", "", "a header with the names of the columns");
    return bad_input("line 1", "", fmt::format("a header with {}", fmt::join(needed, ", ")));
  }
  AIMETER_TRY(reader.columns_, reader.split(*header));
  for (auto column = reader.columns_.begin(); column != reader.columns_.end(); ++column) {
    if (std::find(reader.columns_.begin(), column, *column) != column) {
      return bad_input("line 1", *column, "each column once");
    }
  }
  for (const std::string& column : needed) {
    if (!reader.find(column)) {
      return bad_input("line 1", *header, fmt::format("a column {}", column));
    }
  }
  return reader;
}

std::optional<std::size_t> CsvReader::find(std::string_view column) const {
  const auto found = std::ranges::find(columns_, column);
  if (found == columns_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns_.begin());
}

Result<std::optional<CsvReader::Row>> CsvReader::next() {
  for (;;) {
    AIMETER_TRY(const std::optional<std::string> text, read_line());
    if (!text) return std::nullopt;
    if (text->empty()) continue;
    AIMETER_TRY(std::vector<std::string> fields, split(*text));
    if (fields.size() != columns_.size()) {
      return bad_input(at_line(line_), fmt::format("{} fields", fields.size()),
                       fmt::format("{} fields as in the header", columns_.size()));
    }
    return Row{.line = line_, .fields = std::move(fields)};
  }
}

// Without its end; nothing at the end of the stream.
Result<std::optional<std::string>> CsvReader::read_line() {
  std::string text;
  std::size_t size = 0;
  std::streambuf& bytes = *in_->rdbuf();
  for (int c = bytes.sbumpc();; c = bytes.sbumpc()) {
    if (c == std::char_traits<char>::eof() && size == 0) return std::nullopt;
    if (c == std::char_traits<char>::eof() || c == '\n') break;
    if (++size <= kCsvLineBytesMax) text += static_cast<char>(c);
  }
  ++line_;
  if (size > kCsvLineBytesMax) {
    return bad_input(at_line(line_), fmt::format("{} bytes", size),
                     fmt::format("at most {} bytes", kCsvLineBytesMax));
  }
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Result<std::vector<std::string>> CsvReader::split(std::string_view text) const {
  if (!base::is_utf8(text)) return bad_input(at_line(line_), text, "UTF-8");
  std::vector<std::string> fields(1);
  bool quoted = false, closed = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        fields.back() += '"';
        ++i;
      } else {
        quoted = false;
        closed = true;
      }
    } else if (c == ',') {
      fields.emplace_back();
      closed = false;
    } else if (c == '"' && fields.back().empty() && !closed) {
      quoted = true;
    } else if (c == '"' || closed) {
      return bad_input(at_line(line_), text, "a quote only around a whole field, \"\" inside it");
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return bad_input(at_line(line_), text, "a closing quote on the same line");
  return fields;
}

std::string csv_field(std::string_view text) {
  const bool plain = text.find_first_of(",\"\r\n") == std::string_view::npos;
  if (plain && !text.starts_with(kByteOrderMark)) return std::string(text);
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + '"';
}

}  // namespace aimeter::cli
