// Engines and leases: how much is granted, to whom, and how it comes back.
#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;

class LeaseContract : public StoreContract {
 protected:
  LeaseGrant grant(const Feeder& engine, const LeaseAsk& ask) {
    const auto grants = store().lease(engine.ref, {&ask, 1});
    EXPECT_TRUE(grants) << grants.error().message;
    return grants ? grants->at(0) : LeaseGrant{};
  }
  void refuse_lease(EngineRef engine, const std::vector<LeaseAsk>& asks, Code code,
                    std::string_view word) {
    const auto grants = store().lease(engine, asks);
    ASSERT_FALSE(grants);
    EXPECT_EQ(grants.error().code, code) << grants.error().message;
    EXPECT_NE(grants.error().message.find(word), std::string::npos) << grants.error().message;
  }
  Pulse renew(const Feeder& engine, const std::vector<HeldReport>& held = {}) {
    const auto pulse = store().renew(engine.ref, held);
    EXPECT_TRUE(pulse) << pulse.error().message;
    return pulse ? *pulse : Pulse{};
  }
  const Account acme_ = account_of("acme");
  const BudgetKey tokens_ = tokens_of(acme_);
};

// ---- How much.

TEST_P(LeaseContract, GrantsAShareOfWhatIsFree) {
  struct Row {
    const char* sentence;
    int others;          // further live engines
    Amount used, limit;  // before the ask
    Amount ask, one_call;
    Amount granted;
  };
  constexpr Row kRows[] = {
      {"what is asked, when it is less than half of free", 0, 0, 100, 30, 0, 30},
      {"just half of free", 0, 0, 100, 50, 0, 50},
      {"at most half of free for one engine", 0, 0, 100, 51, 0, 50},
      {"at most a quarter for two", 1, 0, 100, 100, 0, 25},
      {"at most a tenth for five", 4, 0, 100, 100, 0, 10},
      {"what is used is not free", 0, 60, 100, 100, 0, 20},
      {"at least one call where that is free", 1, 0, 100, 10, 90, 90},
      {"one call that takes all of free", 0, 40, 100, 60, 60, 60},
      {"one call that is one more than free gets nothing", 0, 40, 100, 61, 61, 0},
      {"nothing is free at the limit", 0, 100, 100, 10, 0, 0},
      {"nothing is free above it", 0, 150, 100, 10, 1, 0},
      {"a limit of zero has nothing", 0, 0, 0, 10, 1, 0},
      {"shares are cut, not rounded up", 0, 0, 1, 10, 0, 0},
  };
  std::int64_t account = 0;
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const BudgetKey key = tokens_of(account_of("acme", std::to_string(++account)));
    clock().advance(kEngineLiveFor);  // the engines of the rows before are silent
    Feeder engine(store());
    for (int i = 0; i < row.others; ++i) Feeder other(store());
    engine.apply(call_of(key.account, row.used));
    LeaseAsk ask = ask_of(key, row.ask, row.limit);
    ask.one_call = row.one_call;
    const LeaseGrant granted = grant(engine, ask);
    EXPECT_EQ(granted.granted, row.granted);
    EXPECT_EQ(granted.used, row.used);
    EXPECT_EQ(granted.leased, row.granted) << "of the budget, after the grant";
    EXPECT_EQ(state(key).leased, row.granted);
    EXPECT_EQ(state(key).limit, row.limit);
  }
}

TEST_P(LeaseContract, LeasesAddUpToTheLimitAndNoFurther) {
  Feeder engine(store());
  for (int i = 0; i < 3; ++i) lease(engine, tokens_, 30, 100);
  LeaseAsk ask = ask_of(tokens_, 11, 100);
  ask.one_call = 11;
  EXPECT_EQ(grant(engine, ask).granted, 0);
  ask.ask = ask.one_call = 10;
  EXPECT_EQ(grant(engine, ask).granted, 10);
  EXPECT_EQ(state(tokens_).leased, 100);
}

