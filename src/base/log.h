// Package:       base
// Units:         none
// Errors:        none: a log that cannot be written is lost, the program goes on.
// Thread safety: any thread.
// Ownership:     the process owns the sink.
//
// What an operator should know and no caller can be told. Never a secret, a prompt or an answer.
#pragma once

#include <functional>
#include <string_view>

namespace aimeter::base {

enum class LogLevel { debug, info, warning, error };

using LogSink = std::function<void(LogLevel, std::string_view)>;

// One line. Below the level that was set: nothing.
void log(LogLevel level, std::string_view message);
void set_log_level(LogLevel least);
// Where lines go from now on; nullptr: standard error, with time and level. For hosts and tests.
void set_log_sink(LogSink sink);

}  // namespace aimeter::base
