// Package:       time
// Units:         Local: wall-clock microseconds of a zone. Instant: UTC.
// Errors:        find_zone gives nothing for a name that the system's tzdata does not have.
// Thread safety: zones are immutable, live for the whole process and may be used from any thread.
// Ownership:     the process owns the zones.
//
// The one place that asks the time zone database. UTC needs no database at all.
#pragma once

#include <optional>
#include <string_view>

#include "aimeter/time.h"

namespace aimeter::time {

class Zone;  // a date::time_zone; nullptr stands for UTC
using Local = std::chrono::time_point<std::chrono::local_t, Duration>;

// A zone of the database, or of nullptr for UTC. The machine's own "localtime" is not a name.
[[nodiscard]] std::optional<const Zone*> find_zone(std::string_view name);
[[nodiscard]] Status check_zone(std::string_view field, std::string_view name);

[[nodiscard]] Local to_local(const Zone* zone, Instant at);
// A wall time in a gap uses the offset before the gap; one in an overlap is the earlier instant.
[[nodiscard]] Instant to_utc(const Zone* zone, Local wall);

// The stretch around `at` in which the zone's offset stays the same.
struct Offset {
  Duration offset = {};
  Instant begin = {}, end = {};
};
[[nodiscard]] Offset offset_at(const Zone* zone, Instant at);

// 0001-01-01 to 9999-12-31: what every text form can say. Calendar arithmetic stays inside.
constexpr Instant kFirstInstant = std::chrono::sys_days(std::chrono::year(1) / 1 / 1);
constexpr Instant kLastInstant =
    Instant(std::chrono::sys_days(std::chrono::year(10000) / 1 / 1)) - Duration(1);

}  // namespace aimeter::time
