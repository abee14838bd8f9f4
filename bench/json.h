// Package:       bench
// Units:         as the figure's.
// Errors:        none
// Thread safety: none needed: called by the main thread.
// Ownership:     none.
//
// One JSON object per line: what scripts and dashboards read.
#pragma once

#include <string>

#include "bench/scenario.h"

namespace aimeter::bench {

[[nodiscard]] std::string json_of(const Scenario& scenario, const Figure& figure);

// A point of a sweep: speed by the number of callers, or by the rows that are in the file.
struct Point {
  std::string_view sweep = {};  // "callers", "rows"
  std::int64_t at = 0;
  double calls_per_second = 0;
  std::vector<Figure::Further> further = {};
};
[[nodiscard]] std::string json_of(const Point& point);

}  // namespace aimeter::bench
