#include "aimeter/period.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "time/zone.h"

namespace aimeter {
namespace {

using std::chrono::days;
using Type = Period::Type;
using Alignment = Period::Alignment;

constexpr int kRollingDaysMax = 3660;  // ten years
constexpr Duration kHour = std::chrono::hours(1);

struct TypeRow {
  Type type;
  std::string_view name;
  Duration step;        // 0 for months
  std::int64_t months;  // 0 for fixed steps
};
constexpr std::array kTypes = {
    TypeRow{Type::hourly, "hourly", kHour, 0},   TypeRow{Type::daily, "daily", days(1), 0},
    TypeRow{Type::weekly, "weekly", days(7), 0}, TypeRow{Type::monthly, "monthly", {}, 1},
    TypeRow{Type::yearly, "yearly", {}, 12},     TypeRow{Type::rolling, "rolling", days(1), 0},
};
const TypeRow& row_of(Type type) {
  const TypeRow& row = kTypes.at(static_cast<std::size_t>(type));
  AIMETER_ASSERT(row.type == type);
  return row;
}

// Exact lengths on the UTC line: no zone has a say in them.
bool is_exact(const Period::Options& options) {
  return options.type == Type::rolling ||
         (options.type == Type::hourly && options.alignment == Alignment::rolling);
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - static_cast<std::int64_t>(a % b != 0 && (a < 0) != (b < 0));
}

std::int64_t months_since_1970(Duration wall) {
  const std::chrono::year_month_day date(
      std::chrono::floor<days>(std::chrono::sys_time<Duration>(wall)));
  return (static_cast<int>(date.year()) - 1970) * 12 + static_cast<int>(unsigned(date.month())) - 1;
}

// `wall` moved by whole months: same time of day, the day clamped to the month's last.
Duration plus_months(Duration wall, std::int64_t months) {
  const auto day = std::chrono::floor<days>(std::chrono::sys_time<Duration>(wall));
  const std::chrono::year_month_day date(day);
  const std::chrono::year_month month =
      std::chrono::year_month(date.year(), date.month()) + std::chrono::months(months);
  const auto last = std::chrono::year_month_day_last(month / std::chrono::last).day();
  const auto moved = std::chrono::sys_days(month / std::min(date.day(), last));
  return moved.time_since_epoch() + (std::chrono::sys_time<Duration>(wall) - day);
}

// Boundary 0 of calendar alignment: 1970-01-01, for weeks the Monday or Sunday after it.
Duration calendar_anchor(const Period::Options& options) {
  if (options.type != Type::weekly) return Duration(0);
  return options.week_start == 1 ? days(4) : days(3);  // 1970-01-05 is a Monday
}

}  // namespace

Status Period::check(const Options& options) {
  AIMETER_CHECK_OK(time::check_zone("timezone", options.timezone));
  if (options.week_start != 0 && options.week_start != 1) {
    return bad_input("week_start", fmt::to_string(options.week_start), "1 (Monday) or 0 (Sunday)");
  }
  if (options.days < 1 || options.days > kRollingDaysMax) {
    return bad_input("days", fmt::to_string(options.days), "1 to 3660");
  }
  if (options.anchor < time::kFirstInstant || options.anchor > time::kLastInstant) {
    return bad_input("anchor", fmt::to_string(options.anchor.time_since_epoch().count()),
                     "a time in the years 0001 to 9999");
  }
  return {};
}

Period::Period(Options options)
    : options_(std::move(options)), zone_(nullptr), wall_anchor_{}, step_{}, months_(0) {
  AIMETER_ASSERT(check(options_).has_value());
  const TypeRow& row = row_of(options_.type);
  step_ = options_.type == Type::rolling ? Duration(days(options_.days)) : row.step;
  months_ = row.months;
  if (is_exact(options_)) {
    wall_anchor_ = options_.anchor.time_since_epoch();
    return;
  }
  zone_ = *time::find_zone(options_.timezone);
  wall_anchor_ = options_.alignment == Alignment::calendar
                     ? calendar_anchor(options_)
                     : time::to_local(zone_, options_.anchor).time_since_epoch();
}

Instant Period::boundary(std::int64_t k) const {
  const Duration wall =
      months_ == 0 ? wall_anchor_ + k * step_ : plus_months(wall_anchor_, k * months_);
  return time::to_utc(zone_, time::Local(wall));
}

std::int64_t Period::guess(Instant reference) const {
  const Duration wall = time::to_local(zone_, reference).time_since_epoch();
  if (months_ == 0) return floor_div((wall - wall_anchor_).count(), step_.count());
  return floor_div(months_since_1970(wall) - months_since_1970(wall_anchor_), months_);
}

// The hour of the local clock. A change by whole hours keeps the clock's minutes and so the
// boundaries; any other change ends the hour that it falls into.
Period::Span Period::local_hour(Instant reference) const {
  const auto phase = [](const time::Offset& offset) {
    return offset.offset.count() - floor_div(offset.offset.count(), kHour.count()) * kHour.count();
  };
  const time::Offset here = time::offset_at(zone_, reference);
  const std::int64_t wall = (reference.time_since_epoch() + here.offset).count();
  const Duration into_hour(wall - floor_div(wall, kHour.count()) * kHour.count());
  Span span{.start = reference - into_hour, .end = reference - into_hour + kHour};
  if (span.start < here.begin &&
      phase(time::offset_at(zone_, here.begin - Duration(1))) != phase(here)) {
    span.start = here.begin;
  }
  if (here.end < span.end && phase(time::offset_at(zone_, here.end)) != phase(here)) {
    span.end = here.end;
  }
  return span;
}

Period::Span Period::at(Instant reference) const {
  reference = std::clamp(reference, time::kFirstInstant, time::kLastInstant);
  if (options_.type == Type::hourly && !is_exact(options_)) return local_hour(reference);
  // The guess is made on the wall clock; boundaries are compared as instants, which differ by a
  // step around offset changes and for clamped days.
  std::int64_t k = guess(reference);
  Span span{.start = boundary(k), .end = boundary(k + 1)};
  while (reference < span.start) {
    span.end = span.start;
    span.start = boundary(--k);
  }
  while (span.end <= reference) {
    span.start = span.end;
    span.end = boundary(++k + 1);
  }
  return span;
}

std::string_view name_of(Period::Type type) { return row_of(type).name; }

std::string_view name_of(Period::Alignment alignment) {
  return alignment == Alignment::calendar ? "calendar" : "rolling";
}

Result<Period::Type> parse_period_type(std::string_view field, std::string_view text) {
  for (const TypeRow& row : kTypes) {
    if (row.name == text) return row.type;
  }
  return bad_input(field, text, "hourly, daily, weekly, monthly, yearly or rolling");
}

Result<Period::Alignment> parse_alignment(std::string_view field, std::string_view text) {
  if (text == "calendar") return Alignment::calendar;
  if (text == "rolling") return Alignment::rolling;
  return bad_input(field, text, "calendar or rolling");
}

}  // namespace aimeter
