// Usage that happened elsewhere, its corrections and its sums, against a whole engine on memory.
#include <gtest/gtest.h>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"
#include "store/store.h"

namespace aimeter {
namespace {

using testing::TestEngine;

const Billable kAcme{"tenant", "acme"};
constexpr Duration kDay = std::chrono::days(1);

UsageRecord used(std::int64_t input, std::int64_t output, std::string_view key = {}) {
  return {.provider = "openai",
          .model = "gpt-4o-mini",
          .usage = {.input_tokens = {input}, .output_tokens = {output}},
          .idempotency_key = std::string(key)};
}
UsageRecord at(Instant when) {
  UsageRecord record = used(10, 20);
  record.occurred_at = when;
  return record;
}

TEST(Record, is_counted_priced_and_never_refused_by_a_limit) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  engine.subscribe("acme", kAcme, "small");
  const auto settled = engine->tenant("acme").record(used(100, 50));
  ASSERT_TRUE(settled) << settled.error().message;
  EXPECT_EQ(settled->record.total_cost.text(), "0.000045");
  EXPECT_EQ(settled->record.plan, "small");
  EXPECT_TRUE(settled->limit.hard_limit_reached);
  EXPECT_EQ(engine->tenant("acme").check_limit(kAcme)->used->count, 150);
  EXPECT_EQ(engine.log().count("UsageRecorded"), 1U);
  EXPECT_EQ(engine.log().count("LimitReached"), 1U);
}

TEST(Record, a_key_recorded_before_gives_the_original_record) {
  TestEngine engine;
  const auto first = engine->tenant("acme").record(used(10, 20, "k"));
  const auto second = engine->tenant("acme").record(used(10, 20, "k"));
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(first->duplicate);
  EXPECT_TRUE(second->duplicate);
  EXPECT_EQ(second->record.id, first->record.id);
  EXPECT_EQ(engine->tenant("acme").usages().with_duplicates().get()->size(), 1U);
  const auto other = engine->tenant("acme").record(used(11, 20, "k"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::conflict);
  EXPECT_TRUE(engine->tenant("other").record(used(11, 20, "k"))) << "keys are per tenant";
}

TEST(Record, a_key_whose_row_was_pruned_gives_back_what_is_known) {
  testing::ManualClock clock(TestEngine::default_start());
  const std::unique_ptr<store::Store> store = store::make_memory_store(clock);
  OpenOptions options{.clock = &clock};
  options.ports.store = store.get();
  const Engine engine = *open("memory:", std::move(options));
  UsageRecord record = used(10, 20, "k");
  record.occurred_at = clock.now() - 80 * kDay;
  record.meta = {{"team", "red"}};
  const auto first = engine.tenant("acme").record(record);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(engine.drain());
  ASSERT_EQ(store->change({store::Prune{.before = clock.now()}, "test"})->rows, 1);
  const auto again = engine.tenant("acme").record(record);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->record.id, first->record.id);
  EXPECT_TRUE(again->record.duplicate) << "what is shown is not the row, and not billed";
  EXPECT_EQ(again->record.usage.total_tokens.count, 30);
  EXPECT_EQ(again->record.total_cost, first->record.total_cost);
  EXPECT_EQ(again->record.occurred_at, record.occurred_at);
  EXPECT_EQ(again->record.meta, record.meta);
  EXPECT_EQ(again->record.idempotency_key, "k");
  EXPECT_EQ(engine.tenant("acme").usages().sum()->calls, 1) << "counted once";
  UsageRecord other = record;
  other.usage.input_tokens.count = 11;
  const auto conflict = engine.tenant("acme").record(other);
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code, Code::conflict);
}

