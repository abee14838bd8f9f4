// Package:       bench
// Units:         seconds, bytes, calls; the rest as its name ends.
// Errors:        a call that failed; corrupt: another number of rows in the file than there were
//                calls.
// Thread safety: one load at a time.
// Ownership:     opens and closes the engine on the file that it is told.
//
// One engine under load, from the first call until its store has everything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/callers.h"
#include "bench/scenario.h"

namespace aimeter::bench {

// How the accounts pay. plan: two leased limits that are never reached. charge: the tokens are used
// up by the first call, each further one is overage. credits: a wallet beside the limits.
enum class Pays : std::uint8_t { plan, charge, credits };
constexpr std::int64_t kAllowance_tokens = 500;             // under charge; a call has 940
constexpr std::int64_t kOverage_nanos_per_token = 2'000;    // under charge
constexpr std::int64_t kDeposit_nanos = 1'000'000'000'000;  // under credits: 1,000 usd an account

struct LoadPlan {
  std::string name = {};  // of the scenario, for remarks
  Callers callers = Callers::threads;
  int count = 1;
  Keys keys = Keys::none;
  Pays pays = Pays::plan;
  double seconds = seconds_to_run();
};

struct Moment {  // about once a second
  double at_s = 0;
  std::int64_t own_bytes = 0;
  std::uint64_t backlog = 0;
};

struct LoadResult {
  double seconds = 0;  // from the first call to the end of the last
  double cpu_us = 0;   // per call, of all threads, until the store has everything
  double drained_s = 0;
  std::uint64_t calls = 0, syncs = 1, journal_bytes = 0;
  std::uint64_t backlog = 0;  // settled and not in the store, when the callers stopped
  Latencies latencies = {};
  std::vector<Moment> moments = {};

  [[nodiscard]] double calls_per_second() const { return static_cast<double>(calls) / seconds; }
  // Calls that one sync acknowledged, in the mean.
  [[nodiscard]] std::uint64_t group() const { return std::max<std::uint64_t>(1, calls / syncs); }
  // How old the oldest settlement is that the store does not have.
  [[nodiscard]] double behind_s() const {
    return static_cast<double>(backlog) / calls_per_second();
  }
  // p50_ms, p99_ms, p99_9_ms, longest_ms, cpu_us, behind_s.
  [[nodiscard]] std::vector<Figure::Further> further() const;
  // Why it is no durable figure; empty: it is one.
  [[nodiscard]] std::string invalid() const;
};

// On a file that is there or is made: a plan with two limits and a subscription for each account if
// there are none, one call of each account, so that first leases are not in the figure, then the
// callers. Afterwards the rows in the file are counted.
[[nodiscard]] Result<LoadResult> run_load(const std::string& file, const LoadPlan& plan);

}  // namespace aimeter::bench
