// The power goes at every single change of the disk, and what was not synced is lost, kept, or kept
// in part and out of order. Afterwards the store opens, `verify` is clean, every acknowledged call
// counts exactly once and every acknowledged change of the catalogue is there.
// AIMETER_LONG=1 tries every operation with more seeds; AIMETER_SEED=N chooses other ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <vector>

#include "tests/disk/world.h"

namespace aimeter::disk {
namespace {

// ---- The workload: three processes after one another; each step stops when the power is gone.

void first_process(World& world, Told& told) {
  Up up(world, told);
  if (!up.open_store()) return;
  up.put_plan("main");
  up.subscribe();
  if (!up.open_ledger()) return;
  up.calls("a", 3);
  up.put_plan("second");
  up.drain();
  up.calls("b", 12);  // over several segments
  up.record_late("late");
  up.drain();
  up.pass(std::chrono::seconds(100));  // segments go
  up.calls("c", 2);
  up.drain();
  up.prune();
  up.calls("d", 2);
  up.close();
}

void second_process(World& world, Told& told) {
  world.clock.advance(std::chrono::minutes(2));
  Up up(world, told);
  up.open();  // the first one's folder goes
  up.calls("e", 2);
  up.drain();
  if (world.durability == Durability::journal) up.stop_projector();
  up.calls("f", 3);
  up.begin_and_never_end();
  up.calls("g", 2);
  up.kill();
}

void third_process(World& world, Told& told) {
  Up up(world, told);
  up.open();  // and with it what the second one left
  up.put_plan("third");
  up.calls("h", 2);
  up.close();
}

void work(World& world, Told& told) {
  first_process(world, told);
  if (world.files.has_power()) second_process(world, told);
  if (world.files.has_power()) third_process(world, told);
}

// ---- What must hold afterwards.

void expect_calls(store::Store& store, const Told& told) {
  for (const auto& [key, row] : told.rows) {
    const auto seen = store.find_key(digest_of(key));
    ASSERT_TRUE(seen) << seen.error().message;
    ASSERT_TRUE(*seen) << key << " was acknowledged";
    EXPECT_EQ((*seen)->row, row) << key;
  }
  Amount used = 0;
  for (const std::string& key : told.tried) {
    if (key == "late") continue;
    const auto seen = store.find_key(digest_of(key));
    if (seen && *seen) used += kTokens;
  }
  const store::BudgetKey march = store::fixture::tokens_of(kAccount);
  const auto states = store.budget_states({&march, 1});
  ASSERT_TRUE(states) << states.error().message;
  EXPECT_EQ(states->at(0).used, used) << "each known call counts once";
}

void expect_plans(const store::Store& store, const Told& told) {
  const auto plans = store.plans(std::nullopt);
  ASSERT_TRUE(plans) << plans.error().message;
  std::set<std::string> there;
  for (const Plan& plan : *plans) there.insert(plan.slug);
  for (const std::string& slug : told.plans) {
    EXPECT_TRUE(there.contains(slug)) << "plan " << slug << " was acknowledged";
  }
}

void expect_all_there(World& world, const Told& told) {
  Told ours;
  Up up(world, ours);
  using Migrate = store::StoreOptions::Migrate;
  const Status opened = up.open_store(told.schema ? Migrate::refuse : Migrate::apply);
  ASSERT_TRUE(opened) << opened.error().message;
  const Status recovered = up.open_ledger();
  ASSERT_TRUE(recovered) << recovered.error().message;
  expect_clean(up.store());
  expect_calls(up.store(), told);
  expect_plans(up.store(), told);
  up.put_plan("after");
  EXPECT_TRUE(ours.plans.contains("after")) << "it goes on";
  up.call("after");
  EXPECT_TRUE(ours.rows.contains("after")) << "it goes on";
  up.drain();
  expect_clean(up.store());
}

enum class Kept : std::uint8_t { none, all, some };

struct Way {
  Durability durability = Durability::journal;
  int log_pages_max = drivers::sqlite::kLogPagesMax;

