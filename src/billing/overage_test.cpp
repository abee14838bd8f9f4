// The rule of overage as a table: one settlement a line, and what is charged after it. A property
// test runs random sequences against the plainest model there is.
#include "billing/overage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <sstream>

namespace aimeter::billing {
namespace {

struct Line {
  std::int64_t id = 0;
  Amount amount = 0, left = 0, cost_nanos = 0;
  OveragePrice price = {};
};

class Lines final : public OpenLines {
 public:
  Result<std::optional<OpenLine>> newest(const OveragePrice* price) override {
    for (auto line = all.rbegin(); line != all.rend(); ++line) {
      if (line->left == 0 || (price != nullptr && line->price != *price)) continue;
      return std::optional(OpenLine{line->id, line->left, line->price});
    }
    return std::optional<OpenLine>();
  }
  Status take(std::int64_t line, Amount amount) override {
    all[static_cast<std::size_t>(line)].left -= amount;
    return {};
  }
  void keep(const LineDraft& draft) {
    all.push_back({.id = static_cast<std::int64_t>(all.size()),
                   .amount = draft.amount,
                   .left = std::max<Amount>(0, draft.amount),
                   .cost_nanos = draft.cost_nanos,
                   .price = draft.price});
  }
  std::vector<Line> all;
};

struct Budget {
  OverageState state = {};
  Amount used = 0;
  Lines lines = {};

