#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace aimeter::base {
namespace {

constexpr std::array<std::string_view, 5> kLevels = {"debug", "info", "warning", "error", "off"};
constexpr std::size_t kLineBytesMax = 4096;

bool is_word(char c) {
  const bool letter = ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z');
  return letter || ('0' <= c && c <= '9') || c == '_' || c == '-';
}

bool is_token(char c) {
  return is_word(c) || std::string_view("+/=.~").find(c) != std::string_view::npos;
}

// Bytes of a secret that begins at `at`, after `prefix`; 0: none.
std::size_t secret_length(std::string_view text, std::size_t at, std::string_view prefix) {
  if (!text.substr(at).starts_with(prefix)) return 0;
  if (at > 0 && is_word(text[at - 1])) return 0;
  std::size_t end = at + prefix.size();
  while (end < text.size() && is_token(text[end])) ++end;
  return end - at - prefix.size();
}

std::string one_line(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, kLineBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  if (text.size() > kLineBytesMax) shown += "...";
  return shown;
}

// scheme://user:PASSWORD@host
std::string without_passwords(std::string_view text) {
  std::string shown;
  for (std::size_t scheme = text.find("://"); scheme != std::string_view::npos;
       scheme = text.find("://")) {
    const std::size_t begin = scheme + 3;
    const std::size_t end = std::min(text.find_first_of(" /?#\"'", begin), text.size());
    const std::size_t at = text.substr(begin, end - begin).rfind('@');
    const std::size_t colon = text.substr(begin, end - begin).find(':');
    shown += text.substr(0, begin);
    if (at != std::string_view::npos && colon < at) {
      shown.append(text.substr(begin, colon + 1)).append("***");
      text.remove_prefix(begin + at);
    } else {
      text.remove_prefix(begin);
    }
  }
  return shown.append(text);
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

void to_standard_error(LogLevel level, std::string_view message) {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("aimeter",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::debug);
    made->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    return made;
  }();
  logger->log(level_of(level), "{}", message);
}

struct State {
  std::atomic<LogLevel> least{LogLevel::info};
  Mutex mutex;
  std::shared_ptr<const LogSink> sink AIMETER_GUARDED_BY(mutex);
};
State& state() {
  static State* const state = new State;  // lives on: threads may log while the process ends
  return *state;
}

}  // namespace

std::string_view name_of(LogLevel level) { return kLevels.at(static_cast<std::size_t>(level)); }

Result<LogLevel> parse_log_level(std::string_view field, std::string_view text) {
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels.at(i) == text) return static_cast<LogLevel>(i);
  }
  return bad_input(field, text, fmt::format("one of {}", fmt::join(kLevels, ", ")));
}

std::string masked(std::string_view text) {
  constexpr std::array<std::string_view, 6> kPrefixes = {"aim_",   "sk-",     "sk_",
                                                         "whsec_", "Bearer ", "bearer "};
  constexpr std::size_t kSecretBytesMin = 8;  // shorter ones are words: "sk-1"
  const std::string input = without_passwords(text);
  const std::string_view rest = input;
  std::string shown;
  for (std::size_t at = 0; at < rest.size();) {
    std::size_t taken = 0;
    for (const std::string_view prefix : kPrefixes) {
      const std::size_t length = secret_length(rest, at, prefix);
      if (length < kSecretBytesMin) continue;
      shown.append(prefix).append("***");
      taken = prefix.size() + length;
      break;
    }
    if (taken == 0) shown += rest[at];
    at += taken == 0 ? 1 : taken;
  }
  return shown;
}

void log(LogLevel level, std::string_view message) {
  State& all = state();
  if (level == LogLevel::off || level < all.least.load(std::memory_order_relaxed)) return;
  const std::string line = one_line(masked(message));
  std::shared_ptr<const LogSink> sink;
  {
    const Lock lock(all.mutex);
    sink = all.sink;
  }
  try {
    if (sink) {
      (*sink)(level, line);
    } else {
      to_standard_error(level, line);
    }
  } catch (const std::exception&) {
    return;  // nobody is left to tell
  }
}

void set_log_level(LogLevel least) { state().least.store(least, std::memory_order_relaxed); }

void set_log_sink(LogSink sink) {
  State& all = state();
  const Lock lock(all.mutex);
  all.sink = sink ? std::make_shared<const LogSink>(std::move(sink)) : nullptr;
}

}  // namespace aimeter::base
