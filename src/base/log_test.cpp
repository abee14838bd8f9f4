#include "base/log.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace aimeter::base {
namespace {

TEST(Log, lines_go_to_the_sink_from_the_level_on) {
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel, std::string_view text) { lines.emplace_back(text); });
  set_log_level(LogLevel::warning);
  log(LogLevel::info, "quiet");
  log(LogLevel::warning, "loud {}");
  set_log_level(LogLevel::info);
  log(LogLevel::info, "heard");
  set_log_sink([](LogLevel, std::string_view) { throw std::runtime_error("full"); });
  log(LogLevel::error, "a sink that throws stops nobody");
  set_log_sink(nullptr);
  EXPECT_EQ(lines, (std::vector<std::string>{"loud {}", "heard"}));
}

}  // namespace
}  // namespace aimeter::base
