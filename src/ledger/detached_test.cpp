#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"
#include "store/bound.h"

namespace aimeter::ledger {
namespace {

using namespace fixture;
using store::fixture::call_of;
using store::fixture::tokens_of;
using ::testing::HasSubstr;

const Account kAcme = account_of("acme");

// A world with a limit, engines and what they expired.
struct Detaching : World {
  std::vector<store::EndedHold> expired;

  explicit Detaching(std::int64_t limit) {
    subscribe(kAcme, {.slug = "small", .monthly_token_limit = Tokens{limit}});
  }
  [[nodiscard]] std::unique_ptr<Ledger> engine() {
    Sinks sinks{.odd = [this](const store::Settlement&,
                              const store::Outcome& outcome) { odd.push_back(outcome); },
                .orphan = [this](const store::Orphan& orphan) { orphans.push_back(orphan); },
                .expired = [this](const store::EndedHold& hold) { expired.push_back(hold); }};
    auto opened = Ledger::open({*store, files, workers, clock}, options, std::move(sinks));
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  // Time passes, and every engine has its heartbeats.
  void pass(Duration time) {
    for (Duration step{}; step < time; step += options.heartbeat) {
      clock.advance(options.heartbeat);
      workers.run_until_idle();
    }
  }
  [[nodiscard]] Result<Detached> detach(Ledger& ledger, std::int64_t tokens) {
    AIMETER_TRY(const budget::Held held, ledger.hold(ask_of(kAcme, tokens)));
    return ledger.detach(held, call_of(kAcme, tokens));
  }
  [[nodiscard]] Result<DetachedOutcome> settle(Ledger& ledger, const Detached& detached,
                                               std::int64_t tokens) {
    AIMETER_TRY(const HoldClaim claim, ledger.open_token(detached.token));
    store::Settlement settlement = call_of(kAcme, tokens);
    settlement.budgets = claim.budgets;
    settlement.hold = claim.hold;
    settlement.hold_engine = claim.hold_engine;
    settlement.epoch = claim.epoch;
    settlement.token = claim.token;
    return ledger.settle_detached(std::move(settlement));
  }
  [[nodiscard]] store::BudgetState tokens() { return state(tokens_of(kAcme)); }
};

TEST(DetachedHolds, LeaveTheLeaseForARowAndAreSettledByAnotherEngine) {
  Detaching world(100);
  auto owner = world.engine();
  auto other = world.engine();
  const auto detached = world.detach(*owner, 60);
  ASSERT_TRUE(detached) << detached.error().message;
  EXPECT_EQ(detached->expires_at, world.clock.now() + world.options.hold_ttl);
  EXPECT_EQ(owner->check(kAcme, {}, {})->held->count, 60) << "held before the store has it";
  ASSERT_TRUE(owner->drain());
  EXPECT_EQ(owner->check(kAcme, {}, {})->held->count, 60) << "and after";
  EXPECT_EQ(world.tokens().used, 0);

  const auto settled = world.settle(*other, *detached, 70);
  ASSERT_TRUE(settled) << settled.error().message;
  EXPECT_EQ(settled->first, 0);
  EXPECT_EQ(settled->outcome.check.used->count, 70);
  ASSERT_TRUE(other->drain());
  EXPECT_EQ(world.tokens().used, 70);
  EXPECT_EQ(world.tokens().over_hold, 10);
  EXPECT_EQ(world.tokens().late, 0);
  EXPECT_TRUE(world.odd.empty());
  const auto rest = use(*other, kAcme, 30);
  EXPECT_TRUE(rest) << "what the hold did not use is free: " << rest.error().message;
  EXPECT_FALSE(use(*other, kAcme, 1));
  world.expect_clean();
}

TEST(DetachedHolds, NothingIsSoldTwiceWhileTheyRun) {
  Detaching world(100);
  auto ledger = world.engine();
  ASSERT_TRUE(world.detach(*ledger, 60));
  EXPECT_TRUE(use(*ledger, kAcme, 40));
  const auto above = ledger->hold(ask_of(kAcme, 1));
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().code, Code::quota_exceeded) << "held, not lent: waiting would not help";
  EXPECT_EQ(above.error().refusal->held->count, 60);
  const auto capped = ledger->hold(ask_of(kAcme, 4'096, budget::Fit::may_cap));
  EXPECT_FALSE(capped) << "a hold is capped only while nobody else holds any of the budget";
  world.expect_clean();
}

TEST(DetachedHolds, AreNoReasonToCapBeforeTheStoreHasThem) {
  Detaching world(100);
  auto ledger = world.engine();
  world.workers.hold_back("aim-project");
  ASSERT_TRUE(world.detach(*ledger, 60));
  const auto capped = ledger->hold(ask_of(kAcme, 4'096, budget::Fit::may_cap));
  EXPECT_FALSE(capped);
  world.workers.hold_back("");
  ASSERT_TRUE(ledger->drain());
  EXPECT_FALSE(ledger->hold(ask_of(kAcme, 4'096, budget::Fit::may_cap)));
  world.expect_clean();
}

TEST(DetachedHolds, SettledTwiceGiveTheFirstRow) {
  Detaching world(100);
  auto owner = world.engine();
  auto other = world.engine();
  const auto detached = world.detach(*owner, 60).value();
  const auto first = world.settle(*owner, detached, 50);
  ASSERT_TRUE(first);
  const auto here = world.settle(*owner, detached, 99);  // before the store knows
  ASSERT_TRUE(here);
  EXPECT_EQ(here->first, first->outcome.row);
  ASSERT_TRUE(owner->drain());
  const auto elsewhere = world.settle(*other, detached, 99);
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ(elsewhere->first, first->outcome.row);
  ASSERT_TRUE(other->drain());
  EXPECT_EQ(world.tokens().used, 50);
  EXPECT_TRUE(world.odd.empty()) << "nothing was written twice";
  world.expect_clean();
}

TEST(DetachedHolds, SettledByTwoEnginesAtOnceCountOnce) {
  Detaching world(100);
  auto owner = world.engine();
  auto other = world.engine();
  const auto detached = world.detach(*owner, 60).value();
  world.workers.hold_back("aim-project");  // neither hears of the other
  ASSERT_TRUE(world.settle(*owner, detached, 50));
  ASSERT_TRUE(world.settle(*other, detached, 55));
  world.workers.hold_back("");
  ASSERT_TRUE(owner->drain());
  ASSERT_TRUE(other->drain());
  ASSERT_EQ(world.odd.size(), 1U);
  EXPECT_EQ(world.odd[0].what, store::Odd::duplicate);
  EXPECT_THAT(world.tokens().used, testing::AnyOf(50, 55));
  EXPECT_EQ(owner->check(kAcme, {}, {})->used->count, world.tokens().used);
  EXPECT_EQ(other->check(kAcme, {}, {})->used->count, world.tokens().used);
  world.expect_clean();
}

TEST(DetachedHolds, ReleasedAreFreeAndCannotBeSettled) {
  Detaching world(100);
  auto owner = world.engine();
  auto other = world.engine();
  const auto detached = world.detach(*owner, 60).value();
  ASSERT_TRUE(owner->drain());
  const HoldClaim claim = other->open_token(detached.token).value();
  ASSERT_TRUE(other->release_detached(claim));
  EXPECT_TRUE(other->release_detached(claim)) << "twice changes nothing";
  EXPECT_TRUE(use(*other, kAcme, 100)) << "all of it is free";
  for (Ledger* engine : {owner.get(), other.get()}) {
    const auto settled = world.settle(*engine, detached, 50);
    ASSERT_FALSE(settled);
    EXPECT_EQ(settled.error().code, Code::failed_precondition);
    EXPECT_THAT(settled.error().message, HasSubstr("released"));
  }
  ASSERT_TRUE(other->drain());
  EXPECT_EQ(world.tokens().used, 100);
  world.expect_clean();
}

TEST(DetachedHolds, SettledCannotBeReleased) {
  Detaching world(100);
  auto ledger = world.engine();
  const auto detached = world.detach(*ledger, 60).value();
  ASSERT_TRUE(world.settle(*ledger, detached, 50));
  const HoldClaim claim = ledger->open_token(detached.token).value();
  const Status here = ledger->release_detached(claim);  // before the store knows
  ASSERT_FALSE(here);
  EXPECT_EQ(here.error().code, Code::failed_precondition);
  ASSERT_TRUE(ledger->drain());
  auto other = world.engine();
  EXPECT_FALSE(other->release_detached(claim));
  world.expect_clean();
}

TEST(DetachedHolds, ExpireByAnyEnginesHeartbeatOnceAndAreTold) {
  Detaching world(100);
  auto owner = world.engine();
  auto other = world.engine();
  const auto detached = world.detach(*owner, 60).value();
  ASSERT_TRUE(owner->drain());
  owner.reset();
  world.pass(world.options.hold_ttl - std::chrono::seconds(2));
  EXPECT_TRUE(world.expired.empty());
  EXPECT_FALSE(other->hold(ask_of(kAcme, 100)));
  world.pass(std::chrono::seconds(4));
  ASSERT_EQ(world.expired.size(), 1U);
  EXPECT_EQ(world.expired[0].account, kAcme);
  EXPECT_EQ(world.expired[0].hold, detached.hold);
  EXPECT_EQ(other->check(kAcme, {}, {})->held->count, 0);
  world.pass(std::chrono::seconds(60));
  EXPECT_EQ(world.expired.size(), 1U) << "told once";
  Result<budget::Held> all = other->hold(ask_of(kAcme, 100));
  ASSERT_TRUE(all) << all.error().message;
  other->release(*std::move(all), "test");

  const auto late = world.settle(*other, detached, 50);
  ASSERT_TRUE(late) << "an answer is never refused";
  ASSERT_TRUE(other->drain());
  ASSERT_EQ(world.odd.size(), 1U);
  EXPECT_EQ(world.odd[0].what, store::Odd::late);
  EXPECT_EQ(world.tokens().used, 50);
  EXPECT_EQ(world.tokens().late, 50);
  EXPECT_EQ(world.settle(*other, detached, 50)->first, late->outcome.row) << "twice counts once";
  ASSERT_TRUE(other->drain());
  EXPECT_EQ(world.tokens().used, 50);
  world.expect_clean();
}

TEST(DetachedHolds, AreSettledAlthoughTheStoreIsBehind) {
  Detaching world(100);
  auto owner = world.engine();
  auto other = world.engine();
  world.workers.hold_back("aim-project");
  const auto detached = world.detach(*owner, 60).value();
  const auto settled = world.settle(*owner, detached, 20);
  ASSERT_TRUE(settled);
  EXPECT_EQ(settled->outcome.check.used->count, 20);
  world.workers.hold_back("");
  ASSERT_TRUE(owner->drain());
  EXPECT_EQ(world.tokens().used, 20);
  EXPECT_TRUE(use(*other, kAcme, 80));
  EXPECT_FALSE(use(*other, kAcme, 1));
  world.expect_clean();
}

TEST(DetachedHolds, AreReadAgainFromTheJournalBeyondTheTail) {
  Detaching world(10'000);
  world.options.tail_max = 4;
  auto ledger = world.engine();
  world.workers.hold_back("aim-project");
  std::vector<Detached> all;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(use(*ledger, kAcme, 10));
    all.push_back(world.detach(*ledger, 10).value());
  }
  world.workers.hold_back("");
  ASSERT_TRUE(ledger->drain()) << "no seq is left out";
  EXPECT_EQ(world.tokens().used, 200);
  for (const Detached& each : all) ASSERT_TRUE(world.settle(*ledger, each, 10));
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(world.tokens().used, 400);
  world.expect_clean();
}

// The row that a repeat is told of survives what follows.
TEST(DetachedHolds, ARepeatIsAnsweredWhenTheFirstSettlementIsDurable) {
  Detaching world(100);
  auto ledger = world.engine();
  const auto detached = world.detach(*ledger, 60).value();
  const auto claim = ledger->open_token(detached.token).value();
  std::vector<Result<DetachedOutcome>> told;
  const auto settle = [&] {
    store::Settlement settlement = claim;
    settlement.usage.total_tokens.count = 60;
    ledger->settle_detached(std::move(settlement), [&](Result<DetachedOutcome> outcome) {
      told.push_back(std::move(outcome));
    });
  };
  world.workers.hold_back("aim-journal");
  settle();
  settle();
  EXPECT_TRUE(told.empty()) << "neither is on the disk";
  world.workers.hold_back("");
  world.workers.run_until_idle();
  ASSERT_EQ(told.size(), 2U);
  ASSERT_TRUE(told[0]);
  ASSERT_TRUE(told[1]);
  const auto& first = told[0]->first == 0 ? *told[0] : *told[1];
  const auto& second = told[0]->first == 0 ? *told[1] : *told[0];
  EXPECT_EQ(second.first, first.outcome.row);
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(world.tokens().used, 60);
}

TEST(DetachedHolds, OfAnOldEpochAreCountedLate) {
  Detaching world(100);
  auto ledger = world.engine();
  world.workers.hold_back("aim-project");
  const auto detached = world.detach(*ledger, 60).value();
  ASSERT_EQ(store::fixture::take_back(*world.store, world.clock.now() + Duration(1)).value(), 1);
  world.pass(std::chrono::seconds(2));  // hears that its leases are gone
  world.workers.hold_back("");
  ASSERT_TRUE(ledger->drain());
  ASSERT_TRUE(world.settle(*ledger, detached, 60));
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(world.tokens().used, 60);
  EXPECT_EQ(world.tokens().late, 60);
  EXPECT_EQ(world.tokens().leased, 0);
  EXPECT_EQ(ledger->check(kAcme, {}, {})->held->count, 0);
  world.expect_clean();
}

TEST(DetachedHolds, AFailedJournalLeavesTheHoldWhereItIs) {
  Detaching world(100);
  auto ledger = world.engine();
  Result<budget::Held> held = ledger->hold(ask_of(kAcme, 60));
  ASSERT_TRUE(held);
  world.files.fail_syncs_after(0);
  const auto first = ledger->detach(*held, call_of(kAcme, 60));
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::in_doubt) << "it may be on the disk";
  EXPECT_FALSE(ledger->hold(ask_of(kAcme, 1)));
}

TEST(DetachedHolds, TokensOfOthersAndDamagedOnesAreRefused) {
  Detaching world(100);
  auto ledger = world.engine();
  const auto detached = world.detach(*ledger, 10).value();
  std::string changed = detached.token;
  changed[changed.size() - 2] = changed[changed.size() - 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(ledger->open_token(changed).error().code, Code::permission_denied);
  EXPECT_EQ(ledger->open_token("x").error().code, Code::invalid_argument);
  Detaching elsewhere(100);
  auto stranger = elsewhere.engine();
  EXPECT_EQ(stranger->open_token(detached.token).error().code, Code::permission_denied);
}

TEST(DetachedHolds, KeysRotateAndTheirTokensStayGoodWhileTheyMayBeSettled) {
  Detaching world(1'000);
  world.options.hold_ttl = std::chrono::days(300);
  auto ledger = world.engine();
  auto quiet = world.engine();  // read its keys at the start, signs nothing
  const auto first = world.detach(*ledger, 10).value();
  ASSERT_TRUE(ledger->drain());
  for (std::size_t turn = 1; turn < store::kHoldKeysKept; ++turn) {
    world.clock.advance(store::kHoldKeyLife);
    world.pass(std::chrono::minutes(1));
    EXPECT_EQ(world.store->hold_keys()->size(), turn + 1);
  }
  const auto second = world.detach(*ledger, 10).value();
  EXPECT_TRUE(quiet->open_token(second.token)) << "an unknown key is looked up";
  EXPECT_TRUE(quiet->open_token(first.token));
  world.clock.advance(store::kHoldKeyLife);
  world.pass(std::chrono::minutes(1));
  EXPECT_EQ(ledger->open_token(first.token).error().code, Code::permission_denied);
  EXPECT_TRUE(ledger->open_token(second.token));
}

TEST(DetachedHolds, StoresThatDetachNothingKeepTheirKey) {
  Detaching world(100);
  auto ledger = world.engine();
  ASSERT_TRUE(use(*ledger, kAcme, 1));
  world.clock.advance(2 * store::kHoldKeyLife);
  world.pass(std::chrono::minutes(1));
  EXPECT_EQ(world.store->hold_keys()->size(), 1U);
}

}  // namespace
}  // namespace aimeter::ledger