TEST_P(LeaseContract, TheWholeRestIsForWhoeverIsAlone) {
  Feeder engine(store()), other(store());
  LeaseAsk ask = ask_of(tokens_, 10, 100);
  ask.one_call = 500;
  ask.whole_rest = true;
  EXPECT_EQ(grant(engine, ask).granted, 100) << "all of free, though less than the call";
  EXPECT_EQ(grant(engine, ask).granted, 0) << "nothing is left";

  const BudgetKey shared = tokens_of(account_of("acme", "2"));
  lease(other, shared, 1, 100);
  ask.key = shared;
  EXPECT_EQ(grant(engine, ask).granted, 0) << "another engine has one token of it";
  ask.one_call = 20;
  EXPECT_EQ(grant(engine, ask).granted, 20) << "then the rule of everybody";
}

TEST_P(LeaseContract, ADetachedHoldIsSomebodyElsesToo) {
  Feeder engine(store());
  lease(engine, tokens_, 30, 100);
  engine.apply(detach_of(acme_, {engine.ref, 30, 100}, "token-1"));
  LeaseAsk ask = ask_of(tokens_, 500, 100);
  ask.one_call = 500;
  ask.whole_rest = true;
  const LeaseGrant granted = grant(engine, ask);
  EXPECT_EQ(granted.granted, 0);
  EXPECT_EQ(granted.held_elsewhere, 30);
  EXPECT_EQ(granted.leased_elsewhere, 30);
  EXPECT_FALSE(granted.recalled) << "nobody can give it back";
}

TEST_P(LeaseContract, AllAsksOfAnAccountAreGrantedOrNone) {
  Feeder engine(store());
  LeaseAsk tokens = ask_of(tokens_, 10, 100);
  tokens.one_call = 10;
  LeaseAsk cost = ask_of(cost_of(acme_), 600, 500);
  cost.one_call = 501;
  std::vector<LeaseAsk> asks{tokens, cost};
  auto grants = store().lease(engine.ref, asks);
  ASSERT_TRUE(grants);
  EXPECT_EQ(grants->at(0).granted, 0);
  EXPECT_EQ(grants->at(1).granted, 0);
  EXPECT_EQ(state(tokens_).leased, 0);

  asks[1].one_call = 500;
  grants = store().lease(engine.ref, asks);
  ASSERT_TRUE(grants);
  EXPECT_EQ(grants->at(0).granted, 10);
  EXPECT_EQ(grants->at(1).granted, 500);
}

TEST_P(LeaseContract, AsksOfSeveralAccountsAreAnsweredEachForItself) {
  Feeder engine(store());
  const Account zeta = account_of("zeta"), tau = account_of("tau");
  LeaseAsk tokens = ask_of(tokens_, 10, 100), cost = ask_of(cost_of(acme_), 600, 500);
  cost.one_call = 501;
  LeaseAsk stale = ask_of(tokens_of(tau), 10, 100);
  stale.catalogue = *store().catalogue() + 1;
  const LeaseAsk other = ask_of(tokens_of(zeta), 20, 100);
  const LeaseAsk other_cost = ask_of(cost_of(zeta), 30, 100);
  const std::vector<LeaseAsk> asks{tokens, cost, stale, other, other_cost};
  const auto grants = store().lease(engine.ref, asks);
  ASSERT_TRUE(grants) << grants.error().message;
  ASSERT_EQ(grants->size(), 5U);
  EXPECT_EQ(grants->at(0).granted, 0) << "the cost of the same account does not fit";
  EXPECT_EQ(grants->at(1).granted, 0);
  EXPECT_TRUE(grants->at(2).stale_catalogue);
  EXPECT_EQ(grants->at(2).granted, 0);
  EXPECT_FALSE(grants->at(3).stale_catalogue);
  EXPECT_EQ(grants->at(3).granted, 20);
  EXPECT_EQ(grants->at(4).granted, 30);
  EXPECT_EQ(state(tokens_).leased, 0);
  EXPECT_EQ(state(tokens_of(zeta)).leased, 20);
  EXPECT_EQ(state(cost_of(zeta)).leased, 30);
}

