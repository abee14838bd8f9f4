// Orphans, erasing of people, pruning under seals, and verify.
#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;

class MaintenanceContract : public StoreContract {
 protected:
  std::vector<UsageRecord> records(const UsageFilter& filter = {}) {
    const auto page = store().usages(filter, "", 100);
    EXPECT_TRUE(page);
    return page ? page->records : std::vector<UsageRecord>{};
  }
  std::int64_t calls(const UsageFilter& filter = {}) {
    const auto rows = store().rollups({.usage = filter});
    EXPECT_TRUE(rows);
    return rows && !rows->empty() ? rows->at(0).calls : 0;
  }
  Settlement february_call(const Account& account, Amount tokens) {
    Settlement call = call_of(account, tokens);
    call.occurred_at = kFebruary.start;
    call.pins.period = kFebruary;
    call.budgets[0].key.span = kFebruary;
    return call;
  }
  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
};

Orphan orphan_of(const Account& account, EngineId engine, std::uint64_t hold) {
  Begin begin{.hold = hold, .epoch = 2, .opened_at = kNoon, .account = account, .user = "u1"};
  begin.provider = "openai";
  begin.model = "gpt-4o";
  begin.feature = "chat";
  begin.estimate_source = "learned";
  begin.budgets = {{.key = tokens_of(account), .held = 30, .limit = 100, .blocking = true}};
  return {.engine = engine, .hold = hold, .begin = begin};
}

// ---- Orphans.

TEST_P(MaintenanceContract, OrphansAreListedOnceAndDropped) {
  const Orphan first = orphan_of(acme_, 1, 5), second = orphan_of(zeta_, 1, 6);
  change(PutOrphans{{second, first}});
  change(PutOrphans{{first}});
  const auto orphans = store().orphans();
  ASSERT_TRUE(orphans);
  ASSERT_EQ(orphans->size(), 2U);
  EXPECT_EQ(orphans->at(0).engine, 1U);
  EXPECT_EQ(orphans->at(0).hold, 5U);
  EXPECT_EQ(orphans->at(0).begin, first.begin);
  change(DropOrphan{1, 5});
  refuse(DropOrphan{1, 5}, Code::not_found, "5");
  refuse(DropOrphan{2, 6}, Code::not_found, "6");
  EXPECT_EQ(store().orphans()->size(), 1U);
}

// ---- Erase and anonymize.

TEST_P(MaintenanceContract, AWalkThroughTheKeysPassesEachOnce) {
  Feeder engine(store());
  std::vector<Settlement> batch;
  std::vector<base::Key16> expected;
  for (int i = 0; i < 10; ++i) {
    batch.push_back(keyed(call_of(acme_, 1), "k" + std::to_string(i)));
    expected.push_back(batch.back().key->key);
  }
  engine.apply(batch);
  std::vector<base::Key16> walked;
  KeyCursor at;
  for (bool more = true; more;) {
    const Result<KeyPage> page = store().keys_after(at, 3);
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_LE(page->keys.size(), 3U);
    walked.insert(walked.end(), page->keys.begin(), page->keys.end());
    at = page->next;
    more = page->more;
  }
  std::ranges::sort(walked);
  std::ranges::sort(expected);
  EXPECT_EQ(walked, expected);
}

TEST_P(MaintenanceContract, APulseSaysWhoElseMayBringKeys) {
  const Feeder first(store());
  EXPECT_EQ(store().renew(first.ref, {})->others_open, 0);
  EXPECT_EQ(store().renew(first.ref, {})->newest_engine, first.ref.engine);
  const Feeder second(store());
  EXPECT_EQ(store().renew(first.ref, {})->others_open, 1);
  EXPECT_EQ(store().renew(first.ref, {})->newest_engine, second.ref.engine);
  ASSERT_TRUE(store().close_engine(second.ref.engine));
  EXPECT_EQ(store().renew(first.ref, {})->others_open, 0);
  EXPECT_EQ(store().renew(first.ref, {})->newest_engine, second.ref.engine) << "it was here";
}

TEST_P(MaintenanceContract, EraseClearsThePersonAndKeepsEveryFigure) {
  Feeder engine(store());
  Settlement call = keyed(call_of(acme_, 10), "k");
  call.meta = R"({"email":"a@example.com"})";
  Settlement other = call_of(acme_, 5);
  other.user = "u2";
  other.meta = R"({"job":"7"})";
  engine.apply({call, other, call_of(zeta_, 3)});
  const Changed changed = change(Erase{.tenant = acme_.tenant, .user = "u1"});
  EXPECT_EQ(changed.rows, 1);
  EXPECT_FALSE(changed.more);
  const std::vector<UsageRecord> rows = records();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].user_id, "");
  EXPECT_TRUE(rows[0].meta.empty());
  EXPECT_EQ(rows[0].usage.total_tokens.count, 10);
  EXPECT_EQ(rows[1].user_id, "u2");
  EXPECT_EQ(rows[1].meta.size(), 1U);
  EXPECT_EQ(rows[2].user_id, "u1") << "another tenant's user of that name";
  EXPECT_TRUE(records({.user = "u1"}).size() == 1);
  EXPECT_EQ(state(tokens_of(acme_)).used, 15);
  EXPECT_EQ(calls({.tenant = acme_.tenant}), 2);
  EXPECT_TRUE(*store().find_key(key_of("acme", "call", "k"))) << "counted once for ever";
  EXPECT_EQ(change(Erase{.tenant = acme_.tenant, .user = "u1"}).rows, 0);
}