  void set(World& world) const {
    world.durability = durability;
    world.tuning.log_pages_max = log_pages_max;
  }
};

struct Loss {
  std::uint64_t operation = 0;
  Kept kept = Kept::none;
  std::uint64_t seed = 0;
};

void lose_power(const Way& way, const Loss& loss) {
  World world;
  way.set(world);
  Told told;
  std::mt19937_64 random(loss.seed * 1'000'003 + loss.operation);
  world.files.lose_power_at(loss.operation, [&] {
    return loss.kept == Kept::all || (loss.kept == Kept::some && random() % 2 == 0);
  });
  work(world, told);
  if (world.files.has_power()) return;  // it ended before
  world.files.power_on();
  expect_all_there(world, told);
}

// What a journal has is in the store when its folder goes, and no part of the folder that stays
// looks like damage. Each operation of the open that removes it, with several seeds.
struct Removal {
  std::uint64_t first = 0, last = 0;  // operations
};

Removal remove_a_journal(World& world, Told& told) {
  {
    Up up(world, told);
    if (!up.open_store()) return {};
    up.put_plan("main");
    up.subscribe();
    if (!up.open_ledger()) return {};
    up.calls("a", 16);  // over several segments
    up.drain();
    up.close_ledger_and_die();  // nobody checkpoints the log
  }
  world.clock.advance(std::chrono::minutes(2));
  Removal removal{.first = world.files.operations() + 1};
  Up up(world, told);
  up.open();
  removal.last = world.files.operations();
  up.kill();
  return removal;
}

int lose_power_while_a_journal_goes(const Removal& removal, Kept kept) {
  int losses = 0;
  for (std::uint64_t i = removal.first; i <= removal.last; ++i) {
    for (std::uint64_t seed = 1; seed <= (kept == Kept::some ? 8 : 1); ++seed) {
      SCOPED_TRACE(fmt::format("operation {}, seed {}", i, seed));
      World world;
      Told told;
      std::mt19937_64 random(seed * 1'000'003 + i);
      world.files.lose_power_at(i, [&] { return kept == Kept::some && random() % 2 == 0; });
      (void)remove_a_journal(world, told);
      if (world.files.has_power()) return losses;  // it ended before
      ++losses;
      world.files.power_on();
      EXPECT_EQ(told.rows.size(), 16U);
      expect_all_there(world, told);
      if (::testing::Test::HasFailure()) return losses;
    }
  }
  return losses;
}

std::uint64_t number_given(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

// Every `step`-th operation; under AIMETER_LONG all of them, and more seeds.
void lose_power_everywhere(const Way& way, Kept kept, std::uint64_t step) {
  const bool is_long = std::getenv("AIMETER_LONG") != nullptr;
  const std::uint64_t seed = number_given("AIMETER_SEED", 1);
  const std::uint64_t seeds = is_long && kept == Kept::some ? 8 : 1;
  World world;
  way.set(world);
  Told told;
  work(world, told);
  const std::uint64_t operations = world.files.operations();
  ASSERT_EQ(told.tried.size(), told.rows.size()) << "with power everything is acknowledged";
  ASSERT_EQ(told.tried.size(), 29U);
  ASSERT_TRUE(told.orphan);
  expect_all_there(world, told);
  std::uint64_t losses = 0;
  for (std::uint64_t i = number_given("AIMETER_OPERATION", 1); i <= operations;
       i += is_long ? 1 : step) {
    for (std::uint64_t s = seed; s < seed + seeds; ++s, ++losses) {
      SCOPED_TRACE(fmt::format("AIMETER_OPERATION={} of {}, AIMETER_SEED={}", i, operations, s));
      lose_power(way, {i, kept, s});
      if (::testing::Test::HasFailure()) return;
    }
  }
  std::cout << fmt::format("{} losses of power over {} operations, seed {}\n", losses, operations,
                           seed);
}

TEST(Power, NothingUnsyncedSurvivesAndNothingAcknowledgedIsLost) {
  lose_power_everywhere({Durability::journal}, Kept::none, 5);
}
TEST(Power, AnyPartOfTheUnsyncedSurvivesAndNothingAcknowledgedIsLost) {
  lose_power_everywhere({Durability::journal}, Kept::some, 7);
}
TEST(Power, EverythingSurvivesAndNothingCountsTwice) {
  lose_power_everywhere({Durability::journal}, Kept::all, 23);
}
TEST(Power, WhatTheStoreHasAcknowledgedIsNotLostWithTheUnsynced) {
  lose_power_everywhere({Durability::store}, Kept::none, 19);
}
TEST(Power, WhatTheStoreHasAcknowledgedIsNotLostWithPartsOfTheUnsynced) {
  lose_power_everywhere({Durability::store}, Kept::some, 19);
}
// The log is copied into the file again and again while settlements come.
TEST(Power, WhatIsCopiedFromTheLogWasSyncedAndIsSyncedBeforeTheLogGoes) {
  constexpr int kOften = 8;
  lose_power_everywhere({Durability::journal, kOften}, Kept::some, 7);
}
TEST(Power, AJournalGoesOnlyWhenTheStoreDoesNotNeedIt) {
  World world;
  Told told;
  const Removal removal = remove_a_journal(world, told);
  const auto journals = world.files.list("/data/usage.db.aimeter");
  ASSERT_TRUE(journals) << journals.error().message;
  ASSERT_EQ(std::ranges::count(*journals, "1"), 0) << "the first one's folder is gone";
  ASSERT_EQ(std::ranges::count(*journals, "2"), 1);
  EXPECT_GE(lose_power_while_a_journal_goes(removal, Kept::none), 10);
  EXPECT_GE(lose_power_while_a_journal_goes(removal, Kept::some), 10 * 8);
}

}  // namespace
}  // namespace aimeter::disk
