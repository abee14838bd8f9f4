#include "base/fault.h"

#if defined(AIMETER_FAULTS) || defined(AIMETER_FAULT_POINTS)

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace aimeter::base {
namespace {

struct Planned {
  std::string name;
  long pass = 1;
};

Planned read_plan() {
  const char* text = std::getenv("AIMETER_FAULT");
  if (text == nullptr) return {};
  const std::string_view whole = text;
  const std::size_t colon = whole.rfind(':');
  Planned planned{std::string(whole.substr(0, colon)), 1};
  if (colon == std::string_view::npos) return planned;
  const char* end = whole.data() + whole.size();
  const auto parsed = std::from_chars(whole.data() + colon + 1, end, planned.pass);
  if (parsed.ec != std::errc() || parsed.ptr != end || planned.pass < 1) {
    std::fprintf(stderr, "AIMETER_FAULT: \"%s\" is not accepted; expected name or name:pass\n",
                 text);
    std::abort();
  }
  return planned;
}

}  // namespace

void fault_point(std::string_view name) {
  static const Planned planned = read_plan();
  static std::atomic<long> passes{0};
  if (name != planned.name) return;
  if (passes.fetch_add(1) + 1 == planned.pass) kill(getpid(), SIGKILL);
}

}  // namespace aimeter::base

#endif
