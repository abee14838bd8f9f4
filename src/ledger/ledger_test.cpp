#include "ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"

namespace aimeter::ledger {
namespace {

using namespace fixture;
using store::fixture::tokens_of;
using ::testing::HasSubstr;

const Account kAcme = account_of("acme");

Plan limited(std::int64_t tokens) {
  return {.slug = "small", .monthly_token_limit = Tokens{tokens}};
}

TEST(Ledger, ASettledCallReachesTheStoreWithItsCounters) {
  World world;
  auto ledger = world.open();
  const Result<SettleOutcome> settled = use(*ledger, kAcme, 50, 30);
  ASSERT_TRUE(settled) << settled.error().message;
  EXPECT_TRUE(settled->check.allowed);
  ASSERT_TRUE(ledger->drain());
  const auto page = world.store->usages({.tenant = kAcme.tenant}, "", 10);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->records.size(), 1U);
  EXPECT_EQ(page->records[0].id, settled->row);
  EXPECT_EQ(page->records[0].usage.total_tokens.count, 30);
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 30);
  world.expect_clean();
}

TEST(Ledger, StrictHoldsEndExactlyAtTheLimit) {
  World world;
  world.subscribe(kAcme, limited(100));
  auto ledger = world.open();
  for (int call = 0; call < 10; ++call) {
    ASSERT_TRUE(use(*ledger, kAcme, 10)) << call;
  }
  const auto above = use(*ledger, kAcme, 1);
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().code, Code::quota_exceeded);
  ASSERT_NE(above.error().refusal, nullptr);
  EXPECT_EQ(above.error().refusal->budget, "tokens");
  EXPECT_EQ(above.error().refusal->used->count, 100);
  EXPECT_EQ(above.error().refusal->limit->count, 100);
  EXPECT_EQ(*above.error().refusal->resets_at, kMarch.end);
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 100);
  EXPECT_EQ(world.state(tokens_of(kAcme)).over_hold, 0);
  world.expect_clean();
}