TEST_P(LeaseContract, APrefetchThatGetsNothingSpoilsNoOther) {
  Feeder engine(store());
  const std::vector<LeaseAsk> asks{ask_of(tokens_, 10, 100), ask_of(cost_of(acme_), 10, 0)};
  const auto grants = store().lease(engine.ref, asks);
  ASSERT_TRUE(grants);
  EXPECT_EQ(grants->at(0).granted, 10);
  EXPECT_EQ(grants->at(1).granted, 0);
}

TEST_P(LeaseContract, AnEngineIsLiveUntilItWasSilentTooLong) {
  Feeder engine(store()), other(store());
  clock().advance(kEngineLiveFor - Duration(1));
  EXPECT_EQ(renew(engine).engines, 2);
  clock().advance(Duration(1));
  EXPECT_EQ(renew(engine).engines, 1) << "the other did not renew";
  EXPECT_EQ(renew(other).engines, 2) << "now it did";
  ASSERT_TRUE(store().close_engine(other.ref.engine));
  EXPECT_EQ(renew(engine).engines, 1);
}

// ---- When not.

TEST_P(LeaseContract, AStaleCatalogueGrantsNothingToAnyAsk) {
  Feeder engine(store());
  change(PutTenant{{"acme"}});
  std::vector<LeaseAsk> asks{ask_of(tokens_, 10, 100), ask_of(cost_of(acme_), 10, 100)};
  asks[0].catalogue = *store().catalogue();
  asks[1].catalogue = *store().catalogue() - 1;
  auto grants = store().lease(engine.ref, asks);
  ASSERT_TRUE(grants);
  EXPECT_FALSE(grants->at(0).stale_catalogue);
  EXPECT_TRUE(grants->at(1).stale_catalogue);
  EXPECT_EQ(grants->at(0).granted, 0);
  EXPECT_EQ(grants->at(1).granted, 0);
  EXPECT_EQ(state(tokens_).limit, std::nullopt) << "a stale ask names no limit";
  asks[1].catalogue = *store().catalogue();
  grants = store().lease(engine.ref, asks);
  ASSERT_TRUE(grants);
  EXPECT_EQ(grants->at(1).granted, 10);
}

TEST_P(LeaseContract, WhatCannotBeAskedIsRefused) {
  Feeder engine(store());
  LeaseAsk negative = ask_of(tokens_, -1, 100);
  LeaseAsk negative_call = ask_of(tokens_, 1, 100);
  negative_call.one_call = -1;
  const LeaseAsk good = ask_of(tokens_, 1, 100);
  const LeaseAsk stranger = ask_of(tokens_of(account_of("zeta")), 1, 100);
  refuse_lease(engine.ref, {negative}, Code::invalid_argument, "ask");
  refuse_lease(engine.ref, {negative_call}, Code::invalid_argument, "one_call");
  refuse_lease(engine.ref, {ask_of(tokens_, 1, -1)}, Code::invalid_argument, "limit");
  const LeaseAsk cost = ask_of(cost_of(acme_), 1, 100);
  refuse_lease(engine.ref, {good, stranger, cost}, Code::invalid_argument, "side by side");
  refuse_lease(engine.ref, {good, good}, Code::invalid_argument, "once");
  refuse_lease({.engine = 77}, {good}, Code::not_found, "77");
  EXPECT_EQ(state(tokens_).leased, 0);
}

TEST_P(LeaseContract, AnOldEpochAndAClosedEngineGetNothing) {
  Feeder engine(store());
  lease(engine, tokens_, 10, 100);
  clock().advance(std::chrono::minutes(11));
  ASSERT_EQ(take_back(store(), clock().now()), 1);
  refuse_lease(engine.ref, {ask_of(tokens_, 1, 100)}, Code::failed_precondition, "epoch 1");
  engine.ref = renew(engine).ref;
  EXPECT_EQ(grant(engine, ask_of(tokens_, 1, 100)).granted, 1);
  ASSERT_TRUE(store().close_engine(engine.ref.engine));
  refuse_lease(engine.ref, {ask_of(tokens_, 1, 100)}, Code::failed_precondition, "closed");
}

