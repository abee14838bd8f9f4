// Package:       drivers
// Units:         none
// Errors:        a statement that fails fails the running test.
// Thread safety: belongs to one test.
// Ownership:     the file is removed with the object.
//
// A database as the package ajooda/laravel-ai-metering makes it on SQLite: its seven tables, filled
// by the test.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace aimeter::drivers::laravel {

class ReferenceFile {
 public:
  enum class Tables { all, none };
  explicit ReferenceFile(Tables tables = Tables::all) {
    std::string name = ::testing::TempDir() + "aimeter-laravel-XXXXXX";
    folder_ = mkdtemp(name.data());
    EXPECT_EQ(sqlite3_open(path().c_str(), &db_), SQLITE_OK);
    if (tables == Tables::all) run(kTables);
  }
  ~ReferenceFile() {
    sqlite3_close_v2(db_);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  ReferenceFile(const ReferenceFile&) = delete;
  ReferenceFile& operator=(const ReferenceFile&) = delete;

  [[nodiscard]] std::string path() const { return folder_ + "/database.sqlite"; }
  void run(const std::string& sql) {
    char* words = nullptr;
    EXPECT_EQ(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &words), SQLITE_OK)
        << sql << ": " << (words != nullptr ? words : "");
    sqlite3_free(words);
  }

 private:
  static constexpr const char* kTables =
      "CREATE TABLE ai_plans(id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, slug VARCHAR NOT NULL"
      " UNIQUE, monthly_token_limit INTEGER, monthly_cost_limit NUMERIC,"
      " overage_price_per_1k_tokens NUMERIC, features TEXT, is_active TINYINT(1) NOT NULL DEFAULT"
      " '1', trial_days INTEGER, created_at DATETIME, updated_at DATETIME, deleted_at DATETIME);"
      "CREATE TABLE ai_subscriptions(id INTEGER PRIMARY KEY, billable_type VARCHAR NOT NULL,"
      " billable_id INTEGER NOT NULL, ai_plan_id INTEGER, billing_mode VARCHAR NOT NULL DEFAULT"
      " 'plan', renews_at DATETIME, started_at DATETIME, ends_at DATETIME, trial_ends_at DATETIME,"
      " grace_period_ends_at DATETIME, previous_plan_id INTEGER, meta TEXT, created_at DATETIME,"
      " updated_at DATETIME, deleted_at DATETIME);"
      "CREATE TABLE ai_usages(id INTEGER PRIMARY KEY, billable_type VARCHAR, billable_id INTEGER,"
      " user_id INTEGER, tenant_id VARCHAR, provider VARCHAR NOT NULL, model VARCHAR NOT NULL,"
      " feature VARCHAR, input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER,"
      " input_cost NUMERIC NOT NULL DEFAULT '0', output_cost NUMERIC NOT NULL DEFAULT '0',"
      " total_cost NUMERIC NOT NULL DEFAULT '0', currency VARCHAR NOT NULL DEFAULT 'usd', meta "
      "TEXT,"
      " idempotency_key VARCHAR UNIQUE, occurred_at DATETIME, created_at DATETIME,"
      " updated_at DATETIME);"
      "CREATE TABLE ai_credit_wallets(id INTEGER PRIMARY KEY, billable_type VARCHAR NOT NULL,"
      " billable_id INTEGER NOT NULL, balance NUMERIC NOT NULL DEFAULT '0', currency VARCHAR NOT"
      " NULL DEFAULT 'usd', meta TEXT, created_at DATETIME, updated_at DATETIME,"
      " UNIQUE(billable_type, billable_id));"
      "CREATE TABLE ai_credit_transactions(id INTEGER PRIMARY KEY, wallet_id INTEGER NOT NULL,"
      " amount NUMERIC NOT NULL, direction VARCHAR NOT NULL, reason VARCHAR NOT NULL, meta TEXT,"
      " created_at DATETIME NOT NULL);"
      "CREATE TABLE ai_usage_limit_overrides(id INTEGER PRIMARY KEY, billable_type VARCHAR NOT "
      "NULL,"
      " billable_id INTEGER NOT NULL, period_start DATETIME NOT NULL, period_end DATETIME NOT NULL,"
      " token_limit INTEGER, cost_limit NUMERIC, created_at DATETIME, updated_at DATETIME);"
      "CREATE TABLE ai_overages(id INTEGER PRIMARY KEY, billable_type VARCHAR NOT NULL, billable_id"
      " INTEGER NOT NULL, ai_usage_id INTEGER, period_start DATETIME NOT NULL, period_end DATETIME"
      " NOT NULL, tokens INTEGER NOT NULL, cost NUMERIC NOT NULL, currency VARCHAR NOT NULL,"
      " stripe_invoice_item_id VARCHAR, synced_at DATETIME, created_at DATETIME, updated_at"
      " DATETIME);";
  std::string folder_;
  sqlite3* db_ = nullptr;
};

}  // namespace aimeter::drivers::laravel
