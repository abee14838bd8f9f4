// A disk that fails or lies: what is damaged is named, and nothing is granted on what may be lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "drivers/storage/sqlite/connection.h"
#include "journal/frame.h"
#include "tests/disk/world.h"

namespace aimeter::disk {
namespace {

using ::testing::HasSubstr;

constexpr const char* kStore = "/data/usage.db";
constexpr const char* kSegment = "/data/usage.db.aimeter/1/000001.seg";

class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    Up up(world_, told_);
    ASSERT_TRUE(up.open_store());
    up.put_plan("main");
    up.subscribe();
    up.close();
  }
  void flip(const std::string& path, std::size_t at) {
    std::string bytes = world_.files.bytes(path);
    ASSERT_LT(at, bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    world_.files.set_bytes(path, std::move(bytes));
  }

  World world_;
  Told told_;
};

TEST_F(Damage, AfterAFailedSyncOfTheStoreNothingIsGrantedUntilItIsOpenedAgain) {
  {
    Up up(world_, told_);
    up.open();
    up.calls("a", 2);
    up.drain();
    world_.files.fail_syncs_after(0);
    const store::Change plan{store::PutPlan{{.name = "lost", .slug = "lost"}}, "test"};
    const auto failed = up.ledger().change(plan);
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().message, HasSubstr("/data/usage.db: the disk failed"));
    world_.files.fail_syncs_after(-1);  // the disk works again, what it dropped stays dropped
    const auto refused = up.ledger().change(plan);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::corrupt);
    EXPECT_EQ(refused.error().message,
              "/data/usage.db: a sync failed, and what was written before it may be lost; open the "
              "store again and run `aimeter verify`");
    up.pass(std::chrono::seconds(2));  // a heartbeat
    up.call("refused");
    EXPECT_FALSE(told_.tried.contains("refused")) << "no hold was granted";
    const ledger::Ledger::Health health = up.ledger().health();
    EXPECT_FALSE(health.granting);
    EXPECT_THAT(health.why_not, HasSubstr("the store failed: /data/usage.db: a sync failed"));
    up.kill();
  }
  Up up(world_, told_);
  up.open();
  expect_clean(up.store());
  up.call("again");
  EXPECT_TRUE(told_.rows.contains("again"));
}

// One process works on a new file, the `good + 1`st sync and all later ones fail until it has
// `ended`. Then the disk works again. What another one is told after that is there when the power
// has gone.
enum class End : std::uint8_t { close, kill };
void sync_fails_and_the_power_goes_later(int good, End end) {
  SCOPED_TRACE(fmt::format("after {} syncs, {}", good, end == End::close ? "closed" : "killed"));
  World world;
  Told told;
  {
    Up first(world, told);
    world.files.fail_syncs_after(good);
    first.open();
    first.put_plan("main");
    first.subscribe();
    first.calls("first", 2);
    first.drain();
    end == End::close ? first.close() : first.kill();
  }
  world.files.fail_syncs_after(-1);
  {
    Up next(world, told);
    ASSERT_TRUE(next.open_store());
    next.put_plan("next");
    ASSERT_TRUE(told.plans.contains("next"));
    next.kill();
  }
  world.files.crash();
  Up last(world, told);
  ASSERT_TRUE(last.open_store());
  for (const std::string& slug : told.plans) {
    const auto plan = last.store().find_plan(TenantId{}, slug);
    EXPECT_TRUE(plan && *plan) << slug << " was told to be there";
  }
  expect_clean(last.store());
}

TEST(FailedSync, WhoOpensAfterItStandsOnWhatIsOnTheDisk) {
  constexpr int kSyncs = 40;  // more than there are
  for (int good = 0; good < kSyncs; ++good) {
    sync_fails_and_the_power_goes_later(good, End::close);
    sync_fails_and_the_power_goes_later(good, End::kill);
  }
}

