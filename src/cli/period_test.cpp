#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/run.h"

namespace aimeter::cli {
namespace {

using ::testing::HasSubstr;

struct Seen {
  int exit = 0;
  std::string out, err;
};

Seen run_with(const std::vector<std::string>& arguments, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out, err;
  Console console({.in = &in, .out = &out, .err = &err});
  const int exit = run(arguments, console);
  return {exit, out.str(), err.str()};
}

const std::string kHeader =
    "id,type,alignment,timezone,anchor_utc,week_start,reference_utc,k,start_utc,end_utc,flags\n";

TEST(PeriodCommand, batch_reads_the_columns_by_name_and_prints_csv) {
  const Seen seen =
      run_with({"period", "--batch"},
               kHeader + "P1,daily,calendar,Europe/Berlin,,,2026-03-29T12:00:00Z,,,,dst\n" +
                   "P2,weekly,calendar,UTC,,sunday,2026-03-15T12:00:00Z,,,,\n" +
                   "P3,monthly,anchor,UTC,2026-01-31T10:00:00Z,,2026-03-15T00:00:00Z,1,,,\n" +
                   "\"P,4\",fixed30d,anchor,Europe/"
                   "Berlin,2026-03-15T12:00:00Z,,2026-04-01T00:00:00Z,0,,,\n");
  EXPECT_EQ(seen.err, "");
  EXPECT_EQ(seen.exit, 0);
  EXPECT_EQ(seen.out,
            "id,start_utc,end_utc\n"
            "P1,2026-03-28T23:00:00Z,2026-03-29T22:00:00Z\n"
            "P2,2026-03-15T00:00:00Z,2026-03-22T00:00:00Z\n"
            "P3,2026-02-28T10:00:00Z,2026-03-31T10:00:00Z\n"
            "\"P,4\",2026-03-15T12:00:00Z,2026-04-14T12:00:00Z\n");
}

TEST(PeriodCommand, batch_as_json_lines) {
  const Seen seen = run_with({"--json", "period", "--batch", "-"},
                             kHeader + "P1,daily,calendar,UTC,,,2026-03-29T12:00:00Z,,,,\n");
  EXPECT_EQ(boost::json::parse(seen.out),
            (boost::json::object{{"id", "P1"},
                                 {"start_utc", "2026-03-29T00:00:00Z"},
                                 {"end_utc", "2026-03-30T00:00:00Z"}}));
}

TEST(PeriodCommand, a_bad_row_is_named_and_the_rest_goes_on) {
  struct Row {
    std::string row, message;
  };
  for (const Row& bad : std::vector<Row>{
           {"B,daily,calendar,Mars,,,2026-03-29T12:00:00Z,,,,", "line 2: timezone: \"Mars\""},
           {"B,dayly,calendar,UTC,,,2026-03-29T12:00:00Z,,,,", "line 2: type: \"dayly\""},
           {"B,daily,none,UTC,,,2026-03-29T12:00:00Z,,,,", "line 2: alignment: \"none\""},
           {"B,daily,anchor,UTC,,,2026-03-29T12:00:00Z,,,,", "line 2: anchor_utc: \"\""},
           {"B,daily,anchor,UTC,x,,2026-03-29T12:00:00Z,,,,", "line 2: anchor_utc: \"x\""},
           {"B,daily,calendar,UTC,,tuesday,2026-03-29T12:00:00Z,,,,",
            "line 2: week_start: \"tuesday\""},
           {"B,daily,calendar,UTC,,,2016-12-31T23:59:60Z,,,,",
            "line 2: reference_utc: \"2016-12-31T23:59:60Z\""},
           {"B,daily", "line 2: \"2 fields\""}}) {
    SCOPED_TRACE(bad.row);
    const Seen seen =
        run_with({"period", "--batch"},
                 kHeader + bad.row + "\nG,daily,calendar,UTC,,,2026-03-29T12:00:00Z,,,,\n");
    EXPECT_EQ(seen.exit, 5);
    EXPECT_THAT(seen.err, HasSubstr(bad.message));
    EXPECT_EQ(seen.out, "id,start_utc,end_utc\nG,2026-03-29T00:00:00Z,2026-03-30T00:00:00Z\n");
  }
}

TEST(PeriodCommand, a_file_that_cannot_be_used_is_wrong_usage) {
  EXPECT_EQ(run_with({"period", "--batch"}, "").exit, 2);
  EXPECT_EQ(run_with({"period", "--batch"}, "id,type\n").exit, 2);
  const Seen seen = run_with({"period", "--batch", "/nonexistent.csv"});
  EXPECT_EQ(seen.exit, 2);
  EXPECT_THAT(seen.err, HasSubstr("/nonexistent.csv"));
}

TEST(PeriodCommand, single_use) {
  const Seen london =
      run_with({"period", "monthly", "--timezone", "Europe/London", "--at", "2026-07-31"});
  EXPECT_EQ(london.exit, 0) << london.err;
  EXPECT_EQ(london.out, "start  2026-06-30T23:00:00Z\nend    2026-07-31T23:00:00Z\n");
  const Seen rolling = run_with(
      {"period", "monthly", "--anchor", "2026-01-31T10:00:00Z", "--at", "2026-03-15", "--json"});
  EXPECT_EQ(boost::json::parse(rolling.out),
            (boost::json::object{{"type", "monthly"},
                                 {"alignment", "rolling"},
                                 {"timezone", "UTC"},
                                 {"at", "2026-03-15T00:00:00Z"},
                                 {"start_utc", "2026-02-28T10:00:00Z"},
                                 {"end_utc", "2026-03-31T10:00:00Z"}}));
  EXPECT_EQ(run_with({"period", "daily"}).exit, 0) << "now";
  EXPECT_EQ(run_with({"period"}).exit, 2);
  EXPECT_EQ(run_with({"period", "rolling", "--days", "0", "--anchor", "2026-01-01"}).exit, 2);
  EXPECT_THAT(run_with({"period", "monthly", "--alignment", "rolling"}).err, HasSubstr("--anchor"));
}

}  // namespace
}  // namespace aimeter::cli