TEST(Ledger, ALeaseIsFetchedAheadOfNeed) {
  World world;
  world.subscribe(kAcme, limited(100'000));
  auto ledger = world.open();
  std::vector<budget::Held> held;
  for (int call = 0; call < 7; ++call) {  // the first leased 80: the last leaves 10, less than 70/4
    Result<budget::Held> got = ledger->hold(ask_of(kAcme, 10));
    ASSERT_TRUE(got);
    held.push_back(*std::move(got));
  }
  EXPECT_EQ(world.state(tokens_of(kAcme)).leased, 80);
  world.workers.run_until_idle();
  EXPECT_EQ(world.state(tokens_of(kAcme)).leased, 80 + 60) << "70 a ten seconds, 10 were left";
  bool answered = false;
  ledger->hold(ask_of(kAcme, 70), [&](Result<budget::Held> result) {
    ASSERT_TRUE(result);
    held.push_back(*std::move(result));
    answered = true;
  });
  EXPECT_TRUE(answered) << "no worker ran: nobody waited for the store";
  for (budget::Held& each : held) ledger->release(std::move(each), "done");
}

TEST(Ledger, AReleasedHoldLeavesNothingBehind) {
  World world;
  world.subscribe(kAcme, limited(100));
  auto ledger = world.open();
  Result<budget::Held> held = ledger->hold(ask_of(kAcme, 100));
  ASSERT_TRUE(held);
  EXPECT_EQ(ledger->check(kAcme, {}, {})->held->count, 100);
  EXPECT_FALSE(ledger->hold(ask_of(kAcme, 1)));
  ledger->release(*std::move(held), "the provider said 500");
  EXPECT_EQ(ledger->check(kAcme, {}, {})->held->count, 0);
  EXPECT_TRUE(use(*ledger, kAcme, 100));
}

TEST(Ledger, AccountsOfTenantsNeverShareACounter) {
  World world;
  const Account other = account_of("acme2");
  world.subscribe(kAcme, limited(100));
  auto ledger = world.open();
  ASSERT_TRUE(use(*ledger, kAcme, 100));
  EXPECT_FALSE(use(*ledger, kAcme, 1));
  EXPECT_TRUE(use(*ledger, other, 1'000)) << "no plan of its own, no limit";
  EXPECT_EQ(ledger->check(other, {}, {})->remaining_tokens, std::nullopt);
}

TEST(Ledger, TwoEnginesShareOneBudgetExactly) {
  World world;
  world.subscribe(kAcme, limited(1'000));
  auto first = world.open();
  auto second = world.open();
  int allowed = 0;
  for (int call = 0; call < 150; ++call) {
    Ledger& engine = call % 2 == 0 ? *first : *second;
    const auto settled = use(engine, kAcme, 10);
    if (settled) {
      ++allowed;
      continue;
    }
    EXPECT_EQ(settled.error().code, Code::quota_exceeded) << settled.error().message;
  }
  EXPECT_EQ(allowed, 100) << "an empty lease is not an empty budget";
  ASSERT_TRUE(first->drain());
  ASSERT_TRUE(second->drain());
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 1'000);
  world.expect_clean();
}

TEST(Ledger, WhatIsLeasedElsewhereIsUnavailableNotExceeded) {
  World world;
  world.subscribe(kAcme, limited(100));
  world.options.hold_wait = std::chrono::milliseconds(400);
  auto first = world.open();
  auto second = world.open();
  Result<budget::Held> small = first->hold(ask_of(kAcme, 10));
  ASSERT_TRUE(small);
  // The first engine never answers a recall: it is stuck, its lease is not.
  static_cast<EngineLedger&>(*first).abandon();
  const auto large = second->hold(ask_of(kAcme, 90));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Code::unavailable);
  EXPECT_THAT(large.error().message, HasSubstr("leased to other engines"));
}

// Waits for what other engines have to give back, heartbeat by heartbeat.
Result<budget::Held> hold_in_time(World& world, Ledger& ledger, std::int64_t tokens) {
  Result<budget::Held> got = fail(Code::in_doubt, "no answer");
  bool answered = false;
  ledger.hold(ask_of(kAcme, tokens), [&](Result<budget::Held> result) {
    got = std::move(result);
    answered = true;
  });
  for (int quarter = 0; quarter < 16 && !answered; ++quarter) {
    world.workers.run_until_idle();
    world.clock.advance(world.options.heartbeat / 4);
  }
  return got;
}

// What an engine held when it was last asked to give back is not what it holds now.
TEST(Ledger, WhatAnotherEngineHeldOnceRefusesNobody) {
  World world;
  world.subscribe(kAcme, limited(100));
  auto first = world.open();
  auto second = world.open();
  const auto beat = [&] {
    world.clock.advance(world.options.heartbeat);
    world.workers.run_until_idle();
  };
  Result<budget::Held> once = first->hold(ask_of(kAcme, 10));
  ASSERT_TRUE(once);
  EXPECT_GT(world.state(tokens_of(kAcme)).leased, 10) << "some is free there";
  const auto never = hold_in_time(world, *second, 150);
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code, Code::quota_exceeded) << never.error().message;
  beat();  // the first engine hears of it and gives back what is free
  beat();  // and says that 10 are held
  EXPECT_EQ(world.state(tokens_of(kAcme)).leased, 10);
  first->release(*std::move(once), "the provider said 500");
  beat();
  Result<budget::Held> fits = hold_in_time(world, *second, 100);
  ASSERT_TRUE(fits) << fits.error().message;
  second->release(*std::move(fits), "test");
  world.expect_clean();
}

TEST(Ledger, WhatWasAcknowledgedSurvivesAKill) {
  World world;
  auto ledger = world.open();
  world.workers.hold_back("aim-project");  // the store sees nothing
  for (int call = 0; call < 5; ++call) ASSERT_TRUE(use(*ledger, kAcme, 10));
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 0);
  world.kill(std::move(ledger));
  world.workers.hold_back("");
  auto again = world.open();
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 50);
  EXPECT_EQ(world.store->usages({.tenant = kAcme.tenant}, "", 10)->records.size(), 5U);
  world.expect_clean();
}

TEST(Ledger, AHoldThatWasRunningAtTheCrashIsAnOrphanAndFreesItsLease) {
  World world;
  world.subscribe(kAcme, limited(100));
  auto ledger = world.open();
  Result<budget::Held> running = ledger->hold(ask_of(kAcme, 70));
  ASSERT_TRUE(running);
  ASSERT_TRUE(use(*ledger, kAcme, 10));  // its sync carries the begin frame as well
  world.kill(std::move(ledger));
  auto again = world.open();
  ASSERT_EQ(world.orphans.size(), 1U);
  EXPECT_EQ(world.orphans[0].begin.account, kAcme);
  EXPECT_EQ(world.orphans[0].begin.budgets.at(0).held, 70);
  EXPECT_EQ(world.store->orphans()->size(), 1U);
  EXPECT_TRUE(use(*again, kAcme, 90)) << "90 of 100 are free again";
  EXPECT_FALSE(use(*again, kAcme, 1));
}

// Whatever is left of the last segment when the disk is full.
TEST(Ledger, AHoldThatWasReleasedOnAFullDiskIsNoOrphan) {
  for (std::uint64_t segment_bytes = 4'096; segment_bytes < 5'800; segment_bytes += 64) {
    SCOPED_TRACE(segment_bytes);
    World world;
    world.options.segment_bytes = segment_bytes;
    auto ledger = world.open();
    Result<budget::Held> settles = ledger->hold(ask_of(kAcme, 20));
    ASSERT_TRUE(settles);
    world.files.set_free_bytes(0);
    std::vector<budget::Held> running;
    Result<budget::Held> more = ledger->hold(ask_of(kAcme, 70));
    for (; more; more = ledger->hold(ask_of(kAcme, 70))) running.push_back(*std::move(more));
    EXPECT_EQ(more.error().code, Code::unavailable) << more.error().message;
    for (budget::Held& held : running) ledger->release(std::move(held), std::string(200, 'x'));
    ASSERT_TRUE(ledger->settle(*std::move(settles), store::fixture::call_of(kAcme, 20)));
    world.kill(std::move(ledger));
    world.files.set_free_bytes(1U << 30);
    auto again = world.open();
    EXPECT_TRUE(world.orphans.empty()) << world.orphans.size() << " of " << running.size();
    world.expect_clean();
  }
}

TEST(Ledger, ACleanCloseLeavesNothingToRecover) {
  World world;
  auto ledger = world.open();
  ASSERT_TRUE(use(*ledger, kAcme, 10));
  ledger.reset();
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 10);
  EXPECT_EQ(world.state(tokens_of(kAcme)).leased, 0);
  EXPECT_TRUE(world.store->engines()->at(0).closed_at);
  auto again = world.open();
  EXPECT_TRUE(world.orphans.empty());
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 10);
  world.expect_clean();
}

