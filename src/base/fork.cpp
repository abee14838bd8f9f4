#include "base/fork.h"

#include <pthread.h>

#include <atomic>

#include "aimeter/result.h"

namespace aimeter::base {
namespace {

std::atomic<std::uint64_t> generation{0};

void count_fork() { generation.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

std::uint64_t fork_generation() {
  static const int registered = pthread_atfork(nullptr, nullptr, count_fork);
  AIMETER_ASSERT(registered == 0);
  return generation.load(std::memory_order_relaxed);
}

}  // namespace aimeter::base
