// What one settlement does: sequence, keys, counters, lateness, death, adjustments, thresholds.
#include <limits>

#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;

constexpr Amount kMax = std::numeric_limits<Amount>::max();

class ApplyContract : public StoreContract {
 protected:
  // All settlements in one batch; the newest row as it is stored.
  Settlement stored(const Feeder& engine) {
    const auto found = store().settlement(engine.row(), std::nullopt);
    EXPECT_TRUE(found && *found);
    return found && *found ? **found : Settlement{};
  }
  std::string dead_reason(const Applied& applied) {
    if (applied.odd.size() != 1 || applied.odd[0].what != Odd::dead) return "not dead";
    return applied.odd[0].reason;
  }
  const Account acme_ = account_of("acme");
  const BudgetKey tokens_ = tokens_of(acme_);
};

// ---- The sequence.

TEST_P(ApplyContract, MovesLastSeqFromPrevElseConflict) {
  Feeder engine(store());
  engine.apply({call_of(acme_, 10), call_of(acme_, 20)});
  EXPECT_EQ(store().last_seq(engine.ref.engine), 2U);

  struct Row {
    const char* sentence;
    Seq prev;
  };
  for (const Row& row : {Row{"a batch that was applied is not applied again", 0},
                         Row{"half of it is not either", 1}, Row{"a gap is not skipped", 3}}) {
    SCOPED_TRACE(row.sentence);
    Settlement call = call_of(acme_, 10);
    call.seq = row.prev + 1;
    const auto applied = store().apply(engine.ref, row.prev, {&call, 1}, Sync::full);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, Code::conflict);
    EXPECT_EQ(state(tokens_).used, 30) << "nothing counted";
    EXPECT_EQ(store().last_seq(engine.ref.engine), 2U);
  }
}

TEST_P(ApplyContract, AnEmptyBatchChangesNothing) {
  Feeder engine(store());
  const Applied applied = engine.apply(std::vector<Settlement>());
  EXPECT_EQ(applied.last, 0U);
  EXPECT_TRUE(applied.budgets.empty());
}

TEST_P(ApplyContract, ABatchWithAGapIsRefused) {
  Feeder engine(store());
  std::vector<Settlement> batch{call_of(acme_, 1), call_of(acme_, 2)};
  batch[0].seq = 1;
  batch[1].seq = 3;
  const auto applied = store().apply(engine.ref, 0, batch, Sync::relaxed);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Code::invalid_argument);
  EXPECT_EQ(store().last_seq(engine.ref.engine), 0U);
  EXPECT_EQ(state(tokens_).used, 0);
}

TEST_P(ApplyContract, AnUnknownEngineIsNotFound) {
  const auto applied = store().apply({.engine = 77}, 0, {}, Sync::relaxed);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Code::not_found);
  const auto last = store().last_seq(77);
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Code::not_found);
}

TEST_P(ApplyContract, EnginesHaveSeqsOfTheirOwn) {
  Feeder one(store()), other(store());
  one.apply(call_of(acme_, 1));
  other.apply({call_of(acme_, 2), call_of(acme_, 3)});
  EXPECT_NE(one.ref.engine, other.ref.engine);
  EXPECT_EQ(store().last_seq(one.ref.engine), 1U);
  EXPECT_EQ(store().last_seq(other.ref.engine), 2U);
  EXPECT_EQ(state(tokens_).used, 6);
}

TEST_P(ApplyContract, AClosedEnginesTailStillCounts) {
  Feeder engine(store());
  ASSERT_TRUE(store().close_engine(engine.ref.engine));
  engine.apply(call_of(acme_, 5));
  EXPECT_EQ(state(tokens_).used, 5);
}

TEST_P(ApplyContract, SaysTheStateOfEveryBudgetItTouchedOnce) {
  Feeder engine(store());
  Settlement both = call_of(acme_, 10);
  both.budgets.push_back({.key = user_tokens_of(acme_, "u1"), .actual = 10});
  const Applied applied = engine.apply({both, both, call_of(account_of("zeta"), 1)});
  ASSERT_EQ(applied.budgets.size(), 3U);
  for (const BudgetState& budget : applied.budgets) {
    EXPECT_EQ(budget.used, budget.key.account == acme_ ? 20 : 1);
    EXPECT_EQ(state(budget.key).used, budget.used);
  }
  EXPECT_TRUE(applied.odd.empty());
}

// ---- Keys.

