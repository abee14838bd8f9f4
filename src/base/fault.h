// Package:       base
// Units:         passes
// Errors:        none
// Thread safety: any thread.
// Ownership:     none.
//
// Fault points of the test build: the process dies at a named place as it would by `kill -9`.
// AIMETER_FAULT=name kills at the first pass of that point, AIMETER_FAULT=name:3 at the third. In
// other builds a point is nothing at all. AIMETER_FAULTS, which changes types, is for whole builds;
// AIMETER_FAULT_POINTS compiles nothing but the points in, into single files.
#pragma once

#if defined(AIMETER_FAULTS) || defined(AIMETER_FAULT_POINTS)

#include <string_view>

namespace aimeter::base {
void fault_point(std::string_view name);
}  // namespace aimeter::base

#define AIMETER_FAULT_POINT(name) ::aimeter::base::fault_point(name)

#else

#define AIMETER_FAULT_POINT(name) static_cast<void>(0)

#endif
