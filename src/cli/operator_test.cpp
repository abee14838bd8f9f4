// The commands that an operator types against a store, one after the other, as he would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/typing_fixture.h"
#include "drivers/builtin.h"
#include "store/store_fixture.h"
#include "time/manual_clock.h"

namespace aimeter::cli {
namespace {

using fixture::Seen;
using ::testing::HasSubstr;
using ::testing::Not;

class Operator : public fixture::Typing {
 protected:
  Operator()
      : Typing(
            "[tenancy]\nresolver = \"header\"\n[providers.trace.models.fixed]\n"
            "input_price_per_1k = \"0.0025\"\noutput_price_per_1k = \"0.010\"\n") {}
  [[nodiscard]] Seen import(const std::string& csv, std::vector<std::string> more = {}) const {
    write("usage.csv", csv);
    std::vector<std::string> arguments = {"import",  path("usage.csv"), "--provider", "trace",
                                          "--model", "fixed",           "--history"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return type(arguments);
  }
};

const std::string kRows =
    "occurred_at,tenant,user,feature,input_tokens,output_tokens\n"
    "2026-07-01T10:00:00Z,acme,u1,chat,1000,100\n"
    "2026-07-01T10:00:30Z,acme,u2,chat,2000,200\n"
    "2026-07-02T11:00:00Z,globex,u1,search,3000,300\n";

TEST_F(Operator, ImportRecordsEachRowOnceAndTheReportAddsUpExactly) {
  const Seen first = import(kRows);
  EXPECT_EQ(first.exit, 0) << first.err;
  EXPECT_EQ(first.json().at("rows").as_int64(), 3);
  EXPECT_EQ(first.json().at("recorded").as_int64(), 3);
  const Seen again = import(kRows);
  EXPECT_EQ(again.json().at("recorded").as_int64(), 0);
  EXPECT_EQ(again.json().at("duplicates").as_int64(), 3);

  const Seen report = type({"report", "--month", "2026-07", "--group-by", "tenant,user", "--json"});
  EXPECT_EQ(report.exit, 0) << report.err;
  const auto totals = report.json().at("totals");
  EXPECT_EQ(totals.at("calls").as_int64(), 3);
  EXPECT_EQ(totals.at("total_tokens").as_int64(), 6'600);
  EXPECT_EQ(totals.at("cost").as_string(), "0.021");  // 6,000 x 0.0025/1k + 600 x 0.010/1k
  EXPECT_EQ(totals.at("tenants").as_int64(), 2);
  EXPECT_EQ(report.json().at("groups").as_array().size(), 3U);

  const Seen one = type({"report", "--month", "2026-07", "--tenant", "globex", "--json"});
  EXPECT_EQ(one.json().at("totals").at("calls").as_int64(), 1);
  const Seen table = type({"report", "--month", "2026-07", "--group-by", "tenant"});
  EXPECT_THAT(table.out, HasSubstr("globex"));
  EXPECT_THAT(table.out, HasSubstr("█"));
  const Seen csv = type({"report", "--month", "2026-07", "--group-by", "day", "--format", "csv"});
  EXPECT_THAT(csv.out, HasSubstr("2026-07-02T00:00:00Z,1,3000,0,300,3300,0.0105,usd,0,0\n"));
  EXPECT_EQ(type({"verify"}).exit, 0);
}

TEST_F(Operator, ImportListsBadRowsByLineAndTakesTheRest) {
  const Seen seen = import(
      "occurred_at,tenant,input_tokens,output_tokens\r\n"
      "2026-07-01T10:00:00Z,acme,-1,1\r\n"
      "2026-07-01T10:00:00Z,acme,1e3,1\r\n"
      "2026-07-01T10:00:00Z,acme,1.5,1\r\n"
      "2026-07-01T10:00:00Z,acme,9223372036854775808,1\r\n"
      "2026-07-01T10:00:60Z,acme,1,1\r\n"
      "2026-07-01T10:00:00Z,\x01,1,1\r\n"
      "2026-07-01T10:00:00Z,acme,1\r\n"
      "2026-07-01T10:00:00Z,acme,1,1");
  EXPECT_EQ(seen.exit, 5);
  EXPECT_EQ(seen.json().at("rows").as_int64(), 8);
  EXPECT_EQ(seen.json().at("bad").as_int64(), 7);
  EXPECT_EQ(seen.json().at("recorded").as_int64(), 1);
  for (const char* says :
       {"line 2: input_tokens: \"-1\"", "line 3: input_tokens: \"1e3\"",
        "line 4: input_tokens: \"1.5\"", "line 5: input_tokens: \"9223372036854775808\"",
        "line 6: occurred_at", "line 7: tenant", "line 8"}) {
    EXPECT_THAT(seen.err, HasSubstr(says));
  }
}

TEST_F(Operator, ImportRefusesFilesThatAreNone) {
  struct Row {
    const char* sentence;
    std::string text;
    const char* says;
  };
  const Row rows[] = {
      {"an empty file", "", "header"},
      {"a column twice", "occurred_at,input_tokens,input_tokens\n", "input_tokens"},
      {"no column for the time", "input_tokens\n1\n", "occurred_at"},
      {"no column for tokens", "occurred_at\n2026-07-01\n", "input_tokens"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Seen seen = import(row.text);
    EXPECT_EQ(seen.exit, 2) << seen.out << seen.err;
    EXPECT_THAT(seen.err, HasSubstr(row.says));
  }
  EXPECT_EQ(type({"import", path("no-such-file.csv")}).exit, 2);
}

TEST_F(Operator, ImportReadsJsonLinesAndMapsColumns) {
  write(
      "usage.jsonl",
      R"({"occurred_at":"2026-07-01T10:00:00Z","tenant":"acme","usage":{"input_tokens":10,)"
      R"("cached_input_tokens":4,"output_tokens":5,"total_tokens":15},"meta":{"ticket":"9"}})"
      "\n"
      R"({"occurred_at":"2026-07-01T10:00:00Z","tenant":"acme","input_tokens":1,"input_tokens":2})"
      "\n");
  const Seen seen =
      type({"import", path("usage.jsonl"), "--provider", "trace", "--model", "fixed", "--history"});
  EXPECT_EQ(seen.exit, 5);
  EXPECT_EQ(seen.json().at("recorded").as_int64(), 1) << seen.err;
  EXPECT_THAT(seen.err, HasSubstr("input_tokens"));
  const Seen relative = import(
      "timestamp_ms,input_tokens,cached_input_tokens,output_tokens\n0,6758,0,500\n1500,7322,512,"
      "490\n",
      {"--map", "offset_ms=timestamp_ms", "--starting-at", "2026-07-03T00:00:00Z",
       "--spread-tenants", "2"});
  EXPECT_EQ(relative.json().at("recorded").as_int64(), 2) << relative.err;
  const Seen usage = type({"usage", "--tenant", "t01", "--json"});
  EXPECT_EQ(usage.json().at("usages").at(0).at("occurred_at").as_string(),
            "2026-07-03T00:00:01.5Z");
  EXPECT_EQ(usage.json().at("usages").at(0).at("usage").at("cached_input_tokens").as_int64(), 512);
  EXPECT_EQ(import("occurred_at,input_tokens\n", {"--map", "nonsense=x"}).exit, 2);
  const Seen dry = import(kRows, {"--dry-run"});
  EXPECT_EQ(dry.json().at("rows").as_int64(), 3);
  EXPECT_EQ(dry.json().at("recorded").as_int64(), 0);
}

TEST_F(Operator, EnforcedImportRefusesAboveTheLimitOfItsTime) {
  write("plans.toml", "[[plans]]\nname = \"Small\"\nmonthly_token_limit = 3500\n");
  EXPECT_EQ(type({"sync-plans", "--from", path("plans.toml")}).exit, 0);
  const Seen subscribed = type(
      {"subscribe", "tenant", "acme", "small", "--tenant", "acme", "--started-at", "2026-06-01"});
  EXPECT_EQ(subscribed.exit, 0) << subscribed.err;
  const Seen seen = import(
      "occurred_at,tenant,input_tokens,output_tokens\n"
      "2026-07-01T10:00:00Z,acme,3000,400\n"
      "2026-07-01T10:00:01Z,acme,50,51\n"
      "2026-07-01T10:00:02Z,acme,50,50\n",
      {"--enforce"});
  EXPECT_EQ(seen.json().at("recorded").as_int64(), 2) << seen.out << seen.err;
  EXPECT_EQ(seen.json().at("refused").as_int64(), 1);
}

TEST_F(Operator, PlansSubscriptionsAndOverrides) {
  write("plans.toml", R"(
[[plans]]
name = "Small"
monthly_token_limit = 1000
[[plans]]
name = "Pro Plus"
monthly_cost_limit = "12.50"
features = ["search"]
[[plans.budgets]]
kind = "tokens"
scope = "user"
limit = 500
period = { type = "daily" }
)");
  const Seen dry = type({"sync-plans", "--from", path("plans.toml"), "--dry-run", "--json"});
  EXPECT_EQ(dry.json().at("created").as_int64(), 2) << dry.err;
  EXPECT_EQ(type({"plans", "--json"}).json().as_array().size(), 0U) << "a dry run changes nothing";
  EXPECT_EQ(type({"sync-plans", "--from", path("plans.toml")}).exit, 0);
  const Seen unchanged = type({"sync-plans", "--from", path("plans.toml"), "--json"});
  EXPECT_EQ(unchanged.json().at("unchanged").as_int64(), 2);
  const Seen plans = type({"plans", "--json"});
  ASSERT_EQ(plans.json().as_array().size(), 2U);
  EXPECT_THAT(plans.out, HasSubstr("\"pro-plus\""));
  EXPECT_THAT(plans.out, HasSubstr("\"monthly_cost_limit\":\"12.5\""));

  EXPECT_EQ(type({"subscribe", "tenant", "acme", "small"}).exit, 2) << "which tenant?";
  EXPECT_EQ(type({"subscribe", "tenant", "acme", "small", "--tenant", "acme"}).exit, 0);
  EXPECT_EQ(type({"subscribe", "tenant", "acme", "no-such", "--tenant", "acme"}).exit, 1);
  const Seen moved = type({"migrate-plan", "tenant", "acme", "pro-plus", "--tenant", "acme",
                           "--from-plan", "small", "--json"});
  EXPECT_EQ(moved.exit, 0) << moved.err;
  EXPECT_EQ(moved.json().at("previous_plan").as_string(), "small");
  const Seen there = type({"migrate-plan", "tenant", "acme", "pro-plus", "--tenant", "acme"});
  EXPECT_EQ(there.exit, 0) << "already there is a warning";
  EXPECT_THAT(there.err, HasSubstr("already"));
  EXPECT_EQ(
      type({"migrate-plan", "tenant", "acme", "small", "--tenant", "acme", "--from-plan", "other"})
          .exit,
      1);
  const Seen lifted = type({"override", "tenant", "acme", "--tenant", "acme", "--from",
                            "2026-01-01", "--to", "2036-01-01", "--cost", "99", "--json"});
  EXPECT_EQ(lifted.exit, 0) << lifted.err;
  EXPECT_EQ(lifted.json().at("remaining_cost").as_string(), "99");
  const Seen bad = type({"sync-plans", "--from", path("aimeter.toml")});
  EXPECT_EQ(bad.exit, 2);
  EXPECT_THAT(bad.err, HasSubstr("plans: \"\" is not accepted; expected at least one [[plans]]"));
  EXPECT_EQ(type({"validate"}).exit, 0);
}

TEST_F(Operator, KeysAreShownOnceAndRevoked) {
  const Seen made =
      type({"keys", "create", "--tenant", "acme", "--scopes", "meter,read", "--json"});
  ASSERT_EQ(made.exit, 0) << made.err;
  const std::string key(made.json().at("key").as_string());
  const std::string id(made.json().at("id").as_string());
  EXPECT_TRUE(key.starts_with("aim_" + id + "_"));
  const Seen listed = type({"keys", "list", "--json"});
  EXPECT_THAT(listed.out, HasSubstr(id));
  EXPECT_THAT(listed.out, Not(HasSubstr(key.substr(key.rfind('_') + 1))));
  EXPECT_EQ(type({"keys", "revoke", "--tenant", "globex", id}).exit, 1) << "another tenant's";
  EXPECT_EQ(type({"keys", "revoke", "--tenant", "acme", id}).exit, 0);
  EXPECT_THAT(type({"keys", "list"}).out, HasSubstr("revoked"));
  EXPECT_EQ(type({"keys", "create", "--tenant", "acme", "--scopes", "root"}).exit, 2);
}

TEST_F(Operator, ExplainShowsTheArithmeticOfOneCall) {
  ASSERT_EQ(import(kRows).exit, 0);
  const Seen usage = type({"usage", "--tenant", "acme", "--limit", "1", "--json"});
  const std::string id(usage.json().at("usages").at(0).at("id").as_string());
  const Seen why = type({"explain", id});
  EXPECT_EQ(why.exit, 0) << why.err;
  for (const char* says : {"tenant    \"acme\"", "1000 x", "budget    tokens of the account",
                           "cost      0.0035 usd"}) {
    EXPECT_THAT(why.out, HasSubstr(says)) << why.out;
  }
  EXPECT_EQ(type({"explain", id, "--tenant", "globex"}).exit, 1) << "another tenant's is not there";
  EXPECT_EQ(type({"explain", "abc"}).exit, 2);
  EXPECT_EQ(type({"explain", id, "--json"}).json().at("parts").as_array().size(), 2U);
}

TEST_F(Operator, EraseTakesThePersonAndLeavesTheSums) {
  ASSERT_EQ(import(kRows).exit, 0);
  EXPECT_EQ(type({"erase", "--user", "u1"}).exit, 2) << "of which tenant?";
  const Seen erased = type({"erase", "--tenant", "acme", "--user", "u1", "--json"});
  EXPECT_EQ(erased.json().at("rows").as_int64(), 1) << erased.err;
  EXPECT_EQ(type({"usage", "--tenant", "acme", "--user", "u1", "--json"})
                .json()
                .at("usages")
                .as_array()
                .size(),
            0U);
  EXPECT_EQ(type({"report", "--month", "2026-07", "--json"})
                .json()
                .at("totals")
                .at("total_tokens")
                .as_int64(),
            6'600);
  EXPECT_EQ(type({"anonymize", "--all-tenants", "--older-than", "2026-08-01", "--json"})
                .json()
                .at("rows")
                .as_int64(),
            2);
  EXPECT_EQ(type({"verify"}).exit, 0);
}

TEST_F(Operator, CleanupTakesWholePeriodsAndTheSumsStay) {
  ASSERT_EQ(import("occurred_at,tenant,input_tokens,output_tokens\n"
                   "2020-01-05T10:00:00Z,acme,1000,100\n2020-01-06T10:00:00Z,acme,1000,100\n")
                .exit,
            0);
  EXPECT_EQ(type({"cleanup", "--all-tenants", "--days", "10"}).exit, 2) << "may still come late";
  const Seen dry = type({"cleanup", "--all-tenants", "--days", "365", "--dry-run", "--json"});
  EXPECT_EQ(dry.json().at("rows").as_int64(), 2) << dry.err;
  const Seen done = type({"cleanup", "--all-tenants", "--days", "365", "--json"});
  EXPECT_EQ(done.json().at("rows").as_int64(), 2) << done.err;
  EXPECT_EQ(type({"usage", "--json"}).json().at("usages").as_array().size(), 0U);
  EXPECT_EQ(type({"report", "--month", "2020-01", "--json"})
                .json()
                .at("totals")
                .at("total_tokens")
                .as_int64(),
            2'200);
  EXPECT_EQ(type({"verify"}).exit, 0);
}

TEST_F(Operator, ConfigurationErrorsAreExit3AndNameEveryKey) {
  write("aimeter.toml", "[period]\ntype = \"fortnightly\"\nnonsense = 1\n");
  const Seen seen = type({"report"});
  EXPECT_EQ(seen.exit, 3);
  EXPECT_THAT(seen.err, HasSubstr("period.type"));
  EXPECT_THAT(seen.err, HasSubstr("period.nonsense"));
  const Seen json = type({"config", "check", "--json"});
  EXPECT_EQ(json.exit, 3);
  EXPECT_EQ(json.json().at("error").at("code").as_string(), "invalid_argument");
}

TEST_F(Operator, ConfigShowsInitsAndChecks) {
  EXPECT_EQ(type({"config", "check"}).exit, 0);
  EXPECT_THAT(type({"config", "show"}).out, HasSubstr("tenancy.resolver"));
  EXPECT_EQ(type({"config", "init", path("new.toml")}).exit, 0);
  EXPECT_EQ(type({"config", "init", path("new.toml")}).exit, 1) << "nothing is overwritten";
}

TEST_F(Operator, TheRestAnswersOnAnEmptyStore) {
  EXPECT_EQ(type({"tenants", "add", "acme", "--domain", "Acme.Example.com."}).exit, 0);
  EXPECT_EQ(type({"tenants", "list"}).out, "acme\n");
  EXPECT_EQ(type({"migrate"}).exit, 0);
  EXPECT_EQ(type({"migrate", "--status", "--json"}).exit, 0);
  EXPECT_EQ(type({"validate", "--json"}).json().at("ok").as_bool(), true);
  const Seen doctor = type({"doctor"});
  EXPECT_EQ(doctor.exit, 0) << doctor.out << doctor.err;
  EXPECT_THAT(doctor.out, HasSubstr("disk sync"));
  EXPECT_EQ(type({"tail", "--once"}).exit, 0);
  EXPECT_EQ(type({"reprice", "--all-tenants", "--dry-run", "--json"}).json().at("seen").as_int64(),
            0);
}

// An engine that stopped `ago`, with one settlement in the store and no journal left.
void leave_without_journal(const std::string& database, Duration ago) {
  const time::ManualClock then(system_clock().now() - ago);
  const auto store = drivers::open_store("sqlite:" + database, {.clock = &then});
  ASSERT_TRUE(store) << store.error().message;
  store::fixture::Feeder feeder(**store, {.host = "h1", .journal = database + ".aimeter"});
  feeder.apply(store::fixture::call_of(store::fixture::account_of("acme"), 10));
}

TEST_F(Operator, ALostJournalIsNamedByEveryReadingCommandUntilTheLossIsBorne) {
  leave_without_journal(path("usage.db"), std::chrono::hours(1));
  for (const char* command : {"report", "verify", "usage"}) {
    const Seen seen = type({command});
    EXPECT_EQ(seen.exit, 0) << command << ": the store stands on its own: " << seen.err;
    EXPECT_THAT(seen.err, HasSubstr("warning: the journal of engine 1 is gone from " +
                                    path("usage.db.aimeter/1") +
                                    ": the store has its settlements up to 1, applied "));
  }
  const Seen doctor = type({"doctor"});
  EXPECT_EQ(doctor.exit, 1);
  EXPECT_THAT(doctor.out, HasSubstr("journal lost"));
  EXPECT_THAT(doctor.out, HasSubstr("bear the loss with `aimeter doctor --accept-loss`"));
  EXPECT_THAT(doctor.out, Not(HasSubstr("1 on h1"))) << "said once";
  const Seen accepted = type({"doctor", "--accept-loss"});
  EXPECT_EQ(accepted.exit, 0) << accepted.err;
  EXPECT_EQ(accepted.out, "engine 1 closed without its journal\n");
  EXPECT_THAT(type({"report"}).err, Not(HasSubstr("warning")));
  EXPECT_EQ(type({"doctor"}).exit, 0);
  EXPECT_EQ(type({"doctor", "--accept-loss", "--json"}).out, "{\"closed\":[]}\n");
}

TEST_F(Operator, TheLossOfARunningEnginesJournalCannotBeBorneYet) {
  leave_without_journal(path("usage.db"), Duration());
  EXPECT_THAT(type({"report"}).err, HasSubstr("it still runs, and what it takes now is not safe"));
  const Seen refused = type({"doctor", "--accept-loss"});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err, HasSubstr("restart it"));
  EXPECT_EQ(type({"doctor"}).exit, 1) << "it is still there";
}

TEST_F(Operator, AStoreThatCannotBeOpenedIsExit4AndNamed) {
  write("usage.db", "this is not a database, it is a letter to the operator of the night shift");
  const Seen seen = type({"report"});
  EXPECT_EQ(seen.exit, 4) << seen.out;
  EXPECT_THAT(seen.err, HasSubstr(path("usage.db")));
}

TEST(Demo, EveryFigureEqualsTheMemoryModels) {
  std::istringstream in;
  std::ostringstream out, err;
  Console console({.in = &in, .out = &out, .err = &err});
  EXPECT_EQ(run({"demo", "--seed", "3", "--json"}, console), 0) << err.str();
  const auto last = boost::json::parse(out.str());
  EXPECT_EQ(last.at("refused").as_int64(), 60);
  EXPECT_EQ(last.at("duplicates").as_int64(), 200);
  EXPECT_EQ(last.at("allowed").as_int64(), 500);
  EXPECT_EQ(last.at("verify").as_string(), "clean");
}

}  // namespace
}  // namespace aimeter::cli
