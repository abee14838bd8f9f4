// Package:       cli
// Units:         columns of a terminal (a wide character counts two)
// Errors:        none; what is no UTF-8 and every control character is shown as U+FFFD.
// Thread safety: values.
// Ownership:     none.
//
// Text in columns that fits the terminal, and a bar of blocks. Right-aligned columns are figures:
// they are never cut, as a cut figure is a wrong one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aimeter::cli {

[[nodiscard]] int display_width(std::string_view text);
// At most `columns` wide; what was cut ends in an ellipsis. Never cuts inside a character.
[[nodiscard]] std::string cut_to(std::string_view text, int columns);
// `value` of `whole` in blocks of an eighth, padded with spaces to `columns`. Values outside
// 0..whole are drawn as the nearest end; more than nothing is always at least an eighth.
[[nodiscard]] std::string bar(std::int64_t value, std::int64_t whole, int columns);

class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title = {};
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns);
  // As many cells as columns.
  void add(std::vector<std::string> cells);
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  // Lines with a title line, each at most `columns` wide where cutting left-aligned cells can do
  // it; 0: nothing is cut.
  [[nodiscard]] std::string text(int columns) const;

 private:
  [[nodiscard]] std::vector<int> widths(int columns) const;
  [[nodiscard]] std::string line(const std::vector<std::string>& cells,
                                 const std::vector<int>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::string> titles_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace aimeter::cli
