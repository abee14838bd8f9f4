// A store that was restored from an older backup is healed by the segments that are kept, or it is
// said exactly what is missing; a store whose journals are gone stands on its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/lost_journal.h"
#include "ledger/recovery.h"
#include "tests/disk/world.h"

namespace aimeter::disk {
namespace {

using ::testing::HasSubstr;

constexpr const char* kStore = "/data/usage.db";
constexpr const char* kLog = "/data/usage.db-wal";

class Restore : public ::testing::Test {
 protected:
  struct Backup {
    std::string store = {}, log = {};
  };
  [[nodiscard]] Backup back_up() const {
    return {world_.files.bytes(kStore), world_.files.bytes(kLog)};
  }
  void restore(const Backup& backup) {
    world_.files.set_bytes(kStore, backup.store);
    world_.files.set_bytes(kLog, backup.log);
  }
  // A store with a contract, and an engine that ended cleanly after `count` calls.
  void work(const std::string& name, int count) {
    Up up(world_, told_);
    up.open();
    up.calls(name, count);
    up.drain();
    up.close();
  }
  void begin() {
    Up up(world_, told_);
    ASSERT_TRUE(up.open_store());
    up.put_plan("main");
    up.subscribe();
    up.close();
  }
  void expect_all() {
    Told ours;
    Up up(world_, ours);
    ASSERT_TRUE(up.open_store());
    const Status opened = up.open_ledger();
    ASSERT_TRUE(opened) << opened.error().message;
    expect_clean(up.store());
    for (const auto& [key, row] : told_.rows) {
      const auto seen = up.store().find_key(digest_of(key));
      ASSERT_TRUE(seen && *seen) << key << " was acknowledged";
      EXPECT_EQ((*seen)->row, row);
    }
    const store::BudgetKey march = store::fixture::tokens_of(kAccount);
    EXPECT_EQ(up.store().budget_states({&march, 1})->at(0).used,
              static_cast<Amount>(told_.rows.size()) * kTokens);
    up.call("after");
    ASSERT_TRUE(ours.rows.contains("after"));
    for (const auto& [key, row] : told_.rows) EXPECT_GT(ours.rows["after"], row) << "a new number";
    up.drain();
    expect_clean(up.store());
  }
  [[nodiscard]] std::string refusal() {
    Up up(world_, told_);
    EXPECT_TRUE(up.open_store());
    const Status opened = up.open_ledger();
    EXPECT_FALSE(opened);
    if (opened) return "";
    EXPECT_EQ(opened.error().code, Code::failed_precondition);
    return opened.error().message;
  }

