#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "drivers/storage/sqlite/migrations.h"
#include "drivers/storage/sqlite/scratch_file.h"

namespace aimeter::drivers::sqlite {
namespace {

using namespace store;
using namespace store::fixture;

class SqliteStoreTest : public ScratchFile {
 protected:
  void write_file(std::string_view bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  [[nodiscard]] std::string bytes_of_file() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Refused, and the file is to the byte what it was.
  void expect_refused(Code code, std::string_view word,
                      StoreOptions::Migrate migrate = StoreOptions::Migrate::apply) {
    const bool was_there = std::filesystem::is_regular_file(path_);
    const std::string before = was_there ? bytes_of_file() : std::string();
    const auto store = open(migrate);
    ASSERT_FALSE(store);
    EXPECT_TRUE(!was_there || bytes_of_file() == before) << "the file was changed";
    EXPECT_EQ(store.error().code, code) << store.error().message;
    EXPECT_NE(store.error().message.find(word), std::string::npos) << store.error().message;
    EXPECT_NE(store.error().message.find(path_), std::string::npos) << store.error().message;
  }
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

TEST_F(SqliteStoreTest, FindsAKeyWhateverWasReadOnThatConnectionBefore) {
  const Account acme = account_of("acme");
  const auto store = opened();
  Feeder engine(*store);
  engine.apply({keyed(call_of(acme, 20), "k")});
  for (int i = 0; i < 50; ++i) {
    SCOPED_TRACE(i);
    expect_verified(*store);  // reads whole tables of keys, with statements of its own
    const std::vector<std::string> moved(static_cast<std::size_t>(i % 7), std::string(60, 'x'));
    const auto seen = store->find_key(key_of("acme", "call", "k"));
    ASSERT_TRUE(seen && *seen);
    ASSERT_EQ((*seen)->row, row_id(1, 1));
    ASSERT_EQ((*seen)->content, 7U);
    ASSERT_FALSE(*store->find_key(key_of("acme", "call", "unknown")));
  }
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

// As another process sees it: a child has none of its parent's record locks.
bool is_locked(const std::string& path) {
  // Source: https://www.sqlite.org/lockingv3.html section 3: 510 bytes behind byte 2^30 + 1.
  struct flock shared{
      .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (1L << 30) + 2, .l_len = 510};
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    const bool asked = file >= 0 && ::fcntl(file, F_GETLK, &shared) == 0;
    ::_exit(asked && shared.l_type != F_UNLCK ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

// Without its lock another process may take itself for the last user of the file, and remove the
// log of this one.
TEST_F(SqliteStoreTest, ASecondStoreOfOneProcessLeavesTheFirstItsLocks) {
  const auto first = opened();
  ASSERT_TRUE(is_locked(path_));
  {
    const auto second = opened();
    EXPECT_TRUE(is_locked(path_)) << "a second store has opened";
  }
  // What SQLite itself closes last goes when the last connection does.
  EXPECT_TRUE(is_locked(path_)) << "the second store has closed";
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
  const std::string next = std::to_string(scripts().size() + 1);
  sql("INSERT INTO ai_migrations VALUES(" + next + ", 'from the future', 0)");
  expect_refused(Code::failed_precondition, "newer than this program");
}

// As a file of version 6 has them: without the row of the usage.
TEST_F(SqliteStoreTest, RefundsOfAnOlderFileLearnTheUsageOfTheirDebit) {
  const Account acme = account_of("acme");
  const auto refund = [&](std::int64_t debit) {
    return Change{.body =
                      RefundCredits{.account = acme, .debit = debit, .amount = Money{5, "usd"}}};
  };
  Settlement call = call_of(acme, 10);
  std::int64_t row = 0;
  {
    const auto store = opened();
    Feeder engine(*store);
    ASSERT_TRUE(store->change({.body = AddCredits{.account = acme, .amount = {100, "usd"}}}));
    ASSERT_TRUE(store->change({.body = DeductCredits{.account = acme, .amount = {20, "usd"}}}));
    call.pins.mode = BillingMode::credits;
    call.total_cost = call.output_cost = {30, "usd"};
    call.input_cost = {0, "usd"};
    call.budgets.push_back({.key = wallet_key(acme, "usd"), .actual = 30});
    engine.apply(call);
    row = engine.row();
    for (const std::int64_t debit : {2, 3}) ASSERT_TRUE(store->change(refund(debit)));
  }
  sql("DROP INDEX ai_credit_transactions_refunded; DELETE FROM ai_migrations WHERE number = 7;"
      "UPDATE ai_credit_transactions SET usage = NULL WHERE cause = 6;"
      "UPDATE ai_credit_transactions SET amount_nanos = 40 WHERE id = 5");  // more than it took
  const auto store = opened();
  const auto found = store->credit_transactions({}, 100);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 5U);
  EXPECT_EQ(found->at(3).transaction.usage_id, 0) << "a withdrawal is of no usage";
  EXPECT_EQ(found->at(4).transaction.usage_id, row);
  Settlement adjustment = adjustment_of(call, row, 0);
  adjustment.total_cost = {-10, "usd"};
  adjustment.budgets[0].actual = 0;
  adjustment.budgets.push_back({.key = wallet_key(acme, "usd"), .actual = -10});
  const Applied applied = Feeder(*store).apply(adjustment);
  ASSERT_EQ(applied.credits.size(), 2U);
  EXPECT_EQ(applied.credits[1].transaction.amount, (Money{10, "usd"}))
      << "what it gives is taken back, not what was given twice by another program";
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

TEST_F(SqliteStoreTest, TwoStoresOnOneFileTakeTurnsAndSeeEachOther) {
  const auto one = opened();
  const auto two = opened();  // its own lock, as another process would have
  const Account acme = account_of("acme");
  constexpr int kBatches = 40;
  const auto feed = [&](Store& store) {
    Feeder engine(store);
    for (int i = 0; i < kBatches; ++i) engine.apply({call_of(acme, 1), call_of(acme, 2)});
  };
  std::thread other([&] { feed(*two); });
  feed(*one);
  other.join();
  EXPECT_EQ(state_of(*one, tokens_of(acme)).used, kBatches * 2 * 3);
  EXPECT_EQ(state_of(*two, tokens_of(acme)).used, kBatches * 2 * 3);
  expect_verified(*one);
}

TEST_F(SqliteStoreTest, BothLanesAndReadsWorkBesideEachOther) {
  const auto store = opened();
  const Account acme = account_of("acme");
  Feeder engine(*store);
  std::thread control([&] {
    for (int i = 0; i < 40; ++i) {
      const auto pulse = store->renew(engine.ref, {});
      EXPECT_TRUE(pulse) << pulse.error().message;
    }
  });
  std::thread reader([&] {
    for (int i = 0; i < 40; ++i) {
      const auto page = store->usages({.tenant = acme.tenant}, "", 100);
      EXPECT_TRUE(page) << page.error().message;
    }
  });
  for (int i = 0; i < 40; ++i) engine.apply(call_of(acme, 1));
  control.join();
  reader.join();
  EXPECT_EQ(state_of(*store, tokens_of(acme)).used, 40);
}

TEST_F(SqliteStoreTest, WhatTheDatabaseRefusesIsFoundByHalvesAndStopsNobody) {
  const auto store = opened();
  const Account acme = account_of("acme");
  Feeder engine(*store);
  engine.apply(call_of(acme, 1));
  // A row is in the way of the sixth settlement of the next batch.
  sql("INSERT INTO ai_usages SELECT id + 6, tenant, account, occurred_at, model, feature, user,"
      " flags, 0, 0, 0, 0, currency, pins, ref, key, extra FROM ai_usages");
  const Applied applied = engine.apply(std::vector<Settlement>(10, call_of(acme, 2)));
  ASSERT_EQ(applied.odd.size(), 1U);
  EXPECT_EQ(applied.odd[0].seq, 7U);
  EXPECT_EQ(applied.odd[0].what, Odd::dead);
  EXPECT_NE(applied.odd[0].reason.find("ai_usages.id"), std::string::npos) << applied.odd[0].reason;
  EXPECT_EQ(state_of(*store, tokens_of(acme)).used, 1 + 9 * 2) << "the other nine count";
  EXPECT_EQ(store->dead()->size(), 1U);
}

// A disk that is full for the log while g_full says so, under the system's own file functions.
bool g_full = false;
const sqlite3_io_methods* g_methods = nullptr;
int (*g_open)(sqlite3_vfs*, const char*, sqlite3_file*, int, int*) = nullptr;

int write_or_full(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  return g_full ? SQLITE_FULL : g_methods->xWrite(file, bytes, count, offset);
}
// sqlite3_vfs::xOpen.
constexpr auto kOpenWithLimit = [](sqlite3_vfs* vfs, const char* name, sqlite3_file* file,
                                   int flags, int* out) {
  const int code = g_open(vfs, name, file, flags, out);
  if (code != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0) return code;
  g_methods = file->pMethods;
  static sqlite3_io_methods methods;
  methods = *g_methods;
  methods.xWrite = write_or_full;
  file->pMethods = &methods;
  return code;
};

TEST_F(SqliteStoreTest, AFullDiskRefusesABatchAndLeavesNothingHalfDone) {
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  sqlite3_vfs limited = *system;
  limited.zName = "limited";
  g_open = system->xOpen;
  limited.xOpen = kOpenWithLimit;
  ASSERT_EQ(sqlite3_vfs_register(&limited, 1), SQLITE_OK);
  {
    const auto store = opened();
    const Account acme = account_of("acme");
    Feeder engine(*store);
    engine.apply(call_of(acme, 1));
    std::vector<Settlement> batch{call_of(acme, 2), call_of(account_of("new"), 3)};
    batch[0].seq = 2;
    batch[1].seq = 3;
    g_full = true;
    const auto applied = store->apply(engine.ref, 1, batch, Sync::full);
    g_full = false;
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, Code::unavailable) << applied.error().message;
    EXPECT_NE(applied.error().message.find("disk is full"), std::string::npos)
        << applied.error().message;
    EXPECT_EQ(*store->last_seq(engine.ref.engine), 1U);
    EXPECT_EQ(state_of(*store, tokens_of(acme)).used, 1);
    expect_verified(*store);
    engine.apply({batch[0], batch[1]});  // the same ones, once there is room
    EXPECT_EQ(state_of(*store, tokens_of(acme)).used, 3);
    EXPECT_EQ(state_of(*store, tokens_of(account_of("new"))).used, 3);
    expect_verified(*store);
  }
  sqlite3_vfs_unregister(&limited);
}

}  // namespace
}  // namespace aimeter::drivers::sqlite
