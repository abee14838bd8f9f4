// Package:       bench
// Units:         calls per second.
// Errors:        what a scenario says; points before it were given.
// Thread safety: none.
// Ownership:     owns its files.
//
// The points of the charts in docs/internals/performance.md: calls with keys of coroutine callers,
// by their number (1 to 256) and by the rows that are in the file. Each point takes a quarter of
// the time of a scenario.
#pragma once

#include <functional>

#include "bench/json.h"

namespace aimeter::bench {

[[nodiscard]] Status sweep(const std::function<void(const Point&)>& give);

}  // namespace aimeter::bench
