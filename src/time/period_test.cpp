#include "aimeter/period.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace aimeter {
namespace {

Instant at(std::string_view text) {
  const auto instant = parse_instant("at", text);
  EXPECT_TRUE(instant.has_value()) << text;
  return instant.value_or(Instant());
}

struct Row {
  std::string_view says, type, alignment, timezone, anchor;
  int week_start;
  std::string_view reference, start, end;
};

constexpr Row kRows[] = {
    {"a day holds its first instant", "daily", "calendar", "UTC", "", 1, "2026-03-15",
     "2026-03-15T00:00:00Z", "2026-03-16T00:00:00Z"},
    {"a day holds its last microsecond", "daily", "calendar", "UTC", "", 1,
     "2026-03-15T23:59:59.999999Z", "2026-03-15T00:00:00Z", "2026-03-16T00:00:00Z"},
    {"a day of 23 hours when clocks go forward", "daily", "calendar", "Europe/Berlin", "", 1,
     "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
    {"a day of 25 hours when clocks go back", "daily", "calendar", "Europe/Berlin", "", 1,
     "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
    {"a week begins on Monday", "weekly", "calendar", "UTC", "", 1, "2026-03-15T12:00:00Z",
     "2026-03-09T00:00:00Z", "2026-03-16T00:00:00Z"},
    {"a week begins on Sunday", "weekly", "calendar", "UTC", "", 0, "2026-03-15T12:00:00Z",
     "2026-03-15T00:00:00Z", "2026-03-22T00:00:00Z"},
    {"weeks before 1970", "weekly", "calendar", "UTC", "", 1, "1969-12-31T12:00:00Z",
     "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"},
    {"a month", "monthly", "calendar", "UTC", "", 1, "2026-03-15", "2026-03-01T00:00:00Z",
     "2026-04-01T00:00:00Z"},
    {"December ends with the year", "monthly", "calendar", "UTC", "", 1, "2026-12-31T23:59:59Z",
     "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
    {"a month of a zone", "monthly", "calendar", "America/New_York", "", 1, "2026-03-01T04:59:59Z",
     "2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z"},
    {"a year", "yearly", "calendar", "UTC", "", 1, "2026-03-15", "2026-01-01T00:00:00Z",
     "2027-01-01T00:00:00Z"},
    {"from Jan 31 to Feb 28", "monthly", "rolling", "UTC", "2026-01-31T10:00:00Z", 1, "2026-02-15",
     "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"},
    {"from Feb 28 back to Mar 31: the anchor is kept", "monthly", "rolling", "UTC",
     "2026-01-31T10:00:00Z", 1, "2026-03-15", "2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z"},
    {"in a leap year Feb 29", "monthly", "rolling", "UTC", "2024-01-31T10:00:00Z", 1, "2024-03-01",
     "2024-02-29T10:00:00Z", "2024-03-31T10:00:00Z"},
    {"the instant before a clamped boundary", "monthly", "rolling", "UTC", "2026-01-31T10:00:00Z",
     1, "2026-02-28T09:59:59.999999Z", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"},
    {"before the anchor: a negative period", "monthly", "rolling", "UTC", "2026-01-31T10:00:00Z", 1,
     "2025-12-01", "2025-11-30T10:00:00Z", "2025-12-31T10:00:00Z"},
    {"years from Feb 29", "yearly", "rolling", "UTC", "2024-02-29T00:00:00Z", 1, "2027-12-01",
     "2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
    {"rolling days keep the wall clock", "daily", "rolling", "Europe/Berlin",
     "2026-03-27T08:00:00Z", 1, "2026-03-29T12:00:00Z", "2026-03-29T07:00:00Z",
     "2026-03-30T07:00:00Z"},
    {"a rolling boundary in a gap uses the offset before it", "daily", "rolling", "Europe/Berlin",
     "2026-03-27T01:30:00Z", 1, "2026-03-29T02:00:00Z", "2026-03-29T01:30:00Z",
     "2026-03-30T00:30:00Z"},
    {"a rolling boundary in an overlap is the earlier instant", "daily", "rolling", "Europe/Berlin",
     "2026-10-23T00:30:00Z", 1, "2026-10-25T01:00:00Z", "2026-10-25T00:30:00Z",
     "2026-10-26T01:30:00Z"},
    {"rolling weeks", "weekly", "rolling", "UTC", "2026-03-04T05:06:07Z", 1, "2026-03-11T05:06:07Z",
     "2026-03-11T05:06:07Z", "2026-03-18T05:06:07Z"},
    {"thirty days exactly, whatever the clocks do", "rolling", "rolling", "Europe/Berlin",
     "2026-03-15T12:00:00Z", 1, "2026-04-01", "2026-03-15T12:00:00Z", "2026-04-14T12:00:00Z"},
    {"thirty days before the anchor", "rolling", "calendar", "UTC", "2026-03-15T12:00:00Z", 1,
     "2026-03-15T11:59:59Z", "2026-02-13T12:00:00Z", "2026-03-15T12:00:00Z"},
    {"a calendar hour", "hourly", "calendar", "UTC", "", 1, "2026-03-15T09:59:59Z",
     "2026-03-15T09:00:00Z", "2026-03-15T10:00:00Z"},
    {"an hour of a zone at half past", "hourly", "calendar", "Asia/Kolkata", "", 1,
     "2026-03-15T09:15:00Z", "2026-03-15T08:30:00Z", "2026-03-15T09:30:00Z"},
    {"an hour after the gap is an hour", "hourly", "calendar", "Europe/Berlin", "", 1,
     "2026-03-29T01:10:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
    {"the repeated hour is an hour of its own", "hourly", "calendar", "Europe/Berlin", "", 1,
     "2026-10-25T01:10:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"},
    {"Lord Howe goes back by half an hour at 02:00: the hour 01:30 to 02:00 is short", "hourly",
     "calendar", "Australia/Lord_Howe", "", 1, "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z",
     "2026-04-04T15:30:00Z"},
    {"Lord Howe goes forward by half an hour at 02:00", "hourly", "calendar", "Australia/Lord_Howe",
     "", 1, "2026-10-03T15:35:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"},
    {"rolling hours count from the anchor", "hourly", "rolling", "Europe/Berlin",
     "2026-03-15T09:17:00Z", 1, "2026-03-15T09:16:59Z", "2026-03-15T08:17:00Z",
     "2026-03-15T09:17:00Z"},
    {"summer time goes on after 2037", "daily", "calendar", "Europe/Berlin", "", 1,
     "2045-07-01T12:00:00Z", "2045-06-30T22:00:00Z", "2045-07-01T22:00:00Z"},
    {"clocks go forward on the last Sunday of March 2045", "daily", "calendar", "Europe/Berlin", "",
     1, "2045-03-26T12:00:00Z", "2045-03-25T23:00:00Z", "2045-03-26T22:00:00Z"},
    {"clocks go back on the last Sunday of October 2038", "daily", "calendar", "Europe/Berlin", "",
     1, "2038-10-31T12:00:00Z", "2038-10-30T22:00:00Z", "2038-10-31T23:00:00Z"},
    {"February 29 of 2048 is winter", "daily", "calendar", "Europe/Berlin", "", 1,
     "2048-02-29T12:00:00Z", "2048-02-28T23:00:00Z", "2048-02-29T23:00:00Z"},
    {"the second Sunday of March 2100", "daily", "calendar", "America/New_York", "", 1,
     "2100-03-14T12:00:00Z", "2100-03-14T05:00:00Z", "2100-03-15T04:00:00Z"},
    {"January is summer in Sydney in 2050", "daily", "calendar", "Australia/Sydney", "", 1,
     "2050-01-15T00:00:00Z", "2050-01-14T13:00:00Z", "2050-01-15T13:00:00Z"},
    {"Tokyo has no summer time to go on with", "daily", "calendar", "Asia/Tokyo", "", 1,
     "2045-07-01T12:00:00Z", "2045-06-30T15:00:00Z", "2045-07-01T15:00:00Z"},
    {"Lord Howe's half hour in 2045", "hourly", "calendar", "Australia/Lord_Howe", "", 1,
     "2045-04-01T15:10:00Z", "2045-04-01T15:00:00Z", "2045-04-01T15:30:00Z"},
    {"a day that a zone skipped is empty and holds nothing", "daily", "calendar", "Pacific/Apia",
     "", 1, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
};

Period period_of(const Row& row) {
  Period::Options options{.type = parse_period_type("type", row.type).value(),
                          .alignment = parse_alignment("alignment", row.alignment).value(),
                          .timezone = std::string(row.timezone),
                          .week_start = row.week_start};
  if (!row.anchor.empty()) options.anchor = at(row.anchor);
  return Period(options);
}

TEST(Period, table) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    const Period::Span span = period_of(row).at(at(row.reference));
    EXPECT_EQ(text_of(span.start), row.start);
    EXPECT_EQ(text_of(span.end), row.end);
    EXPECT_TRUE(span.contains(at(row.reference)));
  }
}

// The reference's calendar periods overlapped and its rolling ones left gaps.
TEST(Period, periods_follow_each_other_without_gap_or_overlap) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    const Period period = period_of(row);
    Period::Span span = period.at(at(row.reference));
    for (int i = 0; i < 200; ++i) {
      const Period::Span next = period.next(span.start);
      ASSERT_EQ(next.start, span.end);
      ASSERT_LT(next.start, next.end);
      ASSERT_EQ(period.previous(next.start), span);
      ASSERT_EQ(period.at(span.end - Duration(1)), span);
      ASSERT_TRUE(period.same(span.start, span.end - Duration(1)));
      ASSERT_FALSE(period.same(span.start, span.end));
      span = next;
    }
  }
}

TEST(Period, ends_of_time_are_the_nearest_period) {
  for (const char* type : {"hourly", "daily", "weekly", "monthly", "yearly", "rolling"}) {
    SCOPED_TRACE(type);
    const Period period(
        {.type = parse_period_type("type", type).value(), .timezone = "Asia/Tokyo"});
    EXPECT_EQ(period.at(Instant::max()), period.at(at("9999-12-31T23:59:59.999999Z")));
    EXPECT_EQ(period.at(Instant::min()), period.at(at("0001-01-01T00:00:00Z")));
  }
}

TEST(Period, check_names_the_field) {
  const auto message = [](Period::Options options) {
    const Status status = Period::check(options);
    return status ? std::string("ok") : status.error().message;
  };
  EXPECT_EQ(message({}), "ok");
  EXPECT_TRUE(message({.timezone = "Mars/Olympus"}).starts_with("timezone: \"Mars/Olympus\""));
  EXPECT_TRUE(message({.week_start = 2}).starts_with("week_start: \"2\""));
  EXPECT_TRUE(message({.week_start = -1}).starts_with("week_start: \"-1\""));
  EXPECT_EQ(message({.week_start = 0}), "ok");
  EXPECT_TRUE(message({.days = 0}).starts_with("days: \"0\""));
  EXPECT_EQ(message({.days = 1}), "ok");
  EXPECT_EQ(message({.days = 3660}), "ok");
  EXPECT_TRUE(message({.days = 3661}).starts_with("days: \"3661\""));
  EXPECT_TRUE(message({.anchor = Instant::max()}).starts_with("anchor: "));
}

TEST(PeriodDeath, bad_options_end_the_process) {
  EXPECT_DEATH(Period({.timezone = "Mars/Olympus"}), "broken invariant");
}

TEST(Period, names_there_and_back) {
  for (const char* name : {"hourly", "daily", "weekly", "monthly", "yearly", "rolling"}) {
    EXPECT_EQ(name_of(parse_period_type("type", name).value()), name);
  }
  for (const char* name : {"calendar", "rolling"}) {
    EXPECT_EQ(name_of(parse_alignment("alignment", name).value()), name);
  }
  EXPECT_EQ(parse_period_type("period.type", "Monthly").error().message,
            "period.type: \"Monthly\" is not accepted; expected hourly, daily, weekly, monthly, "
            "yearly or rolling");
  EXPECT_EQ(parse_alignment("period.alignment", "").error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace aimeter
