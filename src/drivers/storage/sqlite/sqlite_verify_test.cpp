#include <fstream>

#include "drivers/storage/sqlite/scratch_file.h"

namespace aimeter::drivers::sqlite {
namespace {

using namespace store;
using namespace store::fixture;

class SqliteVerifyTest : public ScratchFile {
 protected:
  // Two tenants, a lease, keys, a dead settlement, and February pruned under its seals.
  void fill() {
    const auto store = opened();
    Feeder engine(*store);
    const std::vector<LeaseAsk> asks{ask_of(tokens_of(acme_), 50, 1'000)};
    const auto grants = store->lease(engine.ref, asks);
    ASSERT_TRUE(grants) << grants.error().message;
    ASSERT_EQ(grants->at(0).granted, 50);
    Settlement old = call_of(acme_, 100);
    old.occurred_at = kFebruary.start + std::chrono::hours(1);
    old.pins.period = kFebruary;
    old.budgets[0].key = tokens_of(acme_, kFebruary);
    Settlement bad = call_of(zeta_, 5);
    bad.budgets[0].actual = -5;
    Settlement charged = keyed(call_of(zeta_, 40), "k2");
    charged.budgets[0].limit = charged.budgets[0].allowance = 25;
    charged.pins.overage = billing::OveragePrice{2'000'000, "usd"};
    engine.apply({old, held_call_of(acme_, 20, {engine.ref, 20, 1'000}),
                  keyed(call_of(acme_, 30), "k1"), charged, bad});
    const auto pruned = store->change({.body = Prune{.before = kFebruary.end}, .actor = "test"});
    ASSERT_TRUE(pruned) << pruned.error().message;
    ASSERT_EQ(pruned->rows, 1);
    expect_verified(*store);
  }
  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
};

struct Damage {
  const char* words;
  const char* script;
  const char* check;
  const char* where;
  const char* numbers;  // part of the message
};

// Row ids are 1 << 40 | seq; rows 2, 3, 4 are left, 1 is pruned, 5 is dead.
constexpr Damage kDamages[] = {
    {"a usage row is gone", "DELETE FROM ai_usages WHERE id & 15 = 3", "gapless", "engine 1",
     "last seq is 5, rows, dead and rowless are 4"},
    {"the tokens of a row were changed",
     "UPDATE ai_usages SET input_tokens = input_tokens + 1 WHERE id & 15 = 2", "roll-ups = rows",
     "tenant \"acme\"", "25 + 25 tokens"},
    {"the cost of a row was changed", "UPDATE ai_usages SET cost_nanos = 7 WHERE id & 15 = 4",
     "roll-ups = rows", "tenant \"zeta\"",
     "the roll-up has 1 calls, 20 + 20 tokens (0 cached), 400 nanos, 0 estimated, 0 provisional; "
     "the rows have 1 calls, 20 + 20 tokens (0 cached), 7 nanos"},
    {"a roll-up was changed", "UPDATE ai_usage_rollups SET calls = calls + 1 WHERE calls = 2",
     "roll-ups = rows", "tenant \"acme\"", "the roll-up has 3 calls"},
    {"a roll-up is gone", "DELETE FROM ai_usage_rollups WHERE calls = 2", "roll-ups = rows",
     "tenant \"acme\"", "there is no roll-up; the rows have 2 calls"},
    {"a counter was changed", "UPDATE ai_budgets SET used = used + 1 WHERE used = 40",
     "rows = counters", "tenant \"zeta\", user 1, account tokens",
     "used is 41, rows, dead and seals have 40"},
    {"a lease was changed", "UPDATE ai_leases SET leased = leased + 3", "leases = leased",
     "tenant \"acme\"", "leased is 30, leases and holds have 33"},
    {"the last seq of an engine was changed", "UPDATE ai_engines SET last_seq = 6", "gapless",
     "engine 1", "last seq is 6, rows, dead and rowless are 5"},
    {"the key of a row is gone", "DELETE FROM ai_keys_seen_1 WHERE ref & 15 = 3", "keys unique",
     "row 1099511627779", "its key is not known"},
    {"a key is there twice",
     "CREATE TABLE ai_keys_seen_2(key BLOB PRIMARY KEY, ref INTEGER, content INTEGER, at INTEGER);"
     "INSERT INTO ai_keys_seen_2 SELECT * FROM ai_keys_seen_1 WHERE ref & 15 = 3;"
     "INSERT INTO ai_key_tables VALUES(2, 1, 0)",
     "keys unique", "ai_keys_seen_2", "it is there 2 times"},
    {"a key names another row", "UPDATE ai_keys_seen_1 SET ref = ref + 1 WHERE ref & 15 = 3",
     "keys unique", "row 1099511627779", "its key names row 1099511627780"},
    {"an entry of the index is gone", "DELETE FROM ai_usages_by_account WHERE id & 15 = 4",
     "index = rows", "row 1099511627780", "does not have it"},
    {"the seal of a counter was changed", "UPDATE ai_seal_budgets SET actual = actual - 1",
     "rows = counters", "2026-02-01", "used is 100, rows, dead and seals have 99"},
    {"the seal of a period was changed", "UPDATE ai_seals SET input_tokens = 1", "seals",
     "tenant \"acme\"", "rows and seals have 3 calls, 26 + 75 tokens"},
    {"a limit fell below what was used",
     "UPDATE ai_budgets SET limit_amount = 10, blocking = 1 WHERE used = 50", "bound",
     "tenant \"acme\"", "are above limit 10"},
    {"a line of overage is gone", "DELETE FROM ai_overages", "lines = overage", "tenant \"zeta\"",
     "B is 15, its lines have 0, of which 0 remain"},
    {"a line of overage was changed", "UPDATE ai_overages SET amount = 16", "lines = overage",
     "tenant \"zeta\"", "B is 15, its lines have 16, of which 15 remain"},
    {"the price of a line was changed", "UPDATE ai_overages SET price_nanos = 1000000",
     "lines = overage", "tenant \"zeta\"", "its lines cost 30 nanos, what remains of them 15"},
    {"T was changed", "UPDATE ai_budgets SET overage_t = 20 WHERE overage_t = 25",
     "lines = overage", "tenant \"zeta\"", "B is 15, used 40 above T 20 is 20"},
    {"a line of overage has no budget", "UPDATE ai_overages SET budget = 99", "lines = overage",
     "budget 99", "lines of a budget that is not there"},
    {"what rows pin is damaged", "UPDATE ai_pins SET body = x'ff'", "integrity", "pins",
     "missing or damaged"},
};

TEST_F(SqliteVerifyTest, verify_names_each_planted_corruption) {
  fill();
  const std::string whole = path_;
  for (const Damage& damage : kDamages) {
    SCOPED_TRACE(damage.words);
    path_ = folder_ + "/copy.db";
    std::filesystem::copy_file(whole, path_, std::filesystem::copy_options::overwrite_existing);
    sql(damage.script);
    {
      const auto store = opened();
      const auto verified = store->verify({});
      ASSERT_TRUE(verified) << verified.error().message;
      bool named = false;
      std::string all;
      for (const Finding& finding : verified->findings) {
        all += finding.check + ": " + finding.where + ": " + finding.message + "\n";
        named = named || (finding.check == damage.check &&
                          finding.where.find(damage.where) != std::string::npos &&
                          finding.message.find(damage.numbers) != std::string::npos);
      }
      EXPECT_TRUE(named) << all;
    }
    std::filesystem::remove(path_ + "-wal");
    std::filesystem::remove(path_ + "-shm");
  }
}

TEST_F(SqliteVerifyTest, ADamagedPageIsFoundAndStopsNothingElse) {
  fill();
  {
    sql("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  std::int64_t page = 0;
  {
    auto connection = Connection::open(path_, Access::read);
    ASSERT_TRUE(connection);
    const auto root = find_integer(
        **connection, "SELECT rootpage FROM sqlite_schema WHERE name = 'ai_usages_by_account'");
    ASSERT_TRUE(root && *root);
    page = **root;
  }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp((page - 1) * 4'096);
  file << std::string(64, '\x7f');
  file.close();
  const auto store = opened();
  const auto verified = store->verify({});
  ASSERT_TRUE(verified) << verified.error().message;
  ASSERT_FALSE(verified->findings.empty());
  EXPECT_EQ(verified->findings.front().check, "integrity");
}

}  // namespace
}  // namespace aimeter::drivers::sqlite
