// Package:       bench
// Units:         `ours` and `baseline_value` in `unit`; p50 and p99 in milliseconds; cpu in
//                microseconds of CPU time per call, all threads of the process.
// Errors:        whatever the engine, the store or SQLite say: the figure is then worth nothing.
// Thread safety: one scenario at a time.
// Ownership:     a scenario owns its files, in a folder of its own that it removes.
//
// A scenario measures ours and its baseline in one run on one machine; only their ratio travels.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "aimeter/result.h"

namespace aimeter::bench {

struct Figure {
  double ours = 0, baseline_value = 0;
  std::string unit = {}, baseline = {};
  std::optional<double> p50_ms = {}, p99_ms = {}, cpu_us = {};
};

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// How long a scenario of a given time runs: AIMETER_BENCH_SECONDS, else 20.
[[nodiscard]] double seconds_to_run();
// A chat completion of 1 KB as OpenAI answers it, with its usage at the end.
[[nodiscard]] const std::string& answer_of_1k();
// A remark for people: standard error.
void say(const std::string& line);

[[nodiscard]] Result<Figure> hold_hot();
[[nodiscard]] Result<Figure> extract_1k();
[[nodiscard]] Result<Figure> durable_64t_keys();

}  // namespace aimeter::bench
