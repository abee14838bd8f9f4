#include "reports/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/store_fixture.h"
#include "time/manual_clock.h"

namespace aimeter::reports {
namespace {

using store::fixture::account_of;
using store::fixture::call_of;
using store::fixture::kMarch;
using store::fixture::kNoon;
using ::testing::ElementsAre;

struct Usages {
  time::ManualClock clock{kNoon};
  std::unique_ptr<store::Store> store = store::make_memory_store(clock);
  store::fixture::Feeder feeder{*store};

  void add(const std::string& tenant, Instant at, std::int64_t tokens,
           std::string model = "gpt-4o") {
    store::Settlement call = call_of(account_of(tenant), tokens);
    call.occurred_at = at;
    call.model = std::move(model);
    feeder.apply(call);
  }
  [[nodiscard]] Report report_of(std::string_view group_by, std::string timezone = "UTC") {
    Query query{.group_by = *parse_group_by(group_by), .timezone = std::move(timezone)};
    query.filter.from = kMarch.start;
    query.filter.to = kMarch.end;
    const Result<Report> made = report(*store, query);
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : Report{};
  }
};

TEST(Report, TotalsAddUpExactlyAndCountTenants) {
  Usages usages;
  usages.add("a", kNoon, 3);
  usages.add("a", kNoon, 4);
  usages.add("b", kNoon, 5);
  usages.add("b", kMarch.end, 1'000);  // outside
  const Report all = usages.report_of("");
  ASSERT_EQ(all.totals.size(), 1U);
  EXPECT_EQ(all.totals[0].calls, 3);
  EXPECT_EQ(all.totals[0].total_tokens(), 12);
  EXPECT_EQ(all.totals[0].tenants, 2);
  EXPECT_EQ(cost_text(all.totals[0].cost_nanos), "0.00000012");
  EXPECT_TRUE(all.groups.empty());
}

TEST(Report, NothingIsARowOfZeros) {
  Usages usages;
  const Report nothing = usages.report_of("tenant");
  ASSERT_EQ(nothing.totals.size(), 1U);
  EXPECT_EQ(nothing.totals[0].calls, 0);
  EXPECT_EQ(nothing.totals[0].currency, "usd");
  EXPECT_TRUE(nothing.groups.empty());
}

TEST(Report, GroupsByNamesAndByLocalTime) {
  Usages usages;
  const Instant before_midnight = kNoon + std::chrono::hours(11) + std::chrono::minutes(30);
  usages.add("a", before_midnight, 2);
  usages.add("a", before_midnight + std::chrono::hours(1), 3, "o3");
  const Report by_model = usages.report_of("tenant,model");
  ASSERT_EQ(by_model.groups.size(), 2U);
  EXPECT_THAT(by_model.groups[0].names, ElementsAre("a", "gpt-4o"));
  EXPECT_EQ(by_model.groups[0].sums.total_tokens(), 2);
  EXPECT_EQ(usages.report_of("day").groups.size(), 2U);
  const Report in_berlin = usages.report_of("day", "Europe/Berlin");
  ASSERT_EQ(in_berlin.groups.size(), 1U) << "both after midnight there";
  EXPECT_THAT(in_berlin.groups[0].names, ElementsAre("2026-03-10T23:00:00Z"));
}

TEST(Report, ByUserAndByMinuteReadRowsAndAgreeWithRollups) {
  Usages usages;
  for (int minute = 0; minute < 40; ++minute) {
    usages.add("a", kNoon + std::chrono::minutes(minute), minute + 1);
  }
  const Report by_minute = usages.report_of("minute");
  EXPECT_EQ(by_minute.groups.size(), 40U);
  EXPECT_EQ(by_minute.groups[0].sums.total_tokens(), 1);
  EXPECT_EQ(by_minute.totals[0].total_tokens(), usages.report_of("hour").totals[0].total_tokens());
  EXPECT_EQ(by_minute.totals[0].cost_nanos, usages.report_of("").totals[0].cost_nanos);
  EXPECT_EQ(usages.report_of("user").groups.at(0).names.at(0), "u1");
}

TEST(Report, ARangeThatCutsBucketsIsExactAtBothEnds) {
  Usages usages;
  for (int second = 0; second < 3'600; second += 100) {
    usages.add("a", kNoon + std::chrono::seconds(second), 1);
  }
  struct Row {
    const char* sentence;
    int from_s, to_s;
    std::int64_t calls;
  };
  constexpr Row kRows[] = {
      {"a whole hour", 0, 3'600, 36},        {"inside one bucket", 100, 300, 2},
      {"both ends ragged", 250, 3'250, 30},  {"only the start ragged", 100, 1'800, 17},
      {"only the end ragged", 0, 1'000, 10}, {"across one border", 800, 1'000, 2},
      {"one instant", 900, 901, 1},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    Query query;
    query.filter.from = kNoon + std::chrono::seconds(row.from_s);
    query.filter.to = kNoon + std::chrono::seconds(row.to_s);
    const auto made = report(*usages.store, query);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->totals.at(0).calls, row.calls);
  }
}

TEST(Report, AnAdjustmentChangesSumsInRowsAndRollupsAlike) {
  Usages usages;
  const store::Settlement call = call_of(account_of("a"), 10);
  usages.feeder.apply(call);
  usages.feeder.apply(store::fixture::adjustment_of(call, usages.feeder.row(), -4));
  for (const char* grouping : {"tenant", "user"}) {
    SCOPED_TRACE(grouping);
    const Report made = usages.report_of(grouping);
    EXPECT_EQ(made.totals[0].calls, 1);
    EXPECT_EQ(made.totals[0].total_tokens(), 6);
    EXPECT_EQ(cost_text(made.totals[0].cost_nanos), "0.00000006");
  }
}

TEST(Report, CurrenciesAreNeverAddedTogether) {
  Usages usages;
  usages.add("a", kNoon, 2);
  store::Settlement euros = call_of(account_of("a"), 3);
  for (Money* money : {&euros.input_cost, &euros.output_cost, &euros.total_cost}) {
    money->currency = "eur";
  }
  usages.feeder.apply(euros);
  const Report made = usages.report_of("tenant");
  ASSERT_EQ(made.totals.size(), 2U);
  EXPECT_EQ(made.totals[0].currency, "eur");
  EXPECT_EQ(made.totals[1].currency, "usd");
  EXPECT_EQ(made.groups.size(), 2U);
  EXPECT_NE(to_json(made).find("totals_by_currency"), std::string::npos);
}

TEST(Report, BadGroupingsRangesAndMonthsAreNamed) {
  for (const char* bad : {"tenants", "tenant,tenant", "tenant,", ",tenant", " tenant"}) {
    SCOPED_TRACE(bad);
    const auto groups = parse_group_by(bad);
    ASSERT_FALSE(groups);
    EXPECT_NE(groups.error().message.find("--group-by"), std::string::npos);
  }
  for (const char* bad : {"2026", "2026-13", "2026-7", "26-07", "2026-07-01", ""}) {
    SCOPED_TRACE(bad);
    const auto month = month_of("--month", bad, "UTC");
    ASSERT_FALSE(month);
    EXPECT_NE(month.error().message.find("--month"), std::string::npos);
  }
  EXPECT_EQ(text_of(month_of("--month", "2026-07", "Europe/London")->start),
            "2026-06-30T23:00:00Z");
  Usages usages;
  Query empty;
  empty.filter.from = empty.filter.to = kNoon;
  EXPECT_FALSE(report(*usages.store, empty));
}

TEST(Report, CostsKeepEveryDigitBeyond64Bits) {
  EXPECT_EQ(cost_text(0), "0");
  EXPECT_EQ(cost_text(1), "0.000000001");
  EXPECT_EQ(cost_text(-1'500'000'000), "-1.5");
  EXPECT_EQ(cost_text(Nanos128(9'000'000'000'000'000'000) * 1'000), "9000000000000");
}

TEST(Report, CsvQuotesWhatNeedsIt) {
  Usages usages;
  usages.add("a,\"b\"", kNoon, 2);
  const std::string csv = to_csv(usages.report_of("tenant"));
  EXPECT_NE(csv.find("\"a,\"\"b\"\"\",1,1,0,1,2,0.00000002,usd,0,0\n"), std::string::npos) << csv;
}

}  // namespace
}  // namespace aimeter::reports