  World world_;
  Told told_;
};

TEST_F(Restore, AnEngineThatTheStoreKnewGoesOnFromItsLastSeq) {
  begin();
  Backup backup;
  {
    Up up(world_, told_);
    up.open();
    up.calls("a", 2);
    up.drain();
    backup = back_up();
    up.calls("b", 3);
    up.drain();
    up.close();
  }
  restore(backup);
  expect_all();
}

TEST_F(Restore, EnginesThatTheStoreDoesNotKnowAreTakenUpUnderTheirNumbers) {
  begin();
  const Backup backup = back_up();
  work("a", 3);
  work("b", 2);
  restore(backup);
  expect_all();
}

TEST_F(Restore, TwiceIsAsGoodAsOnce) {
  begin();
  const Backup backup = back_up();
  work("a", 3);
  restore(backup);
  expect_all();
  const std::map<std::string, std::int64_t> rows = told_.rows;
  restore(backup);
  Told ours;
  Up up(world_, ours);
  ASSERT_TRUE(up.open_store());
  ASSERT_TRUE(up.open_ledger());
  expect_clean(up.store());
  for (const auto& [key, row] : rows) {
    EXPECT_EQ((*up.store().find_key(digest_of(key)))->row, row) << key;
  }
}

TEST_F(Restore, WhatNoSegmentHoldsAnyMoreIsNamed) {
  begin();
  const Backup backup = back_up();
  {
    Up up(world_, told_);
    up.open();
    up.calls("a", 20);
    up.drain();
    up.pass(std::chrono::seconds(100));
    up.calls("b", 2);
    up.drain();
    up.pass(std::chrono::seconds(100));  // old segments go
    up.close();
  }
  const auto segments = world_.files.list("/data/usage.db.aimeter/1").value();
  ASSERT_EQ(std::ranges::count(segments, "000001.seg"), 0);
  restore(backup);
  const std::string said = refusal();
  EXPECT_THAT(said, HasSubstr("/data/usage.db.aimeter/1: the store has the settlements of engine 1 "
                              "up to 0, and 1 to "));
  EXPECT_THAT(said, HasSubstr("are not in this journal any more: restore a newer backup, or move "
                              "the folder away and lose what it holds"));
}

TEST_F(Restore, ADeletedLastSegmentIsNamedToo) {
  begin();
  const Backup backup = back_up();
  work("a", 20);
  const auto names = world_.files.list("/data/usage.db.aimeter/1").value();
  std::string last;
  for (const std::string& name : names) {
    if (name.ends_with(".seg")) last = name;
  }
  ASSERT_GT(last, "000001.seg");
  ASSERT_TRUE(world_.files.remove("/data/usage.db.aimeter/1/" + last));
  restore(backup);
  EXPECT_THAT(refusal(), HasSubstr(" to 20 ("));
}

TEST_F(Restore, ADeletedSegmentInTheMiddleIsDamage) {
  begin();
  {
    Up up(world_, told_);
    up.open();
    up.calls("a", 20);
    up.kill();
  }
  ASSERT_TRUE(world_.files.remove("/data/usage.db.aimeter/1/000002.seg"));
  Up up(world_, told_);
  ASSERT_TRUE(up.open_store());
  const Status opened = up.open_ledger();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::corrupt);
  EXPECT_THAT(opened.error().message, HasSubstr("/data/usage.db.aimeter/1/000002.seg: offset 0: is "
                                                "missing between its neighbours"));
}

// All journals, or only the last one, which was not drained.
void remove_folder(base::MemoryFiles& files, const std::string& folder) {
  const std::vector<std::string> names = files.list(folder).value();
  for (const std::string& name : names) ASSERT_TRUE(files.remove(folder + "/" + name));
  ASSERT_TRUE(files.remove(folder));
}

TEST_F(Restore, AStoreWhoseJournalsAreGoneStandsOnItsOwn) {
  begin();
  work("a", 3);
  {
    Up up(world_, told_);
    up.open();
    up.calls("b", 2);
    up.drain();
    up.kill();
  }
  for (const std::string engine : {"1", "2"}) {
    remove_folder(world_.files, "/data/usage.db.aimeter/" + engine);
  }
  expect_all();
}

// Between the folder and its lock an opening engine holds nothing: who recovers leaves it alone.
TEST_F(Restore, AJournalThatIsBeingMadeKeepsItsLockFree) {
  begin();
  const std::string dir = "/data/usage.db.aimeter", folder = dir + "/77";
  ASSERT_TRUE(world_.files.make_folder(folder));
  Up up(world_, told_);
  ASSERT_TRUE(up.open_store());
  const auto recovered =
      ledger::recover_engines(up.store(), world_.files, {.journal_dir = dir}, nullptr);
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_TRUE(world_.files.list(folder)->empty()) << "not even a file to lock was made";
}

class LostJournal : public Restore {
 protected:
  static constexpr Duration kLeaseTtl = std::chrono::seconds(30);

