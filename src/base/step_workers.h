// Package:       base
// Units:         steps
// Errors:        none
// Thread safety: none: one thread does everything, that is the point.
// Ownership:     borrows the Workers that it steps.
//
// Workers for tests: no thread, no time. wait() runs the workers' steps in the order of their start
// until the gate has passed; when nobody has anything left to do it says that the time went by.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/workers.h"

namespace aimeter::base {

class StepWorkers final : public Workers {
 public:
  // A worker that idles may be due by its clock only: `on_idle` (advance a manual clock, say) is
  // called between rounds in which nobody had work. A wait gives up after kIdleRoundsMax of those.
  static constexpr int kIdleRoundsMax = 3;
  void set_on_idle(std::function<void()> on_idle) { on_idle_ = std::move(on_idle); }

  void start(std::string name, Worker& worker, Wait) override {
    slots_.push_back({std::move(name), &worker});
  }
  void wake(Worker&) override {}  // every round steps everybody
  void stop(Worker& worker) override {
    std::erase_if(slots_, [&](const Slot& slot) { return slot.worker == &worker; });
  }
  bool wait(Gate& gate, std::uint64_t at_least, Wait) override {
    int idle_rounds = 0;
    while (gate.passed() < at_least && idle_rounds < kIdleRoundsMax) {
      if (run_round()) {
        idle_rounds = 0;
        continue;
      }
      ++idle_rounds;
      if (on_idle_) on_idle_();
    }
    return gate.passed() >= at_least;
  }

  // A worker that does not get its turn for a while; "" lets everybody run again.
  void hold_back(std::string name) { held_back_ = std::move(name); }

  // One step of each worker that is not in the middle of one; true when any has more to do.
  bool run_round() {
    bool more = false;
    const std::vector<Slot> round = slots_;  // a step may start or stop workers
    for (const Slot& slot : round) {
      if (slot.name != held_back_) more = step(slot.worker) || more;
    }
    return more;
  }
  void run_until_idle() {
    while (run_round()) continue;
  }

 private:
  struct Slot {
    std::string name;
    Worker* worker = nullptr;
  };

  bool step(Worker* worker) {
    for (Worker* const running : running_) {
      if (running == worker) return false;  // its step waits for others
    }
    for (const Slot& slot : slots_) {
      if (slot.worker != worker) continue;
      running_.push_back(worker);
      const bool more = worker->step();
      running_.pop_back();
      return more;
    }
    return false;  // stopped in this round
  }

  std::vector<Slot> slots_;
  std::vector<Worker*> running_;
  std::string held_back_;
  std::function<void()> on_idle_;
};

}  // namespace aimeter::base
