// `aimeter import laravel` against a store, as an operator who moves over types it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/typing_fixture.h"
#include "drivers/laravel_reference_file.h"

namespace aimeter::cli {
namespace {

using drivers::laravel::ReferenceFile;
using fixture::Seen;
using ::testing::AllOf;
using ::testing::HasSubstr;
namespace json = boost::json;

class ImportLaravel : public fixture::Typing {
 protected:
  ImportLaravel() : Typing("[tenancy]\nresolver = \"header\"\n") {}
  [[nodiscard]] Seen type(std::vector<std::string> arguments) const {
    return json_of(std::move(arguments));
  }
  [[nodiscard]] Seen import(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"import", "laravel", file_.path(), "--tenant", "acme"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return type(arguments);
  }
  static void expect(const json::value& report, const char* what, std::array<int, 3> counts) {
    const json::object& said = report.at(what).as_object();
    EXPECT_EQ(said.at("seen").as_int64(), counts[0]) << what;
    EXPECT_EQ(said.at("added").as_int64(), counts[1]) << what;
    EXPECT_EQ(said.at("known").as_int64(), counts[2]) << what;
  }
  // "table id" -> why, in the order of the list.
  static std::vector<std::string> left(const json::value& report) {
    std::vector<std::string> all;
    for (const json::value& one : report.at("not_carried").as_array()) {
      all.push_back(std::string(one.at("table").as_string()) + " " +
                    std::string(one.at("id").as_string()) + ": " +
                    std::string(one.at("why").as_string()));
    }
    return all;
  }
  [[nodiscard]] std::string balance(const std::string& id) const {
    const Seen seen = type({"wallet", "balance", "user", id, "--tenant", "acme"});
    return std::string(seen.json().at("balance").as_string());
  }
  void expect_clean() const {
    const Seen seen = type({"verify"});
    EXPECT_EQ(seen.exit, 0) << seen.out << seen.err;
  }
  void plan_and_subscription(const std::string& mode) {
    file_.run(
        "INSERT INTO ai_plans(id, name, slug, monthly_token_limit, monthly_cost_limit,"
        " overage_price_per_1k_tokens, features, trial_days) VALUES(3, 'Pro', 'pro', 1000, 12.5,"
        " 0.002, '[\"chat\",\"search\"]', 14);"
        "INSERT INTO ai_subscriptions(id, billable_type, billable_id, ai_plan_id, billing_mode,"
        " started_at, meta) VALUES(8, 'App\\Models\\User', 5, 3, '" +
        mode + "', '2026-01-01 00:00:00', '{\"stripe_customer_id\":\"cus_1\"}')");
  }

