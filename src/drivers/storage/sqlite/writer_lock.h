// Package:       drivers
// Units:         microseconds of waiting.
// Errors:        unavailable, naming the lock file, after kWriterWaitMax; corrupt after a failed
//                sync.
// Thread safety: lock() and unlock() from any thread of the process.
// Ownership:     owns two file descriptors.
//
// One writer at a time on one SQLite file: threads of this store by ticket, processes by flock.
// Whoever wants to write passes the turnstile first and holds it until it has the writer's lock, so
// that a process that has just written cannot take the lock again before one that waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "aimeter/result.h"

namespace aimeter::drivers::sqlite {

constexpr int kWriterWaitMax_ms = 10'000;

class WriterLock {
 public:
  // Requires: `folder` exists.
  [[nodiscard]] static Result<std::unique_ptr<WriterLock>> open(const std::string& folder);
  // Without files: on a disk that no other process sees.
  [[nodiscard]] static Result<std::unique_ptr<WriterLock>> of_threads(const std::string& path) {
    return std::unique_ptr<WriterLock>(new WriterLock(path, kNoFile, kNoFile));
  }
  ~WriterLock();
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

  [[nodiscard]] Status lock();
  void unlock();
  // Nothing is written any more after a failed sync: the kernel has dropped what it could not
  // write, so that a later commit would stand on nothing. lock() says `error` from now on.
  void break_off(Error error);

 private:
  WriterLock(std::string path, int turnstile, int writer)
      : path_(std::move(path)), turnstile_(turnstile), writer_(writer) {}
  [[nodiscard]] Status lock_file();

  static constexpr int kNoFile = -1;
  std::string path_;
  int turnstile_, writer_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::uint64_t next_ = 0, serving_ = 0;  // guarded by mutex_
  std::optional<Error> broken_;           // guarded by mutex_
};

// Holds the lock until destroyed.
class WriterTurn {
 public:
  [[nodiscard]] static Result<WriterTurn> take(WriterLock& lock) {
    AIMETER_CHECK_OK(lock.lock());
    return WriterTurn(&lock);
  }
  WriterTurn(WriterTurn&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
  WriterTurn& operator=(WriterTurn&&) = delete;
  ~WriterTurn() {
    if (lock_ != nullptr) lock_->unlock();
  }

 private:
  explicit WriterTurn(WriterLock* lock) : lock_(lock) {}
  WriterLock* lock_;
};

}  // namespace aimeter::drivers::sqlite