  // False: out of range, nothing happened.
  bool count(Amount amount, CountedUsage usage, const OveragePrice* price) {
    usage.used_before = used;
    usage.used_after = used + amount;
    OverageStep step = step_of(state, usage);
    const auto drafts = lines_of(step, price, lines);
    if (!drafts || !*drafts) return false;
    used += amount;
    state = step.after;
    for (const LineDraft& draft : **drafts) lines.keep(draft);
    return true;
  }
  [[nodiscard]] Amount sum() const {
    Amount sum = 0;
    for (const Line& line : lines.all) sum += line.amount;
    return sum;
  }
  [[nodiscard]] Amount left() const {
    Amount sum = 0;
    for (const Line& line : lines.all) sum += line.left;
    return sum;
  }
  [[nodiscard]] Amount money() const {
    Amount sum = 0;
    for (const Line& line : lines.all) sum += line.cost_nanos;
    return sum;
  }
};

OveragePrice price_of(Amount nanos_per_unit) { return {nanos_per_unit * kMillion, "usd"}; }

// amount | how | limit, - for none | nanos a unit | catalogue | instant  ->  T | B | its lines
constexpr const char* kTable = R"(
== what is above the limit, to the token, the crossing call only for its part
 60 charge 100 5 1 1   100  0
 60 charge 100 5 1 2   100 20  20@5
  1 charge 100 5 1 3   100 21  1@5
== exactly at the limit nothing is charged
100 charge 100 5 1 1   100  0
== a limit of 0 is pure pay-as-you-go
  1 charge 0 5 1 1   0 1  1@5
== block and allow charge nothing, however much is used
150 free 100 - 1 1   - 0
 50 free - - 1 2     - 0
== what was used before charging began is not billed backwards
150 free 100 - 1 1     - 0
 10 charge 100 5 2 2   150 10  10@5
== a limit that rises is followed, and the overage that it covers is credited
150 charge 100 5 1 1   100 50  50@5
  1 charge 120 5 2 2   120 31  -20@5 1@5
== it is credited newest line first, each at its own price
110 charge 100 5 1 1   100 10  10@5
 10 charge 100 7 2 2   100 20  10@7
 10 charge 100 9 3 3   100 30  10@9
  0 charge 115 9 4 4   115 15  -10@9 -5@7
  0 charge 999 9 5 5   999  0  -5@7 -10@5
== a limit that falls bills nothing backwards: T stays at what is used
 80 charge 100 5 1 1   100 0
  5 charge 50 5 2 2     80 5  5@5
== ... and with overage already charged T stays where it is
130 charge 100 5 1 1   100 30  30@5
 10 charge  50 5 2 2   100 40  10@5
== ... and not below the new limit
 20 charge 100 5 1 1   100 0
 40 charge  50 5 2 2    50 10  10@5
== T moves once a change: older pins never move it back
150 charge 100 5 1 1   100 50  50@5
  0 charge 140 5 2 4   140 10  -40@5
  5 charge 100 5 1 3   140 15  5@5
  5 charge 100 5 1 5   140 20  5@5
  0 charge 100 5 2 3   140 20
== an override that is over moves T down again, and bills nothing backwards
 90 charge 100 5 1 1   100 0
100 charge 200 5 1 2   200 0
 10 charge 100 5 1 3   190 10  10@5
== pins taken when the period was over move nothing, but begin where nobody charged
 90 charge 100 5 2 1   100 0
 20 charge 200 5 0 9   100 10  10@5
== ... so history says its own limits
 90 charge 100 5 0 1   100 0
 20 charge 200 5 0 2   200 0
== an unlimited plan covers all, and charges nothing while it is in force
150 charge 100 5 1 1   100 50  50@5
500 free - - 2 2       inf 0  -50@5
 10 charge 100 5 3 3   650 10  10@5
== a plan that blocks lets T follow its limit, and what it lets through is never billed
150 charge 100 5 1 1   100 50  50@5
 10 free 120 - 2 2     130 30  -20@5
  5 charge 120 5 3 3   130 35  5@5
== a call of the trial that ends late is not charged
 90 charge 100 5 2 5   100 0
 30 free 100 - 1 4     120 0
  1 charge 100 5 2 6   120 1  1@5
== a late call is charged at the price of its own pins
110 charge 100 9 2 5   100 10  10@9
 10 charge 100 5 1 3   100 20  10@5
== an adjustment takes its line back at its own price
110 charge 100 5 1 1   100 10  10@5
 20 charge 100 9 2 2   100 30  20@9
 -5 adjust 100 5 1 1   100 25  -5@5
== ... what its price has no overage of, newest line first: no more is credited than was charged
 90 charge 100 5 1 1   100 0
 20 charge 100 9 2 2   100 10  10@9
-15 adjust 100 5 1 1   100 0  -10@9
== ... and moves no limit
 90 charge 100 5 1 1   100 0
 20 adjust 500 5 9 9   100 10  10@5
== an adjustment below the limit changes nothing
 90 charge 100 5 1 1   100 0
-20 adjust 100 5 1 1   100 0
 30 charge 100 5 1 2   100 0
  1 charge 100 5 1 3   100 1  1@5
== a correction of uncharged usage takes off what was charged, too
150 charge 100 5 1 1   100 50  50@5
-20 adjustfree 100 - 1 1   100 30  -20@5
)";

std::string text_of(const Line& line) {
  return fmt::format("{}@{}", line.amount, line.price.nanos_per_million / kMillion);
}

TEST(Overage, TheTableHolds) {
  std::istringstream table(kTable);
  std::string row, title;
  Budget budget;
  int rows = 0;
  while (std::getline(table, row)) {
    if (row.empty()) continue;
    if (row.starts_with("== ")) {
      title = row;
      budget = {};
      continue;
    }
    SCOPED_TRACE(title + "\n" + row);
    std::istringstream in(row);
    std::string how, limit, price, t, line;
    Amount amount = 0, catalogue = 0, at = 0, b = 0;
    in >> amount >> how >> limit >> price >> catalogue >> at >> t >> b;
    ASSERT_FALSE(in.fail());
    CountedUsage usage{.charges = how == "charge" || how == "adjust" ? Charges::yes : Charges::no,
                       .moves = how.starts_with("adjust") ? Moves::nothing : Moves::limit,
                       .age = {static_cast<std::uint64_t>(catalogue), Instant(Duration(at))}};
    if (limit != "-") usage.limit = std::stoll(limit);
    std::optional<OveragePrice> own;
    if (price != "-") own = price_of(std::stoll(price));
    const std::size_t before = budget.lines.all.size();
    ASSERT_TRUE(budget.count(amount, usage, own ? &*own : nullptr));
    std::string made;
    for (std::size_t i = before; i < budget.lines.all.size(); ++i)
      made += text_of(budget.lines.all[i]) + " ";
    std::string expected;
    while (in >> line) expected += line + " ";
    const std::string t_now = !budget.state.t                 ? "-"
                              : *budget.state.t == kUnlimited ? "inf"
                                                              : std::to_string(*budget.state.t);
    EXPECT_EQ(t_now, t);
    EXPECT_EQ(budget.state.b, b);
    EXPECT_EQ(made, expected);
    EXPECT_EQ(budget.sum(), b);
    EXPECT_EQ(budget.left(), b);
    EXPECT_EQ(budget.money(), budget.state.cost_nanos);
    ++rows;
  }
  EXPECT_EQ(rows, 59);
}

// The same calls under one limit: in whatever order they come, the same overage and money.
TEST(Overage, ForAFixedLimitTheSumDoesNotDependOnTheOrder) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Amount> calls;
    const std::size_t count = 1 + random() % 30;
    for (std::size_t i = 0; i < count; ++i) calls.push_back(static_cast<Amount>(random() % 50));
    const OveragePrice price{static_cast<Amount>(1 + random() % 3'000'000), "usd"};
    std::optional<std::pair<Amount, Amount>> first;
    for (int order = 0; order < 5; ++order) {
      std::shuffle(calls.begin(), calls.end(), random);
      Budget budget;
      for (const Amount amount : calls) {
        const CountedUsage usage{.limit = 300, .charges = Charges::yes, .age = {1, Instant()}};
        ASSERT_TRUE(budget.count(amount, usage, &price));
      }
      const std::pair sum(budget.state.b, budget.money());
      if (!first) first = sum;
      EXPECT_EQ(sum, *first);
    }
  }
}

