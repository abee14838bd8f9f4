// The configuration file and plans.toml. An even first byte is a configuration, an odd one plans.
// Package: cli
// Parser: src/config/load.cpp src/config/keys.cpp src/cli/plan_file.cpp
#include <string>

#include "cli/plan_file.h"
#include "config/settings.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

// Every variable is set to the same text, so that it meets every type.
void load(std::string_view toml, const std::optional<std::string>& variable) {
  const config::Environment environment = [&](const std::string&) { return variable; };
  const Result<config::Settings> settings = config::load(toml, "f", environment);
  const Result<std::vector<config::Shown>> shown = config::show(toml, "f", environment);
  AIMETER_ASSERT(settings.has_value() == shown.has_value());
  if (!settings) {
    AIMETER_ASSERT(settings.error().code == Code::invalid_argument ||
                   settings.error().code == Code::failed_precondition);
    AIMETER_ASSERT(!settings.error().message.empty());
    AIMETER_ASSERT(settings.error().message == shown.error().message);
    return;
  }
  AIMETER_ASSERT(settings->approaching_percent >= 1 && settings->approaching_percent <= 100);
  AIMETER_ASSERT(settings->waits.lease_ttl_s * 1'000 >= 2 * settings->waits.heartbeat_ms);
  for (const config::Shown& key : *shown)
    AIMETER_ASSERT(!key.key.ends_with("secret") || key.value.empty() || key.value == "[redacted]");
}

void read_plans(std::string_view toml) {
  const Result<std::vector<Plan>> plans = cli::parse_plans(toml, "f", "usd");
  if (!plans) {
    AIMETER_ASSERT(plans.error().code == Code::invalid_argument);
    AIMETER_ASSERT(!plans.error().message.empty());
    return;
  }
  for (const Plan& plan : *plans) AIMETER_ASSERT(plan.check().has_value());
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte();
  if (choice % 2 == 1) {
    fuzz::read_plans(input.rest());
  } else if (choice % 4 == 0) {
    fuzz::load(input.rest(), std::nullopt);
  } else {
    fuzz::load("", std::string(input.rest()));
  }
  return 0;
}
