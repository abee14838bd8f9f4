// Three processes on one SQLite file that share one budget. Each is this program again (never a
// fork that goes on without exec): `flow_test --spend DSN SEED`.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <iostream>
#include <random>
#include <thread>

#include "aimeter/aimeter.h"
#include "drivers/builtin.h"
#include "store/bound.h"
#include "tests/flow/program.h"

namespace aimeter::flow {
namespace {

constexpr std::int64_t kLimit = 200'000, kLeast = 20, kMost = 400;
constexpr int kProcesses = 3, kThreads = 8, kCallsEach = 700;  // together twice the limit
const TenantId kTenant{"acme"};

OpenOptions options() {
  OpenOptions options;
  ConfiguredPrice price = ConfiguredPrice::parse("price", "0.0025", "0.010").value();
  price.provider = "trace";
  price.model = "fixed";
  options.pricing.configured = {price};
  options.waits.heartbeat = std::chrono::milliseconds(100);
  return options;
}

// Spends until the call is refused for good; `unavailable` says: not now, try again.
std::int64_t spend(const Engine& engine, std::int64_t estimate, std::int64_t actual,
                   std::string& trouble) {
  for (int round = 0; round < 100; ++round) {
    Result<Hold> hold = engine.meter()
                            .for_tenant(kTenant.text)
                            .using_provider("trace", "fixed")
                            .expecting({.tokens = Tokens{estimate}})
                            .hold();
    if (!hold && hold.error().code == Code::unavailable) continue;
    if (!hold) {
      if (hold.error().code != Code::quota_exceeded) trouble = hold.error().message;
      return 0;
    }
    const auto settled =
        hold->settle(Usage{.input_tokens = {actual}, .source = UsageSource::provider});
    if (!settled) trouble = settled.error().message;
    return settled ? actual : 0;
  }
  trouble = "unavailable for ever";
  return 0;
}

// Prints "TOKENS CALLS": what it was told was counted.
int spend_all(const std::string& dsn, std::uint64_t seed) {
  const Result<Engine> engine = open(dsn, options());
  if (!engine) {
    std::cerr << engine.error().message << "\n";
    return 1;
  }
  std::atomic<std::int64_t> tokens{0}, calls{0};
  std::atomic<int> troubles{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed * 100 + static_cast<std::uint64_t>(t));
      std::string trouble;
      const auto use = [&](std::int64_t estimate, std::int64_t actual) {
        const std::int64_t used = spend(*engine, estimate, actual, trouble);
        tokens += used;
        calls += used > 0 ? 1 : 0;
        return used > 0;
      };
      for (int i = 0; i < kCallsEach / kThreads; ++i) {
        const std::int64_t estimate =
            kLeast + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(kMost));
        use(estimate,
            1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(estimate)));
      }
      while (use(kLeast, kLeast)) continue;  // the crumbs
      if (!trouble.empty()) {
        ++troubles;
        std::cerr << trouble << "\n";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (const Status drained = engine->drain(); !drained) ++troubles;
  std::cout << tokens << " " << calls << std::endl;
  return troubles == 0 ? 0 : 1;
}

void make_contract(const std::string& dsn) {
  const Engine engine = open(dsn, options()).value();
  ASSERT_TRUE(engine.admin().create_plan(
      {.name = "Shared", .slug = "shared", .monthly_token_limit = Tokens{kLimit}}));
  ASSERT_TRUE(engine.tenant(kTenant.text)
                  .subscribe({.billable = {"tenant", kTenant.text}, .plan = "shared"}));
}

TEST(Processes, three_on_one_file_share_one_budget_to_the_smallest_call) {
  const Folder folder;
  make_contract(folder.dsn());
  std::vector<std::unique_ptr<Program>> programs;
  for (int i = 0; i < kProcesses; ++i) {
    programs.push_back(std::make_unique<Program>(
        std::vector<std::string>{"/proc/self/exe", "--spend", folder.dsn(), std::to_string(i + 1)},
        folder.file(fmt::format("{}.err", i))));
  }
  const Ran report = run(folder, {"report", "--json", "--store", folder.dsn()});
  EXPECT_EQ(report.exit, 0) << report.err;
  const Ran verify = run(folder, {"verify", "--store", folder.dsn()});
  EXPECT_EQ(verify.exit, 0) << "while they run: " << verify.out << verify.err;
  std::int64_t told = 0, calls = 0;
  for (int i = 0; i < kProcesses; ++i) {
    Program& program = *programs[static_cast<std::size_t>(i)];
    const std::string said = program.rest();
    std::ifstream err(folder.file(fmt::format("{}.err", i)));
    EXPECT_EQ(program.wait(), 0) << std::string(std::istreambuf_iterator<char>(err), {});
    std::int64_t its_tokens = 0, its_calls = 0;
    ASSERT_EQ(std::sscanf(said.c_str(), "%ld %ld", &its_tokens, &its_calls), 2) << said;
    EXPECT_GT(its_calls, 0) << "process " << i << " got its share";
    told += its_tokens;
    calls += its_calls;
  }
  const Ran after = run(folder, {"verify", "--store", folder.dsn()});
  EXPECT_EQ(after.exit, 0) << after.out << after.err;
  const auto store = drivers::open_store(folder.dsn(), {});
  ASSERT_TRUE(store) << store.error().message;
  const auto budgets = (*store)->budgets(kTenant);
  ASSERT_TRUE(budgets) << budgets.error().message;
  std::cout << fmt::format("{} processes: {} calls, {} of {} tokens\n", kProcesses, calls, told,
                           kLimit);
  bool found = false;
  for (const store::BudgetState& budget : *budgets) {
    EXPECT_TRUE(store::in_bound(budget));
    EXPECT_EQ(budget.leased, 0);
    if (budget.key.kind != BudgetKind::tokens) continue;
    found = true;
    EXPECT_EQ(budget.used, told) << "what the callers were told";
    EXPECT_LE(budget.used, kLimit);
    EXPECT_GT(budget.used + kLeast, kLimit);
    EXPECT_EQ(budget.over_hold + budget.late + budget.fallen, 0);
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace aimeter::flow

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "--spend") == 0) {
    return aimeter::flow::spend_all(argv[2], std::strtoull(argv[3], nullptr, 10));
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