// Prices of fractions of a nano-unit: the lines together are the exact money, rounded once.
TEST(Overage, LinesTogetherAreRoundedOnce) {
  Budget budget;
  const OveragePrice third{333'333, "usd"};  // a third of a nano-unit a token
  const CountedUsage usage{.limit = 0, .charges = Charges::yes, .age = {1, Instant()}};
  for (int i = 0; i < 3'000; ++i) ASSERT_TRUE(budget.count(1, usage, &third));
  EXPECT_EQ(budget.money(), 1'000);
  const CountedUsage back{.charges = Charges::yes, .moves = Moves::nothing, .age = {1, Instant()}};
  ASSERT_TRUE(budget.count(-3'000, back, &third));
  EXPECT_EQ(budget.money(), 0);
  EXPECT_EQ(budget.state.rest, kMillion / 2);
}

TEST(Overage, MoneyOutOfRangeIsRefusedAndNothingIsTaken) {
  Budget budget;
  const OveragePrice dear{kUnlimited, "usd"};
  CountedUsage usage{.limit = 0, .charges = Charges::yes, .age = {1, Instant()}};
  ASSERT_TRUE(budget.count(kMillion, usage, &dear));
  EXPECT_EQ(budget.money(), kUnlimited);
  usage.limit = kMillion;  // covers the line
  usage.age = {2, Instant()};
  EXPECT_FALSE(budget.count(kMillion + 1, usage, &dear));
  EXPECT_EQ(budget.left(), kMillion);
  EXPECT_EQ(budget.state.b, kMillion);
}

// The plainest model: T by the words of the rule, B from it, money from what is left of the lines.
TEST(Overage, RandomSequencesKeepTheRule) {
  const char* given = std::getenv("AIMETER_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 7;
  std::mt19937_64 random(seed);
  const auto below = [&](Amount end) { return static_cast<Amount>(random() % end); };
  int credits = 0, drags = 0;
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
    Budget budget;
    std::uint64_t catalogue = 1;
    std::optional<Amount> limit = 100;
    bool charges = true;
    struct Done {
      Amount amount = 0;
      CountedUsage usage = {};
      OveragePrice price = {};
    };
    std::vector<Done> held, done;
    Amount price = 5;
    for (int step = 0; step < 60; ++step) {
      const Amount what = below(10);
      if (what == 0) limit = below(4) == 0 ? std::nullopt : std::optional(below(400));
      if (what == 1) price = 1 + below(9);
      if (what == 2) charges = below(3) != 0;
      if (what <= 2) ++catalogue;
      Done call{.amount = below(60),
                .usage = {.limit = limit,
                          .charges = charges && limit ? Charges::yes : Charges::no,
                          .age = {catalogue, Instant(Duration(step))}},
                .price = price_of(price)};
      if (what == 3) {  // ends later, with the pins of now
        held.push_back(call);
        continue;
      }
      if (what == 4 && !held.empty()) std::swap(call, held[random() % held.size()]);
      if (what == 5 && !done.empty()) {
        Done& of = done[random() % done.size()];
        call = of;
        call.amount = -below(of.amount + 1);
        call.usage.moves = Moves::nothing;
        of.amount += call.amount;
      }
      const OverageState before = budget.state;
      const Amount used = budget.used;
      const bool own = call.usage.charges == Charges::yes;
      ASSERT_TRUE(budget.count(call.amount, call.usage, own ? &call.price : nullptr));
      if (call.usage.moves == Moves::limit) done.push_back(call);
      if (!budget.state.t) continue;
      const Amount t = *budget.state.t;
      ASSERT_EQ(budget.state.b, std::max<Amount>(0, budget.used - t));
      ASSERT_EQ(budget.sum(), budget.state.b);
      ASSERT_EQ(budget.left(), budget.state.b);
      Amount money = 0;
      for (const Line& line : budget.lines.all)
        money += line.left * line.price.nanos_per_million / kMillion;
      ASSERT_EQ(budget.money(), money);
      // Never billed backwards: B grows by what was used above T, and only if that is charged.
      ASSERT_LE(budget.state.b - before.b, own ? std::max<Amount>(0, call.amount) : 0);
      if (before.t && !is_newer(call.usage.age, before.age)) {
        ASSERT_GE(t, *before.t) << "older pins moved T back";
        if (own) {
          ASSERT_EQ(t, *before.t);
        }
      } else if (call.usage.moves == Moves::limit && own) {
        const Amount fallen = std::max(*call.usage.limit, used - before.b);
        const bool rises = before.t && *call.usage.limit >= *before.t;
        ASSERT_EQ(t, rises ? *call.usage.limit : fallen);
      }
      credits += budget.state.b < before.b ? 1 : 0;
      drags += before.t && t > *before.t && !own ? 1 : 0;
    }
  }
  EXPECT_GT(credits, 300);
  EXPECT_GT(drags, 100);
}

}  // namespace
}  // namespace aimeter::billing
