// The crash matrix: a program dies by SIGKILL at each fault point between "hold begun" and "event
// delivered", is started again and goes on. Afterwards `verify` is clean, every acknowledged call
// is there exactly once, every acknowledged plan too, and a hold that never ended is listed with
// what it held. The fault points are compiled into this program alone: `crash_test --work DSN` is
// the program that dies; `crash_test --aimeter WORDS` is the command line with the points in it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <regex>
#include <set>

#include "aimeter/aimeter.h"
#include "cli/run.h"
#include "drivers/builtin.h"
#include "ledger/recovery.h"
#include "store/settlement.h"
#include "tests/flow/program.h"

namespace aimeter::crash {
namespace {

using flow::Folder;
using flow::Program;

const TenantId kTenant{"acme"};
constexpr int kCalls = 12;
constexpr std::int64_t kTokens = 30, kSleeps = 1'000;

// ---- The program that dies. A line is printed when something is acknowledged.

void say(const std::string& line) {
  const std::string whole = line + "\n";
  if (write(STDOUT_FILENO, whole.data(), whole.size()) < 0) std::abort();
}

OpenOptions options() {
  OpenOptions options;
  ConfiguredPrice price = ConfiguredPrice::parse("price", "0.0025", "0.010").value();
  price.provider = "trace";
  price.model = "fixed";
  options.pricing.configured = {price};
  options.journal.segment_bytes = 4'096;
  return options;
}

Status make_plan(const Engine& engine, const std::string& slug) {
  const Plan plan{.name = slug, .slug = slug, .monthly_token_limit = Tokens{1'000'000}};
  const auto made = engine.admin().create_plan(plan);
  if (!made && made.error().code != Code::conflict) return std::unexpected(made.error());
  say("plan " + slug);
  return {};
}

Meter metered(const Engine& engine, const std::string& feature) {
  return engine.meter().for_tenant(kTenant.text).using_provider("trace", "fixed").feature(feature);
}

Status call(const Engine& engine, const std::string& key) {
  Result<Hold> hold = metered(engine, "chat")
                          .with_idempotency_key(key)
                          .if_recorded(OnRepeat::refuse)
                          .expecting({.tokens = Tokens{kTokens}})
                          .hold();
  if (!hold && hold.error().code == Code::conflict) return {};  // recorded before
  if (!hold) return std::unexpected(hold.error());
  const auto settled =
      hold->settle(Usage{.input_tokens = {kTokens}, .source = UsageSource::provider});
  if (!settled) return std::unexpected(settled.error());
  say(fmt::format("call {} {}", key, settled->record.id));
  return {};
}

// Whole periods that have ended, with a seal.
Status prune(const std::string& dsn) {
  AIMETER_TRY(const auto store, drivers::open_store(dsn, {}));
  const Instant now = store->now();
  AIMETER_TRY(const auto pruned, store->change({store::Prune{.before = now}, "test"}));
  (void)pruned;
  return {};
}

Status work(const std::string& dsn) {
  AIMETER_TRY(const Engine engine, open(dsn, options()));
  const Listener told = engine.events().on<UsageRecorded>(
      [](const UsageRecorded& event) { say(fmt::format("event {}", event.record.id)); });
  AIMETER_CHECK_OK(make_plan(engine, "main"));
  const auto contract =
      engine.tenant(kTenant.text).subscribe({.billable = {"tenant", kTenant.text}, .plan = "main"});
  if (!contract && contract.error().code != Code::conflict) {
    return std::unexpected(contract.error());
  }
  AIMETER_TRY(const Hold sleeper,
              metered(engine, "sleeper").expecting({.tokens = Tokens{kSleeps}}).hold());
  for (int i = 0; i < kCalls; ++i) AIMETER_CHECK_OK(call(engine, fmt::format("k{}", i)));
  AIMETER_CHECK_OK(engine.drain());
  AIMETER_CHECK_OK(make_plan(engine, "second"));
  const Instant long_ago =
      std::chrono::floor<std::chrono::days>(system_clock().now()) - std::chrono::days(80);
  UsageRecord late{.account = {kTenant, {"tenant", kTenant.text}}, .occurred_at = long_ago};
  late.provider = "trace";
  late.model = "fixed";
  late.usage = {.input_tokens = {5}, .source = UsageSource::provider};
  late.idempotency_key = "late";
  const auto recorded = engine.tenant(kTenant.text).record(late);
  if (!recorded) return std::unexpected(recorded.error());
  say(fmt::format("call late {}", recorded->record.id));  // pruned: the same row all the same
  AIMETER_CHECK_OK(engine.drain());
  AIMETER_CHECK_OK(prune(dsn));
  AIMETER_CHECK_OK(make_plan(engine, "third"));
  say("done");
  return {};
}

// ---- The matrix.

constexpr const char* kPoints[] = {
    "ledger.before_begin",
    "ledger.after_begin",
    "meter.answer_read",
    "journal.before_write",
    "journal.after_write",
    "journal.before_sync",
    "journal.after_sync",
    "journal.segment_switch",
    "store.before_commit",
    "store.after_commit",
    "meter.acknowledged",
    "meter.event_delivered",
    "store.before_change",
    "store.after_change",
    "store.pruned",
    "store.sealed",
    "store.before_migration",
    "store.after_migration",
    "ledger.recovery_applied",
    "ledger.recovery_closed",
};

struct Told {
  std::map<std::string, std::int64_t> rows = {};
  std::set<std::string> plans = {};
  bool done = false;
};

void read_lines(Program& program, Told& told) {
  std::istringstream lines(program.rest());
  for (std::string what, name; lines >> what;) {
    if (what == "done") told.done = true;
    if (what == "done" || !(lines >> name)) continue;
    if (what == "plan") told.plans.insert(name);
    std::int64_t row = 0;
    if (what == "call" && lines >> row) {
      const auto [known, fresh] = told.rows.emplace(name, row);
      EXPECT_EQ(known->second, row) << name << ": acknowledged before with another row";
    }
  }
}

// How the program ended: 0, or 137 when it was killed.
int run(const Folder& folder, const std::string& fault, Told& told) {
  if (fault.empty()) unsetenv("AIMETER_FAULT");
  if (!fault.empty()) setenv("AIMETER_FAULT", fault.c_str(), 1);
  Program program({"/proc/self/exe", "--work", folder.dsn()}, folder.file("work.err"));
  unsetenv("AIMETER_FAULT");
  read_lines(program, told);
  const int exit = program.wait();
  std::ifstream err(folder.file("work.err"));
  const std::string said(std::istreambuf_iterator<char>(err), {});
  EXPECT_TRUE(exit == 0 || exit == 137) << exit << ": " << said;
  return exit;
}

std::map<base::Key16, int> count_keys(const store::Store& store) {
  std::map<base::Key16, int> counts;
  const auto engines = store.engines().value();
  for (const store::EngineState& engine : engines) {
    const auto rows = store.feed({.engine = engine.ref.engine}, 5'000).value();
    for (const store::Settlement& row : rows) {
      if (row.key && (row.flags & store::kDuplicate) == 0) ++counts[row.key->key];
    }
  }
  return counts;
}

void expect_right(const Folder& folder, const Told& told, bool began) {
  auto opened = drivers::open_store(folder.dsn(), {});
  ASSERT_TRUE(opened) << opened.error().message;
  store::Store& store = **opened;
  const auto recovered = ledger::recover_engines(
      store, base::system_files(), {.journal_dir = folder.file("usage.db.aimeter")}, {});
  ASSERT_TRUE(recovered) << recovered.error().message;
  const auto verified = store.verify([](std::int64_t, std::int64_t) { return true; });
  ASSERT_TRUE(verified) << verified.error().message;
  for (const store::Finding& finding : verified->findings) {
    ADD_FAILURE() << finding.check << " " << finding.where << ": " << finding.message;
  }
  std::map<base::Key16, int> counts = count_keys(store);
  for (const auto& [key, row] : told.rows) {
    const base::Key16 digest = store::key_of(kTenant.text, "usage", key);
    const auto seen = store.find_key(digest);
    ASSERT_TRUE(seen && *seen) << key << " was acknowledged";
    EXPECT_EQ((*seen)->row, row) << key;
    if (key != "late") {
      EXPECT_EQ(counts[digest], 1) << key;
    }
  }
  for (const std::string& slug : told.plans) {
    EXPECT_TRUE(store.find_plan(kTenant, slug).value()) << slug << " was acknowledged";
  }
  const auto orphans = store.orphans().value();
  const bool listed = std::ranges::any_of(orphans, [](const store::Orphan& orphan) {
    return orphan.begin.feature == "sleeper" && !orphan.begin.budgets.empty() &&
           orphan.begin.budgets[0].held == kSleeps;
  });
  EXPECT_TRUE(listed || !began) << "the hold that never ended is an orphan, with what it held";
}

// Dies at the pass-th pass of the point, then goes on to its end.
void die_at(const std::string& point, int pass) {
  SCOPED_TRACE(fmt::format("AIMETER_FAULT={}:{}", point, pass));
  const Folder folder;
  Told told;
  if (point.starts_with("ledger.recovery")) {
    ASSERT_EQ(run(folder, "meter.acknowledged:5", told), 137);
  }
  const int exit = run(folder, fmt::format("{}:{}", point, pass), told);
  if (pass == 1) {
    ASSERT_EQ(exit, 137) << "the work never comes by here";
  }
  const bool began = told.rows.contains("k0");  // synced: and with it what stands before it
  if (exit == 137) expect_right(folder, told, began);
  if (::testing::Test::HasFailure()) return;
  ASSERT_EQ(run(folder, "", told), 0);
  EXPECT_TRUE(told.done);
  EXPECT_EQ(told.plans.size(), 3U);
  expect_right(folder, told, began && exit == 137);
}

TEST(CrashMatrix, death_at_any_point_loses_nothing_and_counts_nothing_twice) {
  const bool is_long = std::getenv("AIMETER_LONG") != nullptr;
  for (const char* point : kPoints) {
    for (const int pass : {1, 2, 4, 9}) {
      if (pass > (is_long ? 9 : 2)) break;
      die_at(point, pass);
      if (HasFailure()) return;
    }
  }
}

// What stands in the sources is in the matrix.
TEST(CrashMatrix, has_every_fault_point) {
  std::set<std::string> in_sources;
  const std::regex pattern("AIMETER_FAULT_POINT\\(\"([a-z_.]+)\"\\)");
  const std::filesystem::path root = AIMETER_SOURCE_DIR "/src";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream in(entry.path());
    const std::string text(std::istreambuf_iterator<char>(in), {});
    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
      in_sources.insert((*at)[1]);
    }
  }
  const std::set<std::string> in_matrix(std::begin(kPoints), std::end(kPoints));
  EXPECT_THAT(in_matrix, ::testing::ContainerEq(in_sources));
}

}  // namespace
}  // namespace aimeter::crash

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--work") == 0) {
    const aimeter::Status done = aimeter::crash::work(argv[2]);
    if (!done) std::cerr << done.error().message << "\n";
    return done ? 0 : 1;
  }
  if (argc > 1 && std::strcmp(argv[1], "--aimeter") == 0) {
    return aimeter::cli::run(argc - 1, argv + 1);
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
