// Package:       base
// Units:         microseconds of boot time
// Errors:        none
// Thread safety: all of Workers and Gate may be called from any thread.
// Ownership:     a Worker and a Gate are borrowed and outlive stop() and every wait.
//
// The port to threads and waiting: background work is written as steps, and callers wait for a
// number to be passed. The system's Workers give each Worker a thread; a simulator calls step() in
// an order of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace aimeter::base {

using Wait = std::chrono::microseconds;

class Worker {
 public:
  virtual ~Worker() = default;
  virtual bool step() = 0;  // one round of work; true: there is more, call again at once
};

// A number that only grows. Waiters wait for it to reach theirs. Built for many waiters and few
// advances.
class Gate {
 public:
  [[nodiscard]] std::uint64_t passed() const { return passed_.load(std::memory_order_acquire); }
  void advance(
      std::uint64_t to);  // wakes whoever waits for <= to; a smaller number changes nothing

 private:
  friend class SystemWorkers;
  std::atomic<std::uint64_t> passed_{0};
  std::atomic<int> waiting_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

class Workers {
 public:
  virtual ~Workers() = default;
  // Calls worker.step() again and again: at once while it says true, else after wake() or
  // `idle_max`.
  virtual void start(std::string name, Worker& worker, Wait idle_max) = 0;
  virtual void wake(Worker& worker) = 0;
  virtual void stop(Worker& worker) = 0;  // returns when no step runs and none will
  // True when the gate has passed `at_least`, false when `longest` went by first.
  virtual bool wait(Gate& gate, std::uint64_t at_least, Wait longest) = 0;
};

[[nodiscard]] std::unique_ptr<Workers> make_system_workers();

}  // namespace aimeter::base
