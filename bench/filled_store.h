// Package:       bench
// Units:         rows.
// Errors:        what the store says.
// Thread safety: none.
// Ownership:     makes the file and closes it.
//
// A file with a past: rows of calls of the accounts of callers.h, evenly in time, written by the
// store's own apply in its largest batches, counters, roll-ups and keys with them.
#pragma once

#include <cstdint>
#include <string>

#include "bench/callers.h"

namespace aimeter::bench {

struct Past {
  std::int64_t rows = 0;
  int accounts = kAccounts;  // the first so many of callers.h
  Instant from = {}, to = {};
  Keys keys = Keys::none;
};
// To a file of earlier rows these are added.
[[nodiscard]] Status fill_store(const std::string& file, const Past& past);

// Of the present month so far, at most a day of it: what a growing file looks like.
[[nodiscard]] Past recent_past(std::int64_t rows, Keys keys);

}  // namespace aimeter::bench
