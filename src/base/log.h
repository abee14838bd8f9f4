// Package:       base
// Units:         none
// Errors:        invalid_argument for an unknown level. A line that cannot be written is lost.
// Thread safety: any thread.
// Ownership:     the process owns the sink.
//
// What an operator should know and no caller can be told: "package: what happened". Never a secret,
// a prompt or an answer; what looks like a secret is masked on the way out all the same.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "aimeter/result.h"

namespace aimeter::base {

enum class LogLevel { debug, info, warning, error, off };

using LogSink = std::function<void(LogLevel, std::string_view)>;

[[nodiscard]] std::string_view name_of(LogLevel level);
[[nodiscard]] Result<LogLevel> parse_log_level(std::string_view field, std::string_view text);

// `text` without what looks like a secret: keys of ours (aim_ID_SECRET) and of providers (sk-...),
// webhook secrets (whsec_...), the value behind "Bearer " and the password of a URL.
[[nodiscard]] std::string masked(std::string_view text);

// One line, masked, control characters written out, at most 4096 bytes of `message`. Below the
// level that was set: nothing.
void log(LogLevel level, std::string_view message);
void set_log_level(LogLevel least);
// Where lines go from now on; nullptr: standard error, with time and level. For hosts and tests.
void set_log_sink(LogSink sink);

}  // namespace aimeter::base
