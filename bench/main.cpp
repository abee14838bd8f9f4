// aimeter-bench [NAME...]: one JSON object per line and scenario; none named: all.
// aimeter-bench --sweep: one JSON object per point of the charts.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/json.h"
#include "bench/scenario.h"
#include "bench/sweep.h"

namespace aimeter::bench {
namespace {

constexpr double kSecondsDefault = 20, kSecondsMax = 3'600;
constexpr int kRunsDefault = 3, kRunsMax = 99;
constexpr double kRowsDefault = 5'000'000, kRowsMax = 1e9;

double number_from(const char* name, double otherwise, double most) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  const double number = text == nullptr ? 0 : std::strtod(text, nullptr);
  return number > 0 ? std::min(number, most) : otherwise;
}

void print(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

bool is_wanted(std::span<const std::string_view> wanted, std::string_view name) {
  return wanted.empty() || std::ranges::find(wanted, name) != wanted.end();
}

bool all_known(std::span<const std::string_view> wanted) {
  for (const std::string_view name : wanted) {
    if (std::ranges::find(scenarios(), name, &Scenario::name) != scenarios().end()) continue;
    say(fmt::format("{}: no such scenario; there are:", name));
    for (const Scenario& scenario : scenarios()) say(fmt::format("  {}", scenario.name));
    return false;
  }
  return true;
}

int run_sweep() {
  const Status done = sweep([](const Point& point) { print(json_of(point)); });
  if (!done) say(fmt::format("sweep: {}", done.error().message));
  return done ? 0 : 1;
}

int run_scenario(const Scenario& scenario) {
  const Result<Figure> figure = scenario.run();
  if (!figure) {
    say(fmt::format("{}: {}", scenario.name, figure.error().message));
    return 1;
  }
  if (!figure->invalid.empty()) say(fmt::format("{}: {}", scenario.name, figure->invalid));
  print(json_of(scenario, *figure));
  return 0;
}

// In a process of its own: no scenario finds the memory that another one left.
int run_apart(const Scenario& scenario) {
  std::string program = "aimeter-bench", name(scenario.name);
  char* arguments[] = {program.data(), name.data(), nullptr};
  pid_t child = 0;
  int status = 0;
  if (posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments, environ) != 0 ||
      waitpid(child, &status, 0) != child) {
    say(fmt::format("{}: cannot be started", scenario.name));
    return 1;
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  say(fmt::format("{}: ended by signal {}", scenario.name, WTERMSIG(status)));
  return 1;
}

int run(std::span<const std::string_view> wanted) {
  if (wanted.size() == 1 && wanted[0] == "--sweep") return run_sweep();
  if (!all_known(wanted)) return 2;
  int failed = 0;
  for (const Scenario& scenario : scenarios()) {
    if (!is_wanted(wanted, scenario.name)) continue;
    if (wanted.size() == 1) return run_scenario(scenario);
    failed |= run_apart(scenario);
  }
  return failed;
}

}  // namespace

double seconds_to_run() {
  return number_from("AIMETER_BENCH_SECONDS", kSecondsDefault, kSecondsMax);
}

int runs_to_take() {
  const int runs = static_cast<int>(number_from("AIMETER_BENCH_RUNS", kRunsDefault, kRunsMax));
  return std::max(1, runs - (runs % 2 == 0 ? 1 : 0));  // odd: one of them is the median
}

std::int64_t rows_to_fill() {
  constexpr std::int64_t kRowsMin = 10'000;
  return std::max(kRowsMin, static_cast<std::int64_t>(
                                number_from("AIMETER_BENCH_ROWS", kRowsDefault, kRowsMax)));
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