// ---- The limit moves.

TEST_P(LeaseContract, AFallenLimitIsRememberedAndGrantsNothing) {
  Feeder engine(store());
  lease(engine, tokens_, 60, 100);
  engine.apply(held_call_of(acme_, 20, {engine.ref, 20, 100}));
  EXPECT_EQ(grant(engine, ask_of(tokens_, 10, 59)).granted, 0);
  EXPECT_EQ(state(tokens_).fallen, 1) << "20 used and 40 leased were above 59";
  EXPECT_EQ(grant(engine, ask_of(tokens_, 10, 59)).granted, 0);
  EXPECT_EQ(state(tokens_).fallen, 1) << "the same limit falls no further";
  EXPECT_EQ(grant(engine, ask_of(tokens_, 10, 50)).granted, 0);
  EXPECT_EQ(state(tokens_).fallen, 10);
  EXPECT_EQ(grant(engine, ask_of(tokens_, 10, 80)).granted, 10) << "half of 20";
  EXPECT_EQ(state(tokens_).fallen, 10);
}

TEST_P(LeaseContract, ALimitThatFallsToWhatIsTakenHasNotFallen) {
  Feeder engine(store());
  lease(engine, tokens_, 60, 100);
  EXPECT_EQ(grant(engine, ask_of(tokens_, 10, 60)).granted, 0);
  EXPECT_EQ(state(tokens_).fallen, 0);
}

// ---- Recall.

TEST_P(LeaseContract, WhatIsFreeElsewhereIsRecalled) {
  Feeder engine(store()), other(store());
  lease(other, tokens_, 80, 100);
  LeaseAsk ask = ask_of(tokens_, 30, 100);
  ask.one_call = 30;
  LeaseGrant granted = grant(engine, ask);
  EXPECT_EQ(granted.granted, 0);
  EXPECT_TRUE(granted.recalled);
  EXPECT_EQ(granted.leased_elsewhere, 80);
  EXPECT_EQ(granted.held_elsewhere, 0) << "not reported yet";
  EXPECT_EQ(granted.leased, 80);

  EXPECT_TRUE(renew(engine).recalled.empty()) << "the asking engine is not asked";
  EXPECT_EQ(renew(other).recalled, std::vector<BudgetKey>{tokens_});
  EXPECT_EQ(renew(other, {{tokens_, 65}}).recalled, std::vector<BudgetKey>{tokens_});
  granted = grant(engine, ask);
  EXPECT_EQ(granted.held_elsewhere, 65);

  ASSERT_TRUE(store().give_back(other.ref, std::vector<LeaseBack>{{tokens_, 15}}));
  EXPECT_TRUE(renew(other).recalled.empty()) << "answered";
  EXPECT_EQ(grant(engine, ask).granted, 30) << "20 were free, 15 came back";
}

TEST_P(LeaseContract, AReportIsBelievedUntilTheNextHeartbeat) {
  Feeder engine(store()), other(store());
  lease(other, tokens_, 80, 100);
  LeaseAsk ask = ask_of(tokens_, 30, 100);
  ask.one_call = 30;
  ASSERT_TRUE(grant(engine, ask).recalled);
  renew(other, {{tokens_, 65}});
  ASSERT_TRUE(store().give_back(other.ref, std::vector<LeaseBack>{{tokens_, 5}}));
  EXPECT_EQ(grant(engine, ask_of(tokens_, 0, 100)).held_elsewhere, 65) << "still so, for all known";
  renew(other);
  const LeaseGrant granted = grant(engine, ask_of(tokens_, 0, 100));
  EXPECT_EQ(granted.leased_elsewhere, 75);
  EXPECT_EQ(granted.held_elsewhere, 0) << "what is not reported again is nothing";
}

