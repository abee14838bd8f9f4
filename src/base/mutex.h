// Package:       base
// Units:         none
// Errors:        none
// Thread safety: this is what it is made of; clang's -Wthread-safety checks the annotations.
// Ownership:     a Lock borrows its Mutex.
//
// std::mutex is not annotated in libstdc++; this one is.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#if defined(__clang__)
#define AIMETER_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define AIMETER_THREAD_ANNOTATION(x)
#endif
#define AIMETER_GUARDED_BY(mutex) AIMETER_THREAD_ANNOTATION(guarded_by(mutex))
#define AIMETER_REQUIRES(...) AIMETER_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define AIMETER_EXCLUDES(...) AIMETER_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace aimeter::base {

class AIMETER_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() AIMETER_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() AIMETER_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  // True: it is ours now, as after lock().
  bool try_lock() AIMETER_THREAD_ANNOTATION(try_acquire_capability(true)) {
    return mutex_.try_lock();
  }

 private:
  std::mutex mutex_;
};

class [[nodiscard]] AIMETER_THREAD_ANNOTATION(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) AIMETER_THREAD_ANNOTATION(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~Lock() AIMETER_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

// For a few instructions of work on memory, never over I/O. Yields after 200 spins.
class AIMETER_THREAD_ANNOTATION(capability("spinlock")) SpinLock {
 public:
  void lock() AIMETER_THREAD_ANNOTATION(acquire_capability()) {
    while (taken_.exchange(true, std::memory_order_acquire)) {
      for (int spins = 0; taken_.load(std::memory_order_relaxed); ++spins) {
        if (spins >= kSpinsMax) std::this_thread::yield();
      }
    }
  }
  void unlock() AIMETER_THREAD_ANNOTATION(release_capability()) {
    taken_.store(false, std::memory_order_release);
  }

 private:
  static constexpr int kSpinsMax = 200;
  std::atomic<bool> taken_{false};
};

class [[nodiscard]] AIMETER_THREAD_ANNOTATION(scoped_lockable) SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) AIMETER_THREAD_ANNOTATION(acquire_capability(lock))
      : lock_(lock) {
    lock_.lock();
  }
  ~SpinGuard() AIMETER_THREAD_ANNOTATION(release_capability()) { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace aimeter::base