  ReferenceFile file_;
};

constexpr const char* kUsages =
    "INSERT INTO ai_usages(id, billable_type, billable_id, user_id, tenant_id, provider, model,"
    " feature, input_tokens, output_tokens, total_tokens, input_cost, output_cost, total_cost,"
    " currency, meta, idempotency_key, occurred_at) VALUES"
    "(1, 'App\\Models\\User', 5, 5, NULL, 'openai', 'gpt-4o', 'support-reply', 900, 600, 1500,"
    " 0.1, 0.2, 0.3, 'usd', '{\"run\":\"7\"}', 'own-key', '2026-02-01 10:00:00'),"
    "(2, 'App\\Models\\User', 5, NULL, 'globex', 'openai', 'gpt-4o', NULL, NULL, NULL, 7, 0, 0,"
    " '0.000001', 'USD', NULL, NULL, '2026-02-02 10:00:00'),"
    "(3, NULL, NULL, NULL, NULL, 'x', 'y', NULL, 1, 2, 3, 0, 0, 1, 'eur', '[]', NULL,"
    " '2025-02-02 10:00:00');";

TEST_F(ImportLaravel, UsagesKeepTheirCostsAndASecondRunAddsNothing) {
  file_.run(kUsages);
  const Seen dry = import({"--dry-run"});
  expect(dry.json(), "usages", {3, 3, 0});
  EXPECT_TRUE(type({"usage"}).json().at("usages").as_array().empty());

  const Seen first = import();
  EXPECT_EQ(first.exit, 0) << first.out << first.err;
  expect(first.json(), "usages", {3, 3, 0});
  EXPECT_EQ(first.json().at("usage_cost").at("usd").as_string(), "0.300001");
  EXPECT_EQ(first.json().at("usage_cost").at("eur").as_string(), "1");
  const Seen again = import();
  expect(again.json(), "usages", {3, 0, 3});
  expect(import({"--dry-run"}).json(), "usages", {3, 0, 3});

  const Seen report = type(
      {"report", "--from", "2026-02-01", "--to", "2026-03-01", "--group-by", "tenant,billable"});
  const json::array groups = report.json().at("groups").as_array();
  ASSERT_EQ(groups.size(), 2U) << report.out;
  EXPECT_EQ(groups[0].at("cost").as_string(), "0.3") << report.out;
  EXPECT_EQ(groups[0].at("total_tokens").as_int64(), 1'500);
  EXPECT_EQ(groups[1].at("tenant").as_string(), "globex");
  EXPECT_EQ(groups[1].at("cost").as_string(), "0.000001");
  EXPECT_EQ(groups[1].at("total_tokens").as_int64(), 7);
  expect_clean();
}

TEST_F(ImportLaravel, ContractsAreCarriedOnceAndHistoryCountsInThem) {
  plan_and_subscription("plan");
  file_.run(
      "INSERT INTO ai_usage_limit_overrides(id, billable_type, billable_id, period_start,"
      " period_end, token_limit) VALUES(1, 'App\\Models\\User', 5, '2026-02-01 00:00:00',"
      " '2026-03-01 00:00:00', 5000)");
  file_.run(kUsages);
  for (const int added : {1, 0}) {
    const json::value report = import().json();
    expect(report, "plans", {1, added, 1 - added});
    expect(report, "subscriptions", {1, added, 1 - added});
    expect(report, "overrides", {1, added, 1 - added});
    EXPECT_THAT(left(report),
                ::testing::Contains(AllOf(HasSubstr("user 5 in tenant \"globex\""),
                                          HasSubstr("credits are in tenant \"acme\""))));
  }
  const json::value plans = type({"plans", "--tenant", "acme"}).json();
  ASSERT_EQ(plans.as_array().size(), 1U);
  const json::object& plan = plans.as_array()[0].as_object();
  EXPECT_EQ(plan.at("slug").as_string(), "pro");
  EXPECT_EQ(plan.at("tenant").as_string(), "acme");
  EXPECT_EQ(plan.at("version").as_int64(), 1);
  EXPECT_EQ(plan.at("monthly_token_limit").as_int64(), 1'000);
  expect_clean();
}

TEST_F(ImportLaravel, WhatWasUsedThereIsNeverChargedHereAndWhatIsUsedNowIs) {
  std::ofstream(path("aimeter.toml"))
      << "[tenancy]\nresolver = \"header\"\n[billing]\noverage_behavior = \"charge\"\n";
  file_.run(
      "INSERT INTO ai_plans(id, name, slug, monthly_token_limit, overage_price_per_1k_tokens)"
      " VALUES(3, 'Pro', 'pro', 1000, 1);"
      "INSERT INTO ai_subscriptions(id, billable_type, billable_id, ai_plan_id, started_at)"
      " VALUES(8, 'App\\Models\\User', 5, 3, '2026-01-01 00:00:00')");
  file_.run(kUsages);  // 1,500 tokens
  EXPECT_EQ(import().json().at("usages").at("added").as_int64(), 3);
  const std::vector<std::string> lines = {"overages", "--tenant", "acme"};
  EXPECT_THAT(type(lines).out, ::testing::Not(HasSubstr("\"tokens\"")));
  std::ofstream(path("more.csv")) << "occurred_at,input_tokens,output_tokens\n"
                                     "2026-02-03T00:00:00Z,40,0\n";
  EXPECT_EQ(type({"import", path("more.csv"), "--history", "--tenant", "acme", "--billable-type",
                  "user", "--billable", "5", "--provider", "openai", "--model", "gpt-4o"})
                .exit,
            0);
  const std::string charged = type(lines).out;
  EXPECT_THAT(charged, AllOf(HasSubstr("\"tokens\":40,"), HasSubstr("\"cost\":\"0.04\"")));
  expect_clean();
}

TEST_F(ImportLaravel, TheWalletHasTheBalanceToTheLastDigitAndHistoryTakesNothingFromIt) {
  plan_and_subscription("credits");
  file_.run(kUsages);
  file_.run(
      "INSERT INTO ai_credit_wallets(id, billable_type, billable_id, balance) VALUES"
      "(1, 'App\\Models\\User', 5, 9.7), (2, 'App\\Models\\User', 6, 4.25),"
      "(3, 'App\\Models\\User', 7, -2);"
      "INSERT INTO ai_credit_transactions(id, wallet_id, amount, direction, reason, meta,"
      " created_at) VALUES"
      "(1, 1, 0.30000000000000004, 'debit', 'usage', NULL, '2026-02-01 10:00:00'),"
      "(2, 1, 10, 'credit', 'top-up', '[]', '2026-02-01 11:00:00'),"
      "(3, 2, '4.000001', 'credit', 'top-up', NULL, '2026-02-01 11:00:00'),"
      "(4, 3, 1, 'credit', 'top-up', NULL, '2026-02-01 11:00:00'),"
      "(5, 3, 3, 'debit', 'usage', NULL, '2026-02-01 12:00:00'),"
      "(6, 9, 3, 'debit', 'usage', NULL, '2026-02-01 12:00:00'),"
      "(7, 1, 0, 'debit', 'usage', NULL, '2026-02-01 12:00:00')");
  expect(import({"--dry-run"}).json(), "transactions", {6, 6, 0});
  const Seen first = import();
  EXPECT_EQ(first.exit, 5);
  expect(first.json(), "transactions", {6, 6, 0});
  EXPECT_THAT(
      left(first.json()),
      ::testing::IsSupersetOf(
          {HasSubstr("ai_credit_wallets 2: the balance there is 4.25 usd, its transactions are "
                     "4.000001 usd; settled by one transaction of 0.249999 usd"),
           HasSubstr("ai_credit_wallets 3: its balance there is below zero; 2 usd of its debits"),
           HasSubstr("ai_credit_transactions 6: its wallet 9 is not there"),
           HasSubstr("ai_credit_transactions 7: its amount is 0")}));
  EXPECT_EQ(balance("5"), "9.7");
  EXPECT_EQ(balance("6"), "4.25");
  EXPECT_EQ(balance("7"), "0");
  const Seen moved = type({"wallet", "transactions", "user", "6", "--tenant", "acme"});
  EXPECT_THAT(std::string(moved.json().as_array()[0].at("reason").as_string()),
              HasSubstr("import: the balance there is 4.25 usd"));

  // Credits that are spent here stay spent.
  EXPECT_EQ(type({"wallet", "deduct", "user", "6", "1", "--tenant", "acme"}).exit, 0);
  expect(import().json(), "transactions", {6, 0, 6});
  EXPECT_EQ(balance("5"), "9.7");
  EXPECT_EQ(balance("6"), "3.25");
  EXPECT_EQ(balance("7"), "0");
  expect_clean();
}

TEST_F(ImportLaravel, WhatHasNoPlaceHereIsListed) {
  file_.run(
      "ALTER TABLE ai_plans ADD COLUMN seats INTEGER;"
      "DROP TABLE ai_usage_limit_overrides;"
      "INSERT INTO ai_plans(id, name, slug, is_active, deleted_at) VALUES"
      "(1, 'Old', 'old', 0, NULL), (2, 'Gone', 'gone', 1, '2026-01-01 00:00:00'),"
      "(3, 'Lost', 'lost', 1, '2026-01-01 00:00:00');"
      "INSERT INTO ai_subscriptions(id, billable_type, billable_id, ai_plan_id, started_at, "
      "ends_at,"
      " grace_period_ends_at, deleted_at) VALUES"
      "(1, 'App\\Team', 1, 1, '2026-01-01 00:00:00', NULL, '2026-03-01 00:00:00', NULL),"
      "(2, 'App\\Team', 2, NULL, '2026-01-01 00:00:00', NULL, NULL, NULL),"
      "(3, 'App\\Team', 3, 77, '2026-01-01 00:00:00', NULL, NULL, NULL),"
      "(4, 'App\\Team', 4, 1, '2026-01-01 00:00:00', NULL, NULL, '2026-02-01 00:00:00'),"
      "(5, 'App\\Team', 5, 2, '2026-01-01 00:00:00', NULL, NULL, NULL);"
      "INSERT INTO ai_usages(id, provider, model, input_tokens, output_tokens, total_tokens,"
      " total_cost, tenant_id, occurred_at) VALUES"
      "(1, 'p', 'm', NULL, NULL, NULL, 0, 'a', '2026-01-01 00:00:00'),"
      "(2, 'p', 'm', 10, 3, 15, 0.5, 'a', '2026-01-01 00:00:00');"
      "INSERT INTO ai_overages(id, billable_type, billable_id, period_start, period_end, tokens,"
      " cost, currency, stripe_invoice_item_id, synced_at) VALUES"
      "(1, 'App\\Team', 1, '2026-01-01', '2026-02-01', 500, 0.7, 'usd', 'ii_1', '2026-02-02'),"
      "(2, 'App\\Team', 1, '2026-02-01', '2026-03-01', 20, 0.1, 'usd', NULL, NULL)");
  const Seen first = import();
  EXPECT_EQ(first.exit, 5);
  EXPECT_THAT(
      left(first.json()),
      ::testing::UnorderedElementsAre(
          "ai_plans : its column seats is unknown here",
          "ai_usage_limit_overrides : there is no such table",
          "ai_subscriptions 1: carried without grace_period_ends_at (2026-03-01T00:00:00Z): there "
          "is no ends_at",
          "ai_subscriptions 2: it has no plan: here every subscription has one",
          "ai_subscriptions 3: its plan 77 was not carried or is not there",
          "ai_subscriptions 4: it was deleted there at 2026-02-01T00:00:00Z",
          "ai_plans 2: it was deleted there; carried as inactive, as subscriptions name it",
          "ai_plans 3: it was deleted there", "ai_usages 1: it has neither a count nor a cost",
          "ai_usages 2: its total of 15 tokens is not 10 + 3: carried as 13",
          "ai_overages 1: 500 tokens, 0.7 usd: charged there (ii_1), never charged here",
          "ai_overages 2: 20 tokens, 0.1 usd: not charged there yet; charge it there, nothing here "
          "will"));
  const json::value plans = type({"plans", "--tenant", "acme"}).json();
  ASSERT_EQ(plans.as_array().size(), 2U);
  for (const json::value& plan : plans.as_array()) {
    EXPECT_FALSE(plan.at("is_active").as_bool());
  }
  expect(import().json(), "subscriptions", {2, 0, 2});
  const json::value after = type({"plans", "--tenant", "acme"}).json();
  for (const json::value& plan : after.as_array()) {
    EXPECT_EQ(plan.at("version").as_int64(), 2);  // nothing was opened again
  }
  expect_clean();
}

TEST_F(ImportLaravel, ACellThatCannotBeReadStopsBeforeAnythingIsCarried) {
  struct Row {
    const char* sql;
    const char* place;
    const char* expected;
  };
  constexpr Row kRows[] = {
      {"UPDATE ai_usages SET total_cost = 'abc' WHERE id = 3",
       "ai_usages row 3, total_cost: \"abc\"", "a decimal of at most 9 places"},
      {"UPDATE ai_usages SET total_cost = 3e9 + 0.5 WHERE id = 3", "total_cost: \"3000000000.5\"",
       "less than 1000000000 in a REAL"},
      {"UPDATE ai_usages SET total_cost = -1 WHERE id = 3", "total_cost: \"-1\"", "0 or more"},
      {"UPDATE ai_usages SET input_tokens = -1 WHERE id = 2", "ai_usages row 2, input_tokens",
       "a whole number from 0"},
      {"UPDATE ai_usages SET input_tokens = 1.5 WHERE id = 2", "input_tokens: \"1.5\"",
       "a whole number from 0"},
      {"UPDATE ai_usages SET currency = 'dollar' WHERE id = 2", "currency: \"dollar\"",
       "three letters"},
      {"UPDATE ai_usages SET occurred_at = 'yesterday' WHERE id = 2", "occurred_at: \"yesterday\"",
       "2026-03-15 09:30:00"},
      {"INSERT INTO ai_credit_wallets(id, billable_type, billable_id) VALUES(1, 'A\\user', 1)",
       "billable_type: \"user\"", "A\\user and App\\Models\\User"},
      {"INSERT INTO ai_credit_transactions VALUES(1, 1, 1, 'sideways', '', NULL, '2026-01-01')",
       "ai_credit_transactions row 1, direction: \"sideways\"", "credit or debit"},
      {"ALTER TABLE ai_usages DROP COLUMN total_cost", "FILE",
       "its table ai_usages has no column total_cost"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sql);
    ReferenceFile bad;
    bad.run(kUsages);
    bad.run(row.sql);
    const Seen seen = type({"import", "laravel", bad.path(), "--tenant", "acme"});
    EXPECT_EQ(seen.exit, 2);
    const std::string message(seen.json().at("error").at("message").as_string());
    EXPECT_THAT(message, AllOf(HasSubstr(row.place), HasSubstr(row.expected)));
    EXPECT_FALSE(std::filesystem::exists(path("usage.db")));
  }
}

TEST_F(ImportLaravel, AnotherFileIsRefused) {
  const auto refused = [&](const std::string& path) {
    const Seen seen = type({"import", "laravel", path, "--tenant", "acme"});
    EXPECT_EQ(seen.exit, 2) << path;
    return std::string(seen.json().at("error").at("message").as_string());
  };
  EXPECT_THAT(refused(path("none")), HasSubstr("a file that can be read"));
  EXPECT_THAT(refused(path("aimeter.toml")),
              HasSubstr("a SQLite database of the package ajooda/laravel-ai-metering"));
  const ReferenceFile empty(ReferenceFile::Tables::none);
  EXPECT_THAT(refused(empty.path()), HasSubstr("none of its tables is there"));
  const Seen nobody = type({"import", "laravel", file_.path()});
  EXPECT_EQ(nobody.exit, 2);
  EXPECT_THAT(nobody.out, HasSubstr("--tenant"));
  EXPECT_EQ(import({"--zone", "Mars/Olympus"}).exit, 2);
  EXPECT_THAT(import({"--type", "App"}).out, HasSubstr("CLASS=TYPE"));
  EXPECT_THAT(import({"--type", "App\\None=team"}).out, HasSubstr("the file names none"));
}

TEST_F(ImportLaravel, ClassesAreMappedByHandAndTimesAreReadInTheirZone) {
  file_.run(kUsages);
  const Seen first = import({"--type", "App\\Models\\User=member", "--zone", "America/New_York"});
  EXPECT_EQ(first.exit, 0) << first.out;
  const json::value used = type({"usage", "--tenant", "acme", "--month", "2026-02"}).json();
  ASSERT_EQ(used.at("usages").as_array().size(), 1U);
  const json::value& one = used.at("usages").as_array()[0];
  EXPECT_EQ(one.at("billable_type").as_string(), "member");
  EXPECT_EQ(one.at("feature").as_string(), "support-reply");
  EXPECT_EQ(one.at("occurred_at").as_string(), "2026-02-01T15:00:00Z");
  EXPECT_EQ(one.at("input_cost").as_string(), "0.1");
  EXPECT_EQ(one.at("total_cost").as_string(), "0.3");
}

}  // namespace
}  // namespace aimeter::cli