TEST_P(ApplyContract, TheFirstOfAKeyWinsAndTheSecondIsAnUnbilledDuplicate) {
  Feeder engine(store());
  const Applied applied =
      engine.apply({keyed(call_of(acme_, 10), "k", 7), keyed(call_of(acme_, 99), "k", 8)});
  ASSERT_EQ(applied.odd.size(), 1U);
  EXPECT_EQ(applied.odd[0].what, Odd::duplicate);
  EXPECT_EQ(applied.odd[0].seq, 2U);
  EXPECT_EQ(applied.odd[0].original, row_id(engine.ref.engine, 1));
  EXPECT_EQ(state(tokens_).used, 10);
  const Settlement duplicate = stored(engine);
  EXPECT_NE(duplicate.flags & kDuplicate, 0U);
  EXPECT_EQ(duplicate.budgets.at(0).actual, 0);

  const auto seen = store().find_key(key_of("acme", "call", "k"));
  ASSERT_TRUE(seen && *seen);
  EXPECT_EQ((*seen)->row, row_id(engine.ref.engine, 1));
  EXPECT_EQ((*seen)->content, 7U);
}

TEST_P(ApplyContract, AKeyIsTakenForEveryEngine) {
  Feeder one(store()), other(store());
  one.apply(keyed(call_of(acme_, 10), "k"));
  const Applied applied = other.apply(keyed(call_of(acme_, 10), "k"));
  ASSERT_EQ(applied.odd.size(), 1U);
  EXPECT_EQ(applied.odd[0].original, one.row());
  EXPECT_EQ(state(tokens_).used, 10);
}

TEST_P(ApplyContract, KeysOfTenantsAndKindsAreApart) {
  Feeder engine(store());
  Settlement other_kind = call_of(acme_, 1);
  other_kind.key = KeyRef{key_of("acme", "import", "k"), 7};
  const Applied applied =
      engine.apply({keyed(call_of(acme_, 1), "k"), keyed(call_of(account_of("zeta"), 1), "k"),
                    keyed(call_of(account_of(""), 1), "k"), other_kind});
  EXPECT_TRUE(applied.odd.empty());
  EXPECT_EQ(state(tokens_).used, 2);
  EXPECT_FALSE(*store().find_key(key_of("acme", "call", "other")));
}

TEST_P(ApplyContract, ADuplicateStillGivesItsHoldBack) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  engine.apply(keyed(held_call_of(acme_, 20, {engine.ref, 20, 100}), "k"));
  engine.apply(keyed(held_call_of(acme_, 20, {engine.ref, 20, 100}), "k"));
  const BudgetState budget = state(tokens_);
  EXPECT_EQ(budget.used, 20);
  EXPECT_EQ(budget.leased, 10);
  EXPECT_EQ(budget.late, 0);
}

TEST_P(ApplyContract, ADuplicateInASumIsNowhere) {
  Feeder engine(store());
  engine.apply({keyed(call_of(acme_, 10), "k"), keyed(call_of(acme_, 10), "k")});
  const auto rows = store().rollups({});
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).calls, 1);
  EXPECT_EQ(rows->at(0).output_tokens, 5);
}

TEST_P(ApplyContract, WhatItsEngineCallsADuplicateIsOneAndTakesNoKey) {
  Feeder engine(store());
  Settlement repeat = keyed(call_of(acme_, 10), "k");
  repeat.flags = kDuplicate;
  engine.apply(repeat);
  EXPECT_EQ(state(tokens_).used, 0);
  EXPECT_TRUE(engine.apply(keyed(call_of(acme_, 10), "k")).odd.empty());
  EXPECT_EQ(state(tokens_).used, 10);
}

// ---- Counters and leases.

