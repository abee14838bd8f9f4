// Package:       time
// Units:         Instant: UTC microseconds since 1970. Boot time: microseconds since boot, suspend
//                included.
// Errors:        invalid_argument, naming field and value.
// Thread safety: a Clock may be used from any thread.
// Ownership:     none; whoever takes a Clock borrows it.
//
// Time comes only from a Clock that was handed in. Nothing else in the program reads the system's.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "aimeter/result.h"

namespace aimeter {

using Duration = std::chrono::microseconds;
using Instant = std::chrono::sys_time<Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;  // wall time: rows and periods
  // Monotonic, suspend counts (CLOCK_BOOTTIME): leases and time-outs. A manual clock may keep the
  // default.
  [[nodiscard]] virtual Duration boot() const { return now().time_since_epoch(); }
};

// The system's clock; lives for the whole process.
[[nodiscard]] const Clock& system_clock();

// RFC 3339 in UTC with 0 to 6 digits: "2026-03-15T00:00:00Z", "2026-03-15T00:00:00.25Z".
[[nodiscard]] std::string text_of(Instant at);
// RFC 3339 with any offset, 'T' or ' ' between date and time, or a date alone (its midnight);
// without an offset the time is read in `zone` (an IANA name). Digits beyond microseconds are cut.
// Years 0001..9999, a leap second (":60") is refused. `field` is named in the error.
[[nodiscard]] Result<Instant> parse_instant(std::string_view field, std::string_view text,
                                            std::string_view zone = "UTC");

}  // namespace aimeter