TEST(Ledger, AChangeOfThePlanActsAtTheNextHold) {
  World world;
  world.subscribe(kAcme, limited(100));
  auto ledger = world.open();
  ASSERT_TRUE(use(*ledger, kAcme, 60));
  Plan smaller = *world.store->find_plan(kAcme.tenant, "small").value();
  smaller.monthly_token_limit = Tokens{50};
  ASSERT_TRUE(ledger->change({store::PutPlan{smaller}, "test"}));
  const auto refused = use(*ledger, kAcme, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refusal->limit->count, 50);
  EXPECT_EQ(refused.error().refusal->used->count, 60);
  ASSERT_TRUE(ledger->drain());
  world.expect_clean();
}

TEST(Ledger, ALimitThatFallsToZeroRefusesAlsoWhatTheLeaseHas) {
  World world;
  world.subscribe(kAcme, limited(100));
  auto ledger = world.open();
  ASSERT_TRUE(use(*ledger, kAcme, 5));  // the lease has more than that
  Plan nothing = *world.store->find_plan(kAcme.tenant, "small").value();
  nothing.monthly_token_limit = Tokens{0};
  ASSERT_TRUE(ledger->change({store::PutPlan{nothing}, "test"}));
  const auto refused = use(*ledger, kAcme, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::quota_exceeded) << refused.error().message;
}

