// Package:       sim
// Units:         steps
// Errors:        none
// Thread safety: values.
// Ownership:     none.
//
// What the scheduler decided, as data: each step is a deed and the chance it is done with. A deed
// takes the world as it finds it, so any part of a history is a history: that is how one shrinks.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace aimeter::sim {

enum class Deed : std::uint8_t {
  work,          // one step of one worker of one engine
  call,          // a caller begins: key, hold
  finish,        // a held call settles, or its provider fails
  record,        // usage without a hold
  adjust,        // a correction
  detach,        // a hold is handed out as a token
  token,         // a token is settled or released, through any engine
  retry,         // a key again, perhaps on another engine
  tick,          // time passes
  open,          // a process starts and opens an engine
  close,         // an engine closes cleanly
  kill,          // kill -9: the kernel keeps what was written
  power,         // a machine loses what was not synced
  pause,         // a process stops for a while (a zombie when it wakes)
  cut,           // a process does not reach the store for a while
  wall,          // a wall clock jumps, or is set right
  limit,         // a plan's limit changes
  terms_change,  // a subscription or an override
  disk,          // a disk fails or is full, or is well again
  money          // a top-up, a withdrawal, a refund, or one of them again
};
constexpr int kDeeds = 20;

// What a world knows of wallets.
enum class Wallets : std::uint8_t {
  none,
  strict,    // no answer is dearer than its hold: no balance is ever below zero
  debts,     // answers, records and corrections may be dearer
  overdraft  // a balance below zero refuses no call
};
[[nodiscard]] std::string_view name_of(Wallets wallets);
[[nodiscard]] Wallets wallets_of(std::uint64_t seed);

[[nodiscard]] std::string_view name_of(Deed deed);

struct Step {
  Deed deed = Deed::work;
  std::uint64_t seed = 0;
  bool calm = false;  // nothing goes wrong between an engine and its store during this step
};
using History = std::vector<Step>;

// Without wallets no money moves.
[[nodiscard]] History make_history(std::uint64_t seed, std::size_t steps, Wallets wallets);

// The shortest history that `fails` and can be had by leaving steps out of this one by halves, and
// by calming those that stay. At most `trials` calls of `fails`.
[[nodiscard]] History shrink(History history, const std::function<bool(const History&)>& fails,
                             int trials);

}  // namespace aimeter::sim
