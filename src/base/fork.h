// Package:       base
// Units:         none
// Errors:        none
// Thread safety: any thread; one relaxed load.
// Ownership:     none.
//
// Tells a forked child that what it sees was made by its parent: threads are gone, locks on files
// are shared. An engine keeps the mark of its birth and refuses to work in a child.
#pragma once

#include <cstdint>

namespace aimeter::base {

// Grows by one in every forked child. The count begins with the first call in a process.
[[nodiscard]] std::uint64_t fork_generation();

class ForkMark {
 public:
  ForkMark() : generation_(fork_generation()) {}
  // True in a process that was forked after this mark was made; false for a mark made in the child.
  [[nodiscard]] bool forked() const { return generation_ != fork_generation(); }

 private:
  std::uint64_t generation_;
};

}  // namespace aimeter::base
