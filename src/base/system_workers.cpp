#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "aimeter/result.h"
#include "base/aside.h"
#include "base/futex.h"
#include "base/mutex.h"
#include "base/workers.h"

namespace aimeter::base {
namespace {

// Waiters are sorted into 32 classes of 8 neighbouring numbers each, so that an advance does not
// wake the crowd that waits for the next one.
constexpr int kClassBits = 3;
constexpr std::uint64_t kClasses = 32;
constexpr std::uint32_t kEveryClass = ~std::uint32_t{0};

std::uint32_t class_of(std::uint64_t number) {
  return std::uint32_t{1} << ((number >> kClassBits) % kClasses);
}

std::uint32_t classes_of(std::uint64_t above, std::uint64_t to) {
  const std::uint64_t first = (above + 1) >> kClassBits;
  const std::uint64_t last = to >> kClassBits;
  if (last - first >= kClasses - 1) return kEveryClass;
  std::uint32_t bits = 0;
  for (std::uint64_t at = first; at <= last; ++at) bits |= std::uint32_t{1} << (at % kClasses);
  return bits;
}

}  // namespace

void Gate::advance(std::uint64_t to) {
  std::uint64_t before = passed_.load();
  while (before < to && !passed_.compare_exchange_weak(before, to)) continue;
  if (before >= to || waiting_.load() == 0) return;
  advances_.fetch_add(1);
  futex_wake_all(advances_, classes_of(before, to));
}

bool Gate::block(std::uint64_t at_least, Wait longest) {
  if (passed() >= at_least) return true;
  const Deadline deadline = deadline_after(longest);
  // Counted before passed_ is read again: an advance sees the waiter, or the waiter the advance.
  waiting_.fetch_add(1);
  while (true) {
    const std::uint32_t seen = advances_.load();
    // tidy: the deadline of a wait, no time of ours
    if (passed_.load() >= at_least || std::chrono::steady_clock::now() >= deadline) break;
    futex_wait(advances_, seen, class_of(at_least), deadline);
  }
  waiting_.fetch_sub(1);
  return passed() >= at_least;
}

class SystemWorkers final : public Workers {
 public:
  ~SystemWorkers() override {
    while (Worker* worker = any()) stop(*worker);
  }

  void start(std::string name, Worker& worker, Wait idle_max) override {
    auto slot = std::make_shared<Slot>();
    const Lock lock(mutex_);
    AIMETER_ASSERT(!slots_.contains(&worker));
    slot->thread = std::thread([slot, &worker, idle_max] { slot->run(worker, idle_max); });
    name.resize(std::min(name.size(), kThreadNameBytesMax));
    pthread_setname_np(slot->thread.native_handle(), name.c_str());
    slots_[&worker] = std::move(slot);
  }

  void wake(Worker& worker) override {
    if (const std::shared_ptr<Slot> slot = find(worker)) slot->wake();
  }

  void stop(Worker& worker) override {
    const std::shared_ptr<Slot> slot = find(worker);
    if (!slot) return;
    AIMETER_ASSERT(slot->thread.get_id() != std::this_thread::get_id());
    slot->stopping.store(true);
    slot->wake();
    const Lock joining(slot->joining);  // two may stop the same worker
    if (slot->thread.joinable()) slot->thread.join();
    const Lock helped(slot->stepping);
    const Lock lock(mutex_);
    slots_.erase(&worker);
  }

  bool wait(Gate& gate, std::uint64_t at_least, Wait longest) override {
    return gate.block(at_least, longest);
  }

  bool wake_and_wait(Worker& worker, Gate& gate, std::uint64_t at_least, Wait longest) override {
    if (const std::shared_ptr<Slot> slot = find(worker); slot && !slot->help(worker)) slot->wake();
    return gate.block(at_least, longest);
  }

 private:
  static constexpr std::size_t kThreadNameBytesMax = 15;  // pthread_setname_np(3)

  struct Slot {
    std::thread thread;
    Mutex joining;
    std::atomic<bool> stopping{false};
    std::atomic<std::uint32_t> woken{0};
    Mutex stepping;  // over a step, or the help of a waiter

    void wake() {
      if (woken.exchange(1) == 0) futex_wake_all(woken, kEveryClass);
    }
    bool step(Worker& worker) {
      const Lock lock(stepping);
      return worker.step();
    }
    // False: it steps just now, or there is more to do.
    bool help(Worker& worker) {
      if (!stepping.try_lock()) return false;
      const bool done = !stopping.load() && worker.help();
      stepping.unlock();
      return done;
    }
    void run(Worker& worker, Wait idle_max) {
      mark_worker_thread();
      while (true) {
        woken.store(0);  // before the look at `stopping`: stop() sets it, then wakes
        if (stopping.load()) return;
        if (step(worker)) continue;
        futex_wait(woken, 0, kEveryClass, deadline_after(idle_max));
      }
    }
  };

  std::shared_ptr<Slot> find(Worker& worker) AIMETER_EXCLUDES(mutex_) {
    const Lock lock(mutex_);
    const auto found = slots_.find(&worker);
    return found == slots_.end() ? nullptr : found->second;
  }
  Worker* any() AIMETER_EXCLUDES(mutex_) {
    const Lock lock(mutex_);
    return slots_.empty() ? nullptr : slots_.begin()->first;
  }

  Mutex mutex_;
  std::map<Worker*, std::shared_ptr<Slot>> slots_ AIMETER_GUARDED_BY(mutex_);
};

std::unique_ptr<Workers> make_system_workers() { return std::make_unique<SystemWorkers>(); }

}  // namespace aimeter::base
