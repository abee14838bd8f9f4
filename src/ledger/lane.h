// Package:       ledger
// Units:         none
// Errors:        none
// Thread safety: any thread.
// Ownership:     none.
//
// One writer at a time, first come first served: the store's word reaches the book in the order in
// which the store gave it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace aimeter::ledger {

class Lane {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    const std::uint64_t ticket = next_++;
    turn_.wait(lock, [&] { return serving_ == ticket; });
  }
  void unlock() {
    {
      const std::scoped_lock lock(mutex_);
      ++serving_;
    }
    turn_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  std::uint64_t next_ = 0, serving_ = 0;
};

}  // namespace aimeter::ledger