TEST(FailedSync, WhoHadTheLogOpenIsToldAndWritesNoMore) {
  World world;
  Told told;
  Up one(world, told), other(world, told);
  ASSERT_TRUE(one.open_store());
  ASSERT_TRUE(other.open_store());
  one.put_plan("before");
  world.files.fail_syncs_after(0);
  one.put_plan("lost");
  world.files.fail_syncs_after(-1);
  EXPECT_FALSE(told.plans.contains("lost"));
  other.put_plan("other");
  EXPECT_FALSE(told.plans.contains("other")) << "it would stand on what is not on the disk";
  const store::Change plan{store::PutPlan{{.name = "again", .slug = "again"}}, "test"};
  const auto refused = other.store().change(plan);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::corrupt);
  Up again(world, told);
  ASSERT_TRUE(again.open_store());
  again.put_plan("again");
  EXPECT_TRUE(told.plans.contains("again")) << "it has written the log again";
  EXPECT_FALSE(world.files.open("/data/usage.db.aimeter/sync-failed", base::OpenMode::read));
}

TEST_F(Damage, AFailedSyncOfTheJournalIsInDoubtAndEndsTheGranting) {
  {
    Up up(world_, told_);
    up.open();
    up.calls("a", 2);
    up.drain();
    world_.files.fail_syncs_after(0);
    up.call("doubtful");
    EXPECT_TRUE(told_.tried.contains("doubtful"));
    EXPECT_FALSE(told_.rows.contains("doubtful")) << "nobody was told that it is safe";
    world_.files.fail_syncs_after(-1);
    up.call("refused");
    EXPECT_FALSE(told_.tried.contains("refused"));
    EXPECT_THAT(up.ledger().health().why_not, HasSubstr("the journal failed: "));
    up.kill();
  }
  Up up(world_, told_);
  up.open();
  expect_clean(up.store());
  for (const auto& [key, row] : told_.rows) {
    EXPECT_TRUE(up.store().find_key(digest_of(key)).value()) << key;
  }
}

TEST_F(Damage, AFailedWriteOfTheJournalIsInDoubtAndEndsTheGranting) {
  {
    Up up(world_, told_);
    up.open();
    up.calls("a", 2);
    up.drain();
    up.stop_projector();
    world_.files.fail_writes_after(0);
    up.call("doubtful");
    EXPECT_TRUE(told_.tried.contains("doubtful"));
    EXPECT_FALSE(told_.rows.contains("doubtful")) << "nobody was told that it is safe";
    world_.files.fail_writes_after(-1);
    up.call("refused");
    EXPECT_FALSE(told_.tried.contains("refused")) << "a disk that works again is not believed";
    EXPECT_THAT(up.ledger().health().why_not, HasSubstr("the journal failed: "));
    up.kill();
  }
  Up up(world_, told_);
  up.open();
  expect_clean(up.store());
  for (const auto& [key, row] : told_.rows) {
    EXPECT_TRUE(up.store().find_key(digest_of(key)).value()) << key;
  }
  up.call("again");
  EXPECT_TRUE(told_.rows.contains("again"));
}

TEST_F(Damage, AFailedWriteOfTheStoreChangesNothingAndIsNamed) {
  {
    Up up(world_, told_);
    up.open();
    up.calls("a", 2);
    up.drain();
    world_.files.fail_writes_after(0);
    const store::Change plan{store::PutPlan{{.name = "lost", .slug = "lost"}}, "test"};
    const auto failed = up.ledger().change(plan);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::in_doubt) << "it failed within the commit";
    EXPECT_THAT(failed.error().message, HasSubstr("/data/usage.db: the disk failed"));
    world_.files.fail_writes_after(-1);
    EXPECT_FALSE(up.store().find_plan(kAccount.tenant, "lost").value());
    up.kill();
  }
  Up up(world_, told_);
  up.open();
  expect_clean(up.store());
  up.put_plan("again");
  EXPECT_TRUE(told_.plans.contains("again"));
}

TEST_F(Damage, AFullDiskRefusesHoldsAndChangesAndNeverAnswers) {
  Up up(world_, told_);
  up.open();
  up.calls("a", 1);
  auto held = up.hold("last");
  ASSERT_TRUE(held);
  world_.files.set_free_bytes(0);
  for (int i = 0; i < 40 && up.hold("more"); ++i) continue;  // until the segments are full
  const auto refused = up.hold("refused");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("No space left on device (errno 28)"));
  const auto settled = up.settle(*std::move(held), "last");
  EXPECT_TRUE(settled) << "its room was set aside";
  world_.files.set_free_bytes(1U << 30);
  up.drain();
  EXPECT_TRUE(up.store().find_key(digest_of("last")).value());
}