TEST_P(LeaseContract, ANewLeaseIsNotRecalledForWhatTheLastOneWas) {
  Feeder engine(store()), other(store());
  lease(other, tokens_, 80, 100);
  LeaseAsk ask = ask_of(tokens_, 30, 100);
  ask.one_call = 30;
  ASSERT_TRUE(grant(engine, ask).recalled);
  renew(other, {{tokens_, 80}});
  other.apply(held_call_of(acme_, 80, {other.ref, 80, 100}));
  EXPECT_TRUE(renew(other, {{tokens_, 80}}).recalled.empty()) << "nothing is left to give back";
  lease(other, tokens_, 10, 100);
  EXPECT_TRUE(renew(other).recalled.empty());
  renew(other, {{tokens_, 10}});
  ASSERT_TRUE(store().give_back(other.ref, std::vector<LeaseBack>{{tokens_, 10}}));
  lease(other, tokens_, 10, 100);
  const LeaseGrant granted = grant(engine, ask_of(tokens_, 0, 100));
  EXPECT_EQ(granted.leased_elsewhere, 10);
  EXPECT_EQ(granted.held_elsewhere, 0) << "a new lease is free";
}

TEST_P(LeaseContract, GivingBackNothingAnswersARecall) {
  Feeder engine(store()), other(store());
  lease(other, tokens_, 80, 100);
  LeaseAsk ask = ask_of(tokens_, 30, 100);
  ask.one_call = 30;
  ASSERT_TRUE(grant(engine, ask).recalled);
  ASSERT_TRUE(store().give_back(other.ref, std::vector<LeaseBack>{{tokens_, 0}}));
  EXPECT_TRUE(renew(other).recalled.empty());
}

TEST_P(LeaseContract, NobodyIsRecalledWithoutNeed) {
  Feeder engine(store()), other(store());
  EXPECT_FALSE(grant(engine, ask_of(tokens_, 500, 100)).recalled) << "a prefetch that is cut";
  lease(other, tokens_, 50, 100);
  EXPECT_FALSE(grant(engine, ask_of(tokens_, 500, 100)).recalled);
  const BudgetKey empty = cost_of(acme_);
  LeaseAsk ask = ask_of(empty, 10, 5);
  ask.one_call = 10;
  EXPECT_FALSE(grant(engine, ask).recalled) << "nobody has any";
  EXPECT_TRUE(renew(other).recalled.empty());
}

TEST_P(LeaseContract, WhatIsHeldElsewhereIsAtMostWhatIsLeasedThere) {
  Feeder engine(store()), other(store());
  lease(other, tokens_, 80, 100);
  renew(other, {{tokens_, 70}});
  other.apply(held_call_of(acme_, 60, {other.ref, 60, 100}));
  const LeaseGrant granted = grant(engine, ask_of(tokens_, 1, 100));
  EXPECT_EQ(granted.leased_elsewhere, 20);
  EXPECT_EQ(granted.held_elsewhere, 20) << "the report is older than the settlement";
}

TEST_P(LeaseContract, AReportOfWhatIsNotLeasedIsNothing) {
  Feeder engine(store()), other(store());
  renew(other, {{tokens_, 70}});
  EXPECT_EQ(grant(engine, ask_of(tokens_, 1, 100)).held_elsewhere, 0);
}

// ---- The heartbeat and the end.

TEST_P(LeaseContract, RenewSaysTheCatalogueTheTimeAndTheEpoch) {
  Feeder engine(store());
  clock().advance(std::chrono::seconds(5));
  const std::uint64_t before = renew(engine).catalogue;
  change(PutTenant{{"acme"}});
  const Pulse pulse = renew(engine);
  EXPECT_FALSE(pulse.lost);
  EXPECT_EQ(pulse.ref.engine, engine.ref.engine);
  EXPECT_EQ(pulse.ref.epoch, 1U);
  EXPECT_EQ(pulse.catalogue, before + 1);
  EXPECT_EQ(pulse.store_now, clock().now());
  EXPECT_EQ(store().engines()->at(0).renewed_at, clock().now());
}

