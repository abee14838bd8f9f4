// What must hold of settlements in the store: their order, their corrections, the bad ones and the
// repeated ones.
#include <gtest/gtest.h>

#include <map>

#include "tests/named/site.h"

namespace aimeter::named {
namespace {

using store::Odd;
using store::Settlement;
using store::fixture::adjustment_of;
using store::fixture::Feeder;
using store::fixture::held_call_of;
using store::fixture::keyed;

// A feed follows (engine, seq): what is committed later under a lower id is delivered all the same,
// each settlement once, in the order in which its engine settled.
TEST(Named, feed_delivers_in_commit_order) {
  on_every_store([](Site& site) {
    Feeder first(*site.store), second(*site.store);
    std::map<store::EngineId, store::Seq> seen;
    std::vector<std::int64_t> delivered;
    const auto follow = [&] {
      for (const store::EngineState& engine : engines_of(site)) {
        const store::EngineId id = engine.ref.engine;
        for (const Settlement& each : feed_of(site, {.engine = id, .after = seen[id]})) {
          EXPECT_GT(each.seq, seen[id]) << "in the order of its engine";
          seen[id] = each.seq;
          delivered.push_back(store::row_id(id, each.seq));
        }
      }
    };
    second.apply(call_of(kAcme, 1));
    follow();
    first.apply({call_of(kAcme, 2), call_of(kAcme, 3)});  // lower ids, committed later
    follow();
    second.apply(call_of(kAcme, 4));
    first.apply(call_of(kAcme, 5));
    follow();
    follow();
    const std::vector<std::int64_t> expected = {
        store::row_id(second.ref.engine, 1), store::row_id(first.ref.engine, 1),
        store::row_id(first.ref.engine, 2), store::row_id(first.ref.engine, 3),
        store::row_id(second.ref.engine, 2)};
    EXPECT_EQ(delivered, expected);
  });
}

// A correction changes the counter of its usage's period and the roll-up of its usage's time by the
// same amount, in one commit, late or not.
TEST(Named, adjustment_moves_counter_and_rollup_together) {
  on_every_store([](Site& site) {
    Feeder engine(*site.store);
    const Settlement usage = call_of(kAcme, 100);
    engine.apply(usage);
    const std::int64_t row = engine.row();
    const auto sums = [&] {
      store::RollupFilter filter{.by_bucket = true};
      filter.usage.tenant = kAcme.tenant;
      return site.store->rollups(filter).value();
    };
    ASSERT_EQ(sums().size(), 1U);
    const Instant bucket = sums()[0].bucket;
    site.clock.set_wall(kMarch.end + std::chrono::hours(5));  // corrected in April
    for (const std::int64_t change : {-30, 12, -82}) {
      const std::int64_t used = site.state(tokens_of(kAcme)).used;
      const std::int64_t tokens = sums()[0].input_tokens + sums()[0].output_tokens;
      const auto cost = sums()[0].cost_nanos;
      engine.apply(adjustment_of(usage, row, change));
      EXPECT_EQ(site.state(tokens_of(kAcme)).used, used + change);
      ASSERT_EQ(sums().size(), 1U) << "in the bucket of its usage";
      EXPECT_EQ(sums()[0].bucket, bucket);
      EXPECT_EQ(sums()[0].input_tokens + sums()[0].output_tokens, tokens + change);
      EXPECT_TRUE(sums()[0].cost_nanos == cost + change * 10);
      EXPECT_EQ(sums()[0].calls, 1) << "a correction is no call";
    }
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 0);
    const auto too_much = engine.apply(adjustment_of(usage, row, -1));
    ASSERT_EQ(too_much.odd.size(), 1U);
    EXPECT_EQ(too_much.odd[0].what, Odd::dead);
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 0);
    EXPECT_EQ(sums()[0].input_tokens + sums()[0].output_tokens, 0);
  });
}

// A settlement that cannot be written is set aside and counted with its hold; those before and
// after it, in its batch and later, are counted as if it were not there.
TEST(Named, poison_settlement_does_not_stop_others) {
  on_every_store([](Site& site) {
    constexpr store::Amount kLargest = std::numeric_limits<store::Amount>::max();
    const Account zeta = account_of("zeta");
    Feeder engine(*site.store);
    engine.apply(call_of(kAcme, kLargest - 100));
    const auto before = site.state(tokens_of(kAcme)).used;
    Settlement poison = call_of(kAcme, 1'000);  // the counter would leave its range
    poison.budgets[0].held = 7;
    Settlement foreign = call_of(kAcme, 5);
    foreign.budgets[0].key = tokens_of(zeta);
    const auto applied = engine.apply(
        {call_of(zeta, 1), poison, call_of(zeta, 2), foreign, call_of(kAcme, 3), call_of(zeta, 4)});
    ASSERT_EQ(applied.odd.size(), 2U);
    EXPECT_EQ(applied.odd[0].what, Odd::dead);
    EXPECT_EQ(applied.odd[1].what, Odd::dead);
    EXPECT_EQ(site.state(tokens_of(zeta)).used, 7);
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, before + 3 + 7) << "the poison with its hold";
    EXPECT_EQ(site.store->dead()->size(), 2U);
    EXPECT_EQ(site.store->last_seq(engine.ref.engine).value(), 7U);
    engine.apply(call_of(zeta, 10));
    EXPECT_EQ(site.state(tokens_of(zeta)).used, 17);
  });
}

// The row of a key may be pruned; a second answer of that key is a duplicate all the same.
TEST(Named, prune_then_late_duplicate_is_still_duplicate) {
  on_every_store([](Site& site) {
    Feeder engine(*site.store), other(*site.store);
    engine.apply(keyed(call_of(kAcme, 40), "k1"));
    const std::int64_t row = engine.row();
    site.clock.set_wall(kMarch.end + std::chrono::days(40));
    const auto pruned = site.store->change({store::Prune{.before = kMarch.end}, "test"});
    ASSERT_TRUE(pruned) << pruned.error().message;
    ASSERT_EQ(pruned->rows, 1);
    ASSERT_FALSE(site.store->settlement(row, std::nullopt)->has_value());
    const auto again = other.apply(keyed(call_of(kAcme, 40), "k1"));
    ASSERT_EQ(again.odd.size(), 1U);
    EXPECT_EQ(again.odd[0].what, Odd::duplicate);
    EXPECT_EQ(again.odd[0].original, row);
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 40) << "billed once";
    const auto seen = site.store->find_key(keyed(call_of(kAcme, 1), "k1").key->key).value();
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->row, row) << "the first settlement keeps the key";
  });
}

}  // namespace
}  // namespace aimeter::named
