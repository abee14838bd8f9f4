// Package:       bench
// Units:         `ours` and `baseline_value` in `unit`; what else a figure tells in the unit that
//                its name ends with.
// Errors:        whatever the engine, the store or SQLite say: then there is no figure.
// Thread safety: one scenario at a time.
// Ownership:     a scenario owns its files, in a folder of its own that it removes.
//
// A scenario measures ours and its baseline in one run on one machine; only their ratio travels.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/result.h"

namespace aimeter::bench {

struct Figure {
  double ours = 0, baseline_value = 0;
  std::string unit = {}, baseline = {};
  struct Further {
    std::string name = {};  // in JSON and in targets: p99_ms, cpu_us ...
    double value = 0;
  };
  std::vector<Further> further = {};
  std::string invalid = {};  // why it must not be quoted, whatever it says; empty: it is valid

  [[nodiscard]] double ratio() const { return ours / baseline_value; }
  // "ratio", "ours" or one of `further`; empty when there is no such value.
  [[nodiscard]] std::optional<double> value(std::string_view name) const;
};

enum class Bound { at_least, at_most };
struct Target {
  std::string_view of = {};  // as in Figure::value
  Bound bound = Bound::at_least;
  double value = 0;
};

struct Scenario {
  std::string_view name = {};
  Result<Figure> (*run)() = nullptr;
  std::vector<Target> must = {};
};
[[nodiscard]] const std::vector<Scenario>& scenarios();

// "≥ 2.0, p99_ms ≤ 5": the ratio goes without its name.
[[nodiscard]] std::string words_of(const std::vector<Target>& must);
[[nodiscard]] bool met(const std::vector<Target>& must, const Figure& figure);

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
// How often a durable scenario runs, an odd number: AIMETER_BENCH_RUNS, else 3.
[[nodiscard]] int runs_to_take();
// What "5M rows" are: AIMETER_BENCH_ROWS, else 5,000,000. A tenth and a fifth of it stand for the
// other sizes.
[[nodiscard]] std::int64_t rows_to_fill();
// A chat completion of 1 KB as OpenAI answers it, with its usage at the end.
[[nodiscard]] const std::string& answer_of_1k();
// A remark for people: standard error.
void say(const std::string& line);

[[nodiscard]] Result<Figure> hold_hot();
[[nodiscard]] Result<Figure> hold_random();
[[nodiscard]] Result<Figure> durable_64t_keys();
[[nodiscard]] Result<Figure> durable_256c_keys();
[[nodiscard]] Result<Figure> durable_256c();
[[nodiscard]] Result<Figure> durable_1();
[[nodiscard]] Result<Figure> credits_cost();
[[nodiscard]] Result<Figure> charge_cost();
[[nodiscard]] Result<Figure> keep_up();
[[nodiscard]] Result<Figure> growth_5m();
[[nodiscard]] Result<Figure> limit_1m();
[[nodiscard]] Result<Figure> report_5m();
[[nodiscard]] Result<Figure> extract_1k();
[[nodiscard]] Result<Figure> extract_stream();
[[nodiscard]] Result<Figure> import_csv();

}  // namespace aimeter::bench