TEST_P(LeaseContract, AnEngineWhoseEpochIsOverHearsThatItIsLost) {
  Feeder engine(store());
  lease(engine, tokens_, 10, 100);
  const Instant opened = clock().now();
  clock().advance(std::chrono::minutes(11));
  ASSERT_EQ(take_back(store(), clock().now()), 1);
  const Pulse pulse = renew(engine);
  EXPECT_TRUE(pulse.lost);
  EXPECT_EQ(pulse.ref.epoch, 2U);
  EXPECT_EQ(store().engines()->at(0).renewed_at, opened) << "nothing was renewed";
  engine.ref = pulse.ref;
  EXPECT_FALSE(renew(engine).lost);
}

TEST_P(LeaseContract, AClosedAndAnUnknownEngineCannotRenew) {
  Feeder engine(store());
  ASSERT_TRUE(store().close_engine(engine.ref.engine));
  const auto closed = store().renew(engine.ref, {});
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Code::failed_precondition);
  const auto unknown = store().renew({.engine = 77}, {});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::not_found);
}

TEST_P(LeaseContract, GivesBackWhatIsLeasedAndNoMore) {
  Feeder engine(store()), other(store());
  lease(engine, tokens_, 50, 100);
  lease(engine, cost_of(acme_), 50, 100);
  ASSERT_TRUE(store().give_back(engine.ref, std::vector<LeaseBack>{{tokens_, 20}}));
  EXPECT_EQ(state(tokens_).leased, 30);

  struct Row {
    const char* sentence;
    EngineRef engine;
    std::vector<LeaseBack> parts;
    Code code;
  };
  const EngineRef old{.engine = engine.ref.engine, .epoch = 9};
  const Row rows[] = {
      {"one more than is leased", engine.ref, {{tokens_, 31}}, Code::failed_precondition},
      {"in two parts", engine.ref, {{tokens_, 30}, {tokens_, 1}}, Code::failed_precondition},
      {"a good part does not go alone",
       engine.ref,
       {{cost_of(acme_), 50}, {tokens_, 31}},
       Code::failed_precondition},
      {"another engine's", other.ref, {{tokens_, 1}}, Code::failed_precondition},
      {"another epoch's", old, {{tokens_, 1}}, Code::failed_precondition},
      {"less than nothing", engine.ref, {{tokens_, -1}}, Code::invalid_argument},
      {"by an engine that is not known", {.engine = 77}, {{tokens_, 1}}, Code::not_found},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Status status = store().give_back(row.engine, row.parts);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, row.code) << status.error().message;
    EXPECT_EQ(state(tokens_).leased, 30);
    EXPECT_EQ(state(cost_of(acme_)).leased, 50);
  }
  ASSERT_TRUE(store().give_back(engine.ref, std::vector<LeaseBack>{{tokens_, 30}}));
  EXPECT_EQ(state(tokens_).leased, 0);
}

TEST_P(LeaseContract, ClosingGivesTheLeasesBackOnce) {
  Feeder engine(store()), other(store());
  lease(engine, tokens_, 50, 100);
  lease(other, tokens_, 10, 100);
  const Instant closed = clock().now();
  ASSERT_TRUE(store().close_engine(engine.ref.engine));
  EXPECT_EQ(state(tokens_).leased, 10) << "the other's stays";
  clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(store().close_engine(engine.ref.engine));
  EXPECT_EQ(state(tokens_).leased, 10);
  EXPECT_EQ(store().engines()->at(0).closed_at, closed) << "closed once";
  const Status unknown = store().close_engine(77);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::not_found);
}

