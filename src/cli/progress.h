// Package:       cli
// Units:         rows (or what the label says), seconds
// Errors:        none
// Thread safety: belongs to one thread.
// Ownership:     borrows the console.
//
// One line on standard error that rewrites itself: done, per second, time left. Silent unless the
// console shows_progress(). Prints at most five times a second, wipes the line when destroyed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/console.h"

namespace aimeter::cli {

class Progress {
 public:
  // `label` as in "rows". `total` absent: no share and no time left.
  Progress(Console& console, std::string label, std::optional<std::int64_t> total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void at(std::int64_t done);

 private:
  [[nodiscard]] std::string line(std::int64_t done, Duration passed) const;

  Console& console_;
  std::string label_;
  std::optional<std::int64_t> total_;
  Duration began_ = {};
  std::optional<Duration> printed_ = {};
};

}  // namespace aimeter::cli
