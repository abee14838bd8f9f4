#include "base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <ctime>

namespace aimeter::base {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

constexpr std::chrono::hours kWaitMax(24 * 365);

}  // namespace

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::uint32_t bits,
                Deadline deadline) {
  // steady_clock is CLOCK_MONOTONIC, which FUTEX_WAIT_BITSET counts in.
  const auto since = deadline.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  const std::chrono::nanoseconds rest = since - seconds;
  const timespec until{static_cast<std::time_t>(seconds.count()), static_cast<long>(rest.count())};
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, &until, nullptr, bits);
}

void futex_wake_all(const std::atomic<std::uint32_t>& word, std::uint32_t bits) {
  syscall(SYS_futex, &word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, nullptr, nullptr, bits);
}

Deadline deadline_after(std::chrono::microseconds longest) {
  const auto bounded =
      std::clamp<std::chrono::microseconds>(longest, std::chrono::microseconds(0), kWaitMax);
  return std::chrono::steady_clock::now() + bounded;  // tidy: deadline of a wait, no time of ours
}

}  // namespace aimeter::base
