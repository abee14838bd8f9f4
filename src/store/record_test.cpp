#include "store/record.h"

#include <gtest/gtest.h>

#include <limits>

#include "store/store_fixture.h"

namespace aimeter::store {
namespace {

using namespace fixture;

TEST(Record, CostSourceIsTheFirstOfItsFlags) {
  struct Row {
    std::uint32_t flags;
    CostSource source;
  };
  constexpr Row kRows[] = {{0, CostSource::book},
                           {kCostFromCaller, CostSource::caller},
                           {kCostFromProvider, CostSource::provider},
                           {kCostFromConfiguration, CostSource::configuration}};
  for (const Row& row : kRows) {
    Settlement call = call_of(account_of("acme"), 1);
    call.flags = row.flags;
    EXPECT_EQ(record_of(call, 1).cost_source, row.source);
  }
}

TEST(Record, MetaOfWhatIsNoObjectIsEmpty) {
  EXPECT_EQ(meta_of(R"({"a":"b","c":null,"d":[1,2]})"),
            (Meta{{"a", "b"}, {"c", "null"}, {"d", "[1,2]"}}));
  for (const char* text : {"", "{", "[]", "7", "\"a\"", "{}", "{\"a\":1} x"}) {
    EXPECT_TRUE(meta_of(text).empty()) << text;
  }
}

TEST(Record, BucketsAreFlooredAlsoBefore1970) {
  const auto at = [](std::int64_t seconds) { return Instant(std::chrono::seconds(seconds)); };
  EXPECT_EQ(bucket_of(at(0)), at(0));
  EXPECT_EQ(bucket_of(at(899)), at(0));
  EXPECT_EQ(bucket_of(at(900)), at(900));
  EXPECT_EQ(bucket_of(at(0) - Duration(1)), at(-900));
  EXPECT_EQ(bucket_of(at(-900)), at(-900));
}

TEST(Record, ACursorIsItsText) {
  for (const Cursor& cursor : {Cursor{kNoon, 7}, Cursor{Instant(Duration(-5)), 0},
                               Cursor{Instant(Duration(0)), row_id(3, 9)}}) {
    const auto parsed = parse_cursor(text_of(cursor));
    ASSERT_TRUE(parsed && *parsed);
    EXPECT_TRUE(**parsed == cursor);
  }
  EXPECT_FALSE(*parse_cursor(""));
  for (const char* text : {".", "1", "1.", ".1", "1.1.1", " 1.1", "1.1 ", "+1.1", "0x1.1"}) {
    const auto parsed = parse_cursor(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::invalid_argument);
  }
}

TEST(Record, ASumOutOfRangeIsCorruptAndNotWrong) {
  RollupRow cell = cell_of(call_of(account_of("acme"), 2));
  cell.input_tokens = std::numeric_limits<std::int64_t>::max();
  RollupRow other = cell;
  other.model = "other";
  const std::vector<RollupRow> cells{cell, other};
  EXPECT_EQ(group({.by_model = true}, cells)->size(), 2U);
  const auto sum = group({}, cells);
  ASSERT_FALSE(sum);
  EXPECT_EQ(sum.error().code, Code::corrupt);
  RollupRow into = cell;
  EXPECT_FALSE(add_to(into, other));
  EXPECT_EQ(into.calls, 1) << "unchanged";
}

TEST(RowId, IsEngineAndSeq) {
  EXPECT_EQ(row_id(3, 9), (3LL << 40) + 9);
  EXPECT_EQ(row_id(0, 1), 1);
}

}  // namespace
}  // namespace aimeter::store
