// Package:       bench
// Units:         none
// Errors:        the first failed call stops all callers and is kept.
// Thread safety: stop, note and add: any thread.
// Ownership:     borrows the engine.
//
// Callers that make whole meter calls of random accounts until they are stopped: hold, a provider
// that answers the same 1 KB at once, extraction, price, settlement, durable.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <utility>

#include "aimeter/aimeter.h"
#include "bench/latencies.h"

namespace aimeter::bench {

constexpr int kAccounts = 1'000;
// t000 to t999: tenants that pay for themselves.
[[nodiscard]] const std::string& account_name(std::size_t number);

enum class Callers : std::uint8_t { threads, coroutines };
enum class Keys : std::uint8_t { none, fresh };  // fresh: an idempotency key of its own each

struct Load {
  const Engine& engine;
  int callers = 1;
  Keys keys = Keys::none;
  int number = 0;  // of this process: keys of another load of the same file are others
  std::atomic<bool> stop = false;
  std::mutex mutex = {};
  Status failed = {};        // by mutex
  Latencies latencies = {};  // by mutex, complete when the callers have returned

  void note(Error error) {
    const std::scoped_lock lock(mutex);
    if (failed) failed = std::unexpected(std::move(error));
    stop = true;
  }
  void add(const Latencies& more) {
    const std::scoped_lock lock(mutex);
    latencies.add(more);
  }
};

// One caller's calls, one after the other.
class CallOrder {
 public:
  CallOrder(const Load& load, int caller)
      : load_(load), caller_(caller), random_(static_cast<std::uint64_t>(caller) + 1) {}
  [[nodiscard]] Meter next();

 private:
  const Load& load_;
  int caller_;
  std::mt19937_64 random_;
  std::uint64_t made_ = 0;
};

// Recorded, and as a new call.
[[nodiscard]] Status check(const Result<Reply<std::string>>& reply);

// Both return when `load.stop` is set and every call has ended.
void call_from_threads(Load& load);
void call_from_coroutines(Load& load);

}  // namespace aimeter::bench
