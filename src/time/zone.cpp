#include "time/zone.h"

#include <date/tz.h>

#include <algorithm>
#include <exception>
#include <string>

namespace aimeter::time {
namespace {

const date::time_zone& zone_of(const Zone* zone) {
  return *reinterpret_cast<const date::time_zone*>(zone);
}

// The library reads transitions up to 2037 and then stands still. Where a zone's rules go on, a
// later year repeats one of 2027 to 2037, counted from March, whose March 1 is the same day of the
// week: its rules name weekdays of March to November.
constexpr int kLastYearRead = 2037;
constexpr int kRepeatedYears = 11;  // these have every weekday on March 1
constexpr date::sys_days kRepeatFrom = date::year(kLastYearRead + 1) / 3 / 1;

bool goes_on(const date::sys_info& last) {
  const date::year begun = date::year_month_day(date::floor<date::days>(last.begin)).year();
  return begun == date::year(kLastYearRead) && last.end > kRepeatFrom;
}

// How far back the repeated year lies; 0 before 2038-03-01.
std::chrono::days repeat_shift(date::sys_days day) {
  if (day < kRepeatFrom) return std::chrono::days(0);
  date::year year = date::year_month_day(day).year();
  if (day < date::sys_days(year / 3 / 1)) --year;
  for (int back = 0; back < kRepeatedYears; ++back) {
    const date::sys_days march = date::year(kLastYearRead - back) / 3 / 1;
    const std::chrono::days shift = date::sys_days(year / 3 / 1) - march;
    if (shift.count() % 7 == 0) return shift;
  }
  return std::chrono::days(0);
}

date::sys_info info_at(const Zone* zone, date::sys_seconds at) {
  date::sys_info info = zone_of(zone).get_info(at);
  const std::chrono::days shift = repeat_shift(date::floor<date::days>(at));
  if (shift == std::chrono::days(0) || !goes_on(info)) return info;
  info = zone_of(zone).get_info(at - shift);
  // A stretch that the library does not end reaches at least to the end of its year.
  const date::sys_days next_march = kRepeatFrom;
  info.begin += shift;
  info.end = std::min(info.end, date::sys_seconds(next_march)) + shift;
  return info;
}

Instant clamped(date::sys_seconds at) {
  const auto first = std::chrono::floor<std::chrono::seconds>(kFirstInstant);
  const auto last = std::chrono::floor<std::chrono::seconds>(kLastInstant);
  return std::clamp(at, first, last);
}

}  // namespace

std::optional<const Zone*> find_zone(std::string_view name) {
  if (name == "UTC" || name == "Etc/UTC") return nullptr;
  if (name.empty() || name == "localtime") return std::nullopt;
  try {
    const date::time_zone* zone = date::locate_zone(std::string(name));
    // The file is read on first use: read it now, so that a damaged one is found here.
    (void)zone->get_info(date::sys_seconds{});
    return reinterpret_cast<const Zone*>(zone);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

Status check_zone(std::string_view field, std::string_view name) {
  if (find_zone(name)) return {};
  return bad_input(field, name, "an IANA time zone such as \"Europe/Berlin\" or \"UTC\"");
}

Offset offset_at(const Zone* zone, Instant at) {
  if (zone == nullptr) return {.begin = kFirstInstant, .end = kLastInstant};
  const auto info = info_at(zone, std::chrono::floor<std::chrono::seconds>(at));
  return {.offset = info.offset, .begin = clamped(info.begin), .end = clamped(info.end)};
}

Local to_local(const Zone* zone, Instant at) {
  if (zone == nullptr) return Local(at.time_since_epoch());
  const auto info = info_at(zone, std::chrono::floor<std::chrono::seconds>(at));
  return Local(at.time_since_epoch() + info.offset);
}

Instant to_utc(const Zone* zone, Local wall) {
  if (zone == nullptr) return Instant(wall.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(wall.time_since_epoch());
  auto info = zone_of(zone).get_info(date::local_seconds(seconds));
  const std::chrono::days shift = repeat_shift(date::floor<date::days>(date::sys_seconds(seconds)));
  if (shift != std::chrono::days(0) && goes_on(info.first)) {
    info = zone_of(zone).get_info(date::local_seconds(seconds - shift));
  }
  // `first` is the only offset, the one before a gap, or the earlier one of an overlap.
  return Instant(wall.time_since_epoch() - info.first.offset);
}

}  // namespace aimeter::time
