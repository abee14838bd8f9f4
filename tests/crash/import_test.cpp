// A move from the PHP package that dies by SIGKILL at fault points, again and again, and is run
// until it ends: what is stored then is what one run without a death stores, and `verify` finds
// nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <boost/json.hpp>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "drivers/laravel_reference_file.h"
#include "tests/flow/program.h"

namespace aimeter::crash {
namespace {

using drivers::laravel::ReferenceFile;
using flow::Folder;
using flow::Program;

constexpr int kKilled = 137, kPartly = 5;

// Contracts, wallets with debits before their cover and with balances that nothing explains, and
// more usage than goes in at once, of three tenants.
constexpr const char* kContracts =
    "INSERT INTO ai_plans(id, name, slug, monthly_token_limit, overage_price_per_1k_tokens,"
    " is_active) VALUES (1, 'Pro', 'pro', 1000, 0.5, 1), (2, 'Old', 'old', 500, NULL, 0),"
    " (3, 'Free', 'free', NULL, NULL, 1);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)"
    " INSERT INTO ai_subscriptions(id, billable_type, billable_id, ai_plan_id, billing_mode,"
    " started_at) SELECT i, 'App\\Models\\User', i, 1 + i % 3, iif(i % 2 = 0, 'plan', 'credits'),"
    " '2026-01-01 00:00:00' FROM n;"
    // Two that say the same are one.
    "INSERT INTO ai_usage_limit_overrides(id, billable_type, billable_id, period_start, period_end,"
    " token_limit) VALUES (1, 'App\\Models\\User', 2, '2026-02-01', '2026-03-01', 9000),"
    " (2, 'App\\Models\\User', 2, '2026-02-01', '2026-03-01', 9000),"
    " (3, 'App\\Models\\User', 3, '2026-02-01', '2026-03-01', 7);";
constexpr const char* kWallets =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)"
    " INSERT INTO ai_credit_wallets(id, billable_type, billable_id, balance)"
    " SELECT i, 'App\\Models\\User', i, 9 + i / 2 FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 35)"
    " INSERT INTO ai_credit_transactions(id, wallet_id, amount, direction, reason, created_at)"
    " SELECT i + 1, 1 + i / 3, iif(i % 3 = 1, 10, 0.5), iif(i % 3 = 1, 'credit', 'debit'),"
    " 'moved ' || i, '2026-02-01 10:00:00' FROM n;";
constexpr const char* kUsages =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
    " INSERT INTO ai_usages(id, billable_type, billable_id, tenant_id, provider, model, feature,"
    " input_tokens, output_tokens, total_cost, idempotency_key, occurred_at) SELECT i,"
    " 'App\\Models\\User', 1 + i % 12, iif(i % 5 = 0, 'globex', iif(i % 7 = 0, 'initech', NULL)),"
    " 'openai', 'gpt-4o', 'chat', i % 900, i % 40 + 1, 0.001 * (i % 50), iif(i % 2 = 0,"
    " 'own-' || i, NULL), datetime(1769900000 + i * 60, 'unixepoch') FROM n;";
constexpr int kMoreThanABatch = 17'000;

// What is stored, without what every run has of its own: ids and the times of writing.
constexpr const char* kTables[] = {
    "SELECT u.tenant, u.billable_type, u.billable_id, u.occurred_at, u.provider_model, u.feature,"
    " u.user, u.flags, u.input_tokens, u.cached_input_tokens, u.output_tokens, u.cost, u.currency,"
    " hex(r.key) FROM ai_usages_view u JOIN ai_usages r USING(id)",
    "SELECT tenant, bucket, billable_type, billable_id, provider_model, feature, calls,"
    " input_tokens, output_tokens, cost, currency, estimated, provisional"
    " FROM ai_usage_rollups_view",
    "SELECT t.name, a.type, a.id, b.kind, b.period_start, b.period_end, b.credited, b.used,"
    " b.leased, b.over_hold, b.late, b.fallen, b.overage_t, b.overage_b FROM ai_budgets b"
    " JOIN ai_tenants t USING(tenant) JOIN ai_accounts a ON a.account = b.account",
    "SELECT tenant, billable_type, billable_id, row_number() OVER (PARTITION BY tenant,"
    " billable_type, billable_id ORDER BY id), cause, amount, balance_after, currency, reason"
    " FROM ai_credit_transactions_view",
    "SELECT wallet, granted_at IS NULL, amount_nanos, remaining_nanos FROM ai_credit_lots"
    " JOIN ai_budgets ON budget = wallet",
    "SELECT p.plan, p.version, t.name, p.slug, p.name, p.monthly_token_limit,"
    " p.overage_price_per_1k_tokens_nanos, p.is_active FROM ai_plans p JOIN ai_tenants t"
    " USING(tenant)",
    "SELECT s.subscription, t.name, a.type, a.id, s.plan, s.billing_mode, s.started_at,"
    " s.previous_plan, s.meta FROM ai_subscriptions s JOIN ai_tenants t USING(tenant)"
    " JOIN ai_accounts a ON a.account = s.account",
    "SELECT o.override, t.name, a.type, a.id, o.period_start, o.period_end, o.token_limit"
    " FROM ai_usage_limit_overrides o JOIN ai_tenants t USING(tenant)"
    " JOIN ai_accounts a ON a.account = o.account",
    "SELECT count(*) FROM ai_overages",
};

using Rows = std::vector<std::string>;
Rows rows_of(sqlite3* db, const std::string& query) {
  Rows rows;
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(db, query.c_str(), -1, &statement, nullptr), SQLITE_OK)
      << query << ": " << sqlite3_errmsg(db);
  while (statement != nullptr && sqlite3_step(statement) == SQLITE_ROW) {
    std::string row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      row += fmt::format("{}|", text == nullptr ? "NULL" : text);
    }
    rows.push_back(std::move(row));
  }
  sqlite3_finalize(statement);
  std::ranges::sort(rows);
  return rows;
}

