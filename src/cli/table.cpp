#include "cli/table.h"

#include <algorithm>
#include <array>

#include "aimeter/result.h"

namespace aimeter::cli {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";
constexpr int kCutColumnsMin = 6;  // a cut column keeps at least this much
constexpr std::string_view kGap = "  ";

struct Range {
  char32_t first, last;
};

// Unicode 15: the usual blocks of combining marks, and of wide characters (East Asian Width W and
// F, emoji). Rare blocks are left out: the cost is a crooked column, never a wrong figure.
constexpr std::array kZeroWidth = {
    Range{0x300, 0x36f},   Range{0x483, 0x489},   Range{0x591, 0x5bd},   Range{0x610, 0x61a},
    Range{0x64b, 0x65f},   Range{0x200b, 0x200f}, Range{0x202a, 0x202e}, Range{0x2060, 0x2064},
    Range{0x20d0, 0x20f0}, Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f}, Range{0xe0100, 0xe01ef}};
constexpr std::array kWide = {
    Range{0x1100, 0x115f},   Range{0x2e80, 0x303e},   Range{0x3041, 0x33ff},
    Range{0x3400, 0x4dbf},   Range{0x4e00, 0x9fff},   Range{0xa000, 0xa4cf},
    Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},
    Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},   Range{0x1f300, 0x1f64f},
    Range{0x1f680, 0x1f6ff}, Range{0x1f900, 0x1f9ff}, Range{0x20000, 0x3fffd}};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t point) {
  return std::ranges::any_of(
      ranges, [&](const Range& range) { return range.first <= point && point <= range.last; });
}

struct Shown {
  std::string_view text;  // what is printed for it
  std::size_t bytes;      // taken from the input
  int columns;
};

// The first character of `text`, which is not empty.
Shown first_of(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) {
    const bool control = lead < 0x20 || lead == 0x7f;
    return {control ? kReplacement : text.substr(0, 1), 1, 1};
  }
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || length > text.size()) return {kReplacement, 1, 1};
  char32_t point = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return {kReplacement, 1, 1};
    point = (point << 6) | (byte & 0x3fU);
  }
  if (point < 0xa0) return {kReplacement, length, 1};  // C1 controls
  const bool reorders =
      (0x202a <= point && point <= 0x202e) || (0x2066 <= point && point <= 0x2069);
  if (reorders) return {kReplacement, length, 1};  // would turn the rest of the line around
  const int columns = is_in(kZeroWidth, point) ? 0 : is_in(kWide, point) ? 2 : 1;
  return {text.substr(0, length), length, columns};
}

std::string clean(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const Shown next = first_of(text);
    shown += next.text;
    text.remove_prefix(next.bytes);
  }
  return shown;
}

}  // namespace

int display_width(std::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const Shown next = first_of(text);
    columns += next.columns;
    text.remove_prefix(next.bytes);
  }
  return columns;
}

std::string cut_to(std::string_view text, int columns) {
  if (display_width(text) <= columns) return clean(text);
  if (columns <= 0) return "";
  std::string kept;
  int used = 0;
  while (!text.empty()) {
    const Shown next = first_of(text);
    if (used + next.columns > columns - 1) break;
    kept += next.text;
    used += next.columns;
    text.remove_prefix(next.bytes);
  }
  return kept.append(kEllipsis);
}

std::string bar(std::int64_t value, std::int64_t whole, int columns) {
  constexpr std::array<std::string_view, 8> kParts = {"",       "\u258f", "\u258e", "\u258d",
                                                      "\u258c", "\u258b", "\u258a", "\u2589"};
  if (columns <= 0) return "";
  const std::int64_t inside = std::clamp<std::int64_t>(value, 0, std::max<std::int64_t>(whole, 0));
  auto eighths = whole > 0 ? static_cast<std::int64_t>(__int128{inside} * columns * 8 / whole) : 0;
  if (inside > 0) eighths = std::max<std::int64_t>(eighths, 1);
  std::string text;
  for (std::int64_t i = 0; i < eighths / 8; ++i) text += "\u2588";
  text += kParts.at(static_cast<std::size_t>(eighths % 8));
  const std::int64_t filled = (eighths + 7) / 8;
  return text.append(static_cast<std::size_t>(columns - filled), ' ');
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) titles_.push_back(column.title);
}

void Table::add(std::vector<std::string> cells) {
  AIMETER_ASSERT(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = clean(cell);
  rows_.push_back(std::move(cells));
}

std::vector<int> Table::widths(int columns) const {
  std::vector<int> widths;
  int total = -static_cast<int>(kGap.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    int width = display_width(titles_[i]);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
    total += width + static_cast<int>(kGap.size());
  }
  while (columns > 0 && total > columns) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool may_cut = columns_[i].align == Align::left && widths[i] > kCutColumnsMin;
      if (may_cut && (widest == columns_.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest == columns_.size()) break;  // only figures left
    --widths[widest];
    --total;
  }
  return widths;
}

std::string Table::line(const std::vector<std::string>& cells,
                        const std::vector<int>& widths) const {
  std::string text;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool right = columns_[i].align == Align::right;
    const std::string cell = right ? cells[i] : cut_to(cells[i], widths[i]);
    const int missing = std::max(0, widths[i] - display_width(cell));
    const std::string padding(static_cast<std::size_t>(missing), ' ');
    if (i > 0) text += kGap;
    text += right ? padding + cell : cell + padding;
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

std::string Table::text(int columns) const {
  const std::vector<int> widths = this->widths(columns);
  std::string text = line(titles_, widths);
  for (const auto& row : rows_) text += line(row, widths);
  return text;
}

}  // namespace aimeter::cli
