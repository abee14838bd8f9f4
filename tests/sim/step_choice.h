// Package:       sim
// Units:         steps
// Errors:        none
// Thread safety: none: one thread does everything.
// Ownership:     borrows the Workers that it steps.
//
// The workers of one simulated process: they step when the scheduler says so. A step may be entered
// again from within another (an engine waits for its store while others run), never the same worker
// twice. wait() looks and does not wait; while a process closes, and only then, it runs the workers
// that are left and lets time pass.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/workers.h"

namespace aimeter::sim {

class StepChoice final : public base::Workers {
 public:
  explicit StepChoice(std::function<void(base::Wait)> pass_time)
      : pass_time_(std::move(pass_time)) {}

  void start(std::string name, base::Worker& worker, base::Wait) override {
    slots_.push_back({std::move(name), &worker});
  }
  void wake(base::Worker&) override {}  // any worker may step at any time
  void stop(base::Worker& worker) override {
    std::erase_if(slots_, [&](const Slot& slot) { return slot.worker == &worker; });
  }
  bool wait(base::Gate& gate, std::uint64_t at_least, base::Wait longest) override {
    constexpr int kRounds = 8;
    for (int round = 0; closing_ && round < kRounds && gate.passed() < at_least; ++round) {
      if (!run_round()) pass_time_(longest / kRounds);
    }
    return gate.passed() >= at_least;
  }
  void begin_closing() { closing_ = true; }

  [[nodiscard]] std::size_t count() const { return slots_.size(); }
  [[nodiscard]] const std::string& name(std::size_t at) const { return slots_[at].name; }
  [[nodiscard]] bool may_step(std::size_t at) const {
    return std::ranges::find(stepping_, slots_[at].worker) == stepping_.end();
  }
  // True: it has more to do.
  bool step(std::size_t at) {
    base::Worker* const worker = slots_[at].worker;
    stepping_.push_back(worker);
    const bool more = worker->step();
    stepping_.pop_back();
    return more;
  }

 private:
  struct Slot {
    std::string name;
    base::Worker* worker = nullptr;
  };
  bool run_round() {
    bool more = false;
    for (std::size_t at = 0; at < slots_.size(); ++at) {
      if (may_step(at)) more = step(at) || more;
    }
    return more;
  }

  std::function<void(base::Wait)> pass_time_;
  std::vector<Slot> slots_;
  std::vector<base::Worker*> stepping_;
  bool closing_ = false;
};

}  // namespace aimeter::sim
