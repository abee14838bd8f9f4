#include "store/bound.h"

#include <gtest/gtest.h>

#include <limits>

namespace aimeter::store {
namespace {

constexpr Amount kMax = std::numeric_limits<Amount>::max();
constexpr Amount kMin = std::numeric_limits<Amount>::min();

TEST(Bound, SumsStayInRange) {
  EXPECT_EQ(sum_of(kMax - 1, 1), kMax);
  EXPECT_EQ(sum_of(kMax, 1), std::nullopt);
  EXPECT_EQ(sum_of(kMin + 1, -1), kMin);
  EXPECT_EQ(sum_of(kMin, -1), std::nullopt);
}

TEST(Bound, APartBecomesItsTerms) {
  struct Row {
    const char* sentence;
    Amount held, actual, given_up;
    Counted counted;
  };
  const Row rows[] = {
      {"what was held is used", 20, 20, 20, {.used = 20, .leased = -20}},
      {"less than was held", 20, 19, 20, {.used = 19, .leased = -20}},
      {"more than was held", 20, 21, 20, {.used = 21, .leased = -20, .over_hold = 1}},
      {"nothing held", 0, 21, 0, {.used = 21, .over_hold = 21}},
      {"the lease is gone", 20, 21, 0, {.used = 21, .late = 21}},
      {"the lease lacks one", 20, 21, 19, {.used = 21, .leased = -19, .late = 2}},
      {"the lease lacks more than was used", 20, 5, 10, {.used = 5, .leased = -10}},
      {"a duplicate", 20, 0, 20, {.leased = -20}},
      {"an adjustment down", 0, -5, 0, {.used = -5}},
      {"the widest", kMax, kMax, 0, {.used = kMax, .late = kMax}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Counted counted =
        counted_of({.held = row.held, .actual = row.actual, .blocking = true}, row.given_up);
    EXPECT_EQ(counted.used, row.counted.used);
    EXPECT_EQ(counted.leased, row.counted.leased);
    EXPECT_EQ(counted.over_hold, row.counted.over_hold);
    EXPECT_EQ(counted.late, row.counted.late);
    EXPECT_TRUE(counted.blocking);
  }
}

TEST(Bound, WhatDoesNotFitChangesNothing) {
  struct Row {
    const char* sentence;
    BudgetState before;
    Counted counted;
    bool fits;
  };
  const Row rows[] = {
      {"used up to the last", {.used = kMax - 1}, {.used = 1}, true},
      {"used beyond it", {.used = kMax}, {.used = 1}, false},
      {"leased down to 0", {.leased = 5}, {.leased = -5}, true},
      {"leased below 0", {.leased = 5}, {.leased = -6}, false},
      {"over hold beyond it", {.over_hold = kMax}, {.over_hold = 1, .blocking = true}, false},
      {"late beyond it", {.late = kMax}, {.used = 1, .late = 1}, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    BudgetState budget = row.before;
    EXPECT_EQ(add_to(budget, row.counted), row.fits);
    if (row.fits) continue;
    EXPECT_EQ(budget.used, row.before.used);
    EXPECT_EQ(budget.leased, row.before.leased);
    EXPECT_EQ(budget.over_hold, row.before.over_hold);
    EXPECT_EQ(budget.late, row.before.late);
  }
}

TEST(Bound, OverHoldCountsWhereThePartOrTheBudgetBlocks) {
  for (const bool part : {false, true}) {
    for (const bool state : {false, true}) {
      BudgetState budget{.blocking = state};
      ASSERT_TRUE(add_to(budget, {.used = 7, .over_hold = 7, .blocking = part}));
      EXPECT_EQ(budget.over_hold, part || state ? 7 : 0);
    }
  }
}

TEST(Bound, FallenGrowsByWhatTheBoundLacks) {
  struct Row {
    const char* sentence;
    BudgetState before;
    Naming named;
    Amount fallen;
  };
  const BudgetState full{.used = 60, .leased = 40, .limit = 100, .blocking = true};
  BudgetState excused = full;
  excused.over_hold = 5;
  excused.late = 6;
  excused.fallen = 7;
  BudgetState open = full;
  open.limit.reset();
  open.blocking = false;
  const Row rows[] = {
      {"the same limit", full, {100, true}, 0},
      {"one less", full, {99, true}, 1},
      {"down to nothing", full, {0, true}, 100},
      {"a rise", full, {101, true}, 0},
      {"the other terms excuse their part", excused, {82, true}, 7},
      {"and one less is one more", excused, {81, true}, 8},
      {"it blocks no more", full, {50, false}, 0},
      {"no limit any more", full, {std::nullopt, true}, 0},
      {"it begins to block", open, {70, true}, 30},
      {"it begins to block at what is taken", open, {100, true}, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    BudgetState budget = row.before;
    name_limit(budget, row.named);
    EXPECT_EQ(budget.fallen, row.fallen);
    EXPECT_EQ(budget.limit, row.named.limit);
    EXPECT_EQ(budget.blocking, row.named.blocking && row.named.limit);
    EXPECT_TRUE(in_bound(budget));
  }
}

TEST(Bound, IsBrokenByOneMore) {
  BudgetState budget{.used = 60, .leased = 50, .over_hold = 4, .late = 3, .fallen = 3};
  budget.limit = 100;
  budget.blocking = true;
  EXPECT_TRUE(in_bound(budget));
  budget.used += 1;
  EXPECT_FALSE(in_bound(budget));
  budget.blocking = false;
  EXPECT_TRUE(in_bound(budget)) << "only what blocks is bound";
  budget = {.used = kMax, .leased = kMax, .limit = kMax, .blocking = true};
  EXPECT_FALSE(in_bound(budget)) << "in 128 bits";
}

TEST(Bound, ThresholdsHaveExactBorders) {
  struct Row {
    const char* sentence;
    Amount used;
    std::optional<Amount> limit;
    std::uint8_t told;
  };
  const Row rows[] = {
      {"no limit", kMax, std::nullopt, 0},
      {"79 of 100", 79, 100, 0},
      {"80 of 100", 80, 100, kToldApproaching},
      {"99 of 100", 99, 100, kToldApproaching},
      {"100 of 100", 100, 100, kToldApproaching | kToldReached},
      {"2 of 3 is 66 %", 2, 3, 0},
      {"4 of 5 is 80 %", 4, 5, kToldApproaching},
      {"0 of 0", 0, 0, kToldApproaching | kToldReached},
      {"the widest, one below", kMax - 1, kMax, kToldApproaching},
      {"the widest", kMax, kMax, kToldApproaching | kToldReached},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(thresholds_of({.used = row.used, .limit = row.limit}), row.told);
  }
}

TEST(Bound, FreeIsNeverBelowZero) {
  EXPECT_EQ(free_of({.used = 60, .leased = 39}, 100), 1);
  EXPECT_EQ(free_of({.used = 60, .leased = 40}, 100), 0);
  EXPECT_EQ(free_of({.used = 60, .leased = 41}, 100), 0);
  EXPECT_EQ(free_of({.used = kMax, .leased = kMax}, 0), 0);
  EXPECT_EQ(free_of({.used = -5}, kMax), kMax) << "never beyond what an amount holds";
}

TEST(Bound, AGrantNeverExceedsWhatIsFree) {
  for (const Amount free : {0, 1, 2, 9, 100}) {
    for (const Amount ask : {0, 1, 50, 1'000}) {
      for (const Amount one_call : {0, 1, 9, 10, 100, 101}) {
        for (const int engines : {0, 1, 7}) {
          for (const bool whole_rest : {false, true}) {
            const Room room{.free = free, .engines = engines, .others = engines > 1};
            const LeaseAsk asked{.ask = ask, .one_call = one_call, .whole_rest = whole_rest};
            const Amount granted = grant_of(asked, room);
            EXPECT_LE(granted, free);
            EXPECT_GE(granted, 0);
            if (whole_rest) continue;
            EXPECT_LE(granted, std::max(ask, one_call));
            EXPECT_EQ(refuses(asked, room), granted < one_call);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace aimeter::store