TEST_P(ApplyContract, ASettlementCarriesItsHold) {
  struct Row {
    const char* sentence;
    Amount held, actual;
    Amount used, leased, over_hold;
  };
  constexpr Row kRows[] = {
      {"just what was held", 20, 20, 20, 30, 0},
      {"one less than was held: the lease gives up what is said", 20, 19, 19, 30, 0},
      {"one more than was held is over hold", 20, 21, 21, 30, 1},
      {"all of the lease", 50, 50, 50, 0, 0},
      {"nothing held: all of it is over hold", 0, 7, 7, 50, 7},
      {"nothing used", 20, 0, 0, 30, 0},
  };
  std::int64_t account = 0;
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Account own = account_of("acme", std::to_string(++account));
    Feeder engine(store());
    lease(engine, tokens_of(own), 50, 1'000);
    const Applied applied =
        engine.apply(held_call_of(own, row.actual, {engine.ref, row.held, 1'000}));
    EXPECT_TRUE(applied.odd.empty());
    const BudgetState budget = state(tokens_of(own));
    EXPECT_EQ(budget.used, row.used);
    EXPECT_EQ(budget.leased, row.leased);
    EXPECT_EQ(budget.over_hold, row.over_hold);
    EXPECT_EQ(budget.late, 0);
    EXPECT_EQ(budget.limit, 1'000);
    EXPECT_TRUE(budget.blocking);
  }
}

TEST_P(ApplyContract, ABudgetThatDoesNotBlockJustCounts) {
  Feeder engine(store());
  Settlement call = call_of(acme_, 500);
  call.budgets[0].limit = 100;
  engine.apply(call);
  const BudgetState budget = state(tokens_);
  EXPECT_EQ(budget.used, 500);
  EXPECT_EQ(budget.over_hold, 0);
  EXPECT_EQ(budget.limit, 100);
  EXPECT_FALSE(budget.blocking);
}

TEST_P(ApplyContract, ACallPinnedBeforeItsBudgetBlockedIsOverHold) {
  Feeder engine(store());
  engine.apply(held_call_of(acme_, 0, {engine.ref, 0, 100}));
  engine.apply({call_of(acme_, 60), held_call_of(acme_, 0, {engine.ref, 0, 100})});
  const BudgetState budget = state(tokens_);
  EXPECT_EQ(budget.over_hold, 60) << "it did not block when it was pinned, the budget did";
  EXPECT_EQ(budget.fallen, 0);
}

TEST_P(ApplyContract, AnotherEngineSettlesFromTheLeaseOfTheHold) {
  Feeder holder(store()), settler(store());
  lease(holder, tokens_, 50, 100);
  settler.apply(held_call_of(acme_, 20, {holder.ref, 20, 100}));
  EXPECT_EQ(state(tokens_).leased, 30);
  EXPECT_EQ(state(tokens_).late, 0);
}

TEST_P(ApplyContract, WithoutItsLeaseASettlementIsLate) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  Settlement call = held_call_of(acme_, 25, {engine.ref, 20, 100});
  call.epoch = engine.ref.epoch + 1;
  const Applied applied = engine.apply(call);
  ASSERT_EQ(applied.odd.size(), 1U);
  EXPECT_EQ(applied.odd[0].what, Odd::late);
  const BudgetState budget = state(tokens_);
  EXPECT_EQ(budget.used, 25) << "recorded in full";
  EXPECT_EQ(budget.leased, 50) << "another epoch's lease is not touched";
  EXPECT_EQ(budget.late, 25) << "used and late only";
  EXPECT_EQ(budget.over_hold, 0);
  EXPECT_NE(stored(engine).flags & kLate, 0U);
}

TEST_P(ApplyContract, ALeaseThatWasTakenBackMakesItsSettlementsLate) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  clock().advance(std::chrono::minutes(11));
  ASSERT_EQ(take_back(store(), clock().now() - std::chrono::minutes(10)), 1);
  engine.apply(held_call_of(acme_, 20, {engine.ref, 20, 100}));
  const BudgetState budget = state(tokens_);
  EXPECT_EQ(budget.used, 20);
  EXPECT_EQ(budget.leased, 0);
  EXPECT_EQ(budget.late, 20);
}

TEST_P(ApplyContract, ASettlementOfAnOldEpochTakesNothingOfTheNewLease) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  const EngineRef old = engine.ref;
  clock().advance(std::chrono::minutes(11));
  ASSERT_EQ(take_back(store(), clock().now() - std::chrono::minutes(10)), 1);
  engine.ref = store().renew(old, {})->ref;
  lease(engine, tokens_, 30, 100);
  engine.apply(held_call_of(acme_, 20, {old, 20, 100}));
  const BudgetState budget = state(tokens_);
  EXPECT_EQ(budget.used, 20);
  EXPECT_EQ(budget.leased, 30) << "the new lease is whole";
  EXPECT_EQ(budget.late, 20);
}

TEST_P(ApplyContract, TheBoundHoldsWhenASettlementNamesALowerLimit) {
  Feeder engine(store());
  lease(engine, tokens_, 60, 100);
  engine.apply(held_call_of(acme_, 40, {engine.ref, 40, 100}));
  engine.apply(held_call_of(acme_, 0, {engine.ref, 0, 50}));
  EXPECT_EQ(state(tokens_).limit, 50);
  EXPECT_EQ(state(tokens_).fallen, 10) << "40 used and 20 leased stood above 50";
  engine.apply(held_call_of(acme_, 0, {engine.ref, 0, 80}));
  EXPECT_EQ(state(tokens_).fallen, 10) << "a rise changes nothing";
}

TEST_P(ApplyContract, ABudgetThatBeginsToBlockHasFallenToItsLimit) {
  Feeder engine(store());
  engine.apply(call_of(acme_, 70));
  engine.apply(held_call_of(acme_, 5, {engine.ref, 0, 50}));
  const BudgetState budget = state(tokens_);
  EXPECT_EQ(budget.used, 75);
  EXPECT_EQ(budget.over_hold, 5);
  EXPECT_EQ(budget.fallen, 20);
}

// ---- The dead.

TEST_P(ApplyContract, ACounterOutOfRangeIsDeadAndCountsWithItsHold) {
  Feeder engine(store());
  lease(engine, tokens_, 50, kMax);
  engine.apply(held_call_of(acme_, kMax - 100, {engine.ref, 0, kMax}));
  Settlement last = keyed(held_call_of(acme_, 101, {engine.ref, 20, kMax}), "k");
  const Applied applied = engine.apply({last, call_of(acme_, 3)});
  EXPECT_NE(dead_reason(applied).find("out of range"), std::string::npos);
  EXPECT_EQ(applied.odd[0].seq, 2U);
  EXPECT_EQ(state(tokens_).used, kMax - 100 + 20 + 3) << "its hold, and it stops nobody";
  EXPECT_EQ(state(tokens_).leased, 30);

  const auto dead = store().dead();
  ASSERT_TRUE(dead);
  ASSERT_EQ(dead->size(), 1U);
  EXPECT_EQ(dead->at(0).id, row_id(engine.ref.engine, 2));
  EXPECT_EQ(dead->at(0).settlement.budgets.at(0).actual, 101) << "as it came";
  EXPECT_FALSE(*store().settlement(row_id(engine.ref.engine, 2), std::nullopt)) << "no row";
}

TEST_P(ApplyContract, ADeadCallKeepsItsKey) {
  Feeder engine(store());
  Settlement bad = keyed(call_of(acme_, 5), "k");
  bad.budgets[0].actual = -1;
  engine.apply(bad);
  const Applied again = engine.apply(keyed(call_of(acme_, 5), "k"));
  ASSERT_EQ(again.odd.size(), 1U);
  EXPECT_EQ(again.odd[0].what, Odd::duplicate);
  EXPECT_EQ(again.odd[0].original, row_id(engine.ref.engine, 1));
}

TEST_P(ApplyContract, ARepeatCountsNothingWhateverItSays) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  Settlement bad = keyed(held_call_of(acme_, 5, {engine.ref, 5, 100}), "k");
  bad.budgets[0].actual = -1;
  engine.apply(bad);
  EXPECT_EQ(state(tokens_).used, 5) << "dead: its hold";
  const Applied again = engine.apply(bad);
  ASSERT_EQ(again.odd.size(), 1U);
  EXPECT_EQ(again.odd[0].what, Odd::duplicate);
  EXPECT_EQ(state(tokens_).used, 5) << "its hold does not count a second time";
  EXPECT_EQ(state(tokens_).leased, 40);
}

