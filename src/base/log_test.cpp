#include "base/log.h"

#include <gmock/gmock.h>
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

TEST(Log, OffWritesNothing) {
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel, std::string_view text) { lines.emplace_back(text); });
  set_log_level(LogLevel::off);
  log(LogLevel::error, "unheard");
  set_log_level(LogLevel::info);
  log(LogLevel::off, "no level to write at");
  set_log_sink(nullptr);
  EXPECT_TRUE(lines.empty());
}

TEST(Log, ALevelIsParsedByName) {
  EXPECT_EQ(parse_log_level("log.level", "warning"), LogLevel::warning);
  EXPECT_EQ(
      parse_log_level("log.level", "loud").error().message,
      "log.level: \"loud\" is not accepted; expected one of debug, info, warning, error, off");
  EXPECT_EQ(name_of(LogLevel::off), "off");
}

TEST(Log, MasksWhatLooksLikeASecret) {
  struct Row {
    const char* sentence;
    const char* text;
    const char* shown;
  };
  constexpr Row kRows[] = {
      {"a key of ours", "key aim_k1_0123456789abcdef refused", "key aim_*** refused"},
      {"a provider's key", "sk-proj-abcdefgh12345678", "sk-***"},
      {"a Stripe key", "(sk_live_4eC39HqLyjWDarjtT1zdp7dc)", "(sk_***)"},
      {"a webhook secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***"},
      {"a bearer token", "Authorization: Bearer abc.def-ghi=", "Authorization: Bearer ***"},
      {"the password of a URL", "postgres://me:se:cr@et@db/x lost", "postgres://me:***@db/x lost"},
      {"a URL without one is left alone", "see https://a.b/c:d@e", "see https://a.b/c:d@e"},
      {"a word that only begins so", "task-management and disk-operations",
       "task-management and disk-operations"},
      {"a short one is a word", "sk-1", "sk-1"},
      {"nothing to mask", "tenant acme, 12 calls", "tenant acme, 12 calls"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(masked(row.text), row.shown);
  }
}

TEST(Log, ALineIsMaskedStaysOneLineAndHasALimit) {
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel, std::string_view text) { lines.emplace_back(text); });
  log(LogLevel::info, "a\nfake line\x1b[31m sk-0123456789");
  log(LogLevel::info, std::string(4096, 'x'));
  log(LogLevel::info, std::string(4097, 'x'));
  set_log_sink(nullptr);
  EXPECT_EQ(lines,
            (std::vector<std::string>{"a\\x0afake line\\x1b[31m sk-***", std::string(4096, 'x'),
                                      std::string(4096, 'x') + "..."}));
}

TEST(Log, StandardErrorGetsTheLevelAndTheText) {
  testing::internal::CaptureStderr();
  log(LogLevel::warning, "store: slow disk {}");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("warning store: slow disk {}\n"));
}

}  // namespace
}  // namespace aimeter::base
