#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "aimeter/time.h"
#include "time/zone.h"

namespace aimeter {
namespace {

constexpr std::size_t kInstantBytesMax = 64;
constexpr std::string_view kExpected =
    "a time such as 2026-03-15T09:30:00Z or a date such as 2026-03-15, years 0001 to 9999, no "
    "leap second";

// Reads the text from left to right; once something did not fit, every further answer is nothing.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool take(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<int> number(std::size_t digits, int low, int high) {
    if (rest_.size() < digits) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    if (value < low || value > high) return std::nullopt;
    rest_.remove_prefix(digits);
    return value;
  }
  // The digits after a '.', cut to microseconds.
  std::optional<Duration> fraction() {
    Duration::rep value = 0;
    std::size_t count = 0;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; ++count) {
      if (count < 6) value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    if (count == 0) return std::nullopt;
    for (; count < 6; ++count) value *= 10;
    return Duration(value);
  }
  char front() const { return rest_.empty() ? '\0' : rest_.front(); }

 private:
  std::string_view rest_;
};

std::optional<time::Local> read_date(Reader& in) {
  const auto year = in.number(4, 1, 9999);
  if (!year || !in.take("-")) return std::nullopt;
  const auto month = in.number(2, 1, 12);
  if (!month || !in.take("-")) return std::nullopt;
  const auto day = in.number(2, 1, 31);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return time::Local(std::chrono::sys_days(date).time_since_epoch());
}

std::optional<Duration> read_time_of_day(Reader& in) {
  const auto hour = in.number(2, 0, 23);
  if (!hour || !in.take(":")) return std::nullopt;
  const auto minute = in.number(2, 0, 59);
  if (!minute || !in.take(":")) return std::nullopt;
  const auto second = in.number(2, 0, 59);
  if (!second) return std::nullopt;
  Duration part{};
  if (in.take(".")) {
    const auto fraction = in.fraction();
    if (!fraction) return std::nullopt;
    part = *fraction;
  }
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second) +
         part;
}

std::optional<Duration> read_offset(Reader& in) {
  const bool west = in.front() == '-';
  if (!in.take("+-")) return std::nullopt;
  const auto hours = in.number(2, 0, 23);
  if (!hours || !in.take(":")) return std::nullopt;
  const auto minutes = in.number(2, 0, 59);
  if (!minutes) return std::nullopt;
  const Duration offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return west ? -offset : offset;
}

std::optional<Instant> read(std::string_view text, const time::Zone* zone) {
  Reader in(text);
  const auto date = read_date(in);
  if (!date) return std::nullopt;
  if (in.at_end()) return time::to_utc(zone, *date);
  if (!in.take("Tt ")) return std::nullopt;
  const auto time_of_day = read_time_of_day(in);
  if (!time_of_day) return std::nullopt;
  const time::Local wall = *date + *time_of_day;
  if (in.at_end()) return time::to_utc(zone, wall);
  if (in.take("Zz")) return in.at_end() ? std::optional(time::to_utc(nullptr, wall)) : std::nullopt;
  const auto offset = read_offset(in);
  if (!offset || !in.at_end()) return std::nullopt;
  return time::to_utc(nullptr, wall) - *offset;
}

}  // namespace

std::string text_of(Instant given) {
  // Damaged bytes may hold any number: beyond the years that have a text, the nearest one stands.
  const Instant at = std::clamp(given, time::kFirstInstant, time::kLastInstant);
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<Duration> clock(at - day);
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (clock.subseconds().count() != 0) {
    text += fmt::format(".{:06}", clock.subseconds().count());
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + "Z";
}

Result<Instant> parse_instant(std::string_view field, std::string_view text,
                              std::string_view zone) {
  const auto found = time::find_zone(zone);
  if (!found) return std::unexpected(time::check_zone("timezone", zone).error());
  if (text.size() > kInstantBytesMax) return bad_input(field, text, kExpected);
  const auto at = read(text, *found);
  if (!at || *at < time::kFirstInstant || *at > time::kLastInstant) {
    return bad_input(field, text, kExpected);
  }
  return *at;
}

}  // namespace aimeter