TEST_P(MaintenanceContract, EraseByBillableAndByAge) {
  Feeder engine(store());
  Settlement old = february_call(acme_, 1);
  engine.apply({old, call_of(acme_, 2), call_of(account_of("acme", "2"), 3)});
  const auto users = [&] {
    std::string all;
    for (const UsageRecord& record : records()) all += record.user_id.empty() ? "-" : "u";
    return all;
  };
  change(Erase{.tenant = acme_.tenant, .older_than = kFebruary.start});
  EXPECT_EQ(users(), "uuu") << "just as old is not older";
  change(Erase{.tenant = acme_.tenant, .older_than = kFebruary.start + Duration(1)});
  EXPECT_EQ(users(), "-uu");
  change(Erase{.tenant = acme_.tenant, .billable = Billable{"user", "2"}});
  EXPECT_EQ(users(), "-u-");
  change(Erase{.tenant = acme_.tenant, .user = "u1", .billable = Billable{"user", "2"}});
  EXPECT_EQ(users(), "-u-") << "both must be met";
}

TEST_P(MaintenanceContract, EraseReachesOrphansAndTheDead) {
  Feeder engine(store());
  Settlement bad = call_of(acme_, 1);
  bad.budgets[0].actual = -1;
  bad.meta = R"({"a":"b"})";
  engine.apply(bad);
  change(PutOrphans{{orphan_of(acme_, 1, 5)}});
  EXPECT_EQ(change(Erase{.tenant = acme_.tenant, .user = "u1"}).rows, 2);
  EXPECT_EQ(store().dead()->at(0).settlement.user, "");
  EXPECT_EQ(store().dead()->at(0).settlement.meta, "");
  EXPECT_EQ(store().orphans()->at(0).begin.user, "");
}

TEST_P(MaintenanceContract, EraseGoesInSlicesAndRefusesToMeanEverybody) {
  Feeder engine(store());
  engine.apply(std::vector<Settlement>(5, call_of(acme_, 1)));
  const Erase slice{.tenant = acme_.tenant, .user = "u1", .limit = 2};
  std::int64_t rows = 0;
  int slices = 0;
  for (Changed changed{.more = true}; changed.more && slices < 9; ++slices) {
    changed = change(slice);
    EXPECT_LE(changed.rows, 2);
    rows += changed.rows;
  }
  EXPECT_EQ(rows, 5);
  EXPECT_EQ(slices, 3);
  EXPECT_TRUE(records({.user = "u1"}).empty());
  refuse(Erase{.tenant = acme_.tenant}, Code::invalid_argument, "erase");
  refuse(Erase{.tenant = acme_.tenant, .user = "u1", .limit = 0}, Code::invalid_argument, "limit");
}

// ---- Prune.

TEST_P(MaintenanceContract, PruneTakesWholePeriodsThatEnded) {
  Feeder engine(store());
  engine.apply({february_call(acme_, 10), call_of(acme_, 1), february_call(acme_, 20)});
  EXPECT_EQ(change(Prune{.before = kFebruary.end - Duration(1)}).rows, 0) << "not ended yet";
  EXPECT_EQ(records().size(), 3U);
  EXPECT_EQ(change(Prune{.before = kFebruary.end}).rows, 2);
  ASSERT_EQ(records().size(), 1U);
  EXPECT_EQ(records()[0].usage.total_tokens.count, 1);
  EXPECT_EQ(state(tokens_of(acme_, kFebruary)).used, 30) << "the counter stays";
  EXPECT_EQ(calls(), 3) << "the roll-ups stay";
  expect_verified(store());
  EXPECT_EQ(store().engines()->at(0).rowless, 2);
  EXPECT_FALSE(*store().settlement(row_id(engine.ref.engine, 1), std::nullopt));
  EXPECT_EQ(change(Prune{.before = kFebruary.end}).rows, 0);
}

TEST_P(MaintenanceContract, PruneWaitsForEveryBudgetOfThePeriodsRows) {
  Feeder engine(store());
  Settlement yearly = february_call(acme_, 10);
  BudgetKey year = tokens_of(acme_);
  year.kind = BudgetKind::requests;
  year.span = {kFebruary.start, kFebruary.start + std::chrono::days(365)};
  yearly.budgets.push_back({.key = year, .actual = 1});
  engine.apply({yearly, february_call(acme_, 5), february_call(account_of("acme", "2"), 6)});
  EXPECT_EQ(change(Prune{.before = kMarch.end}).rows, 1) << "only the account without a year";
  EXPECT_EQ(change(Prune{.before = year.span.end - Duration(1)}).rows, 0);
  EXPECT_EQ(change(Prune{.before = year.span.end}).rows, 2);
  EXPECT_EQ(state(year).used, 1);
}