  // An engine that dies with `drained` calls in the store and two that are only in its journal.
  void die(int drained) {
    begin();
    Up up(world_, told_);
    up.open();
    up.calls("a", drained);
    up.drain();
    died_at_ = world_.clock.now();
    up.stop_projector();
    up.calls("b", 2);
    up.kill();
  }
  [[nodiscard]] std::vector<ledger::LostJournal> lost(
      const std::string& dir = "/data/usage.db.aimeter") {
    Up up(world_, told_);
    EXPECT_TRUE(up.open_store());
    const auto recovered =
        ledger::recover_engines(up.store(), world_.files, {.journal_dir = dir}, nullptr);
    EXPECT_TRUE(recovered) << recovered.error().message;
    return ledger::lost_journals(up.store(), world_.files,
                                 {.journal_dir = dir, .lease_ttl = kLeaseTtl})
        .value();
  }

  Instant died_at_ = {};
};

TEST_F(LostJournal, IsNamedWithItsEngineTheLastSeqAndSinceWhen) {
  die(3);
  remove_folder(world_.files, "/data/usage.db.aimeter/1");
  world_.clock.advance(kLeaseTtl + std::chrono::microseconds(1));
  const auto found = lost();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].engine.ref.engine, 1U);
  EXPECT_EQ(found[0].engine.last_seq, 3U);
  EXPECT_EQ(found[0].folder, "/data/usage.db.aimeter/1");
  EXPECT_FALSE(found[0].running);
  EXPECT_EQ(ledger::words_of(found[0]),
            fmt::format("the journal of engine 1 is gone from /data/usage.db.aimeter/1: the store "
                        "has its settlements up to 3, applied {}; what it acknowledged after that, "
                        "until it was last heard of {}, may be missing",
                        text_of(found[0].engine.applied_at), text_of(found[0].engine.renewed_at)));
  EXPECT_LE(found[0].engine.applied_at, died_at_);
  Up up(world_, told_);
  ASSERT_TRUE(up.open_store());
  expect_clean(up.store());
  ASSERT_TRUE(up.store().close_engine(1)) << "the operator bears the loss";
  EXPECT_EQ(lost().size(), 0U);
}

TEST_F(LostJournal, IsAlsoAFolderWithoutSegments) {
  die(1);
  const std::vector<std::string> names = world_.files.list("/data/usage.db.aimeter/1").value();
  for (const std::string& name : names) {
    if (name.ends_with(".seg")) {
      ASSERT_TRUE(world_.files.remove("/data/usage.db.aimeter/1/" + name));
    }
  }
  ASSERT_EQ(lost().size(), 1U);
}

// An engine is running while its journal is taken away: it is said, and that it runs.
TEST_F(LostJournal, OfAnEngineThatWasHeardOfWithinItsLeaseTtlSaysSo) {
  die(3);
  remove_folder(world_.files, "/data/usage.db.aimeter/1");
  const auto found = lost();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].running);
  EXPECT_THAT(ledger::words_of(found[0]),
              HasSubstr("may be missing; it still runs, and what it takes now is not safe: restart "
                        "it"));
}

TEST_F(LostJournal, IsNoneOfAnEngineThatJustOpensUntilItHasBeenSilent) {
  begin();
  {
    Up up(world_, told_);
    ASSERT_TRUE(up.open_store());
    ASSERT_TRUE(up.store().open_engine({.journal = "/data/usage.db.aimeter"}));
  }
  world_.clock.advance(kLeaseTtl);
  EXPECT_EQ(lost().size(), 0U);
  world_.clock.advance(std::chrono::microseconds(1));
  const auto found = lost();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(ledger::words_of(found[0]), HasSubstr("the store has no settlement of it"));
}

TEST_F(LostJournal, IsNoneWhereItWasDrainedOrMovedOrIsInUse) {
  begin();
  work("a", 3);
  remove_folder(world_.files, "/data/usage.db.aimeter/1");
  world_.clock.advance(std::chrono::hours(1));
  EXPECT_EQ(lost().size(), 0U) << "the store has all of it";
  Up up(world_, told_);
  up.open();
  up.calls("b", 2);
  up.drain();
  EXPECT_EQ(lost().size(), 0U) << "in use";
  EXPECT_EQ(lost("/elsewhere").size(), 0U) << "it is where the engine said";
}

}  // namespace
}  // namespace aimeter::disk
