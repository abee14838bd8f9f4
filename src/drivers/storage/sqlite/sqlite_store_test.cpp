#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "drivers/builtin.h"
#include "drivers/storage/sqlite/connection.h"
#include "drivers/storage/sqlite/migrations.h"
#include "store/store_fixture.h"
#include "time/manual_clock.h"

namespace aimeter::drivers::sqlite {
namespace {

using namespace store;
using namespace store::fixture;

class SqliteStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "aimeter-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/usage.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] Result<std::unique_ptr<Store>> open(
      StoreOptions::Migrate migrate = StoreOptions::Migrate::apply) {
    return open_store("sqlite:" + path_, {.clock = &clock_, .migrate = migrate});
  }
  [[nodiscard]] std::unique_ptr<Store> opened() {
    auto store = open();
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  // For tests that damage a file on purpose.
  void sql(const std::string& script) {
    auto connection = Connection::open(path_, Access::write);
    ASSERT_TRUE(connection) << connection.error().message;
    const Status done = (*connection)->run_script(script);
    ASSERT_TRUE(done) << done.error().message;
  }
  void write_file(std::string_view bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  void expect_refused(Code code, std::string_view word,
                      StoreOptions::Migrate migrate = StoreOptions::Migrate::apply) {
    const auto store = open(migrate);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, code) << store.error().message;
    EXPECT_NE(store.error().message.find(word), std::string::npos) << store.error().message;
    EXPECT_NE(store.error().message.find(path_), std::string::npos) << store.error().message;
  }

  time::ManualClock clock_{kNoon};
  std::string folder_, path_;
};

// Everything that a settlement can carry, each field with a value of its own.
Settlement full_settlement(const Account& account) {
  Settlement full = call_of(account, 1'000);
  full.hold = 77;
  full.hold_engine = 1;
  full.epoch = 1;
  full.flags = kEstimated | kCostFromCaller;
  full.api_key = "key7";
  full.session = "s1";
  full.pins = {.period = kMarch,
               .subscription = 3,
               .plan = 4,
               .plan_version = 2,
               .plan_slug = "pro",
               .price_version = "2026-03-01",
               .price_model = "gpt-4o",
               .tenant_found_by = "resolver:domain",
               .estimate_source = "learned",
               .estimate_tokens = 900,
               .estimate_cost_nanos = 12'345,
               .capped = true,
               .catalogue = 9};
  full.pins.mode = BillingMode::credits;
  full.budgets.push_back({.key = cost_of(account),
                          .actual = 10'000,
                          .limit = 5'000,
                          .blocking = false,
                          .shadow = true,
                          .would_refuse = true});
  full.budgets.push_back({.key = user_tokens_of(account, "u1"), .actual = 1'000});
  Usage& usage = full.usage;
  usage.cached_input_tokens.count = 120;
  usage.cache_write_tokens.count = 30;
  usage.cache_write_5m_tokens.count = 10;
  usage.cache_write_1h_tokens.count = 20;
  usage.input_audio_tokens.count = 5;
  usage.cached_input_audio_tokens.count = 4;
  usage.reasoning_tokens.count = 50;
  usage.output_audio_tokens.count = 6;
  usage.units = {{"images", 2}, {"seconds", 60}};
  usage.total_cost = Money{.nanos = 10'000};
  usage.service_tier = "batch";
  full.meta = R"({"run":"7"})";
  full.key = KeyRef{key_of(account.tenant.text, "call", "k1"), 0xfedcba9876543210};
  return full;
}

TEST_F(SqliteStoreTest, GivesASettlementBackAsItWas) {
  const auto store = opened();
  Feeder engine(*store);
  const Account acme = account_of("acme");
  Settlement plain = call_of(acme, 10);
  Settlement total_only = call_of(acme, 0);
  total_only.usage.total_tokens.count = 31;
  total_only.usage.total_only = true;
  Settlement nothing{.occurred_at = kNoon, .account = account_of("")};
  const std::vector<Settlement> given{full_settlement(acme), plain, total_only, nothing};
  engine.apply(given);
  for (std::size_t i = 0; i < given.size(); ++i) {
    SCOPED_TRACE(i);
    Settlement expected = given[i];
    expected.seq = i + 1;
    const auto row = store->settlement(row_id(engine.ref.engine, i + 1), std::nullopt);
    ASSERT_TRUE(row) << row.error().message;
    ASSERT_TRUE(row->has_value());
    EXPECT_EQ(**row, expected);
  }
  const auto fed = store->feed({engine.ref.engine, 1}, 10);
  ASSERT_TRUE(fed) << fed.error().message;
  ASSERT_EQ(fed->size(), 3U) << "the feed goes on after the given seq";
  EXPECT_EQ(fed->front().seq, 2U);
}

TEST_F(SqliteStoreTest, KeepsEverythingWhenItIsOpenedAgain) {
  const Account acme = account_of("acme");
  {
    const auto store = opened();
    Feeder engine(*store);
    engine.apply({call_of(acme, 10), keyed(call_of(acme, 20), "k")});
  }
  const auto store = opened();
  EXPECT_EQ(state_of(*store, tokens_of(acme)).used, 30);
  EXPECT_EQ(*store->last_seq(1), 2U);
  const auto seen = store->find_key(key_of("acme", "call", "k"));
  ASSERT_TRUE(seen && *seen);
  EXPECT_EQ((*seen)->row, row_id(1, 2));
  EXPECT_EQ((*seen)->content, 7U);
  expect_verified(*store);
}

TEST_F(SqliteStoreTest, SaysWhatAFileIsThatItCannotOpen) {
  write_file("this is a text, and a long one: " + std::string(200, 'x'));
  expect_refused(Code::corrupt, "no SQLite database");
  write_file("short");
  expect_refused(Code::corrupt, "too short");
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  expect_refused(Code::unavailable, "folder");
}

TEST_F(SqliteStoreTest, SaysThatAFileWasCutOff) {
  {
    const auto store = opened();
  }
  const auto size = std::filesystem::file_size(path_);
  std::filesystem::resize_file(path_, size - 4'096);
  expect_refused(Code::corrupt, "cut off");
}

TEST_F(SqliteStoreTest, RefusesPathsThatAreNoFileOfItsOwn) {
  struct Row {
    const char* words;
    const char* dsn;
  };
  constexpr Row kRows[] = {
      {"a private memory database is no store", "sqlite::memory:"},
      {"no path is no store", "sqlite:"},
      {"a URI is not a path", "sqlite:file:usage.db?mode=memory"},
      {"the memory store has no name", "memory:one"},
      {"an unknown scheme is named", "mysql:usage"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.words);
    const auto store = open_store(row.dsn, {.clock = &clock_});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Code::invalid_argument) << store.error().message;
    EXPECT_NE(store.error().message.find(row.dsn), std::string::npos) << store.error().message;
  }
  EXPECT_TRUE(open_store("memory:", {.clock = &clock_}));
}

TEST_F(SqliteStoreTest, AnOlderFileIsMigratedOrRefusedAndANewerOneRefused) {
  expect_refused(Code::failed_precondition, "version 0", StoreOptions::Migrate::refuse);
  {
    const auto store = opened();
  }
  {
    const auto store = open(StoreOptions::Migrate::refuse);
    ASSERT_TRUE(store) << store.error().message;
    const auto migrations = (*store)->migrations();
    ASSERT_TRUE(migrations);
    ASSERT_EQ(migrations->size(), scripts().size());
    EXPECT_EQ(migrations->front().number, 1);
    EXPECT_EQ(migrations->front().applied_at, kNoon);
  }
  sql("INSERT INTO ai_migrations VALUES(99, 'from the future', 0)");
  expect_refused(Code::failed_precondition, "newer than this program");
}

TEST_F(SqliteStoreTest, AReadOnlyFileAndFolderAreNamed) {
  {
    const auto store = opened();
  }
  const bool is_root = ::geteuid() == 0;
  ::chmod(folder_.c_str(), 0755);
  ::chmod((folder_ + "/usage.db.aimeter").c_str(), 0777);
  ::chmod((folder_ + "/usage.db.aimeter/writer").c_str(), 0666);
  ::chmod((folder_ + "/usage.db.aimeter/turnstile").c_str(), 0666);
  ::chmod(path_.c_str(), 0444);
  const auto act_as = [is_root](uid_t user) {  // root may write whatever the mode says
    const int done = is_root ? ::seteuid(user) : 0;
    EXPECT_EQ(done, 0);
  };
  act_as(65'534);
  expect_refused(Code::unavailable, "read-only");
  const std::string other = folder_ + "/other.db";
  ::chmod(folder_.c_str(), 0555);
  const auto store = open_store("sqlite:" + other, {.clock = &clock_});
  act_as(0);
  ::chmod(folder_.c_str(), 0755);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::unavailable);
  EXPECT_NE(store.error().message.find(other), std::string::npos) << store.error().message;
}

}  // namespace
}  // namespace aimeter::drivers::sqlite
