#include "base/workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

#include "base/step_workers.h"

namespace aimeter::base {
namespace {

using testing::ElementsAre;

constexpr Wait kLong = std::chrono::minutes(1);  // nothing here takes that long

class Stepper final : public Worker {
 public:
  explicit Stepper(std::function<bool()> step) : step_(std::move(step)) {}
  bool step() override { return step_(); }

 private:
  std::function<bool()> step_;
};

TEST(Gate, OnlyGrows) {
  Gate gate;
  EXPECT_EQ(gate.passed(), 0U);
  gate.advance(5);
  gate.advance(3);
  EXPECT_EQ(gate.passed(), 5U);
}

TEST(SystemWorkers, WaitEndsWithTheGateOrWithTheTime) {
  const auto workers = make_system_workers();
  Gate gate;
  gate.advance(5);
  EXPECT_TRUE(workers->wait(gate, 5, Wait(0)));
  EXPECT_FALSE(workers->wait(gate, 6, Wait(0))) << "not passed, and no time given";
  EXPECT_FALSE(workers->wait(gate, 6, Wait(1)));
}

TEST(SystemWorkers, EveryWaiterHearsOfItsNumber) {
  const auto workers = make_system_workers();
  Gate gate;
  constexpr std::uint64_t kWaiters = 32;
  std::atomic<std::uint64_t> woken{0};
  std::vector<std::thread> threads;
  for (std::uint64_t i = 1; i <= kWaiters; ++i) {
    threads.emplace_back([&, i] {
      // Numbers 7 apart fall into all classes of waiters, with wrap-around.
      if (workers->wait(gate, i * 7, kLong) && gate.passed() >= i * 7) woken.fetch_add(1);
    });
  }
  for (std::uint64_t to = 1; to <= kWaiters * 7; ++to) gate.advance(to);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(woken.load(), kWaiters);
}

TEST(SystemWorkers, OneAdvanceToTheEndWakesAll) {
  const auto workers = make_system_workers();
  Gate gate;
  std::vector<std::thread> threads;
  std::atomic<int> passed{0};
  for (std::uint64_t i = 1; i <= 16; ++i) {
    threads.emplace_back([&, i] {
      if (workers->wait(gate, i * 1'000'000, kLong)) passed.fetch_add(1);
    });
  }
  gate.advance(~std::uint64_t{0});
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed.load(), 16);
}

TEST(SystemWorkers, AWorkerIsSteppedAgainWhileItSaysMore) {
  const auto workers = make_system_workers();
  Gate gate;
  std::uint64_t steps = 0;
  Stepper worker([&] {
    gate.advance(++steps);
    return steps < 100;
  });
  workers->start("stepper", worker, kLong);
  EXPECT_TRUE(workers->wait(gate, 100, kLong));
  workers->stop(worker);
  EXPECT_EQ(steps, 100U);
}

TEST(SystemWorkers, AWakeIsNeverLost) {
  const auto workers = make_system_workers();
  Gate asked, done;
  Stepper worker([&] {
    done.advance(asked.passed());
    return false;
  });
  workers->start("a name that is longer than fifteen", worker, kLong);
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    asked.advance(i);
    workers->wake(worker);
    ASSERT_TRUE(workers->wait(done, i, kLong)) << "wake " << i << " was lost";
  }
  workers->stop(worker);
}

// A worker whose waiters do its work: `at` goes up to what was asked, and no two do it at once.
class Helped final : public Worker {
 public:
  bool step() override {
    work();
    return false;
  }
  bool help() override {
    helped.fetch_add(1);
    helper = std::this_thread::get_id();
    if (leaves_more) return false;
    work();
    return true;
  }
  void work() {
    EXPECT_EQ(at_work.fetch_add(1), 0) << "beside another round";
    std::this_thread::yield();  // let the others try
    done.advance(asked.passed());
    at_work.fetch_sub(1);
  }
  Gate asked, done;
  std::atomic<int> at_work{0}, helped{0};
  std::thread::id helper = {};
  bool leaves_more = false;
};

