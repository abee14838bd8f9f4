// Keys that were settled before, over several tables; and where a database may not lie.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>

#include "base/memory_files.h"
#include "drivers/storage/sqlite/keys.h"
#include "drivers/storage/sqlite/scratch_file.h"
#include "drivers/storage/sqlite/sqlite_store.h"

namespace aimeter::drivers::sqlite {
namespace {

using namespace store;
using namespace store::fixture;

constexpr std::int64_t kPerTable = 10;

class SqliteKeysTest : public ScratchFile {
 protected:
  std::unique_ptr<Store> with_tables_of(std::int64_t keys) {
    auto store = SqliteStore::open(path_, StoreOptions{.clock = &clock_}, {.keys_per_table = keys});
    EXPECT_TRUE(store) << store.error().message;
    return *std::move(store);
  }
  // How many keys each table has, oldest first.
  std::vector<std::int64_t> tables() {
    auto connection = Connection::open(path_, Access::write);
    EXPECT_TRUE(connection) << connection.error().message;
    std::vector<std::int64_t> counts;
    Query query(**connection, "SELECT number FROM ai_key_tables ORDER BY number");
    for (;;) {
      const auto more = query.step();
      EXPECT_TRUE(more);
      if (!more || !*more) break;
      counts.push_back(query.integer(0));
    }
    std::deque<std::string> texts;  // a statement is known by the address of its text
    for (std::int64_t& number : counts) {
      texts.push_back(fmt::format("SELECT count(*) FROM ai_keys_seen_{}", number));
      number = find_integer(**connection, texts.back().c_str()).value().value();
    }
    return counts;
  }
  std::vector<Settlement> calls(int from, int to) {
    std::vector<Settlement> made;
    for (int i = from; i < to; ++i) {
      Settlement call = keyed(call_of(acme_, 2), fmt::format("k{}", i));
      call.occurred_at = clock_.now();
      made.push_back(std::move(call));
    }
    return made;
  }
  // How many of these were settled before.
  static int repeats(Feeder& engine, const std::vector<Settlement>& batch) {
    int found = 0;
    for (const auto& odd : engine.apply(batch).odd) found += odd.what == Odd::duplicate ? 1 : 0;
    return found;
  }
  static void expect_clean(Store& store) {
    const auto verified = store.verify([](std::int64_t, std::int64_t) { return true; });
    ASSERT_TRUE(verified) << verified.error().message;
    for (const Finding& finding : verified->findings) {
      ADD_FAILURE() << finding.check << " " << finding.where << ": " << finding.message;
    }
  }
  void prune(Store& store) {
    for (Changed changed{.more = true}; changed.more;) {
      const auto done = store.change({Prune{.before = kFebruary.start}, "test"});
      ASSERT_TRUE(done) << done.error().message;
      changed = *done;
    }
  }