TEST_P(ApplyContract, WhatCannotBeASettlementIsDead) {
  struct Row {
    const char* sentence;
    std::string reason;
    Settlement settlement;
  };
  Settlement foreign = call_of(acme_, 5);
  foreign.budgets[0].key = tokens_of(account_of("zeta"));
  Settlement sibling = call_of(acme_, 5);
  sibling.budgets[0].key = tokens_of(account_of("acme", "2"));
  Settlement negative = call_of(acme_, 5);
  negative.budgets[0].actual = -1;
  Settlement negative_hold = call_of(acme_, 5);
  negative_hold.budgets[0].held = -1;
  const Row rows[] = {
      {"a budget of another tenant is not counted", "another account", foreign},
      {"nor one of another account of the tenant", "another account", sibling},
      {"only an adjustment may be negative", "negative", negative},
      {"a hold is not negative", "negative", negative_hold},
  };
  Feeder engine(store());
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_NE(dead_reason(engine.apply(row.settlement)).find(row.reason), std::string::npos);
    EXPECT_EQ(state(tokens_).used, 0);
    EXPECT_EQ(state(foreign.budgets[0].key).used, 0);
    EXPECT_EQ(state(sibling.budgets[0].key).used, 0);
  }
}

// ---- Adjustments.

TEST_P(ApplyContract, AnAdjustmentTakesNoMoreThanIsLeft) {
  struct Row {
    const char* sentence;
    std::vector<Amount> changes;
    Amount used;
    bool dead;  // the last one
  };
  const Row rows[] = {
      {"all of it may go", {-10}, 0, false},
      {"one more than all is dead", {-11}, 10, true},
      {"in two steps", {-4, -6}, 0, false},
      {"the second step finds what the first left", {-4, -7}, 6, true},
      {"upwards there is no border", {+90}, 100, false},
      {"what was added may go again", {+90, -100}, 0, false},
  };
  std::int64_t account = 0;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Account own = account_of("acme", std::to_string(++account));
    Feeder engine(store());
    const Settlement usage = call_of(own, 10);
    engine.apply(usage);
    const std::int64_t original = engine.row();
    Applied applied;
    for (const Amount change : row.changes) {
      applied = engine.apply(adjustment_of(usage, original, change));
    }
    EXPECT_EQ(state(tokens_of(own)).used, row.used);
    EXPECT_EQ(!applied.odd.empty(), row.dead);
    if (!row.dead) continue;
    EXPECT_NE(dead_reason(applied).find("left"), std::string::npos);
  }
}

