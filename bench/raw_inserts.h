// Package:       bench
// Units:         rows per second.
// Errors:        unavailable with SQLite's words; failed_precondition when there is no row to copy.
// Thread safety: none.
// Ownership:     opens and closes the files that it is told.
//
// RAW, the baseline of everything durable: one thread that inserts the same rows with prepared
// statements into the same table, index and key table, as many of them, in transactions of a given
// size, synchronous=FULL, with the cache and checkpoint settings of the store.
#pragma once

#include <cstdint>
#include <string>

#include "aimeter/result.h"
#include "bench/callers.h"

namespace aimeter::bench {

struct RawRun {
  std::string like = {};  // a database of ours, closed: its rows are the patterns
  std::string file = {};  // made afresh, with the store's own schema
  std::uint64_t rows_per_transaction = 1, rows = 0;  // at least so many rows
  Keys keys = Keys::none;
};
[[nodiscard]] Result<double> raw_rows_per_second(const RawRun& run);

// What one query of a database of ours says, in the first column of its first row.
[[nodiscard]] Result<std::int64_t> number_in(const std::string& file, const std::string& query);
// Rows of ai_usages in a database of ours.
[[nodiscard]] Result<std::int64_t> count_rows(const std::string& file);

}  // namespace aimeter::bench