TEST(Ledger, ANewPeriodStartsAtZeroAndTheOldOneKeepsItsCount) {
  World world;
  world.subscribe(kAcme, limited(100));
  auto ledger = world.open();
  ASSERT_TRUE(use(*ledger, kAcme, 100));
  world.clock.advance(kMarch.end - Duration(1) - world.clock.now());
  EXPECT_FALSE(use(*ledger, kAcme, 1));
  world.clock.advance(kMarch.end - world.clock.now());
  ledger::HoldAsk next = ask_of(kAcme, 100);
  next.expected.occurred_at = kMarch.end;  // a hold meets the limits of its own time
  Result<budget::Held> held = ledger->hold(next);
  ASSERT_TRUE(held) << held.error().message;
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 100);
}

TEST(Ledger, ARecordIsNeverRefusedAndTakesWhatIsFree) {
  World world;
  world.subscribe(kAcme, limited(100));
  auto ledger = world.open();
  ASSERT_TRUE(use(*ledger, kAcme, 40));
  const auto recorded = ledger->record({}, store::fixture::call_of(kAcme, 500));
  ASSERT_TRUE(recorded) << recorded.error().message;
  ASSERT_TRUE(ledger->wait(recorded->ticket));
  EXPECT_TRUE(recorded->outcome.check.hard_limit_reached);
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 540);
  EXPECT_FALSE(use(*ledger, kAcme, 1));
  world.expect_clean();
}

TEST(Ledger, KeysAreFreshOnceAndAConflictWithOtherContent) {
  World world;
  auto ledger = world.open();
  const store::KeyRef key{store::key_of("acme", "call", "k1"), 7};
  const auto fresh = ledger->enter_key(key);
  ASSERT_TRUE(fresh);
  EXPECT_EQ(fresh->what, KeyEntry::What::fresh);
  Result<budget::Held> held = ledger->hold(ask_of(kAcme, 10));
  store::Settlement settlement = store::fixture::call_of(kAcme, 10);
  settlement.key = key;
  const auto settled = ledger->settle(*std::move(held), store::Settlement(settlement));
  ASSERT_TRUE(settled);
  ledger->leave_key(key, settled->row);
  const auto seen = ledger->enter_key(key);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->what, KeyEntry::What::seen);
  EXPECT_EQ(seen->seen.row, settled->row);
  const auto conflict = ledger->enter_key({key.key, 8});
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code, Code::conflict);
  ASSERT_TRUE(ledger->drain());
  ledger.reset();
  auto again = world.open();  // another engine finds it in the store
  EXPECT_EQ(again->enter_key(key)->what, KeyEntry::What::seen);
}

TEST(Ledger, AKeyInFlightMakesTheSecondWaitForTheFirst) {
  World world;
  auto ledger = world.open();
  const store::KeyRef key{store::key_of("acme", "call", "k1"), 7};
  ASSERT_TRUE(ledger->enter_key(key));
  std::optional<Result<KeyEntry>> second;
  ledger->enter_key(key, [&](Result<KeyEntry> entry) { second = std::move(entry); });
  EXPECT_FALSE(second) << "it waits";
  ledger->leave_key(key, 0);  // the first failed: the key is not used up
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->what, KeyEntry::What::fresh);
}

TEST(Ledger, AFailedSyncStopsHoldsAndTellsTheCaller) {
  World world;
  auto ledger = world.open();
  Result<budget::Held> held = ledger->hold(ask_of(kAcme, 10));
  ASSERT_TRUE(held);
  world.files.fail_syncs_after(0);
  const auto settled = ledger->settle(*std::move(held), store::fixture::call_of(kAcme, 10));
  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, Code::in_doubt) << "it may be on the disk: no blind retry";
  EXPECT_FALSE(ledger->hold(ask_of(kAcme, 10)));
  EXPECT_FALSE(ledger->health().granting);
}