// Every kind of frame, damaged before the end of the journal.
TEST_F(Damage, AFlippedBitInAFrameIsNamedWithItsPlace) {
  {
    Up up(world_, told_);
    up.options().segment_bytes = 1U << 20;
    up.open();
    up.calls("a", 2);
    up.release("b");
    up.detach("d");
    up.calls("c", 2);
    up.kill();
  }
  const std::string whole = world_.files.bytes(kSegment);
  std::map<journal::FrameType, std::size_t> places;  // of the first frame of each kind
  for (std::size_t at = journal::kSegmentHeaderBytes; at < whole.size();) {
    const auto parsed = journal::parse_frame(std::string_view(whole).substr(at));
    if (!parsed) break;
    places.try_emplace(parsed->frame.type, at);
    at += parsed->bytes;
  }
  ASSERT_EQ(places.size(), 4U) << "begin, settle, release and detach";
  std::vector<std::pair<std::size_t, std::string>> damages = {
      {9, kSegment + std::string(": offset 0: ")}};
  for (const auto& [type, at] : places) {
    damages.emplace_back(at + journal::kFrameHeaderBytes + 5,
                         fmt::format("{}: offset {}: frame ", kSegment, at));
  }
  for (const auto& [at, words] : damages) {
    SCOPED_TRACE(at);
    world_.files.set_bytes(kSegment, whole);
    flip(kSegment, at);
    Told ours;
    Up up(world_, ours);
    ASSERT_TRUE(up.open_store());
    const Status opened = up.open_ledger();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::corrupt);
    EXPECT_THAT(opened.error().message, HasSubstr(words));
  }
  world_.files.set_bytes(kSegment, whole);
  Up up(world_, told_);
  up.open();
  for (const auto& [key, row] : told_.rows) {
    EXPECT_TRUE(up.store().find_key(digest_of(key)).value()) << "damage changed nothing: " << key;
  }
}

// The last kind of frame is the last one of a journal: a damaged end is a torn one.
TEST_F(Damage, AFlippedBitInTheFrameOfACleanEndLosesNothing) {
  const std::string store = world_.files.bytes(kStore);
  const std::string log = world_.files.bytes(kStore + std::string("-wal"));
  {
    Up up(world_, told_);
    up.options().segment_bytes = 1U << 20;
    up.open();
    up.calls("a", 2);
    up.drain();
    up.close();
  }
  const std::string whole = world_.files.bytes(kSegment);
  std::size_t close = 0;
  for (std::size_t at = journal::kSegmentHeaderBytes; at < whole.size();) {
    const auto parsed = journal::parse_frame(std::string_view(whole).substr(at));
    if (!parsed) break;
    if (parsed->frame.type == journal::FrameType::close) close = at;
    at += parsed->bytes;
  }
  ASSERT_GT(close, 0U);
  flip(kSegment, close + 9);
  world_.files.set_bytes(kStore, store);  // back to the day before, so that it is read again
  world_.files.set_bytes(kStore + std::string("-wal"), log);
  Up up(world_, told_);
  up.open();
  expect_clean(up.store());
  for (const auto& [key, row] : told_.rows) {
    EXPECT_TRUE(up.store().find_key(digest_of(key)).value()) << key;
  }
}

struct Tree {
  std::string name = {};
  std::size_t root = 0;
};
std::vector<Tree> trees_of(const store::StoreDisk& disk) {
  namespace sqlite = drivers::sqlite;
  auto connection =
      sqlite::Connection::open({.path = kStore, .vfs = disk.vfs}, sqlite::Access::write).value();
  std::vector<Tree> trees = {{"sqlite_schema", 1}};
  sqlite::Query query(*connection,
                      "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 1 ORDER BY 1");
  while (query.step().value()) {
    trees.push_back({query.text(0), static_cast<std::size_t>(query.integer(1))});
  }
  return trees;
}