TEST_P(ApplyContract, AnAdjustmentCountsWhereItsUsageCounted) {
  Feeder engine(store());
  Settlement usage = call_of(acme_, 10);
  usage.occurred_at = kFebruary.start;
  usage.pins.period = kFebruary;
  usage.budgets[0].key.span = kFebruary;
  engine.apply(usage);
  const std::int64_t original = engine.row();
  engine.apply(adjustment_of(usage, original, -4));
  EXPECT_EQ(state(tokens_of(acme_, kFebruary)).used, 6);

  Settlement elsewhere = adjustment_of(usage, original, -4);
  elsewhere.budgets[0].key.span = kMarch;
  EXPECT_NE(dead_reason(engine.apply(elsewhere)).find("that budget"), std::string::npos);
  EXPECT_EQ(state(tokens_of(acme_, kFebruary)).used, 6);
  EXPECT_EQ(state(tokens_of(acme_, kMarch)).used, 0);
}

TEST_P(ApplyContract, AnAdjustmentOfNoUsageOfItsAccountIsDead) {
  Feeder engine(store());
  const Settlement usage = keyed(call_of(acme_, 10), "k");
  engine.apply({usage, usage});
  const std::int64_t original = row_id(engine.ref.engine, 1);
  const std::int64_t duplicate = row_id(engine.ref.engine, 2);
  engine.apply(adjustment_of(usage, original, -1));
  const std::int64_t adjustment = engine.row();

  struct Row {
    const char* sentence;
    Account account;
    std::int64_t row;
    std::string reason;
  };
  const Row rows[] = {
      {"no such row", acme_, row_id(engine.ref.engine, 99), "not there"},
      {"another tenant's row", account_of("zeta"), original, "not there"},
      {"another account's row", account_of("acme", "2"), original, "not there"},
      {"an adjustment", acme_, adjustment, "no counted usage"},
      {"a duplicate", acme_, duplicate, "no counted usage"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Settlement wrong = adjustment_of(call_of(row.account, 10), row.row, -1);
    EXPECT_NE(dead_reason(engine.apply(wrong)).find(row.reason), std::string::npos);
    EXPECT_EQ(state(tokens_).used, 9);
  }
}

TEST_P(ApplyContract, AnAdjustmentStaysInItsCurrency) {
  Feeder engine(store());
  const Settlement usage = call_of(acme_, 10);
  engine.apply(usage);
  Settlement other = adjustment_of(usage, engine.row(), -1);
  other.total_cost.currency = "eur";
  EXPECT_NE(dead_reason(engine.apply(other)).find("currency"), std::string::npos);
}

TEST_P(ApplyContract, CostAloneMayBeAdjusted) {
  Feeder engine(store());
  Settlement usage = call_of(acme_, 10);
  usage.budgets.push_back({.key = cost_of(acme_), .actual = usage.total_cost.nanos});
  engine.apply(usage);
  Settlement dearer = adjustment_of(usage, engine.row(), 0);
  dearer.total_cost.nanos = 50;
  dearer.budgets = {{.key = cost_of(acme_), .actual = 50}};
  EXPECT_TRUE(engine.apply(dearer).odd.empty());
  EXPECT_EQ(state(tokens_).used, 10);
  EXPECT_EQ(state(cost_of(acme_)).used, 150);
}

TEST_P(ApplyContract, AnAdjustmentIsAppliedOncePerKeyAndADeadOneFreesIt) {
  Feeder engine(store());
  const Settlement usage = call_of(acme_, 10);
  engine.apply(usage);
  const std::int64_t original = engine.row();
  engine.apply(keyed(adjustment_of(usage, original, -11), "fix"));
  EXPECT_EQ(state(tokens_).used, 10);
  engine.apply(keyed(adjustment_of(usage, original, -3), "fix"));
  EXPECT_EQ(state(tokens_).used, 7) << "the dead one did not count, so its key is free";
  engine.apply(keyed(adjustment_of(usage, original, -3), "fix"));
  EXPECT_EQ(state(tokens_).used, 7) << "the second of a key is a duplicate";
}

TEST_P(ApplyContract, AnUpwardAdjustmentOfABlockingBudgetIsOverHold) {
  Feeder engine(store());
  const Settlement usage = held_call_of(acme_, 10, {engine.ref, 0, 10});
  engine.apply(usage);
  Settlement more = adjustment_of(usage, engine.row(), 5);
  more.budgets[0].blocking = true;
  more.budgets[0].limit = 999;
  engine.apply(more);
  EXPECT_EQ(state(tokens_).over_hold, 15);
  EXPECT_EQ(state(tokens_).limit, 10) << "an adjustment names no limit";
}

// ---- Thresholds.

TEST_P(ApplyContract, ThresholdsAreToldOnceInTheStore) {
  Feeder one(store()), other(store());
  const auto call = [&](Amount tokens) { return held_call_of(acme_, tokens, {one.ref, 0, 100}); };
  struct Row {
    const char* sentence;
    Feeder& engine;
    Amount tokens;
    std::vector<bool> crossed;  // false: approaching, true: reached
  };
  const Row rows[] = {
      {"79 of 100 is quiet", one, 79, {}},   {"80 of 100 is approaching", other, 1, {false}},
      {"99: said already", one, 19, {}},     {"100 of 100 is reached", one, 1, {true}},
      {"above: said already", other, 5, {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Applied applied = row.engine.apply(call(row.tokens));
    ASSERT_EQ(applied.crossed.size(), row.crossed.size());
    for (std::size_t i = 0; i < row.crossed.size(); ++i) {
      EXPECT_EQ(applied.crossed[i].reached, row.crossed[i]);
      EXPECT_EQ(applied.crossed[i].key, tokens_);
    }
  }
  Settlement higher = call(1);
  higher.budgets[0].limit = 1'000;
  EXPECT_TRUE(one.apply(higher).crossed.empty());
  higher.budgets[0].actual = 900;
  EXPECT_TRUE(one.apply(higher).crossed.empty()) << "once per budget, whatever the limit does";
}

TEST_P(ApplyContract, OneCallMayCrossBothThresholds) {
  Feeder engine(store());
  const Applied applied = engine.apply(held_call_of(acme_, 100, {engine.ref, 0, 100}));
  ASSERT_EQ(applied.crossed.size(), 2U);
  EXPECT_FALSE(applied.crossed[0].reached);
  EXPECT_TRUE(applied.crossed[1].reached);
}

TEST_P(ApplyContract, ALimitOfZeroIsReachedAndNoLimitNever) {
  Feeder engine(store());
  EXPECT_EQ(engine.apply(held_call_of(acme_, 0, {engine.ref, 0, 0})).crossed.size(), 2U);
  EXPECT_TRUE(engine.apply(call_of(account_of("zeta"), kMax / 2)).crossed.empty());
}

// ---- Detached holds.

TEST_P(ApplyContract, ADetachMovesTheHoldAndItsSettlementTakesItOnce) {
  Feeder engine(store()), other(store());
  lease(engine, tokens_, 50, 100);
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  EXPECT_EQ(state(tokens_).leased, 50) << "the hold is still a part of leased";
  ASSERT_TRUE(store().give_back(engine.ref, std::vector<LeaseBack>{{tokens_, 30}}));
  EXPECT_EQ(state(tokens_).leased, 20) << "the lease had 30, the hold has 20";

  Settlement settled = held_call_of(acme_, 25, {engine.ref, 20, 100});
  settled.token = "token-1";
  EXPECT_TRUE(other.apply(settled).odd.empty());
  const BudgetState budget = state(tokens_);
  EXPECT_EQ(budget.used, 25);
  EXPECT_EQ(budget.leased, 0);
  EXPECT_EQ(budget.over_hold, 5);
  EXPECT_EQ(budget.late, 0);

  const Applied again = engine.apply(settled);
  ASSERT_EQ(again.odd.size(), 1U);
  EXPECT_EQ(again.odd[0].what, Odd::duplicate);
  EXPECT_EQ(again.odd[0].original, other.row());
  EXPECT_EQ(state(tokens_).used, 25);
}

TEST_P(ApplyContract, ASettlementThatOvertakesItsDetachCountsOnce) {
  Feeder engine(store()), other(store());
  lease(engine, tokens_, 50, 100);
  Settlement settled = held_call_of(acme_, 20, {engine.ref, 20, 100});
  settled.token = "token-1";
  other.apply(settled);
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  EXPECT_EQ(state(tokens_).used, 20);
  EXPECT_EQ(state(tokens_).leased, 30);
  EXPECT_EQ(state(tokens_).late, 0);
}

TEST_P(ApplyContract, ATokenBelongsToItsTenant) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  Settlement stranger = call_of(account_of("zeta"), 5);
  stranger.token = "token-1";
  engine.apply(stranger);
  EXPECT_EQ(state(tokens_).leased, 50);
}

TEST_P(ApplyContract, ATokenHasOneHold) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  const Applied again = engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  EXPECT_NE(dead_reason(again).find("token"), std::string::npos);
  EXPECT_EQ(state(tokens_).leased, 30) << "the dead one's hold left the lease, the first one stays";
}

TEST_P(ApplyContract, ADetachIsNoRow) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  const auto engines = store().engines();
  ASSERT_TRUE(engines);
  EXPECT_EQ(engines->at(0).rowless, 1);
  EXPECT_EQ(engines->at(0).last_seq, 1U);
  const auto feed = store().feed({.engine = engine.ref.engine}, 10);
  ASSERT_TRUE(feed);
  EXPECT_TRUE(feed->empty());
}

