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
#include <cstdint>
#include <memory>
#include <string>

namespace aimeter::base {

using Wait = std::chrono::microseconds;

class Worker {
 public:
  virtual ~Worker() = default;
  virtual bool step() = 0;  // one round of work; true: there is more, call again at once
  // As much of a round as a waiter may do for itself, on the waiter's thread: nothing that runs
  // foreign code. Never beside step(). True: nothing is left; false: its own thread must step.
  virtual bool help() { return false; }
};

// A number that only grows. Waiters wait for it to reach theirs. Built for many waiters and few
// advances: an advance without waiters is two atomic operations, and one with them wakes those
// whose number it passed in one system call.
class Gate {
 public:
  [[nodiscard]] std::uint64_t passed() const { return passed_.load(std::memory_order_acquire); }
  // Wakes whoever waits for <= to; a smaller number changes nothing.
  void advance(std::uint64_t to);

 private:
  friend class SystemWorkers;
  bool block(std::uint64_t at_least, Wait longest);

  std::atomic<std::uint64_t> passed_{0};
  std::atomic<int> waiting_{0};
  std::atomic<std::uint32_t> advances_{0};  // the word that the kernel waits on
};

class Workers {
 public:
  virtual ~Workers() = default;
  // Calls worker.step() again and again: at once while it says true, else after wake() or
  // `idle_max`. A wake() during a step is not lost: another step follows.
  virtual void start(std::string name, Worker& worker, Wait idle_max) = 0;
  virtual void wake(Worker& worker) = 0;  // cheap when it is awake; not started: nothing
  // Returns when no step runs and none will. Not from within a step of that worker.
  virtual void stop(Worker& worker) = 0;
  // True when the gate has passed `at_least`, false when `longest` went by first.
  virtual bool wait(Gate& gate, std::uint64_t at_least, Wait longest) = 0;
  // The same for one who would wake() `worker` first. Where that sleeps, its work may be done on
  // this thread: two threads less to wake.
  virtual bool wake_and_wait(Worker& worker, Gate& gate, std::uint64_t at_least, Wait longest) {
    wake(worker);
    return wait(gate, at_least, longest);
  }
};

[[nodiscard]] std::unique_ptr<Workers> make_system_workers();

}  // namespace aimeter::base