TEST(Record, time_is_bounded_unless_it_is_history) {
  TestEngine engine;
  const Instant now = engine.clock().now();
  const struct {
    std::string_view sentence;
    Instant when;
    Horizon horizon;
    bool good;
  } rows[] = {
      {"90 days ago just fits", now - 90 * kDay, Horizon::recent, true},
      {"a microsecond more does not", now - 90 * kDay - Duration(1), Horizon::recent, false},
      {"5 minutes ahead just fits", now + std::chrono::minutes(5), Horizon::recent, true},
      {"a microsecond more does not", now + std::chrono::minutes(5) + Duration(1), Horizon::recent,
       false},
      {"history may be of any age", now - 4'000 * kDay, Horizon::history, true},
      {"history is not of the future", now + std::chrono::minutes(5) + Duration(1),
       Horizon::history, false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto settled = engine->tenant("acme").record(at(row.when), {.horizon = row.horizon});
    EXPECT_EQ(settled.has_value(), row.good) << (settled ? "" : settled.error().message);
    if (!settled) {
      EXPECT_EQ(settled.error().code, Code::invalid_argument);
      EXPECT_EQ(settled.error().message.find("occurred_at"), 0U);
    } else {
      EXPECT_EQ(settled->record.occurred_at, row.when);
    }
  }
}

TEST(Record, counts_in_the_period_of_its_time) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  const Instant now = engine.clock().now();
  ASSERT_TRUE(engine->tenant("acme").subscribe(
      {.billable = kAcme, .plan = "small", .started_at = now - 60 * kDay}));
  ASSERT_TRUE(engine->tenant("acme").record(at(now - 20 * kDay)));
  EXPECT_EQ(engine->tenant("acme").check_limit(kAcme)->used->count, 0) << "that was February";
  ASSERT_TRUE(engine->tenant("acme").record(at(now - kDay)));
  EXPECT_EQ(engine->tenant("acme").check_limit(kAcme)->used->count, 30);
}

TEST(Record, a_batch_is_all_or_none_and_names_the_bad_one) {
  TestEngine engine;
  UsageRecord bad = used(1, 1);
  bad.feature = "no good";
  const std::vector<UsageRecord> mixed{used(10, 20), bad, used(30, 40)};
  const auto none = engine->tenant("acme").record_batch(mixed);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::invalid_argument);
  EXPECT_EQ(none.error().message.find("records[1]: feature"), 0U) << none.error().message;
  EXPECT_TRUE(engine->tenant("acme").usages().get()->empty());
  const auto each = engine->tenant("acme").record_each(mixed);
  ASSERT_EQ(each.size(), 3U);
  EXPECT_TRUE(each[0]);
  EXPECT_FALSE(each[1]);
  EXPECT_TRUE(each[2]);
  const std::vector<UsageRecord> twice{used(1, 2, "k"), used(1, 2, "k")};
  const auto batch = engine->tenant("acme").record_batch(twice);
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_FALSE(batch->at(0).duplicate);
  EXPECT_TRUE(batch->at(1).duplicate) << "the same key twice in one batch";
  EXPECT_EQ(engine->tenant("acme").usages().get()->size(), 3U);
}

TEST(Record, enforced_rows_are_refused_like_live_calls_of_their_time) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  const Instant now = engine.clock().now();
  ASSERT_TRUE(engine->tenant("acme").subscribe(
      {.billable = kAcme, .plan = "small", .started_at = now - 60 * kDay}));
  const RecordOptions enforced{.enforce = Enforce::limits};
  std::vector<UsageRecord> rows;
  for (const int days_ago : {20, 20, 20, 20, 1}) {
    rows.push_back(at(now - days_ago * kDay));
  }
  const auto results = engine->tenant("acme").record_each(rows, enforced);
  const bool expected[] = {true, true, true, false, true};  // 30 each, 100 a month
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(results[i].has_value(), expected[i]);
    const Code code = results[i] ? Code::quota_exceeded : results[i].error().code;
    EXPECT_EQ(code, Code::quota_exceeded);
  }
  const auto batch = engine->tenant("acme").record_batch(rows, enforced);
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, Code::invalid_argument);
}

