// Package:       time
// Units:         Instant (UTC, us); days for `rolling`.
// Errors:        invalid_argument for an unknown zone, days outside 1..3660, a bad week start.
// Thread safety: values; at() may be called from any thread.
// Ownership:     none.
//
// A period is [start, end) in UTC instants. Boundaries are wall-clock times of a zone: one in a gap
// uses the offset before the gap, one in an overlap is the earlier instant. Rolling alignment
// counts from the original anchor, the day clamped to the month. Type rolling and rolling hours are
// exact lengths from the anchor; calendar hours are the local clock's hours (an offset change of
// half an hour ends one early).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aimeter/result.h"
#include "aimeter/time.h"

namespace aimeter {

namespace time {
class Zone;
}  // namespace time

class Period {
 public:
  enum class Type { hourly, daily, weekly, monthly, yearly, rolling };
  enum class Alignment { calendar, rolling };
  struct Options {
    Type type = Type::monthly;
    Alignment alignment = Alignment::calendar;
    std::string timezone = "UTC";
    Instant anchor = {};  // of rolling alignment and of type rolling
    int week_start = 1;   // 1 Monday, 0 Sunday (ISO 8601 numbering of the first day)
    int days = 30;        // of type rolling
    friend bool operator==(const Options&, const Options&) = default;
  };
  struct Span {
    Instant start = {}, end = {};
    [[nodiscard]] bool contains(Instant at) const { return start <= at && at < end; }
    friend auto operator<=>(const Span&, const Span&) = default;
  };

  // Checked construction. The plain constructor ends the process on options that check() refuses.
  [[nodiscard]] static Status check(const Options& options);
  explicit Period(Options options);

  // The period that holds `reference`; one outside the years 0001 to 9999 is the nearest inside.
  [[nodiscard]] Span at(Instant reference) const;
  [[nodiscard]] Span next(Instant reference) const { return at(at(reference).end); }
  [[nodiscard]] Span previous(Instant reference) const {
    return at(at(reference).start - Duration(1));
  }
  [[nodiscard]] bool same(Instant a, Instant b) const { return at(a).contains(b); }
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  [[nodiscard]] Instant boundary(std::int64_t k) const;  // B(k)
  [[nodiscard]] std::int64_t guess(Instant reference) const;
  [[nodiscard]] Span local_hour(Instant reference) const;

  Options options_;
  const time::Zone* zone_;  // of the process; nullptr is UTC
  Duration wall_anchor_;    // wall-clock time of boundary 0, since 1970
  Duration step_;           // length of one period, 0 for months
  std::int64_t months_;     // months of one period, 0 for fixed steps
};

[[nodiscard]] std::string_view name_of(Period::Type type);            // "monthly"
[[nodiscard]] std::string_view name_of(Period::Alignment alignment);  // "calendar"
[[nodiscard]] Result<Period::Type> parse_period_type(std::string_view field, std::string_view text);
[[nodiscard]] Result<Period::Alignment> parse_alignment(std::string_view field,
                                                        std::string_view text);

}  // namespace aimeter
