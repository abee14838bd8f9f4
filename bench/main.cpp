// aimeter-bench [NAME...]: one JSON object per line and scenario; none named: all.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "aimeter/time.h"
#include "bench/scenario.h"

namespace aimeter::bench {
namespace {

struct Scenario {
  std::string_view name;
  Result<Figure> (*run)();
};
constexpr Scenario kScenarios[] = {
    {"hold_hot", hold_hot},
    {"extract_1k", extract_1k},
    {"durable_64t_keys", durable_64t_keys},
};

constexpr double kSecondsDefault = 20, kSecondsMax = 3'600;

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return value == nullptr ? std::string() : std::string(value);
}

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

std::string optional_field(std::string_view name, const std::optional<double>& value) {
  return value ? fmt::format(R"(, "{}": {:.4g})", name, *value) : std::string();
}

std::string json_of(std::string_view name, const Figure& figure) {
  const std::string commit = environment("AIMETER_COMMIT");
  return fmt::format(
      R"({{"name": {}, "ours": {:.6g}, "unit": {}, "baseline": {}, "baseline_value": {:.6g}, )"
      R"("ratio": {:.3f}{}{}{}, "must": null, "met": null, "machine": {}, "date": {}, )"
      R"("commit": {}}})",
      quoted(name), figure.ours, quoted(figure.unit), quoted(figure.baseline),
      figure.baseline_value, figure.ours / figure.baseline_value,
      optional_field("p50_ms", figure.p50_ms), optional_field("p99_ms", figure.p99_ms),
      optional_field("cpu_us", figure.cpu_us), quoted(machine()),
      quoted(text_of(system_clock().now())), quoted(commit.empty() ? "unknown" : commit));
}

bool is_wanted(std::span<const std::string_view> wanted, std::string_view name) {
  return wanted.empty() || std::ranges::find(wanted, name) != wanted.end();
}

int run(std::span<const std::string_view> wanted) {
  for (const std::string_view name : wanted) {
    if (std::ranges::find(kScenarios, name, &Scenario::name) != std::ranges::end(kScenarios)) {
      continue;
    }
    say(fmt::format("{}: no such scenario; there are:", name));
    for (const Scenario& scenario : kScenarios) say(fmt::format("  {}", scenario.name));
    return 2;
  }
  int failed = 0;
  for (const Scenario& scenario : kScenarios) {
    if (!is_wanted(wanted, scenario.name)) continue;
    const Result<Figure> figure = scenario.run();
    if (!figure) {
      say(fmt::format("{}: {}", scenario.name, figure.error().message));
      failed = 1;
      continue;
    }
    fmt::print("{}\n", json_of(scenario.name, *figure));
    std::fflush(stdout);
  }
  return failed;
}

}  // namespace

double seconds_to_run() {
  const std::string text = environment("AIMETER_BENCH_SECONDS");
  const double seconds = std::strtod(text.c_str(), nullptr);
  return seconds > 0 ? std::min(seconds, kSecondsMax) : kSecondsDefault;
}

const std::string& answer_of_1k() {
  static const std::string kAnswer = [] {
    constexpr std::size_t kBytes = 1'024;
    const std::string head =
        R"({"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion",)"
        R"("created":1741569952,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,)"
        R"("message":{"role":"assistant","content":")";
    const std::string tail =
        R"(","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],)"
        R"("usage":{"prompt_tokens":812,"completion_tokens":128,"total_tokens":940,)"
        R"("prompt_tokens_details":{"cached_tokens":512,"audio_tokens":0},)"
        R"("completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,)"
        R"("accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},)"
        R"("service_tier":"default","system_fingerprint":"fp_b8bc95a0ac"})";
    std::string content;
    while (head.size() + content.size() + tail.size() < kBytes) {
      content += content.size() % 8 == 7 ? ' ' : 'a';
    }
    return head + content + tail;
  }();
  return kAnswer;
}

void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

}  // namespace aimeter::bench

int main(int count, char** arguments) {
  const std::vector<std::string_view> wanted(arguments + 1, arguments + count);
  return aimeter::bench::run(wanted);
}