TEST_P(ApplyContract, AReleasedHoldIsFreeAndItsSettlementLate) {
  Feeder engine(store());
  lease(engine, tokens_, 20, 100);
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  EXPECT_EQ(change(ReleaseHold{{"acme"}, "token-1"}).rows, 1);
  EXPECT_EQ(state(tokens_).leased, 0);
  EXPECT_EQ(change(ReleaseHold{{"acme"}, "token-1"}).rows, 0) << "twice changes nothing";

  Settlement settled = held_call_of(acme_, 15, {engine.ref, 15, 100});
  settled.token = "token-1";
  const Applied applied = engine.apply(settled);
  ASSERT_EQ(applied.odd.size(), 1U);
  EXPECT_EQ(applied.odd[0].what, Odd::late);
  EXPECT_EQ(state(tokens_).used, 15);
  EXPECT_EQ(state(tokens_).late, 15);
}

TEST_P(ApplyContract, ReleaseKnowsItsTenantAndWhatIsSettled) {
  Feeder engine(store());
  lease(engine, tokens_, 20, 100);
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  EXPECT_EQ(change(ReleaseHold{{"zeta"}, "token-1"}).rows, 0);
  EXPECT_EQ(state(tokens_).leased, 20) << "another tenant releases nothing";
  Settlement settled = held_call_of(acme_, 20, {engine.ref, 20, 100});
  settled.token = "token-1";
  engine.apply(settled);
  refuse(ReleaseHold{{"acme"}, "token-1"}, Code::failed_precondition, "settled");
  refuse(ReleaseHold{{"acme"}, ""}, Code::invalid_argument, "token");
}