TEST(Ledger, AFailedSyncTellsWhoWaitsWithoutAThread) {
  World world;
  auto ledger = world.open();
  Result<budget::Held> held = ledger->hold(ask_of(kAcme, 10));
  ASSERT_TRUE(held);
  world.files.fail_syncs_after(0);
  std::vector<Code> told;
  ledger->settle(*std::move(held), store::fixture::call_of(kAcme, 10),
                 [&](Result<SettleOutcome> outcome) { told.push_back(outcome.error().code); });
  world.workers.run_until_idle();
  EXPECT_THAT(told, testing::ElementsAre(Code::in_doubt));
}

// An adjustment of an account that this engine has not used yet acts on its limit before the store
// has heard of it.
TEST(Ledger, AnAdjustmentOfAnAccountThatIsNotInMemoryIsCountedAtOnce) {
  World world;
  world.subscribe(kAcme, limited(100));
  std::int64_t row = 0;
  {
    auto before = world.open();
    const Result<SettleOutcome> used = use(*before, kAcme, 90);
    ASSERT_TRUE(used);
    row = used->row;
  }
  auto ledger = world.open();
  world.workers.hold_back("aim-project");
  store::Settlement original = store::fixture::call_of(kAcme, 90);
  ASSERT_TRUE(ledger->adjust(store::fixture::adjustment_of(original, row, -30)));
  EXPECT_EQ(ledger->check(kAcme, {}, {})->used->count, 60);
  world.workers.hold_back("");
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(ledger->check(kAcme, {}, {})->used->count, 60);
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 60);
}

TEST(Ledger, BeyondTheTailTheJournalIsReadAgain) {
  World world;
  world.options.tail_max = 4;
  world.subscribe(kAcme, limited(10'000));
  auto ledger = world.open();
  world.workers.hold_back("aim-project");
  for (int call = 0; call < 40; ++call) ASSERT_TRUE(use(*ledger, kAcme, 10));
  world.workers.hold_back("");
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 400);
  EXPECT_EQ(ledger->check(kAcme, {}, {})->used->count, 400);
  for (int call = 0; call < 5; ++call) ASSERT_TRUE(use(*ledger, kAcme, 10));
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 450);
  world.expect_clean();
}

TEST(Ledger, CallersWaitALittleForAStoreThatIsFarBehind) {
  World world;
  world.options.far_behind = 4;
  int waits = 0;
  world.workers.set_on_idle([&waits] { ++waits; });
  world.subscribe(kAcme, limited(10'000));
  auto ledger = world.open();
  ASSERT_TRUE(use(*ledger, kAcme, 10));
  ASSERT_TRUE(ledger->drain());
  waits = 0;
  world.workers.hold_back("aim-project");
  for (int call = 0; call < 3; ++call) ASSERT_TRUE(use(*ledger, kAcme, 10));
  EXPECT_EQ(waits, 0) << "it is not far behind";
  for (int call = 0; call < 3; ++call) ASSERT_TRUE(use(*ledger, kAcme, 10)) << "also then";
  EXPECT_GT(waits, 0);
  world.workers.hold_back("");
  ASSERT_TRUE(ledger->drain());
  waits = 0;
  ASSERT_TRUE(use(*ledger, kAcme, 10));
  EXPECT_EQ(waits, 0) << "it has caught up";
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, 80) << "the projector had its turn";
  world.expect_clean();
}

TEST(Ledger, WithoutASubscriptionTheOperatorChooses) {
  World world;
  world.options.without_subscription = plans::WithoutSubscription::refuse;
  auto ledger = world.open();
  const auto refused = use(*ledger, kAcme, 10);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("limits.without_subscription"));
}

TEST(Ledger, AJournalOfAnotherStoreIsRefusedAndNamed) {
  World world;
  auto ledger = world.open();
  ASSERT_TRUE(use(*ledger, kAcme, 10));
  ledger.reset();
  world.store = store::make_memory_store(world.clock);  // the file was deleted, the folder was not
  const Deps deps{*world.store, world.files, world.workers, world.clock};
  const auto opened = Ledger::open(deps, world.options, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::failed_precondition);
  EXPECT_THAT(opened.error().message, HasSubstr("/usage.db.aimeter/1"));
  EXPECT_THAT(opened.error().message, HasSubstr("belongs to another store"));
}

