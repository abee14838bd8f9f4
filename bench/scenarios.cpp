// Every scenario with what it must reach.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/scenario.h"

namespace aimeter::bench {
namespace {

using enum Bound;

std::string number(std::string_view of, double value) {
  // A ratio is not a count: "2.0".
  if (of == "ratio" && value == std::floor(value)) return fmt::format("{:.1f}", value);
  return fmt::format("{:g}", value);
}

}  // namespace

std::optional<double> Figure::value(std::string_view name) const {
  if (name == "ratio") return ratio();
  if (name == "ours") return ours;
  const auto found = std::ranges::find(further, name, &Further::name);
  return found == further.end() ? std::nullopt : std::optional(found->value);
}

std::string words_of(const std::vector<Target>& must) {
  std::string text;
  for (const Target& target : must) {
    if (!text.empty()) text += ", ";
    if (target.of != "ratio") text += fmt::format("{} ", target.of);
    text +=
        fmt::format("{} {}", target.bound == at_least ? "≥" : "≤", number(target.of, target.value));
  }
  return text;
}

bool met(const std::vector<Target>& must, const Figure& figure) {
  if (!figure.invalid.empty()) return false;
  return std::ranges::all_of(must, [&](const Target& target) {
    const std::optional<double> value = figure.value(target.of);
    if (!value) return false;
    return target.bound == at_least ? *value >= target.value : *value <= target.value;
  });
}

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> kScenarios = {
      {"hold_hot", hold_hot, {{"ratio", at_most, 3}}},
      {"hold_random",
       hold_random,
       {{"ratio", at_most, 2}, {"bytes_per_idle_account", at_most, 160}}},
      {"durable_64t_keys", durable_64t_keys, {{"ratio", at_least, 2}, {"p99_ms", at_most, 5}}},
      {"durable_256c_keys", durable_256c_keys, {{"ratio", at_least, 3}, {"cpu_us", at_most, 12}}},
      {"durable_256c", durable_256c, {{"ratio", at_least, 2}, {"cpu_us", at_most, 12}}},
      {"durable_1", durable_1, {{"ratio", at_least, 0.9}}},
      {"credits_cost", credits_cost, {{"ratio", at_most, 1.5}}},
      {"charge_cost", charge_cost, {{"ratio", at_most, 1.5}}},
      {"keep_up", keep_up, {{"behind_s", at_most, 2}, {"memory_growth", at_most, 1.1}}},
      {"growth_5m",
       growth_5m,
       {{"ratio", at_least, 0.65}, {"p99_9_ms", at_most, 20}, {"longest_ms", at_most, 150}}},
      {"limit_1m", limit_1m, {{"ratio", at_most, 1.1}}},
      {"report_5m", report_5m, {{"ratio", at_most, 1.5}, {"ours", at_most, 10}}},
      {"extract_1k", extract_1k, {{"ours", at_most, 2}}},
      {"extract_stream", extract_stream, {{"ours", at_most, 40}}},
      {"import_csv", import_csv, {{"ours", at_least, 100'000}}},
  };
  return kScenarios;
}

}  // namespace aimeter::bench
