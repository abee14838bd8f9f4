#include "aimeter/time.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "time/manual_clock.h"
#include "time/zone.h"

namespace aimeter {
namespace {

struct Row {
  std::string_view says, text, zone, expected;  // expected "" = refused
};

constexpr Row kTexts[] = {
    {"UTC with Z", "2026-03-15T09:30:00Z", "UTC", "2026-03-15T09:30:00Z"},
    {"a space and small letters", "2026-03-15 09:30:00z", "UTC", "2026-03-15T09:30:00Z"},
    {"an offset east is taken off", "2026-03-15T09:30:00+05:30", "UTC", "2026-03-15T04:00:00Z"},
    {"an offset west is added", "2026-03-15T23:30:00-01:00", "UTC", "2026-03-16T00:30:00Z"},
    {"an offset wins over the zone", "2026-07-01T00:00:00Z", "Europe/Berlin",
     "2026-07-01T00:00:00Z"},
    {"no offset: the zone's wall clock", "2026-07-01T00:00:00", "Europe/Berlin",
     "2026-06-30T22:00:00Z"},
    {"a date is its midnight", "2026-07-01", "UTC", "2026-07-01T00:00:00Z"},
    {"a date is its midnight in the zone", "2026-07-01", "Europe/Berlin", "2026-06-30T22:00:00Z"},
    {"a time in a gap uses the offset before it", "2026-03-29T02:30:00", "Europe/Berlin",
     "2026-03-29T01:30:00Z"},
    {"a time in an overlap is the earlier one", "2026-10-25T02:30:00", "Europe/Berlin",
     "2026-10-25T00:30:00Z"},
    {"fractions are kept to the microsecond", "2023-11-16 18:15:46.680590", "UTC",
     "2023-11-16T18:15:46.68059Z"},
    {"digits beyond microseconds are cut", "2023-11-16 18:15:46.6805999", "UTC",
     "2023-11-16T18:15:46.680599Z"},
    {"the first year", "0001-01-01T00:00:00Z", "UTC", "0001-01-01T00:00:00Z"},
    {"year 0 is refused", "0000-12-31T23:59:59Z", "UTC", ""},
    {"before the first year by its offset", "0001-01-01T00:00:00+00:01", "UTC", ""},
    {"the last second of year 9999", "9999-12-31T23:59:59Z", "UTC", "9999-12-31T23:59:59Z"},
    {"past year 9999 by its offset", "9999-12-31T23:59:59-00:01", "UTC", ""},
    {"year 10000", "10000-01-01T00:00:00Z", "UTC", ""},
    {"February 29 of a leap year", "2024-02-29", "UTC", "2024-02-29T00:00:00Z"},
    {"February 29 of another year", "2026-02-29", "UTC", ""},
    {"February 29 of 1900", "1900-02-29", "UTC", ""},
    {"a month 13", "2026-13-01", "UTC", ""},
    {"a day 0", "2026-01-00", "UTC", ""},
    {"the last second of a day", "2026-01-01T23:59:59Z", "UTC", "2026-01-01T23:59:59Z"},
    {"a leap second", "2016-12-31T23:59:60Z", "UTC", ""},
    {"hour 24", "2026-01-01T24:00:00Z", "UTC", ""},
    {"no seconds", "2026-01-01T09:30Z", "UTC", ""},
    {"an offset without its colon", "2026-01-01T09:30:00+0100", "UTC", ""},
    {"an offset of 24 hours", "2026-01-01T09:30:00+24:00", "UTC", ""},
    {"a point without digits", "2026-01-01T09:30:00.Z", "UTC", ""},
    {"something after it", "2026-01-01T09:30:00Z ", "UTC", ""},
    {"something after the date", "2026-01-01x", "UTC", ""},
    {"a sign", "-026-01-01", "UTC", ""},
    {"nothing", "", "UTC", ""},
    {"digits of another script", "２026-01-01", "UTC", ""},
    {"a very long fraction",
     "2026-01-01T00:00:00.000000000000000000000000000000000000000000000000000000000000000Z", "UTC",
     ""},
};

TEST(InstantText, parse_table) {
  for (const Row& row : kTexts) {
    SCOPED_TRACE(row.says);
    const auto at = parse_instant("since", row.text, row.zone);
    if (row.expected.empty()) {
      ASSERT_FALSE(at.has_value());
      EXPECT_EQ(at.error().code, Code::invalid_argument);
      EXPECT_TRUE(at.error().message.starts_with("since: \"")) << at.error().message;
      EXPECT_NE(at.error().message.find("no leap second"), std::string::npos);
    } else {
      ASSERT_TRUE(at.has_value()) << at.error().message;
      EXPECT_EQ(text_of(*at), row.expected);
    }
  }
}

TEST(InstantText, unknown_zone_is_named) {
  for (const char* zone :
       {"Europe/Bielefeld", "", "../../etc/passwd", "localtime", "europe/berlin"}) {
    const auto at = parse_instant("since", "2026-01-01", zone);
    ASSERT_FALSE(at.has_value()) << zone;
    EXPECT_EQ(at.error().message, "timezone: \"" + std::string(zone) +
                                      "\" is not accepted; expected an IANA time zone such as "
                                      "\"Europe/Berlin\" or \"UTC\"");
  }
}

TEST(InstantText, text_before_1970_and_with_zeros) {
  EXPECT_EQ(text_of(Instant(Duration(-1))), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(text_of(Instant(Duration(250'000))), "1970-01-01T00:00:00.25Z");
  EXPECT_EQ(text_of(Instant(Duration(1))), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(text_of(Instant()), "1970-01-01T00:00:00Z");
  // What damaged bytes may hold.
  EXPECT_EQ(text_of(time::kFirstInstant), "0001-01-01T00:00:00Z");
  EXPECT_EQ(text_of(time::kFirstInstant - Duration(1)), "0001-01-01T00:00:00Z");
  EXPECT_EQ(text_of(Instant(Duration::min())), "0001-01-01T00:00:00Z");
  EXPECT_EQ(text_of(time::kLastInstant), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(text_of(time::kLastInstant + Duration(1)), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(text_of(Instant(Duration::max())), "9999-12-31T23:59:59.999999Z");
}

TEST(Clock, manual_moves_wall_and_boot_apart) {
  time::ManualClock clock(Instant(Duration(100)), Duration(7));
  clock.set_wall(Instant(Duration(50)));
  EXPECT_EQ(clock.now(), Instant(Duration(50)));
  EXPECT_EQ(clock.boot(), Duration(7));
  clock.set_boot(Duration(9));
  clock.advance(Duration(5));
  EXPECT_EQ(clock.now(), Instant(Duration(55)));
  EXPECT_EQ(clock.boot(), Duration(14));
}

TEST(Clock, system_clock_is_one_and_boot_never_goes_back) {
  const Clock& clock = system_clock();
  EXPECT_EQ(&clock, &system_clock());
  const Duration before = clock.boot();
  EXPECT_GT(before.count(), 0);
  EXPECT_LE(before, clock.boot());
  EXPECT_GT(text_of(clock.now()), "2024-01-01T00:00:00Z");
}

}  // namespace
}  // namespace aimeter