  const Account acme_ = account_of("acme");
};

TEST_F(SqliteKeysTest, A131072KeysAreATableUnlessATestSaysLess) {
  EXPECT_EQ(kKeysPerTable, 131'072);
  EXPECT_EQ(Tuning{}.keys_per_table, kKeysPerTable);
  const auto store = opened();
  Feeder engine(*store);
  EXPECT_EQ(repeats(engine, calls(0, 3 * kPerTable)), 0);
  EXPECT_EQ(tables(), std::vector<std::int64_t>{3 * kPerTable});
}

TEST_F(SqliteKeysTest, AFullTableIsFollowedByTheNextOne) {
  const auto store = with_tables_of(kPerTable);
  Feeder engine(*store);
  EXPECT_EQ(repeats(engine, calls(0, 9)), 0);
  EXPECT_EQ(tables(), (std::vector<std::int64_t>{9})) << "one key of room is left";
  EXPECT_EQ(repeats(engine, calls(9, 10)), 0);
  EXPECT_EQ(tables(), (std::vector<std::int64_t>{10, 0})) << "full: the next one is open";
  EXPECT_EQ(repeats(engine, calls(10, 35)), 0);
  EXPECT_EQ(tables(), (std::vector<std::int64_t>{10, 25, 0})) << "a batch is not divided";
  expect_clean(*store);
}

TEST_F(SqliteKeysTest, AKeyOfAnyTableIsARepeatAlsoAfterARestart) {
  {
    const auto store = with_tables_of(kPerTable);
    Feeder engine(*store);
    for (int i = 0; i < 40; i += 10) EXPECT_EQ(repeats(engine, calls(i, i + 10)), 0);
    EXPECT_EQ(repeats(engine, calls(0, 40)), 40);
    EXPECT_EQ(tables().size(), 5U);
  }
  const auto store = with_tables_of(kPerTable);
  Feeder engine(*store);
  EXPECT_EQ(repeats(engine, calls(5, 45)), 35) << "k40 to k44 are new";
  for (const int i : {0, 15, 29, 39, 44}) {
    const auto seen = store->find_key(calls(i, i + 1)[0].key->key);
    ASSERT_TRUE(seen && *seen) << "k" << i;
  }
  EXPECT_FALSE(store->find_key(calls(45, 46)[0].key->key).value());
  expect_clean(*store);
}

// Many keys at once make the store learn its older tables into a filter, a slice per transaction.
TEST_F(SqliteKeysTest, WhatTheFilterHasLearnedIsStillARepeatAndTheRestIsNew) {
  constexpr int kMany = 300;  // above what counts as busy
  const auto store = with_tables_of(kMany);
  Feeder engine(*store);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(repeats(engine, calls(i * kMany, (i + 1) * kMany)), 0);
  EXPECT_EQ(tables().size(), 9U);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(repeats(engine, calls(i * kMany, (i + 1) * kMany)), kMany) << "table " << i;
    EXPECT_EQ(repeats(engine, calls((20 + i) * kMany, (21 + i) * kMany)), 0);
  }
  expect_clean(*store);
}

TEST_F(SqliteKeysTest, KeysOlderThan100DaysGoWithTheirTable) {
  const auto store = with_tables_of(kPerTable);
  Feeder engine(*store);
  const Instant first = clock_.now();
  EXPECT_EQ(repeats(engine, calls(0, 10)), 0);
  clock_.advance(std::chrono::days(1));
  EXPECT_EQ(repeats(engine, calls(10, 20)), 0);
  EXPECT_EQ(repeats(engine, calls(20, 25)), 0);

  clock_.advance(first + kKeysKept - clock_.now());
  prune(*store);
  EXPECT_EQ(tables(), (std::vector<std::int64_t>{10, 10, 5})) << "100 days to the microsecond";
  EXPECT_EQ(repeats(engine, calls(0, 1)), 1);

  clock_.advance(first + kKeysKept + Duration(1) - clock_.now());
  prune(*store);
  EXPECT_EQ(tables(), (std::vector<std::int64_t>{10, 5})) << "the oldest table is gone";
  EXPECT_FALSE(store->find_key(calls(0, 1)[0].key->key).value());
  EXPECT_EQ(repeats(engine, calls(10, 20)), 10) << "the younger one is not";
  EXPECT_EQ(repeats(engine, calls(0, 1)), 0) << "its keys are free again";
  expect_clean(*store);

  clock_.advance(first + kKeysKept * 4 - clock_.now());
  prune(*store);
  EXPECT_EQ(tables(), (std::vector<std::int64_t>{6})) << "the one in use stays, however old";
  expect_clean(*store);
}

TEST_F(SqliteKeysTest, ADatabaseOnANetworkFileSystemIsRefusedAndNothingIsMade) {
  base::MemoryFiles files;
  files.set_network(folder_);
  const auto refused =
      SqliteStore::open(path_, StoreOptions{.clock = &clock_, .disk = {.files = &files}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  EXPECT_EQ(refused.error().message, path_ +
                                         ": is on a network file system, where SQLite's locks "
                                         "cannot be trusted; use a local disk");
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "no database, no lock, no folder beside it";
  EXPECT_TRUE(open()) << "the same place on a local disk";
}

}  // namespace
}  // namespace aimeter::drivers::sqlite
