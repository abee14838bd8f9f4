// Package:       base
// Units:         passes
// Errors:        none
// Thread safety: any thread.
// Ownership:     none.
//
// Fault points of the test build (AIMETER_FAULTS): the process dies at a named place as it would by
// `kill -9`. AIMETER_FAULT=name kills at the first pass of that point, AIMETER_FAULT=name:3 at the
// third. In other builds a point is nothing at all.
#pragma once

#if defined(AIMETER_FAULTS)

#include <string_view>

namespace aimeter::base {
void fault_point(std::string_view name);
}  // namespace aimeter::base

#define AIMETER_FAULT_POINT(name) ::aimeter::base::fault_point(name)

#else

#define AIMETER_FAULT_POINT(name) static_cast<void>(0)

#endif