TEST(Record, what_is_not_usage_is_refused) {
  TestEngine engine;
  UsageRecord foreign = used(1, 1);
  foreign.account.tenant = {"other"};
  const struct {
    std::string_view sentence;
    UsageRecord record;
    std::string_view names;
  } rows[] = {
      {"nothing used", UsageRecord{.provider = "openai"}, "usage"},
      {"a negative count", used(-1, 5), "input_tokens"},
      {"another tenant's account", foreign, "tenant"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto settled = engine->tenant("acme").record(row.record);
    ASSERT_FALSE(settled);
    EXPECT_EQ(settled.error().code, Code::invalid_argument);
    EXPECT_NE(settled.error().message.find(row.names), std::string::npos)
        << settled.error().message;
  }
  EXPECT_FALSE(engine->tenant("a\nb").record(used(1, 1)));
}

// ---- adjustments

TEST(Adjust, corrects_in_the_original_period_and_takes_no_more_than_is_left) {
  TestEngine engine;
  engine.plan("small", Tokens{1'000});
  engine.subscribe("acme", kAcme, "small");
  const TenantView acme = engine->tenant("acme");
  const std::int64_t row = acme.record(used(100, 50))->record.id;
  const auto less = acme.adjust({.of = row,
                                 .usage = {.input_tokens = {-40}},
                                 .cost = Money{-6'000, "usd"},
                                 .reason = "counted twice",
                                 .idempotency_key = "fix-1"});
  ASSERT_TRUE(less) << less.error().message;
  EXPECT_TRUE(less->record.adjustment);
  EXPECT_EQ(less->record.adjusts, row);
  EXPECT_EQ(less->record.meta.at("reason"), "counted twice");
  EXPECT_EQ(acme.check_limit(kAcme)->used->count, 110);
  EXPECT_EQ(acme.usages().sum()->total_tokens.count, 110);
  EXPECT_EQ(acme.usages().sum()->total_cost.nanos, 39'000);
  EXPECT_EQ(acme.usages().sum()->calls, 1) << "an adjustment is no call";
  const auto again = acme.adjust({.of = row,
                                  .usage = {.input_tokens = {-40}},
                                  .cost = Money{-6'000, "usd"},
                                  .idempotency_key = "fix-1"});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(acme.check_limit(kAcme)->used->count, 110);
  const auto too_much = acme.adjust({.of = row, .usage = {.input_tokens = {-61}}});
  ASSERT_FALSE(too_much);
  EXPECT_EQ(too_much.error().code, Code::invalid_argument);
  EXPECT_NE(too_much.error().message.find("60"), std::string::npos) << too_much.error().message;
  EXPECT_TRUE(acme.adjust({.of = row, .usage = {.input_tokens = {-60}}}));
  EXPECT_FALSE(acme.adjust({.of = less->record.id, .usage = {.input_tokens = {1}}}));
  const auto foreign = engine->tenant("other").adjust({.of = row, .usage = {.input_tokens = {1}}});
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::not_found);
}

// ---- reprice

TEST(Reprice, provisional_usage_gets_its_price_once_one_is_known) {
  testing::ManualClock clock(TestEngine::default_start());
  const std::unique_ptr<store::Store> store = store::make_memory_store(clock);
  const auto opened = [&](std::vector<ConfiguredPrice> prices) {
    OpenOptions options{.clock = &clock};
    options.pricing.configured = std::move(prices);
    options.ports.store = store.get();
    return *open("memory:", std::move(options));
  };
  UsageRecord record = used(1'000, 500);
  record.model = "new-model";
  {
    const Engine engine = opened({});
    const auto settled = engine.tenant("acme").record(record);
    ASSERT_TRUE(settled);
    EXPECT_TRUE(settled->record.unpriced);
    const auto report = engine.admin().reprice({});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->seen, 1);
    EXPECT_EQ(report->changed, 0);
    EXPECT_EQ(report->unpriced, 1);
  }
  ConfiguredPrice known = *ConfiguredPrice::parse("price", "0.001", "0.002");
  known.provider = "openai";
  known.model = "new-model";
  const Engine engine = opened({known});
  const auto dry = engine.admin().reprice({.run = Run::dry});
  ASSERT_TRUE(dry) << dry.error().message;
  EXPECT_EQ(dry->changed, 1);
  ASSERT_EQ(dry->accounts.size(), 1U);
  EXPECT_EQ(dry->accounts[0].before.text(), "0");
  EXPECT_EQ(dry->accounts[0].after.text(), "0.002");
  EXPECT_EQ(engine.tenant("acme").usages().sum()->total_cost.text(), "0") << "it was dry";
  const auto provisional = [&](UsageQuery query) {
    const auto sum = std::move(query).sum();
    EXPECT_TRUE(sum) << sum.error().message;
    return sum ? sum->provisional_calls : -1;
  };
  const auto by_rows = [&] {  // a range that cuts its bucket is read row by row
    return engine.tenant("acme").usages().in_period(TestEngine::default_start() - Duration(1));
  };
  EXPECT_EQ(provisional(engine.tenant("acme").usages()), 1);
  EXPECT_EQ(provisional(by_rows()), 1);
  ASSERT_TRUE(engine.admin().reprice({}));
  EXPECT_EQ(engine.tenant("acme").usages().sum()->total_cost.text(), "0.002");
  EXPECT_EQ(provisional(engine.tenant("acme").usages()), 0) << "it has its price";
  EXPECT_EQ(provisional(by_rows()), 0);
  const auto twice = engine.admin().reprice({});
  EXPECT_EQ(twice->changed, 0);
  EXPECT_EQ(engine.tenant("acme").usages().sum()->total_cost.text(), "0.002");
  EXPECT_EQ(provisional(engine.tenant("acme").usages()), 0) << "and loses the mark once";
  EXPECT_EQ(store->verify([](std::int64_t, std::int64_t) { return true; })->findings.size(), 0U);
}

TEST(Reprice, a_price_that_changes_nothing_still_ends_the_doubt) {
  testing::ManualClock clock(TestEngine::default_start());
  const std::unique_ptr<store::Store> store = store::make_memory_store(clock);
  UsageRecord record = used(1'000, 500);
  record.model = "new-model";
  const auto opened = [&](std::vector<ConfiguredPrice> prices) {
    OpenOptions options{.clock = &clock};
    options.pricing.configured = std::move(prices);
    options.ports.store = store.get();
    return *open("memory:", std::move(options));
  };
  ASSERT_TRUE(opened({}).tenant("acme").record(record));
  ConfiguredPrice free = *ConfiguredPrice::parse("price", "0", "0");
  free.provider = "openai";
  free.model = "new-model";
  const Engine engine = opened({free});
  int provisional_events = 0;
  const Listener listener =
      engine.events().on<UsageProvisional>([&](const UsageProvisional&) { ++provisional_events; });
  EXPECT_EQ(engine.tenant("acme").usages().sum()->provisional_calls, 1);
  const auto report = engine.admin().reprice({});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->changed, 0) << "it cost 0 and it costs 0";
  EXPECT_EQ(engine.tenant("acme").usages().sum()->provisional_calls, 0);
  EXPECT_EQ(provisional_events, 0) << "a price is no news of a missing price";
}

// ---- explain

TEST(Explain, tells_how_a_call_was_decided_and_priced) {
  TestEngine engine;
  engine.plan("small", Tokens{1'000});
  engine.subscribe("acme", kAcme, "small");
  const auto call = [&] {
    return engine->meter()
        .for_tenant("acme")
        .using_provider("openai", "gpt-4o-mini")
        .expecting({.tokens = Tokens{200}})
        .call([] { return testing::openai_answer(100, 50); });
  };
  ASSERT_TRUE(call());
  const auto reply = call();
  ASSERT_TRUE(reply);
  const auto why = engine->tenant("acme").explain(reply->record().id);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_EQ(why->tenant_found_by, "explicit");
  EXPECT_EQ(why->estimate_source, "given");
  EXPECT_EQ(why->estimate_tokens.count, 200);
  EXPECT_EQ(why->record.plan, "small");
  EXPECT_EQ(why->price_model, "gpt-4o-mini");
  ASSERT_GE(why->budgets.size(), 1U);
  EXPECT_EQ(why->budgets[0].before.kind, BudgetKind::tokens);
  EXPECT_EQ(why->budgets[0].before.used, 150);
  EXPECT_EQ(why->budgets[0].counted, 150);
  EXPECT_EQ(why->budgets[0].used_after, 300);
  ASSERT_TRUE(why->cost);
  EXPECT_EQ(why->cost->total_cost, reply->cost());
  EXPECT_EQ(why->cost->parts.size(), 2U);
  EXPECT_FALSE(engine->tenant("other").explain(reply->record().id));
}

}  // namespace
}  // namespace aimeter