TEST_P(MaintenanceContract, PruneOfATenantLeavesTheOthers) {
  Feeder engine(store());
  engine.apply({february_call(acme_, 10), february_call(zeta_, 20)});
  EXPECT_EQ(change(Prune{.tenant = zeta_.tenant, .before = kMarch.end}).rows, 1);
  ASSERT_EQ(records().size(), 1U);
  EXPECT_EQ(records()[0].account, acme_);
}

TEST_P(MaintenanceContract, PruneGoesInSlicesAndVerifiesAfterEach) {
  Feeder engine(store());
  engine.apply(std::vector<Settlement>(5, february_call(acme_, 1)));
  std::int64_t rows = 0;
  int slices = 0;
  for (Changed changed{.more = true}; changed.more && slices < 9; ++slices) {
    changed = change(Prune{.before = kMarch.start, .limit = 2});
    EXPECT_LE(changed.rows, 2);
    rows += changed.rows;
    expect_verified(store());
  }
  EXPECT_EQ(rows, 5);
  EXPECT_EQ(slices, 3);
  refuse(Prune{.before = kMarch.start, .limit = 0}, Code::invalid_argument, "limit");
}

TEST_P(MaintenanceContract, APrunedKeyStaysTakenAndAPrunedUsageCannotBeAdjusted) {
  Feeder engine(store());
  const Settlement usage = keyed(february_call(acme_, 10), "k");
  engine.apply(usage);
  const std::int64_t original = engine.row();
  change(Prune{.before = kMarch.start});
  const Applied repeat = engine.apply(usage);
  ASSERT_EQ(repeat.odd.size(), 1U);
  EXPECT_EQ(repeat.odd[0].what, Odd::duplicate);
  const Applied adjusted = engine.apply(adjustment_of(usage, original, -1));
  ASSERT_EQ(adjusted.odd.size(), 1U);
  EXPECT_EQ(adjusted.odd[0].what, Odd::dead);
  EXPECT_EQ(state(tokens_of(acme_, kFebruary)).used, 10);
}

TEST_P(MaintenanceContract, LateUsageOfAPrunedPeriodIsPrunedInItsTurn) {
  Feeder engine(store());
  engine.apply(february_call(acme_, 10));
  change(Prune{.before = kMarch.start});
  engine.apply(february_call(acme_, 7));
  expect_verified(store());
  EXPECT_EQ(change(Prune{.before = kMarch.start}).rows, 1);
  EXPECT_EQ(state(tokens_of(acme_, kFebruary)).used, 17);
}

TEST_P(MaintenanceContract, DuplicatesAndAdjustmentsArePrunedWithTheirPeriod) {
  Feeder engine(store());
  const Settlement usage = keyed(february_call(acme_, 10), "k");
  engine.apply({usage, usage});
  engine.apply(adjustment_of(usage, row_id(engine.ref.engine, 1), -4));
  EXPECT_EQ(change(Prune{.before = kMarch.start}).rows, 3);
  EXPECT_TRUE(records({.with_duplicates = true}).empty());
  EXPECT_EQ(state(tokens_of(acme_, kFebruary)).used, 6);
}

// ---- Verify.

TEST_P(MaintenanceContract, VerifySaysWhatItCounted) {
  Feeder engine(store()), other(store());
  lease(engine, tokens_of(acme_), 30, 100);
  Settlement bad = call_of(acme_, 1);
  bad.budgets[0].actual = -1;
  engine.apply({held_call_of(acme_, 10, {engine.ref, 10, 100}), bad, call_of(zeta_, 3),
                detach_of(acme_, {engine.ref, 5, 100}, "token-1")});
  std::int64_t asked = 0, of = 0;
  const auto verified = store().verify([&](std::int64_t, std::int64_t total) {
    ++asked;
    of = total;
    return true;
  });
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->findings.empty());
  EXPECT_EQ(verified->rows, 2);
  EXPECT_EQ(verified->budgets, 2);
  EXPECT_EQ(verified->engines, 2);
  EXPECT_GE(asked, 1);
  EXPECT_EQ(of, 2);
}

TEST_P(MaintenanceContract, VerifyStopsWhenItIsTold) {
  Feeder engine(store());
  engine.apply({call_of(acme_, 1), call_of(acme_, 2)});
  const auto verified = store().verify([](std::int64_t, std::int64_t) { return false; });
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Code::unavailable);
  EXPECT_NE(verified.error().message.find("interrupted"), std::string::npos);
}

TEST_P(MaintenanceContract, AnEmptyStoreIsInOrder) {
  const auto verified = store().verify({});
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->findings.empty());
  EXPECT_EQ(verified->rows, 0);
  EXPECT_TRUE(store().dead()->empty());
  EXPECT_TRUE(store().migrations());
}

INSTANTIATE_TEST_SUITE_P(Stores, MaintenanceContract, testing::ValuesIn(factories()),
                         name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
