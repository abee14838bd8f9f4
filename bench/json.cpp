#include "bench/json.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "aimeter/time.h"

namespace aimeter::bench {
namespace {

// "2 x Intel(R) Xeon(R) ..., Linux 6.1.0"
std::string machine() {
  std::string model = "unknown processor";
  std::ifstream about("/proc/cpuinfo");
  for (std::string line; std::getline(about, line);) {
    if (!line.starts_with("model name")) continue;
    model = line.substr(std::min(line.size(), line.find(':') + 2));
    break;
  }
  utsname system{};
  uname(&system);
  return fmt::format("{} x {}, Linux {}", std::thread::hardware_concurrency(), model,
                     static_cast<const char*>(system.release));
}

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return json + '"';
}

std::string fields(const std::vector<Figure::Further>& further) {
  std::string json;
  for (const Figure::Further& one : further) {
    json += fmt::format(R"(, "{}": {:.4g})", one.name, one.value);
  }
  return json;
}

std::string where_and_when() {
  const char* commit = std::getenv("AIMETER_COMMIT");  // NOLINT(concurrency-mt-unsafe)
  return fmt::format(R"("machine": {}, "date": {}, "commit": {})", quoted(machine()),
                     quoted(text_of(system_clock().now())),
                     quoted(commit == nullptr ? "unknown" : commit));
}

}  // namespace

std::string json_of(const Scenario& scenario, const Figure& figure) {
  const std::string invalid =
      figure.invalid.empty() ? "" : fmt::format(R"(, "invalid": {})", quoted(figure.invalid));
  return fmt::format(
      R"({{"name": {}, "ours": {:.6g}, "unit": {}, "baseline": {}, "baseline_value": {:.6g}, )"
      R"("ratio": {:.3f}{}{}, "must": {}, "met": {}, {}}})",
      quoted(scenario.name), figure.ours, quoted(figure.unit), quoted(figure.baseline),
      figure.baseline_value, figure.ratio(), fields(figure.further), invalid,
      quoted(words_of(scenario.must)), met(scenario.must, figure), where_and_when());
}

std::string json_of(const Point& point) {
  return fmt::format(R"({{"sweep": {}, "{}": {}, "calls_per_second": {:.6g}{}, {}}})",
                     quoted(point.sweep), point.sweep, point.at, point.calls_per_second,
                     fields(point.further), where_and_when());
}

}  // namespace aimeter::bench
