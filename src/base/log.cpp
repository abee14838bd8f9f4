#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace aimeter::base {
namespace {

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
  }
  return spdlog::level::err;
}

void to_standard_error(LogLevel level, std::string_view message) {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("aimeter",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::debug);
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

void log(LogLevel level, std::string_view message) {
  State& all = state();
  if (level < all.least.load(std::memory_order_relaxed)) return;
  std::shared_ptr<const LogSink> sink;
  {
    const Lock lock(all.mutex);
    sink = all.sink;
  }
  try {
    if (sink) {
      (*sink)(level, message);
    } else {
      to_standard_error(level, message);
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
