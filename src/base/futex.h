// Package:       base
// Units:         microseconds of CLOCK_MONOTONIC
// Errors:        none
// Thread safety: any thread.
// Ownership:     a word is borrowed for the call.
//
// futex(2) with a bit set: who waits names bits, who wakes names bits, and they meet when they
// share one. Every return is a hint: look at the word again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace aimeter::base {

using Deadline = std::chrono::steady_clock::time_point;

// Sleeps while `word` is `expected`, until a wake that shares a bit or the deadline.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::uint32_t bits,
                Deadline deadline);
void futex_wake_all(const std::atomic<std::uint32_t>& word, std::uint32_t bits);
// Now + longest, without running over.
[[nodiscard]] Deadline deadline_after(std::chrono::microseconds longest);

}  // namespace aimeter::base
