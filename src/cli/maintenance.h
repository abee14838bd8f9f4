// Package:       cli
// Units:         rows
// Errors:        what the store says; what was done before stays done.
// Thread safety: belongs to the command's thread.
// Ownership:     borrows frame and store.
//
// Long changes in slices: each slice is one short transaction, so that nobody waits long and Ctrl-C
// loses nothing.
#pragma once

#include <functional>
#include <string>

#include "cli/session.h"

namespace aimeter::cli {

struct Sliced {
  std::int64_t rows = 0;
  bool interrupted = false;
};
// Repeats `change` until the store says that there is no more, or Ctrl-C.
[[nodiscard]] Result<Sliced> in_slices(Frame& frame, store::Store& store, const std::string& label,
                                       const std::function<store::ChangeBody()>& change);
// Prints {"rows": N} or "LABEL: N rows", and what an interruption means.
[[nodiscard]] Exit finish_slices(Frame& frame, const std::string& label, const Sliced& sliced);

}  // namespace aimeter::cli
