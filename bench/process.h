// Package:       bench
// Units:         seconds of CPU time; bytes.
// Errors:        none: 0 where the system does not say.
// Thread safety: any thread.
// Ownership:     none.
//
// What this process used.
#pragma once

#include <malloc.h>
#include <sys/resource.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace aimeter::bench {

enum class Whose { process, thread };  // of all threads, or of the calling one
[[nodiscard]] inline double cpu_seconds(Whose whose) {
  rusage used{};
  getrusage(whose == Whose::process ? RUSAGE_SELF : RUSAGE_THREAD, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// For work of one thread that waits for nobody: other programs do not make it longer.
class CpuWatch {
 public:
  [[nodiscard]] double seconds() const { return cpu_seconds(Whose::thread) - start_; }

 private:
  double start_ = cpu_seconds(Whose::thread);
};

// Memory that is the process's own: without the pages of mapped files.
[[nodiscard]] inline std::int64_t own_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoll(line.substr(8)) * 1'024;
  }
  return 0;
}

// Handed out by malloc and not given back, headers of malloc included.
[[nodiscard]] inline std::int64_t heap_bytes() {
  const struct mallinfo2 heap = mallinfo2();
  return static_cast<std::int64_t>(heap.uordblks + heap.hblkhd);
}

}  // namespace aimeter::bench