TEST_F(Damage, AFlippedBitInAPageOfAnyTreeIsFoundByOpenOrVerify) {
  constexpr std::size_t kPage = 4'096, kHeader = 100;  // of the file, on page 1
  {
    Up up(world_, told_);
    up.open();
    up.calls("a", 3);
    up.drain();
    up.close();
  }
  std::vector<Tree> trees;
  {
    const Process process(world_.machine);
    trees = trees_of(process.disk());
  }
  ASSERT_GT(trees.size(), 30U);
  const std::string whole = world_.files.bytes(kStore);
  for (const Tree& tree : trees) {
    SCOPED_TRACE(tree.name);
    world_.files.set_bytes(kStore, whole);
    ASSERT_TRUE(world_.files.remove(std::string(kStore) + "-wal"));
    flip(kStore, (tree.root - 1) * kPage + (tree.root == 1 ? kHeader : 0));  // its kind of page
    Told ours;
    Up up(world_, ours);
    const Status opened = up.open_store();
    if (!opened) {
      EXPECT_EQ(opened.error().code, Code::corrupt);
      EXPECT_THAT(opened.error().message, HasSubstr("/data/usage.db: is damaged"));
      continue;
    }
    const auto verified = up.store().verify([](std::int64_t, std::int64_t) { return true; });
    if (!verified) {
      EXPECT_EQ(verified.error().code, Code::corrupt);
      EXPECT_THAT(verified.error().message, HasSubstr("/data/usage.db: is damaged"));
      continue;
    }
    EXPECT_FALSE(verified->findings.empty()) << "nobody has seen it";
  }
}

// SQLite's kinds of page: what is flipped in each is the kind, the count of cells, the place of
// the first cell; of a chain, the number of the next page.
constexpr std::size_t kPageBytes = 4'096, kFileHeader = 100;
struct Page {
  std::size_t number = 0;  // from 1
  std::size_t first_cell = 0;
};
std::map<std::string, Page> pages_by_kind(const std::string& file) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(file[i]); };
  const auto big_endian = [&](std::size_t i) {
    return std::size_t{at(i)} << 24 | std::size_t{at(i + 1)} << 16 | std::size_t{at(i + 2)} << 8 |
           at(i + 3);
  };
  std::map<std::string, Page> pages = {{"free", {big_endian(32), 0}}};
  const std::map<int, const char*> kinds = {
      {2, "interior of an index"}, {5, "interior of a table"}, {10, "index"}, {13, "table"}};
  for (std::size_t number = 2; number * kPageBytes <= file.size(); ++number) {
    const std::size_t start = (number - 1) * kPageBytes;
    const auto kind = kinds.find(at(start));
    const std::size_t cells = std::size_t{at(start + 3)} << 8 | at(start + 4);
    if (kind == kinds.end() || cells == 0 || cells > 300) continue;
    pages.try_emplace(kind->second, Page{number, at(start) < 10 ? 12U : 8U});
  }
  return pages;
}

TEST_F(Damage, AFlippedBitInAnyKindOfPageIsFoundByOpenOrVerify) {
  {
    Up up(world_, told_);
    up.open();
    up.calls("a", 150);
    up.drain();
    up.record_late("late");
    up.drain();
    up.prune();
    up.close();
  }
  const std::string whole = world_.files.bytes(kStore);
  std::map<std::string, Page> pages = pages_by_kind(whole);
  pages["head of the file"] = {1, kFileHeader + 8};
  if (pages["free"].number == 0) pages.erase("free");
  ASSERT_EQ(pages.count("interior of an index") + pages.count("interior of a table") +
                pages.count("index") + pages.count("table"),
            4U);
  for (const auto& [kind, page] : pages) {
    const std::size_t head = page.number == 1 ? kFileHeader : 0;
    for (const std::size_t at : {head, head + 4, page.first_cell}) {
      SCOPED_TRACE(fmt::format("{}, page {}, byte {}", kind, page.number, at));
      world_.files.set_bytes(kStore, whole);
      ASSERT_TRUE(world_.files.remove(std::string(kStore) + "-wal"));
      flip(kStore, (page.number - 1) * kPageBytes + at);
      Told ours;
      Up up(world_, ours);
      const Status opened = up.open_store();
      if (!opened) {
        EXPECT_EQ(opened.error().code, Code::corrupt);
        EXPECT_THAT(opened.error().message, HasSubstr("/data/usage.db: is damaged"));
        continue;
      }
      const auto verified = up.store().verify([](std::int64_t, std::int64_t) { return true; });
      EXPECT_TRUE(!verified || !verified->findings.empty()) << "nobody has seen it";
    }
  }
}

}  // namespace
}  // namespace aimeter::disk