TEST(SystemWorkers, AWaiterDoesTheWorkOfOneThatSleeps) {
  const auto workers = make_system_workers();
  Helped worker;
  workers->start("sleeper", worker, std::chrono::hours(1));
  for (std::uint64_t i = 1; worker.helped == 0 && i < 1'000; ++i) {  // it may still be starting
    worker.asked.advance(i);
    ASSERT_TRUE(workers->wake_and_wait(worker, worker.done, i, kLong));
  }
  EXPECT_EQ(worker.helper, std::this_thread::get_id());
  worker.leaves_more = true;
  worker.asked.advance(2'000);
  ASSERT_TRUE(workers->wake_and_wait(worker, worker.done, 2'000, kLong))
      << "its own thread does it";
  workers->stop(worker);
  EXPECT_FALSE(workers->wake_and_wait(worker, worker.done, 2'001, Wait(0))) << "it was stopped";
}

TEST(SystemWorkers, WaitersAndTheWorkerTakeTurns) {
  const auto workers = make_system_workers();
  Helped worker;
  workers->start("helped", worker, Wait(1));
  constexpr std::uint64_t kEach = 500;
  std::atomic<std::uint64_t> next{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const std::uint64_t mine = next.fetch_add(1) + 1;
        worker.asked.advance(mine);
        EXPECT_TRUE(workers->wake_and_wait(worker, worker.done, mine, kLong));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  workers->stop(worker);
  EXPECT_EQ(worker.done.passed(), 4 * kEach);
}

TEST(SystemWorkers, AfterStopNoStepRuns) {
  const auto workers = make_system_workers();
  std::atomic<int> steps{0};
  Stepper worker([&] {
    steps.fetch_add(1);
    return true;
  });
  workers->start("busy", worker, Wait(0));
  workers->stop(worker);
  const int after = steps.load();
  workers->wake(worker);
  workers->stop(worker);
  EXPECT_EQ(steps.load(), after);
}

TEST(SystemWorkers, TheirEndStopsWhatStillRuns) {
  std::atomic<bool> stepped{false};
  Stepper worker([&] {
    stepped.store(true);
    return false;
  });
  Gate gate;
  Stepper second([&] {
    gate.advance(1);
    return false;
  });
  {
    const auto workers = make_system_workers();
    workers->start("first", worker, kLong);
    workers->start("second", second, kLong);
    EXPECT_TRUE(workers->wait(gate, 1, kLong));
  }
  SUCCEED() << "returned: both threads are joined";
}

TEST(StepWorkers, WaitRunsTheStepsInOrderUntilTheGatePasses) {
  StepWorkers workers;
  Gate gate;
  std::vector<std::string> order;
  std::uint64_t count = 0;
  Stepper first([&] {
    order.push_back("first");
    return false;
  });
  Stepper second([&] {
    order.push_back("second");
    gate.advance(++count);
    return true;
  });
  workers.start("first", first, kLong);
  workers.start("second", second, kLong);
  EXPECT_TRUE(workers.wait(gate, 2, Wait(0)));
  EXPECT_THAT(order, ElementsAre("first", "second", "first", "second"));
  workers.stop(second);
  EXPECT_FALSE(workers.wait(gate, 3, kLong)) << "nobody is left who could pass it";
}

TEST(StepWorkers, AnIdleRoundMovesTheTestsClock) {
  StepWorkers workers;
  Gate gate;
  int now = 0;
  Stepper worker([&] {
    if (now == 2) gate.advance(1);
    return false;
  });
  workers.start("by the clock", worker, kLong);
  EXPECT_FALSE(workers.wait(gate, 1, kLong));
  workers.set_on_idle([&] { ++now; });
  EXPECT_TRUE(workers.wait(gate, 1, kLong));
}

TEST(StepWorkers, AStepMayWaitForAnotherWorker) {
  StepWorkers workers;
  Gate inner, outer;
  Stepper waits([&] {
    if (workers.wait(inner, 1, kLong)) outer.advance(1);
    return false;
  });
  Stepper helps([&] {
    inner.advance(1);
    return false;
  });
  workers.start("waits", waits, kLong);
  workers.start("helps", helps, kLong);
  EXPECT_TRUE(workers.wait(outer, 1, kLong));
}

}  // namespace
}  // namespace aimeter::base