TEST_P(LeaseContract, APulseSaysWhenDetachedHoldsAreDue) {
  Feeder engine(store()), other(store());
  engine.apply(detach_of(acme_, {engine.ref, 0, 100}, "token-1"));
  clock().set_wall(kNoon + std::chrono::minutes(10) - Duration(1));
  EXPECT_FALSE(store().renew(other.ref, {})->holds_due);
  clock().advance(Duration(1));
  EXPECT_TRUE(store().renew(other.ref, {})->holds_due) << "whoever finds it";
  ASSERT_TRUE(store().change({ExpireHolds{}, "test"}));
  EXPECT_FALSE(store().renew(other.ref, {})->holds_due);
}

TEST_P(LeaseContract, ClosingLeavesDetachedHolds) {
  Feeder engine(store());
  lease(engine, tokens_, 50, 100);
  engine.apply(detach_of(acme_, {engine.ref, 20, 100}, "token-1"));
  ASSERT_TRUE(store().close_engine(engine.ref.engine));
  EXPECT_EQ(state(tokens_).leased, 20);
}

TEST_P(LeaseContract, TakesBackFromTheSilentOnly) {
  Feeder silent(store()), loud(store()), idle(store());
  lease(silent, tokens_, 40, 100);
  lease(loud, tokens_, 10, 100);
  const Instant opened = clock().now();
  const std::vector<Lessee> both = *store().lessees();
  ASSERT_EQ(both.size(), 2U) << "the idle one has nothing to take";
  EXPECT_EQ(both[0].engine, silent.ref.engine);
  EXPECT_EQ(both[0].renewed_at, opened);
  EXPECT_EQ(both[1].engine, loud.ref.engine);
  clock().advance(std::chrono::minutes(11));
  renew(loud);
  EXPECT_EQ(store().lessees()->at(1).renewed_at, clock().now());
  EXPECT_EQ(store().take_back({}), 0);
  EXPECT_EQ(state(tokens_).leased, 50);
  EXPECT_EQ(store().take_back(both), 1) << "the other has renewed since it was seen";
  EXPECT_EQ(state(tokens_).leased, 10);
  EXPECT_EQ(store().take_back(both), 0) << "once";
  EXPECT_EQ(store().lessees()->size(), 1U);
  EXPECT_TRUE(renew(silent).lost);
  EXPECT_FALSE(renew(loud).lost);
  const std::vector<Lessee> last = *store().lessees();
  ASSERT_TRUE(store().close_engine(loud.ref.engine));
  EXPECT_TRUE(store().lessees()->empty());
  EXPECT_EQ(store().take_back(last), 0) << "it is closed";
}

TEST_P(LeaseContract, OpensEnginesWithNewNumbers) {
  const auto first = store().open_engine({.host = "a", .journal = "/j/1"});
  const auto second = store().open_engine({.host = "b"});
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->engine, second->engine);
  EXPECT_EQ(first->epoch, 1U);
  const auto engines = store().engines();
  ASSERT_TRUE(engines);
  ASSERT_EQ(engines->size(), 2U);
  EXPECT_EQ(engines->at(0).card.host, "a");
  EXPECT_EQ(engines->at(0).card.journal, "/j/1");
  EXPECT_EQ(engines->at(1).card.host, "b");
  EXPECT_EQ(engines->at(0).last_seq, 0U);
  EXPECT_EQ(engines->at(0).closed_at, std::nullopt);
  EXPECT_EQ(engines->at(0).renewed_at, kNoon);
}

TEST_P(LeaseContract, AbsentBudgetsAreZeros) {
  const std::vector<BudgetKey> keys{cost_of(acme_), tokens_};
  const auto states = store().budget_states(keys);
  ASSERT_TRUE(states);
  ASSERT_EQ(states->size(), 2U);
  EXPECT_EQ(states->at(0).key, cost_of(acme_)) << "in the order of the question";
  EXPECT_EQ(states->at(1).used, 0);
  EXPECT_EQ(states->at(1).limit, std::nullopt);
  EXPECT_TRUE(store().budgets(std::nullopt)->empty()) << "a question makes no budget";
}

INSTANTIATE_TEST_SUITE_P(Stores, LeaseContract, testing::ValuesIn(factories()), name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
