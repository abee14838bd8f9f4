#include "budget/book.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "budget/book_fixture.h"

namespace aimeter::budget {
namespace {

using What = HoldAnswer::What;

TEST(Book, AHoldFitsWhatIsFreeOfTheLease) {
  struct Row {
    const char* sentence;
    Amount granted, asked;
    What expected;
  };
  constexpr Row kRows[] = {
      {"a hold that just fits is granted", 40, 40, What::held},
      {"one token too many asks the store first", 40, 41, What::short_of},
      {"nothing granted yet asks the store first", 0, 1, What::short_of},
      {"a call of no tokens still needs a limit that is not reached", 0, 0, What::short_of},
      {"a call of no tokens fits when something is left", 1, 0, What::held},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    BookFixture fixture({tokens_budget(100)});
    fixture.grant(row.granted);
    EXPECT_EQ(fixture.hold(row.asked).what, row.expected);
  }
}

TEST(Book, WhatAHoldIsShortOfIsToldWithoutHolding) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(40, 60);
  const HoldCall call{fixture.names, {.tokens = 41}, kNoon, fixture.catalogue};
  const Need fits{.tokens = 40};
  const std::vector<Short> shorts = fixture.book.shorts_of(fixture.local, call);
  ASSERT_EQ(shorts.size(), 1U);
  EXPECT_EQ(shorts[0].key, fixture.key());
  EXPECT_EQ(shorts[0].need, 41);
  EXPECT_EQ(shorts[0].free, 40);
  EXPECT_EQ(shorts[0].limit, 100);
  EXPECT_TRUE(fixture.book.shorts_of(fixture.local, {fixture.names, fits, kNoon, 1}).empty());
  EXPECT_TRUE(fixture.book.shorts_of(fixture.local, {fixture.names, call.need, kNoon, 2}).empty())
      << "of stale terms";
  EXPECT_EQ(fixture.hold(40).what, What::held);
}

TEST(Book, ALeaseThatRunsLowIsToldOnceAndWhatItLacks) {
  BookFixture fixture({tokens_budget(10'000)});
  const auto held = [&](Amount tokens, Duration later = {}) {
    const Need need{.tokens = tokens};
    return fixture.book.hold(fixture.local, {fixture.names, need, kNoon + later, 1});
  };
  fixture.grant(100);
  EXPECT_FALSE(held(80).running_low) << "a quarter of what ten seconds took is left";
  EXPECT_TRUE(fixture.book.low_of(fixture.local, kNoon, 1).empty());
  EXPECT_TRUE(held(1).running_low);
  EXPECT_FALSE(held(1).running_low) << "it was told";
  const std::vector<Short> low = fixture.book.low_of(fixture.local, kNoon, 1);
  ASSERT_EQ(low.size(), 1U);
  EXPECT_EQ(low[0].key, fixture.key());
  EXPECT_EQ(low[0].free, 18);
  EXPECT_EQ(low[0].ask, 82 - 18);
  EXPECT_EQ(low[0].need, 0) << "no call waits for it";
  EXPECT_EQ(low[0].limit, 10'000);
  EXPECT_TRUE(fixture.book.low_of(fixture.local, kNoon, 2).empty()) << "of stale terms";
  EXPECT_FALSE(held(1, std::chrono::milliseconds(999)).running_low);
  EXPECT_TRUE(held(1, std::chrono::seconds(1)).running_low) << "nothing came in a second";
  fixture.grant(64);
  EXPECT_FALSE(held(1, std::chrono::seconds(1)).running_low);
  EXPECT_TRUE(held(60, std::chrono::seconds(1)).running_low) << "low again";
}

TEST(Book, NearTheEndOfALimitNothingIsFetchedAhead) {
  for (const Amount limit : {720, 719}) {
    BookFixture fixture({tokens_budget(limit)});
    fixture.grant(80);
    EXPECT_EQ(fixture.hold(80).running_low, limit == 720) << "eight times 80 are left, or less";
  }
}

TEST(Book, ALimitThatFellIsKnownBeforeItsLeaseIsUsedUp) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(50, 20);
  HoldAnswer running = fixture.hold(10);
  ASSERT_EQ(running.what, What::held);
  fixture.set({tokens_budget(35)});
  EXPECT_EQ(fixture.hold(6).what, What::short_of) << "20 are used, 10 are held, 40 are leased";
  EXPECT_EQ(fixture.hold(6, Fit::strict, Ask::final).what, What::refused);
  fixture.book.release(running.held);
  HoldAnswer capped = fixture.hold(40, Fit::may_cap, Ask::final);
  ASSERT_EQ(capped.what, What::held);
  EXPECT_EQ(capped.held.parts[0].held, 15);
  fixture.book.release(capped.held);
  EXPECT_EQ(fixture.hold(15).what, What::held);
}

TEST(Book, ABudgetThatBlocksNobodyRunsNotLow) {
  BookFixture fixture({tokens_budget(std::nullopt)});
  EXPECT_FALSE(fixture.hold(1'000).running_low);
  EXPECT_TRUE(fixture.book.low_of(fixture.local, kNoon, 1).empty());
}

TEST(Book, AskedForTheLastTimeItRefusesAndSaysWhy) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(40, 60);
  const HoldAnswer answer = fixture.hold(41, Fit::strict, Ask::final);
  ASSERT_EQ(answer.what, What::refused);
  EXPECT_EQ(answer.refusal->budget, "tokens");
  EXPECT_EQ(answer.refusal->scope, "account");
  EXPECT_EQ(answer.refusal->limit->count, 100);
  EXPECT_EQ(answer.refusal->used->count, 60);
  EXPECT_EQ(answer.refusal->held->count, 0);
  EXPECT_EQ(answer.refusal->requested->count, 41);
  EXPECT_EQ(*answer.refusal->resets_at, kMarch.end);
  EXPECT_FALSE(answer.fits_limit);
  EXPECT_TRUE(answer.refusal->first);
  EXPECT_FALSE(fixture.hold(41, Fit::strict, Ask::final).refusal->first);
  EXPECT_EQ(fixture.hold(40).what, What::held) << "a refusal holds nothing";
}

TEST(Book, ALimitOfZeroRefusesEverything) {
  BookFixture fixture({tokens_budget(0)});
  EXPECT_EQ(fixture.hold(1, Fit::strict, Ask::final).what, What::refused);
  EXPECT_EQ(fixture.hold(0, Fit::strict, Ask::final).what, What::refused);
  EXPECT_EQ(fixture.hold(1, Fit::may_cap, Ask::final).what, What::refused);
}

TEST(Book, UnlimitedAndAllowingBudgetsJustCount) {
  plans::ConcreteBudget allowing = tokens_budget(10);
  allowing.overage = OverageBehavior::allow;
  for (const auto& budget : {tokens_budget(std::nullopt), allowing}) {
    BookFixture fixture({budget});
    HoldAnswer answer = fixture.hold(1'000);
    ASSERT_EQ(answer.what, What::held);
    const SettledBudgets settled = fixture.book.settle(answer.held, {.tokens = 900});
    ASSERT_EQ(settled.parts.size(), 1U);
    EXPECT_EQ(settled.parts[0].held, 0);
    EXPECT_EQ(settled.parts[0].actual, 900);
    EXPECT_TRUE(fixture.check().allowed);
  }
}

TEST(Book, AShadowBudgetDecidesButNeverRefuses) {
  plans::ConcreteBudget shadow = tokens_budget(100);
  shadow.enforcement = Enforcement::shadow;
  BookFixture fixture({shadow});
  HoldAnswer fits = fixture.hold(100);
  ASSERT_EQ(fits.what, What::held);
  EXPECT_FALSE(fits.held.would_refuse());
  HoldAnswer above = fixture.hold(1);
  ASSERT_EQ(above.what, What::held);
  EXPECT_TRUE(above.held.would_refuse());
  const SettledBudgets settled = fixture.book.settle(above.held, {.tokens = 1});
  EXPECT_TRUE(settled.parts[0].would_refuse);
  EXPECT_FALSE(fixture.check().remaining_tokens) << "a shadow limit limits nobody";
}

TEST(Book, ACappedHoldNeedsThatNobodyElseHoldsAny) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(50, 50);
  HoldAnswer capped = fixture.hold(4'096, Fit::may_cap, Ask::final);
  ASSERT_EQ(capped.what, What::held);
  EXPECT_TRUE(capped.held.capped);
  EXPECT_EQ(capped.held.parts[0].held, 50);
  EXPECT_EQ(fixture.hold(4'096, Fit::may_cap, Ask::final).what, What::refused);
  fixture.book.release(capped.held);
  fixture.book.hear(fixture.local, {.key = fixture.key(), .used = 50, .leased_elsewhere = 1});
  EXPECT_EQ(fixture.hold(4'096, Fit::may_cap, Ask::final).what, What::refused)
      << "what others leased may be held there";
}

// The store leases all that a call lacks or nothing: where one limit is reached, the others are
// short as well, and would fit.
TEST(Book, TheLimitThatIsReachedRefusesBeforeALeaseThatIsNotToBeHad) {
  plans::ConcreteBudget cost = tokens_budget(10);
  cost.kind = BudgetKind::cost;
  BookFixture fixture({tokens_budget(100), cost});
  fixture.grant(0, 10, 1);
  const Need need{.tokens = 5, .cost_nanos = 5};
  const HoldAnswer answer =
      fixture.book.hold(fixture.local, {fixture.names, need, kNoon, fixture.catalogue, Ask::final});
  ASSERT_EQ(answer.what, What::refused);
  EXPECT_EQ(answer.refusal->budget, "cost");
  EXPECT_FALSE(answer.fits_limit);
}

#if defined(AIMETER_FAULTS)
TEST(BookDeathTest, WhatIsLeasedAboveTheBoundEndsTheTestBuild) {
  BookFixture fixture({tokens_budget(100)});
  budget::StoreWord word{.key = fixture.key(), .used = 40, .granted = 60};
  word.bound = 100;
  fixture.book.hear(fixture.local, word);  // just fits
  word.granted = 1;
  EXPECT_DEATH(fixture.book.hear(fixture.local, word), "bound");
}
#endif

TEST(Book, SettlementAboveHoldNeverRefusedAndNeverSellsTwice) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(100);
  const HoldAnswer first = fixture.hold(10);
  const SettledBudgets settled = fixture.book.settle(first.held, {.tokens = 70});
  EXPECT_EQ(settled.parts[0].held, 70) << "the excess comes out of what is free";
  EXPECT_EQ(fixture.hold(31).what, What::short_of);
  const HoldAnswer second = fixture.hold(30);
  ASSERT_EQ(second.what, What::held);
  const SettledBudgets excess = fixture.book.settle(second.held, {.tokens = 45});
  EXPECT_EQ(excess.parts[0].held, 30) << "only what nobody has is an excess";
  EXPECT_EQ(excess.parts[0].actual, 45);
  EXPECT_TRUE(fixture.check().hard_limit_reached);
  EXPECT_FALSE(fixture.check().allowed);
}

TEST(Book, WhatAHoldDidNotUseIsFreeAtOnce) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(100);
  const HoldAnswer held = fixture.hold(100);
  const SettledBudgets settled = fixture.book.settle(held.held, {.tokens = 30});
  EXPECT_EQ(settled.parts[0].held, 30);
  EXPECT_EQ(fixture.hold(70).what, What::held);
}

TEST(Book, AHoldTakesFromAllBudgetsOrFromNone) {
  plans::ConcreteBudget cost = tokens_budget(1'000);
  cost.kind = BudgetKind::cost;
  BookFixture fixture({tokens_budget(100), cost});
  fixture.grant(100, 0, 0);
  fixture.grant(5, 0, 1);
  const Need need{.tokens = 50, .cost_nanos = 6};
  const HoldAnswer answer = fixture.book.hold(fixture.local, {{}, need, kNoon, 1, Ask::final});
  ASSERT_EQ(answer.what, What::refused);
  EXPECT_EQ(answer.refusal->budget, "cost");
  EXPECT_EQ(answer.refusal->limit_cost->nanos, 1'000);
  EXPECT_EQ(fixture.hold(100).what, What::held) << "no tokens were taken";
}

TEST(Book, AHoldIsSetAsideInEveryBudget) {
  plans::ConcreteBudget cost = tokens_budget(1'000);
  cost.kind = BudgetKind::cost;
  BookFixture fixture({tokens_budget(100), cost});
  fixture.grant(100, 0, 0);
  fixture.grant(10, 0, 1);
  const auto hold = [&](const Need& need) {
    return fixture.book.hold(fixture.local, {{}, need, kNoon, 1, Ask::first});
  };
  const HoldAnswer both = hold({.tokens = 60, .cost_nanos = 8});
  ASSERT_EQ(both.what, What::held);
  const HoldAnswer tokens = hold({.tokens = 41, .cost_nanos = 1});
  ASSERT_EQ(tokens.shorts.size(), 1U);
  EXPECT_EQ(tokens.shorts[0].key.kind, BudgetKind::tokens);
  const HoldAnswer costs = hold({.tokens = 1, .cost_nanos = 3});
  ASSERT_EQ(costs.shorts.size(), 1U);
  EXPECT_EQ(costs.shorts[0].key.kind, BudgetKind::cost);
  fixture.book.release(both.held);
  EXPECT_EQ(hold({.tokens = 100, .cost_nanos = 10}).what, What::held);
}

TEST(Book, ScopedBudgetsCountEachNameByItself) {
  plans::ConcreteBudget per_user = tokens_budget(10);
  per_user.scope = BudgetScope::user;
  BookFixture fixture({tokens_budget(std::nullopt), per_user});
  for (const char* user : {"ann", "bob"}) {
    fixture.book.hear(fixture.local, {.key = fixture.key(1, user), .granted = 10});
  }
  const Need ten{.tokens = 10};
  const Names ann{.user = "ann"}, bob{.user = "bob"}, eve{.user = "eve"};
  EXPECT_EQ(fixture.book.hold(fixture.local, {ann, ten, kNoon, 1, Ask::first}).what, What::held);
  const HoldAnswer again =
      fixture.book.hold(fixture.local, {ann, {.tokens = 1}, kNoon, 1, Ask::final});
  ASSERT_EQ(again.what, What::refused);
  EXPECT_EQ(again.refusal->scope, "user");
  EXPECT_EQ(fixture.book.hold(fixture.local, {bob, ten, kNoon, 1, Ask::first}).what, What::held);
  const HoldAnswer unknown = fixture.book.hold(fixture.local, {eve, ten, kNoon, 1, Ask::first});
  ASSERT_EQ(unknown.what, What::unknown_budgets);
  EXPECT_EQ(unknown.unknown.at(0).name, "eve");
}

TEST(Book, TermsActUntilTheirEndAndTheirVersion) {
  BookFixture fixture({tokens_budget(std::nullopt)});
  const Need need{.tokens = 1};
  const auto at = [&](Instant now, std::uint64_t catalogue) {
    return fixture.book.hold(fixture.local, {{}, need, now, catalogue, Ask::first}).what;
  };
  EXPECT_EQ(at(kMarch.start, 1), What::held);
  EXPECT_EQ(at(kMarch.end - Duration(1), 1), What::held);
  EXPECT_EQ(at(kMarch.end, 1), What::stale);
  EXPECT_EQ(at(kMarch.start - Duration(1), 1), What::stale);
  EXPECT_EQ(at(kNoon, 2), What::stale);
}

TEST(Book, AHoldPinsItsLimitAcrossAChange) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(100);
  const HoldAnswer held = fixture.hold(60);
  fixture.catalogue = 2;
  fixture.set({tokens_budget(50)});
  const SettledBudgets settled = fixture.book.settle(held.held, {.tokens = 60});
  EXPECT_EQ(*settled.parts[0].limit, 100);
  EXPECT_EQ(*fixture.check().limit, Tokens{50});
  EXPECT_TRUE(fixture.check().hard_limit_reached);
}

TEST(Book, ThresholdsAreToldOnceByTheSettlementThatCrosses) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(100);
  const auto use = [&](Amount tokens) {
    const HoldAnswer held = fixture.hold(tokens);
    return fixture.book.settle(held.held, {.tokens = tokens});
  };
  EXPECT_FALSE(use(79).crossed_approaching);
  const SettledBudgets eighty = use(1);
  EXPECT_TRUE(eighty.crossed_approaching);
  EXPECT_TRUE(fixture.check().approaching);
  EXPECT_FALSE(eighty.crossed_reached);
  EXPECT_FALSE(use(19).crossed_approaching);
  EXPECT_TRUE(use(1).crossed_reached);
}

TEST(Book, ARecordTakesWhatIsFreeAndAsksForNoMore) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(30);
  const BudgetKey key = fixture.key();
  SettledPart part{.key = &key, .actual = 50, .limit = 100, .blocking = true};
  (void)fixture.book.count(fixture.local, {&part, 1});
  EXPECT_EQ(part.held, 30);
  EXPECT_TRUE(part.counted);
  EXPECT_EQ(fixture.check().used->count, 50);
  BudgetKey later = key;
  later.span = {kMarch.end, kMarch.end + std::chrono::hours(1)};
  SettledPart other = part;
  other.key = &later;
  (void)fixture.book.count(fixture.local, {&other, 1});
  EXPECT_EQ(other.held, 0) << "a record into another period holds nothing";
  EXPECT_FALSE(other.counted);
}

TEST(Book, AppliedMovesWhatIsUndrainedIntoTheStoresWord) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(100);
  const HoldAnswer held = fixture.hold(40);
  (void)fixture.book.settle(held.held, {.tokens = 40});
  EXPECT_EQ(fixture.check().used->count, 40);
  const AppliedPart sum{
      .key = fixture.key(), .epoch = held.held.epoch, .held = 40, .actual = 40, .settlements = 1};
  const StoreWord word{.key = fixture.key(), .used = 55};  // another engine used 15
  fixture.book.applied(std::span(&sum, 1), std::span(&word, 1));
  EXPECT_EQ(fixture.check().used->count, 55);
}

TEST(Book, ANewEpochLeavesNothingFreeAndOldHoldsGiveNothingBack) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(100);
  const HoldAnswer old = fixture.hold(40);
  fixture.book.new_epoch(old.held.epoch + 1);
  EXPECT_EQ(fixture.hold(1).what, What::short_of);
  fixture.grant(10);
  const SettledBudgets settled = fixture.book.settle(old.held, {.tokens = 20});
  EXPECT_EQ(settled.parts[0].held, 20) << "named under its old epoch: late in the store";
  EXPECT_EQ(fixture.hold(10).what, What::held);
  EXPECT_EQ(fixture.hold(1).what, What::short_of);
}

TEST(Book, RecalledAndIdleLeasesGoBack) {
  BookFixture fixture({tokens_budget(100)});
  fixture.grant(60);
  const HoldAnswer held = fixture.hold(20);
  const BudgetKey key = fixture.key();
  EXPECT_EQ(fixture.book.held_of({&key, 1}).at(0).amount, 20);
  EXPECT_EQ(fixture.book.take_back({&key, 1}).at(0).amount, 40);
  EXPECT_TRUE(fixture.book.take_back({&key, 1}).empty());
  fixture.book.release(held.held);
  EXPECT_TRUE(
      fixture.book.take_idle(kNoon + std::chrono::seconds(9), std::chrono::seconds(10)).empty());
  EXPECT_EQ(fixture.book.take_idle(kNoon + std::chrono::seconds(10), std::chrono::seconds(10))
                .at(0)
                .amount,
            20);
}

// Its limit is what was credited; corrections beyond what a call took make its use negative.
TEST(Book, AWalletWithoutCreditsHasWhatCorrectionsGaveBack) {
  Book book{BookOptions{}};
  const Account account{{"acme"}, {"tenant", "acme"}};
  const LocalAccount local = book.local(account);
  auto terms = std::make_shared<Terms>();
  terms->limits.valid = kMarch;
  terms->catalogue = 1;
  terms->wallet = plans::ConcreteBudget{
      .kind = BudgetKind::credits, .span = kMarch, .limit = 0, .currency = "usd"};
  const BudgetKey wallet = key_of(account, *terms->wallet, "");
  book.set_terms(local, terms);
  book.hear(local, {.key = wallet, .used = -75, .granted = 75, .limit = 0});
  const auto hold = [&](Amount nanos, Ask ask) {
    Need need{.requests = 0, .credit_nanos = nanos};
    need.cost_currency = "usd";
    return book.hold(local, {{.mode = BillingMode::credits}, need, kNoon, 1, ask});
  };
  const HoldAnswer first = hold(38, Ask::first);
  ASSERT_EQ(first.what, What::held);
  EXPECT_EQ(first.held.parts.at(0).held, 38);
  const HoldAnswer second = hold(38, Ask::final);
  EXPECT_EQ(second.what, What::refused);
  EXPECT_FALSE(second.fits_limit);
  EXPECT_EQ(second.refusal->balance->nanos, 75);
  book.release(first.held);
  EXPECT_EQ(hold(75, Ask::first).what, What::held);
}

// Many threads over one account with two budgets: what is free, held and settled always adds up to
// what was granted, and nobody is granted more than that.
TEST(Book, ThreadsNeverHoldMoreThanTheLease) {
  constexpr Amount kLease = 1'000;
  constexpr int kThreads = 8, kCalls = 5'000;
  BookFixture fixture({tokens_budget(1'000'000'000)});
  fixture.grant(kLease);
  std::atomic<Amount> outstanding{0}, used{0}, most{0};
  const auto work = [&](unsigned seed) {
    std::minstd_rand random(seed);
    for (int i = 0; i < kCalls; ++i) {
      const Amount size = 1 + static_cast<Amount>(random() % 200);
      HoldAnswer answer = fixture.hold(size);
      if (answer.what != What::held) continue;
      const Amount now = outstanding.fetch_add(size) + size;
      Amount seen = most.load();
      while (now > seen && !most.compare_exchange_weak(seen, now)) continue;
      outstanding.fetch_sub(size);
      if (random() % 2 == 0 || used.load() > kLease / 2) {
        fixture.book.release(answer.held);
      } else {
        used.fetch_add(1);
        (void)fixture.book.settle(answer.held, {.tokens = 1});
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= kThreads; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), kLease);
  const BudgetKey key = fixture.key();
  const auto back = fixture.book.take_back({&key, 1});
  EXPECT_EQ((back.empty() ? 0 : back[0].amount) + used.load(), kLease);
  EXPECT_EQ(fixture.check().held->count, 0);
}

}  // namespace
}  // namespace aimeter::budget
