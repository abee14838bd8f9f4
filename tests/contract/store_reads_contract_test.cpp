// What is read of usage: records by filter and page, roll-ups, feeds, single settlements, budgets;
// and that no read sees another tenant.
#include <limits>

#include "store/record.h"
#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;
using std::chrono::minutes;

class ReadsContract : public StoreContract {
 protected:
  UsagePage page(const UsageFilter& filter, std::string_view cursor = "", std::size_t limit = 100) {
    const auto page = store().usages(filter, cursor, limit);
    EXPECT_TRUE(page) << page.error().message;
    return page ? *page : UsagePage{};
  }
  std::vector<Amount> tokens_of_rows(const UsageFilter& filter) {
    std::vector<Amount> tokens;
    const UsagePage found = page(filter);
    for (const UsageRecord& record : found.records) {
      tokens.push_back(record.usage.total_tokens.count);
    }
    return tokens;
  }
  std::vector<RollupRow> rollups(const RollupFilter& filter) {
    const auto rows = store().rollups(filter);
    EXPECT_TRUE(rows) << rows.error().message;
    return rows ? *rows : std::vector<RollupRow>{};
  }
  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
};

// ---- Records.

TEST_P(ReadsContract, ASettlementIsReadAsItWasWritten) {
  Feeder engine(store());
  Settlement call = keyed(call_of(acme_, 101), "k");
  call.hold = 9;
  call.flags = kEstimated | kProvisional | kCostFromProvider | kTotalOnly;
  call.occurred_at = kNoon - Duration(1);
  call.api_key = "key-1";
  call.session = "s-1";
  call.pins.subscription = 3;
  call.pins.plan = 4;
  call.pins.plan_version = 5;
  call.pins.plan_slug = "pro";
  call.pins.mode = BillingMode::credits;
  call.pins.price_version = "2026-03-01";
  call.pins.price_model = "gpt-4o";
  call.pins.tenant_found_by = "explicit";
  call.pins.estimate_source = "given";
  call.pins.estimate_tokens = 120;
  call.pins.estimate_cost_nanos = 1'300;
  call.pins.capped = true;
  call.pins.catalogue = 6;
  call.usage.cached_input_tokens.count = 7;
  call.usage.cache_write_tokens.count = 6;
  call.usage.cache_write_5m_tokens.count = 2;
  call.usage.cache_write_1h_tokens.count = 3;
  call.usage.input_audio_tokens.count = 4;
  call.usage.cached_input_audio_tokens.count = 1;
  call.usage.reasoning_tokens.count = 11;
  call.usage.output_audio_tokens.count = 5;
  call.usage.units = {{"images", 2}, {"seconds", 30}};
  call.usage.total_only = true;
  call.usage.service_tier = "batch";
  call.meta = R"({"job":"7","nested":{"a":1},"n":3})";
  call.budgets.push_back({.key = user_tokens_of(acme_, "u1"),
                          .actual = 101,
                          .limit = 50,
                          .shadow = true,
                          .would_refuse = true});
  engine.apply(call);
  call.seq = 1;
  const auto found = store().settlement(engine.row(), acme_.tenant);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(**found, call) << "to the last field";

  const UsagePage records = page({});
  ASSERT_EQ(records.records.size(), 1U);
  const UsageRecord& record = records.records[0];
  EXPECT_EQ(record.id, engine.row());
  EXPECT_EQ(record.account, acme_);
  EXPECT_EQ(record.user_id, "u1");
  EXPECT_EQ(record.api_key, "key-1");
  EXPECT_EQ(record.session, "s-1");
  EXPECT_EQ(record.provider, "openai");
  EXPECT_EQ(record.model, "gpt-4o");
  EXPECT_EQ(record.feature, "chat");
  EXPECT_EQ(record.usage, call.usage);
  EXPECT_EQ(record.total_cost, (Money{1'010, "usd"}));
  EXPECT_EQ(record.input_cost, (Money{500, "usd"}));
  EXPECT_EQ(record.output_cost, (Money{510, "usd"}));
  EXPECT_EQ(record.cost_source, CostSource::provider);
  EXPECT_TRUE(record.estimated && record.unpriced);
  EXPECT_FALSE(record.duplicate || record.late || record.adjustment);
  EXPECT_EQ(record.plan, "pro");
  EXPECT_EQ(record.price_version, "2026-03-01");
  EXPECT_EQ(record.subscription_id, 3);
  EXPECT_EQ(record.meta, (Meta{{"job", "7"}, {"nested", R"({"a":1})"}, {"n", "3"}}));
  EXPECT_EQ(record.occurred_at, kNoon - Duration(1));
}

TEST_P(ReadsContract, AFilterKeepsTheRowsThatMatchAllOfIt) {
  Feeder engine(store());
  Settlement one = call_of(acme_, 1), two = call_of(acme_, 2), three = call_of(zeta_, 3);
  one.meta = R"({"job":"7"})";
  two.user = "u2";
  two.provider = "anthropic";
  two.model = "claude";
  two.feature = "search";
  two.account.billable.id = "2";
  two.budgets[0].key.account = two.account;
  two.meta = R"({"job":"8"})";
  two.occurred_at = kNoon + minutes(1);
  three.occurred_at = kNoon + minutes(2);
  engine.apply({one, two, three});

  struct Row {
    const char* sentence;
    UsageFilter filter;
    std::vector<Amount> tokens;
  };
  const Row rows[] = {
      {"nothing asked: all", {}, {1, 2, 3}},
      {"of a tenant", {.tenant = acme_.tenant}, {1, 2}},
      {"of a tenant without rows", {.tenant = TenantId{"nobody"}}, {}},
      {"of no tenant", {.tenant = TenantId{""}}, {}},
      {"of a billable in every tenant", {.billable = acme_.billable}, {1, 3}},
      {"of a tenant's billable", {.tenant = acme_.tenant, .billable = acme_.billable}, {1}},
      {"by user", {.user = "u2"}, {2}},
      {"by a user of another tenant", {.tenant = zeta_.tenant, .user = "u2"}, {}},
      {"by provider", {.provider = "openai"}, {1, 3}},
      {"by model", {.model = "claude"}, {2}},
      {"by feature", {.feature = "chat"}, {1, 3}},
      {"by feature, but not its beginning", {.feature = "cha"}, {}},
      {"by meta", {.meta = std::pair{"job", "7"}}, {1}},
      {"by meta that nobody has", {.meta = std::pair{"job", "9"}}, {}},
      {"from an instant on, that instant included", {.from = kNoon + minutes(1)}, {2, 3}},
      {"to an instant, that instant not included", {.to = kNoon + minutes(1)}, {1}},
      {"both", {.from = kNoon + minutes(1), .to = kNoon + minutes(2)}, {2}},
      {"an empty span", {.from = kNoon, .to = kNoon}, {}},
      {"two that exclude each other", {.user = "u2", .provider = "openai"}, {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(tokens_of_rows(row.filter), row.tokens);
  }
}

TEST_P(ReadsContract, DuplicatesAreSeenOnlyWhenAskedForAndAdjustmentsAlways) {
  Feeder engine(store());
  const Settlement call = keyed(call_of(acme_, 10), "k");
  engine.apply({call, call});
  engine.apply(adjustment_of(call, row_id(engine.ref.engine, 1), -4));
  const UsagePage plain = page({});
  ASSERT_EQ(plain.records.size(), 2U);
  EXPECT_TRUE(plain.records[1].adjustment);
  EXPECT_EQ(plain.records[1].adjusts, row_id(engine.ref.engine, 1));
  EXPECT_EQ(plain.records[1].usage.total_tokens.count, -4);
  const UsagePage all = page({.with_duplicates = true});
  ASSERT_EQ(all.records.size(), 3U);
  EXPECT_TRUE(all.records[1].duplicate);
}

TEST_P(ReadsContract, PagesAreOldestFirstAndLoseNothing) {
  Feeder one(store()), other(store());
  std::vector<Settlement> late, early;
  for (int i = 0; i < 5; ++i) {
    late.push_back(call_of(acme_, 100 + i));  // all at once: by id
    early.push_back(call_of(acme_, i));
    early.back().occurred_at = kNoon - minutes(10 - i);
  }
  other.apply(late);
  one.apply(early);
  for (const std::size_t limit : {1U, 2U, 3U, 9U, 10U, 11U}) {
    SCOPED_TRACE(limit);
    std::vector<Amount> tokens;
    std::string cursor;
    std::size_t pages = 0;
    do {
      const UsagePage next = page({.tenant = acme_.tenant}, cursor, limit);
      EXPECT_LE(next.records.size(), limit);
      for (const UsageRecord& record : next.records) {
        tokens.push_back(record.usage.total_tokens.count);
      }
      cursor = next.next;
    } while (!cursor.empty() && ++pages < 20);
    EXPECT_EQ(tokens, (std::vector<Amount>{0, 1, 2, 3, 4, 100, 101, 102, 103, 104}));
  }
}

TEST_P(ReadsContract, ThePageThatJustFitsIsTheLast) {
  Feeder engine(store());
  engine.apply({call_of(acme_, 1), call_of(acme_, 2)});
  EXPECT_EQ(page({}, "", 2).next, "");
  EXPECT_NE(page({}, "", 1).next, "");
}

TEST_P(ReadsContract, ACursorKeepsItsTenant) {
  Feeder engine(store());
  engine.apply({call_of(acme_, 1), call_of(acme_, 2), call_of(zeta_, 3)});
  const std::string cursor = page({.tenant = acme_.tenant}, "", 1).next;
  const UsagePage stranger = page({.tenant = zeta_.tenant}, cursor, 10);
  for (const UsageRecord& record : stranger.records) EXPECT_EQ(record.account, zeta_);
}

TEST_P(ReadsContract, ABadPageIsRefused) {
  struct Row {
    const char* sentence;
    const char* cursor;
    std::size_t limit;
    const char* word;
  };
  constexpr Row kRows[] = {
      {"no rows", "", 0, "limit"},
      {"one more than the most", "", kPageMax + 1, "limit"},
      {"words", "words", 1, "cursor"},
      {"half a cursor", "12.", 1, "cursor"},
      {"a quote", "1.1' OR 1=1", 1, "cursor"},
      {"out of range", "1.99999999999999999999", 1, "cursor"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const auto found = store().usages({}, row.cursor, row.limit);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::invalid_argument);
    EXPECT_NE(found.error().message.find(row.word), std::string::npos) << found.error().message;
  }
  EXPECT_TRUE(store().usages({}, "", kPageMax));
}

TEST_P(ReadsContract, NamesAreDataAndNeverPartOfAQuery) {
  Feeder engine(store());
  const Account quoted = account_of("x' OR '1'='1", "%");
  engine.apply({call_of(quoted, 1), call_of(acme_, 2)});
  EXPECT_EQ(tokens_of_rows({.tenant = quoted.tenant}), std::vector<Amount>{1});
  EXPECT_EQ(tokens_of_rows({.billable = quoted.billable}), std::vector<Amount>{1});
  EXPECT_EQ(tokens_of_rows({.user = "u1' OR '1'='1"}), std::vector<Amount>{});
  EXPECT_EQ(store().budgets(quoted.tenant)->size(), 1U);
}

TEST_P(ReadsContract, LookAlikesAreApart) {
  Feeder engine(store());
  engine.apply({call_of(account_of("acme"), 1), call_of(account_of("ACME"), 2),
                call_of(account_of("acme "), 3),
                call_of(account_of("\xD0\xB0"
                                   "cme"),
                        4)});
  EXPECT_EQ(tokens_of_rows({.tenant = TenantId{"acme"}}), std::vector<Amount>{1});
  EXPECT_EQ(tokens_of_rows({.tenant = TenantId{"ACME"}}), std::vector<Amount>{2});
  EXPECT_EQ(tokens_of_rows({.tenant = TenantId{"acme "}}), std::vector<Amount>{3});
  EXPECT_EQ(tokens_of_rows({.tenant = TenantId{"\xD0\xB0"
                                               "cme"}}),
            std::vector<Amount>{4});
  EXPECT_EQ(store().tenants()->size(), 4U);
}

// ---- Roll-ups.

TEST_P(ReadsContract, RollUpsAreTheSumsOfTheirRows) {
  Feeder engine(store());
  Settlement cached = call_of(acme_, 11);
  cached.usage.cached_input_tokens.count = 3;
  cached.flags = kEstimated;
  Settlement unpriced = call_of(zeta_, 4);
  unpriced.flags = kProvisional;
  Settlement euros = call_of(acme_, 2);
  euros.total_cost = {700, "eur"};
  engine.apply({call_of(acme_, 10), cached, unpriced, euros});
  engine.apply(adjustment_of(call_of(acme_, 10), row_id(engine.ref.engine, 1), -4));

  const std::vector<RollupRow> all = rollups({});
  ASSERT_EQ(all.size(), 2U) << "one a currency";
  EXPECT_EQ(all[0].currency, "eur");
  EXPECT_EQ(all[0].calls, 1);
  EXPECT_EQ(static_cast<std::int64_t>(all[0].cost_nanos), 700);
  EXPECT_EQ(all[1].currency, "usd");
  EXPECT_EQ(all[1].calls, 3) << "an adjustment is no call";
  EXPECT_EQ(all[1].input_tokens, 5 + 5 + 2 - 2);
  EXPECT_EQ(all[1].output_tokens, 5 + 6 + 2 - 2);
  EXPECT_EQ(all[1].cached_input_tokens, 3);
  EXPECT_EQ(static_cast<std::int64_t>(all[1].cost_nanos), 100 + 110 + 40 - 40);
  EXPECT_EQ(all[1].estimated, 1);
  EXPECT_EQ(all[1].provisional, 1);
  EXPECT_EQ(all[1].tenants, 2);
}

TEST_P(ReadsContract, ItsPriceTakesACallOutOfTheProvisionalOnes) {
  Feeder engine(store());
  Settlement unpriced = call_of(acme_, 4);
  unpriced.flags = kProvisional;
  engine.apply({unpriced, unpriced, call_of(acme_, 4)});
  EXPECT_EQ(rollups({}).at(0).provisional, 2);
  const std::int64_t first = row_id(engine.ref.engine, 1);
  engine.apply(adjustment_of(unpriced, first, 0));
  EXPECT_EQ(rollups({}).at(0).provisional, 2) << "any other correction leaves the mark";
  Settlement price = adjustment_of(unpriced, first, 0);
  price.flags |= kProvisional;
  engine.apply(price);
  EXPECT_EQ(rollups({}).at(0).provisional, 1);
  EXPECT_EQ(rollups({}).at(0).calls, 3);
  expect_verified(store());
}

TEST_P(ReadsContract, RollUpsAreGroupedAsAsked) {
  Feeder engine(store());
  Settlement claude = call_of(acme_, 3);
  claude.provider = "anthropic";
  claude.model = "claude";
  claude.feature = "search";
  Settlement later = call_of(acme_, 5);
  later.occurred_at = kNoon + minutes(15);
  engine.apply(
      {call_of(acme_, 1), call_of(account_of("acme", "2"), 2), claude, call_of(zeta_, 4), later});

  const auto calls = [&](const RollupFilter& filter) {
    std::vector<std::pair<std::string, std::int64_t>> groups;
    for (const RollupRow& row : rollups(filter)) {
      std::string name = row.account.tenant.text + "/" + row.account.billable.id + "/" +
                         row.provider + "/" + row.model + "/" + row.feature;
      groups.emplace_back(name, row.calls);
    }
    return groups;
  };
  using Groups = std::vector<std::pair<std::string, std::int64_t>>;
  EXPECT_EQ(calls({}), (Groups{{"////", 5}}));
  EXPECT_EQ(calls({.by_tenant = true}), (Groups{{"acme////", 4}, {"zeta////", 1}}));
  EXPECT_EQ(calls({.by_billable = true}), (Groups{{"/1///", 4}, {"/2///", 1}}));
  EXPECT_EQ(calls({.by_tenant = true, .by_billable = true}),
            (Groups{{"acme/1///", 3}, {"acme/2///", 1}, {"zeta/1///", 1}}));
  EXPECT_EQ(calls({.by_provider = true}), (Groups{{"//anthropic//", 1}, {"//openai//", 4}}));
  EXPECT_EQ(calls({.by_model = true}), (Groups{{"///claude/", 1}, {"///gpt-4o/", 4}}));
  EXPECT_EQ(calls({.by_feature = true}), (Groups{{"////chat", 4}, {"////search", 1}}));
  EXPECT_EQ(calls({.usage = {.tenant = acme_.tenant, .model = "gpt-4o"}, .by_feature = true}),
            (Groups{{"////chat", 3}}));
  EXPECT_EQ(calls({.usage = {.tenant = TenantId{"nobody"}}}), Groups{});

  const std::vector<RollupRow> buckets = rollups({.by_bucket = true});
  ASSERT_EQ(buckets.size(), 2U);
  EXPECT_EQ(buckets[0].bucket, kNoon);
  EXPECT_EQ(buckets[0].calls, 4);
  EXPECT_EQ(buckets[1].bucket, kNoon + minutes(15));
}

TEST_P(ReadsContract, ABucketIsAQuarterOfAnHour) {
  Feeder engine(store());
  std::vector<Settlement> calls;
  for (const Duration at :
       {Duration(-1), Duration(0), Duration(minutes(15)) - Duration(1), Duration(minutes(15))}) {
    calls.push_back(call_of(acme_, 1));
    calls.back().occurred_at = kNoon + at;
  }
  engine.apply(calls);
  const auto count = [&](std::optional<Instant> from, std::optional<Instant> to) {
    const std::vector<RollupRow> rows = rollups({.usage = {.from = from, .to = to}});
    return rows.empty() ? 0 : rows[0].calls;
  };
  EXPECT_EQ(count(kNoon, kNoon + minutes(15)), 2) << "from is in, to is not";
  EXPECT_EQ(count(std::nullopt, kNoon), 1);
  EXPECT_EQ(count(kNoon + minutes(15), std::nullopt), 1);
}

TEST_P(ReadsContract, RollUpsRefuseWhatTheyDoNotKnow) {
  struct Row {
    const char* sentence;
    UsageFilter filter;
    const char* word;
  };
  const Row rows[] = {
      {"users are not in them", {.user = "u1"}, "user"},
      {"nor is meta", {.meta = std::pair{"job", "7"}}, "meta"},
      {"from within a bucket", {.from = kNoon + minutes(1)}, "from"},
      {"to within a bucket", {.to = kNoon - Duration(1)}, "to"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto found = store().rollups({.usage = row.filter});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::invalid_argument);
    EXPECT_EQ(found.error().message.find(row.word), 0U) << found.error().message;
  }
}

TEST_P(ReadsContract, SumsAreWiderThanTheirParts) {
  Feeder engine(store());
  constexpr Amount kHuge = std::numeric_limits<Amount>::max() - 1;
  Settlement a = call_of(acme_, 0), b = call_of(zeta_, 0);
  a.total_cost.nanos = b.total_cost.nanos = kHuge;
  engine.apply({a, b});
  const std::vector<RollupRow> all = rollups({});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].cost_nanos / 2 == kHuge);
}

// ---- Feeds and single settlements.

TEST_P(ReadsContract, AFeedFollowsOneEnginesSeqs) {
  Feeder one(store()), other(store());
  const Settlement call = keyed(call_of(acme_, 10), "k");
  Settlement bad = call_of(acme_, 1);
  bad.budgets[0].actual = -1;
  one.apply({call, call, bad, call_of(zeta_, 4)});
  other.apply(call_of(acme_, 5));
  const auto seqs = [&](EngineId engine, Seq after, std::size_t limit) {
    std::vector<Seq> found;
    const auto feed = store().feed({.engine = engine, .after = after}, limit);
    EXPECT_TRUE(feed);
    for (const Settlement& settlement : *feed) found.push_back(settlement.seq);
    return found;
  };
  EXPECT_EQ(seqs(one.ref.engine, 0, 10), (std::vector<Seq>{1, 2, 4})) << "duplicates, no dead";
  EXPECT_EQ(seqs(one.ref.engine, 1, 10), (std::vector<Seq>{2, 4}));
  EXPECT_EQ(seqs(one.ref.engine, 0, 2), (std::vector<Seq>{1, 2}));
  EXPECT_EQ(seqs(one.ref.engine, 4, 10), std::vector<Seq>{});
  EXPECT_EQ(seqs(other.ref.engine, 0, 10), std::vector<Seq>{1});
  EXPECT_EQ(seqs(77, 0, 10), std::vector<Seq>{});
  const auto none = store().feed({.engine = one.ref.engine}, 0);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::invalid_argument);
}

TEST_P(ReadsContract, ASettlementIsSeenByItsTenantOnly) {
  Feeder engine(store());
  engine.apply(call_of(acme_, 10));
  EXPECT_TRUE(*store().settlement(engine.row(), acme_.tenant));
  EXPECT_TRUE(*store().settlement(engine.row(), std::nullopt));
  EXPECT_FALSE(*store().settlement(engine.row(), zeta_.tenant));
  EXPECT_FALSE(*store().settlement(engine.row(), TenantId{""}));
  EXPECT_FALSE(*store().settlement(engine.row() + 1, std::nullopt));
}

TEST_P(ReadsContract, BudgetsOfATenantAreItsOwn) {
  Feeder engine(store());
  engine.apply({call_of(acme_, 1), call_of(zeta_, 2), call_of(account_of(""), 3)});
  for (const auto& [tenant, used] : {std::pair{"acme", 1}, {"zeta", 2}, {"", 3}}) {
    const auto budgets = store().budgets(TenantId{tenant});
    ASSERT_TRUE(budgets);
    ASSERT_EQ(budgets->size(), 1U);
    EXPECT_EQ(budgets->at(0).used, used);
    EXPECT_EQ(budgets->at(0).key, tokens_of(account_of(tenant)));
  }
  EXPECT_EQ(store().budgets(std::nullopt)->size(), 3U);
}

TEST_P(ReadsContract, ABudgetKeyIsAllOfItsParts) {
  Feeder engine(store());
  const BudgetKey base = tokens_of(acme_);
  std::vector<BudgetKey> keys(8, base);
  keys[1].kind = BudgetKind::requests;
  keys[2].scope = BudgetScope::session;
  keys[3] = user_tokens_of(acme_, "u1");
  keys[4].span.start += Duration(1);
  keys[5].span.end += Duration(1);
  keys[6].plan = 3;
  keys[7] = cost_of(acme_);
  Settlement call = call_of(acme_, 0);
  call.budgets.clear();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    call.budgets.push_back({.key = keys[i], .actual = static_cast<Amount>(i + 1)});
  }
  keys.push_back(cost_of(acme_));
  keys.back().currency = "eur";
  call.budgets.push_back({.key = keys.back(), .actual = 9});
  engine.apply(call);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(state(keys[i]).used, static_cast<Amount>(i + 1));
    EXPECT_EQ(state(keys[i]).key, keys[i]);
  }
}

TEST_P(ReadsContract, AStoreHasOneIdAndTheClocksTime) {
  EXPECT_EQ(*store().store_id(), *store().store_id());
  EXPECT_NE(*store().store_id(), base::Key16{});
  clock().advance(minutes(3));
  EXPECT_EQ(store().now(), kNoon + minutes(3));
}

INSTANTIATE_TEST_SUITE_P(Stores, ReadsContract, testing::ValuesIn(factories()), name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