std::vector<Rows> stored_in(const Folder& folder) {
  std::vector<Rows> tables;
  sqlite3* db = nullptr;
  EXPECT_EQ(sqlite3_open_v2(folder.file("usage.db").c_str(), &db, SQLITE_OPEN_READWRITE, nullptr),
            SQLITE_OK);
  for (const char* query : kTables) tables.push_back(rows_of(db, query));
  sqlite3_close_v2(db);
  return tables;
}

class ImportCrash : public ::testing::Test {
 protected:
  void fill(int usages) {
    file_.run(kContracts);
    file_.run(kWallets);
    file_.run(fmt::format(kUsages, usages));
  }
  // How the command ended; 137: it died at the fault point.
  static int type(const Folder& folder, std::vector<std::string> words,
                  const std::string& fault = {}) {
    const std::string config = folder.write(
        "aimeter.toml",
        "[tenancy]\nresolver = \"header\"\n[billing]\noverage_behavior = \"charge\"\n");
    words.insert(words.begin(), {"/proc/self/exe", "--aimeter"});
    words.insert(words.end(), {"--store", folder.dsn(), "--config", config, "--json"});
    if (!fault.empty()) setenv("AIMETER_FAULT", fault.c_str(), 1);
    Program program(words, folder.file("err"));
    unsetenv("AIMETER_FAULT");
    const std::string out = program.rest();
    const int exit = program.wait();
    std::ifstream err(folder.file("err"));
    const std::string said(std::istreambuf_iterator<char>(err), {});
    EXPECT_TRUE(exit == 0 || exit == kPartly || exit == kKilled) << exit << ": " << out << said;
    return exit;
  }
  [[nodiscard]] int import(const Folder& folder, const std::string& fault = {}) const {
    return type(folder, {"import", "laravel", file_.path(), "--tenant", "acme"}, fault);
  }
  // A run without a death.
  void learn_what_is_right() {
    const Folder folder;
    ASSERT_EQ(import(folder), kPartly);  // usage in tenants without a contract is said
    right_ = stored_in(folder);
    ASSERT_EQ(right_.front().size(), usages_);
    ASSERT_EQ(type(folder, {"verify"}), 0);
  }
  // Runs it to its end.
  void expect_right_in_the_end(const Folder& folder) const {
    ASSERT_EQ(import(folder), kPartly);
    EXPECT_EQ(type(folder, {"verify"}), 0);
    const std::vector<Rows> found = stored_in(folder);
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].size(), right_[i].size()) << kTables[i];
      for (std::size_t row = 0; row < found[i].size(); ++row) {
        ASSERT_EQ(found[i][row], right_[i][row]) << kTables[i];
      }
    }
  }

  ReferenceFile file_;
  std::size_t usages_ = 0;
  std::vector<Rows> right_;
};

// Where an import comes by, and how often at least.
struct Place {
  const char* point;
  int passes;
};
constexpr Place kPlaces[] = {
    {"store.before_migration", 1}, {"store.after_migration", 1}, {"store.before_change", 40},
    {"store.after_change", 40},    {"journal.before_write", 2},  {"journal.after_write", 2},
    {"journal.before_sync", 2},    {"journal.after_sync", 2},    {"store.before_commit", 1},
    {"store.after_commit", 1},
};

TEST_F(ImportCrash, a_death_anywhere_and_a_second_run_are_one_import) {
  fill(400);
  usages_ = 400;
  learn_what_is_right();
  for (const Place& place : kPlaces) {
    for (const int pass : {1, 2, 5, 11, 17, 24, 40}) {
      if (pass > place.passes) break;
      SCOPED_TRACE(fmt::format("AIMETER_FAULT={}:{}", place.point, pass));
      const Folder folder;
      ASSERT_EQ(import(folder, fmt::format("{}:{}", place.point, pass)), kKilled)
          << "the import never comes by here";
      expect_right_in_the_end(folder);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(ImportCrash, many_deaths_of_a_large_import_are_one_import) {
  fill(kMoreThanABatch);
  usages_ = kMoreThanABatch;
  learn_what_is_right();
  const Folder folder;
  int deaths = 0;
  // The early ones first: what a run has done, the next one does not come by again.
  for (const char* fault :
       {"store.after_migration:2", "store.after_change:3", "store.before_change:9",
        "store.after_change:20", "store.before_change:17", "journal.before_sync:1",
        "journal.after_write:2", "store.before_commit:1", "ledger.recovery_applied:1",
        "ledger.recovery_closed:1", "journal.after_sync:2", "store.after_commit:1",
        "ledger.recovery_applied:1", "store.before_commit:2"}) {
    SCOPED_TRACE(fault);
    if (import(folder, fault) == kKilled) ++deaths;
    if (HasFailure()) return;
  }
  EXPECT_GE(deaths, 10);
  expect_right_in_the_end(folder);
}

}  // namespace
}  // namespace aimeter::crash