TEST_P(ApplyContract, AReleaseThatOvertakesItsDetachEndsIt) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  change(ReleaseHold{{"acme"}, "token-1"});
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  EXPECT_EQ(state(tokens_).leased, 30);
}

TEST_P(ApplyContract, AHoldExpiresWhenItsTimeHasComeAndNotBefore) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  engine.apply({detach_of(acme_, {engine.ref, 20, 100}, "token-1"),
                detach_of(acme_, {engine.ref, 5, 100}, "token-2")});
  clock().set_wall(kNoon + std::chrono::minutes(10) - Duration(1));
  EXPECT_EQ(change(ExpireHolds{}).rows, 0);
  EXPECT_EQ(state(tokens_).leased, 50);
  clock().advance(Duration(1));
  const Changed slice = change(ExpireHolds{.limit = 1});
  EXPECT_EQ(slice.rows, 1);
  EXPECT_TRUE(slice.more);
  EXPECT_EQ(change(ExpireHolds{.limit = 1}).rows, 1);
  EXPECT_FALSE(change(ExpireHolds{}).more);
  EXPECT_EQ(state(tokens_).leased, 25);
  Settlement settled = held_call_of(acme_, 20, {engine.ref, 20, 100});
  settled.token = "token-1";
  engine.apply(settled);
  EXPECT_EQ(state(tokens_).late, 20) << "after expiry it counts, late";
  EXPECT_EQ(state(tokens_).leased, 25) << "and takes nothing from the lease";
}

