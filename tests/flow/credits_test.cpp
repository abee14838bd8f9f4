// Two processes with eight threads each on one wallet, while money comes in and goes out. Each is
// this program again: `flow_test --pay DSN SEED strict|overdraft`.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <random>
#include <thread>

#include "aimeter/aimeter.h"
#include "drivers/builtin.h"
#include "store/bound.h"
#include "tests/flow/pay.h"
#include "tests/flow/program.h"

namespace aimeter::flow {
namespace {

constexpr std::int64_t kTokenNanos = 10'000;                 // an output token
constexpr std::int64_t kFirst = 40'000, kEachTopUp = 2'000;  // tokens' worth
constexpr std::int64_t kLeast = 20, kMost = 400;             // tokens of a call
constexpr int kProcesses = 2, kThreads = 8, kCallsEach = 25, kTopUps = 8;
const TenantId kTenant{"acme"};
const Billable kWho{"user", "42"};

OpenOptions options(bool overdraft) {
  OpenOptions options;
  ConfiguredPrice price = ConfiguredPrice::parse("price", "0.0025", "0.010").value();
  price.provider = "trace";
  price.model = "fixed";
  options.pricing.configured = {price};
  options.waits.heartbeat = std::chrono::milliseconds(100);
  options.billing.credit_overdraft_allowed = overdraft;
  return options;
}

// Tokens that were paid for; 0 when the wallet refuses for good.
std::int64_t pay(const Engine& engine, std::int64_t estimate, std::int64_t actual,
                 std::string& trouble) {
  for (int round = 0; round < 200; ++round) {
    Result<Hold> hold = engine.meter()
                            .for_tenant(kTenant.text)
                            .billable(kWho)
                            .billing_mode(BillingMode::credits)
                            .using_provider("trace", "fixed")
                            .expecting({.tokens = Tokens{estimate}})
                            .hold();
    if (!hold && hold.error().code == Code::unavailable) continue;
    if (!hold) {
      if (hold.error().code != Code::insufficient_credits) trouble = hold.error().message;
      return 0;
    }
    const auto settled =
        hold->settle(Usage{.output_tokens = {actual}, .source = UsageSource::provider});
    if (!settled) trouble = settled.error().message;
    return settled ? actual : 0;
  }
  trouble = "unavailable for ever";
  return 0;
}

}  // namespace

int pay_all(const std::string& dsn, std::uint64_t seed, bool overdraft) {
  const Result<Engine> engine = open(dsn, options(overdraft));
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
      for (int i = 0; i < kCallsEach; ++i) {
        const auto estimate =
            kLeast + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(kMost));
        const auto actual =
            1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(estimate));
        const std::int64_t used = pay(*engine, estimate, actual, trouble);
        tokens += used;
        calls += used > 0 ? 1 : 0;
      }
      while (!overdraft) {  // the crumbs
        const std::int64_t used = pay(*engine, kLeast, kLeast, trouble);
        if (used == 0) break;
        tokens += used;
        calls += 1;
      }
      if (trouble.empty()) return;
      ++troubles;
      std::cerr << trouble << "\n";
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (const Status drained = engine->drain(); !drained) ++troubles;
  std::cout << tokens << " " << calls << std::endl;
  return troubles == 0 ? 0 : 1;
}

namespace {

void run_on_one_wallet(bool overdraft) {
  const Folder folder;
  const Engine here = open(folder.dsn(), options(overdraft)).value();
  const Wallet wallet = here.tenant(kTenant.text).wallet(kWho);
  ASSERT_TRUE(wallet.add_credits({kFirst * kTokenNanos, "usd"}));
  std::vector<std::unique_ptr<Program>> programs;
  for (int i = 0; i < kProcesses; ++i) {
    programs.push_back(std::make_unique<Program>(
        std::vector<std::string>{"/proc/self/exe", "--pay", folder.dsn(), std::to_string(i + 1),
                                 overdraft ? "overdraft" : "strict"},
        folder.file(fmt::format("{}.err", i))));
  }
  std::int64_t withdrawn = 0;
  for (int i = 0; i < kTopUps; ++i) {
    const CreditOptions once{.idempotency_key = fmt::format("top-up {}", i)};
    for (int twice = 0; twice < 2; ++twice) {
      const auto added = wallet.add_credits({kEachTopUp * kTokenNanos, "usd"}, once);
      EXPECT_TRUE(added) << added.error().message;
    }
    const auto taken = wallet.deduct_credits({kTokenNanos, "usd"});
    if (taken) {
      ++withdrawn;
    } else {
      EXPECT_EQ(taken.error().code, Code::insufficient_credits) << taken.error().message;
    }
  }
  std::int64_t told = 0;
  for (int i = 0; i < kProcesses; ++i) {
    Program& program = *programs[static_cast<std::size_t>(i)];
    const std::string said = program.rest();
    std::ifstream err(folder.file(fmt::format("{}.err", i)));
    EXPECT_EQ(program.wait(), 0) << std::string(std::istreambuf_iterator<char>(err), {});
    std::int64_t tokens = 0, calls = 0;
    ASSERT_EQ(std::sscanf(said.c_str(), "%ld %ld", &tokens, &calls), 2) << said;
    EXPECT_GT(calls, 0) << "process " << i << " got its share";
    told += tokens;
  }
  const std::int64_t in = kFirst + kTopUps * kEachTopUp - withdrawn;
  EXPECT_EQ(wallet.balance()->nanos, (in - told) * kTokenNanos) << "what the callers were told";
  const auto transactions = wallet.transactions();
  ASSERT_TRUE(transactions);
  std::int64_t sum = 0;
  for (const CreditTransaction& one : *transactions) {
    sum += one.is_credit() ? one.amount.nanos : -one.amount.nanos;
    EXPECT_EQ(one.balance_after.nanos, sum);
    if (!overdraft) {
      EXPECT_GE(one.balance_after.nanos, 0) << "never below zero";
    }
  }
  std::cout << fmt::format("{}: {} of {} tokens paid by {} transactions\n",
                           overdraft ? "overdraft" : "strict", told, in, transactions->size());
  if (!overdraft) {
    EXPECT_LT(wallet.balance()->nanos, kLeast * kTokenNanos) << "spent to the smallest call";
  }
  const Ran verify = run(folder, {"verify", "--store", folder.dsn()});
  EXPECT_EQ(verify.exit, 0) << verify.out << verify.err;
}

TEST(Wallets, two_processes_of_eight_threads_never_take_one_below_zero) {
  run_on_one_wallet(false);
}

TEST(Wallets, with_an_overdraft_two_processes_count_exactly) { run_on_one_wallet(true); }

}  // namespace
}  // namespace aimeter::flow
