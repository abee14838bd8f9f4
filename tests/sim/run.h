// Package:       sim
// Units:         steps
// Errors:        none: values.
// Thread safety: one run at a time.
// Ownership:     none.
//
// A run is many short histories, each in a world of its own, so that every step stays cheap to
// check. The same seed makes the same runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/history.h"
#include "tests/sim/trace.h"
#include "tests/sim/world.h"

namespace aimeter::sim {

constexpr std::size_t kHistorySteps = 1'000;

struct Ran {
  std::uint64_t hash = 0;
  std::size_t rows = 0;
  std::optional<std::string> failure = {};
  std::string text = {};
};
struct RunOptions {
  std::uint64_t seed = 1;
  StoreKind store = StoreKind::memory;
  Wallets wallets = Wallets::none;
  std::size_t verify_every = 16;
  Trace::Text text = Trace::Text::none;
};
[[nodiscard]] Ran run(const History& history, const RunOptions& options);

// A world of this seed, with the wallets that the seed chooses.
[[nodiscard]] RunOptions options_of(std::uint64_t seed, StoreKind store);
[[nodiscard]] History history_of(const RunOptions& options, std::size_t steps);

// The seed of the n-th history of a run.
[[nodiscard]] std::uint64_t seed_of(std::uint64_t seed, std::size_t history);

// Runs in a child process, so that an assertion that fails is a failure like any other.
[[nodiscard]] Ran run_apart(const History& history, const RunOptions& options);
// Shrinks a history that fails, tells how it goes on, and gives the last failure with its trace.
[[nodiscard]] Ran shrink_failure(const History& history, const RunOptions& options);

}  // namespace aimeter::sim