TEST_P(ApplyContract, WhatEndedADetachedHoldIsKnownFromItsKey) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  engine.apply({detach_of(acme_, {engine.ref, 20, 100}, "token-1"),
                detach_of(acme_, {engine.ref, 5, 100}, "token-2")});
  const base::Key16 first = hold_key_of({"acme"}, "token-1");
  const base::Key16 second = hold_key_of({"acme"}, "token-2");
  EXPECT_FALSE(store().find_key(first)->has_value()) << "it runs";
  change(ReleaseHold{{"acme"}, "token-1"});
  clock().set_wall(kNoon + std::chrono::minutes(10));
  const Changed expired = change(ExpireHolds{});
  ASSERT_EQ(expired.ended.size(), 1U);
  EXPECT_EQ(expired.ended[0].account, acme_);
  EXPECT_EQ(expired.ended[0].hold, second);
  ASSERT_EQ(expired.ended[0].parts.size(), 1U);
  EXPECT_EQ(expired.ended[0].parts[0].key, tokens_);
  EXPECT_EQ(expired.ended[0].parts[0].amount, 5);
  EXPECT_EQ(store().find_key(first).value()->content, kHoldReleased);
  EXPECT_EQ(store().find_key(second).value()->content, kHoldExpired);
  EXPECT_EQ(store().find_key(second).value()->row, 0);
}

TEST_P(ApplyContract, AnExpiredHoldOfAnAccountWithoutLimitsNamesItsAccount) {
  Feeder engine(store());
  Settlement detach = detach_of(acme_, {engine.ref, 0, 0}, "token-1");
  detach.budgets.clear();
  engine.apply(detach);
  clock().set_wall(kNoon + std::chrono::minutes(10));
  const Changed expired = change(ExpireHolds{});
  ASSERT_EQ(expired.ended.size(), 1U);
  EXPECT_EQ(expired.ended[0].account, acme_);
}

TEST_P(ApplyContract, AHoldThatWasOverIsSettledLateOnceNotTwice) {
  for (const bool released : {false, true}) {
    const std::string token = released ? "token-1" : "token-2";
    Feeder engine(store()), other(store());
    const BudgetState before = state(tokens_);
    lease(engine, tokens_, 20, 1'000);
    engine.apply(detach_of(acme_, {engine.ref, 20, 1'000}, token));
    clock().set_wall(kNoon + std::chrono::minutes(10));
    if (released) change(ReleaseHold{{"acme"}, token});
    if (!released) change(ExpireHolds{});
    Settlement settled = held_call_of(acme_, 20, {engine.ref, 20, 1'000});
    settled.token = token;
    const Applied first = other.apply(settled);
    ASSERT_EQ(first.odd.size(), 1U);
    EXPECT_EQ(first.odd[0].what, Odd::late);
    const std::int64_t row = other.row();
    const Applied again = engine.apply(settled);
    ASSERT_EQ(again.odd.size(), 1U);
    EXPECT_EQ(again.odd[0].what, Odd::duplicate);
    EXPECT_EQ(again.odd[0].original, row);
    EXPECT_EQ(state(tokens_).used, before.used + 20);
    EXPECT_EQ(state(tokens_).leased, before.leased);
    refuse(ReleaseHold{{"acme"}, token}, Code::failed_precondition, "settled");
  }
}

TEST_P(ApplyContract, AReleasedHoldThatWasSettledBeforeItsDetachCameLeavesTheLease) {
  Feeder engine(store()), other(store());
  lease(engine, tokens_, 50, 100);
  change(ReleaseHold{{"acme"}, "token-1"});
  Settlement settled = held_call_of(acme_, 20, {engine.ref, 20, 100});
  settled.token = "token-1";
  other.apply(settled);  // late: takes nothing from the lease
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  EXPECT_EQ(state(tokens_).leased, 30);
  EXPECT_EQ(state(tokens_).used, 20);
}

TEST_P(ApplyContract, HoldKeysRotateWhenTheNewestIsOldAndTheOldOnesStayAWhile) {
  const std::vector<HoldKey> first = store().hold_keys().value();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].number, 1U);
  EXPECT_EQ(change(RotateHoldKeys{first[0].made_at}).rows, 0) << "it is not older than that";
  EXPECT_EQ(store().hold_keys().value().size(), 1U);
  for (std::uint32_t turn = 2; turn <= kHoldKeysKept + 2; ++turn) {
    clock().advance(kHoldKeyLife);
    EXPECT_EQ(change(RotateHoldKeys{clock().now()}).rows, 1);
    EXPECT_EQ(change(RotateHoldKeys{clock().now()}).rows, 0) << "another engine was quicker";
    const std::vector<HoldKey> keys = store().hold_keys().value();
    EXPECT_EQ(keys.size(), std::min<std::size_t>(turn, kHoldKeysKept));
    EXPECT_EQ(keys[0].number, turn);
    EXPECT_EQ(keys[0].made_at, clock().now());
    EXPECT_EQ(keys[1].number, turn - 1);
    EXPECT_NE(keys[0].secret, keys[1].secret);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, ApplyContract, testing::ValuesIn(factories()), name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
