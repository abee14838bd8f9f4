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
  const auto info = zone_of(zone).get_info(std::chrono::floor<std::chrono::seconds>(at));
  return {.offset = info.offset, .begin = clamped(info.begin), .end = clamped(info.end)};
}

Local to_local(const Zone* zone, Instant at) {
  if (zone == nullptr) return Local(at.time_since_epoch());
  const auto info = zone_of(zone).get_info(std::chrono::floor<std::chrono::seconds>(at));
  return Local(at.time_since_epoch() + info.offset);
}

Instant to_utc(const Zone* zone, Local wall) {
  if (zone == nullptr) return Instant(wall.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(wall.time_since_epoch());
  const auto info = zone_of(zone).get_info(date::local_seconds(seconds));
  // `first` is the only offset, the one before a gap, or the earlier one of an overlap.
  return Instant(wall.time_since_epoch() - info.first.offset);
}

}  // namespace aimeter::time