TEST(Ledger, AJournalOnANetworkFileSystemIsRefused) {
  World world;
  world.files.set_network("/usage.db.aimeter");
  const Deps deps{*world.store, world.files, world.workers, world.clock};
  const auto opened = Ledger::open(deps, world.options, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::failed_precondition);
  EXPECT_THAT(opened.error().message, HasSubstr("network file system"));
}

TEST(Ledger, AfterALostLeaseNothingIsGrantedBeforeTheNewEpochIsRenewed) {
  World world;
  world.subscribe(kAcme, limited(1'000));
  auto first = world.open();
  ASSERT_TRUE(use(*first, kAcme, 10));
  ASSERT_TRUE(first->drain());
  const store::EngineRef lost = world.store->engines()->at(0).ref;
  world.clock.advance(world.options.lease_ttl + world.options.hold_ttl + std::chrono::seconds(1));
  ASSERT_EQ(store::fixture::take_back(*world.store, world.clock.now()), 1);
  const Instant woke = world.clock.now();
  Result<budget::Held> held = first->hold(ask_of(kAcme, 10));
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(held->epoch, lost.epoch + 1);
  EXPECT_GE(world.store->engines()->at(0).renewed_at, woke) << "renewed, then granted";
}

// What closing cannot carry to where its caller wants it is not acknowledged.
TEST(Ledger, ACallThatIsNotDurableWhenItsEngineClosesIsInDoubt) {
  const struct {
    Durability durability;
    const char *worker, *where;
  } kRows[] = {{Durability::store, "aim-project", "in the store"},
               {Durability::journal, "aim-journal", "on the disk"}};
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.where);
    World world;
    world.subscribe(kAcme, limited(1'000));
    world.options.durability = row.durability;
    auto ledger = world.open();
    Result<budget::Held> held = ledger->hold(ask_of(kAcme, 10));
    ASSERT_TRUE(held) << held.error().message;
    world.workers.hold_back(row.worker);
    std::optional<Result<SettleOutcome>> told;
    ledger->settle(*std::move(held), store::fixture::call_of(kAcme, 10),
                   [&](Result<SettleOutcome> outcome) { told = std::move(outcome); });
    EXPECT_FALSE(told) << "it waits";
    ledger.reset();
    ASSERT_TRUE(told) << "nobody is left waiting";
    ASSERT_FALSE(*told);
    EXPECT_EQ(told->error().code, Code::in_doubt);
    EXPECT_THAT(told->error().message, HasSubstr("closed"));
    EXPECT_THAT(told->error().message, HasSubstr(row.where));
    EXPECT_EQ(world.state(tokens_of(kAcme)).used, 0);
    world.workers.hold_back("");
    ledger = world.open();
    EXPECT_LE(world.state(tokens_of(kAcme)).used, 10) << "recorded by whoever opens next, once";
    world.expect_clean();
  }
}

TEST(Ledger, ARecordThatADiskHasNoRoomForCountsNowhere) {
  World world;
  world.subscribe(kAcme, limited(1'000));
  world.options.segment_bytes = 4'096;
  auto ledger = world.open();
  ASSERT_TRUE(use(*ledger, kAcme, 10));
  world.files.set_free_bytes(0);
  std::int64_t recorded = 10;
  Result<Ledger::Recorded> record = ledger->record({}, store::fixture::call_of(kAcme, 7));
  for (; record; recorded += 7) record = ledger->record({}, store::fixture::call_of(kAcme, 7));
  EXPECT_EQ(record.error().code, Code::unavailable) << record.error().message;
  EXPECT_EQ(ledger->check(kAcme, {}, {})->used->count, recorded);
  world.files.set_free_bytes(1U << 30);
  ASSERT_TRUE(ledger->drain());
  EXPECT_EQ(world.state(tokens_of(kAcme)).used, recorded);
  EXPECT_TRUE(use(*ledger, kAcme, 1'000 - recorded)) << "what was not recorded is free";
  world.expect_clean();
}

}  // namespace
}  // namespace aimeter::ledger
