// Package:       bench
// Units:         as the figure's.
// Errors:        the first run that fails: there is no figure.
// Thread safety: one thread.
// Ownership:     none.
//
// A durable figure is the run of median ratio of `runs_to_take()`, told whole. A run that is
// invalid makes the figure invalid, and the longest call is that of all runs.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "bench/scenario.h"

namespace aimeter::bench {

template <class Run>
[[nodiscard]] Result<Figure> median_of_runs(Run run) {
  std::vector<Figure> figures;
  std::string invalid;
  double longest_ms = 0;
  for (int i = 0; i < runs_to_take(); ++i) {
    AIMETER_TRY(Figure figure, run());
    say(fmt::format("  run {}: {:.0f} against {:.0f}, ratio {:.2f}{}{}", i + 1, figure.ours,
                    figure.baseline_value, figure.ratio(), figure.invalid.empty() ? "" : "; ",
                    figure.invalid));
    if (invalid.empty()) invalid = figure.invalid;
    longest_ms = std::max(longest_ms, figure.value("longest_ms").value_or(0));
    figures.push_back(std::move(figure));
  }
  const auto middle = figures.begin() + static_cast<std::ptrdiff_t>(figures.size() / 2);
  std::ranges::nth_element(figures, middle, {}, &Figure::ratio);
  Figure median = std::move(*middle);
  median.invalid = invalid;
  for (Figure::Further& one : median.further) {
    if (one.name == "longest_ms") one.value = longest_ms;
  }
  median.further.push_back({"runs", static_cast<double>(figures.size())});
  return median;
}

}  // namespace aimeter::bench
