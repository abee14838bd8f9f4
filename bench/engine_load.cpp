#include "bench/engine_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "bench/counting_files.h"
#include "bench/process.h"
#include "bench/raw_inserts.h"

namespace aimeter::bench {
namespace {

constexpr std::int64_t kTokenLimit = 1'000'000'000'000;  // never reached: leases, no refusals
constexpr std::int64_t kCostLimit_nanos = 1'000'000'000'000'000;  // 1,000,000 usd
constexpr double kBehindMax_s = 2;

Plan plan_for(Pays pays) {
  Plan plan{.name = "bench",
            .slug = "bench",
            .monthly_token_limit = Tokens{kTokenLimit},
            .monthly_cost_limit = Money{kCostLimit_nanos}};
  if (pays != Pays::charge) return plan;
  plan.monthly_token_limit = Tokens{kAllowance_tokens};
  plan.overage_price_per_1k_tokens = Money{1'000 * kOverage_nanos_per_token};
  plan.overage_behavior = OverageBehavior::charge;
  return plan;
}

Status subscribe_accounts(const Engine& engine, Pays pays) {
  AIMETER_TRY(const std::vector<Plan> plans, engine.admin().plans());
  if (!plans.empty()) return {};
  AIMETER_TRY(const Plan plan, engine.admin().create_plan(plan_for(pays)));
  const bool credits = pays == Pays::credits;
  for (std::size_t i = 0; i < kAccounts; ++i) {
    const TenantView tenant = engine.tenant(account_name(i));
    const Billable who{"tenant", account_name(i)};
    AIMETER_CHECK_OK(
        tenant.subscribe({.billable = who,
                          .plan = plan.slug,
                          .billing_mode = credits ? BillingMode::credits : BillingMode::plan,
                          .started_at = system_clock().now()}));
    if (credits) AIMETER_CHECK_OK(tenant.wallet(who).add_credits(Money{kDeposit_nanos}));
  }
  return {};
}

Status warm_up(const Engine& engine) {
  for (std::size_t i = 0; i < kAccounts; ++i) {
    AIMETER_CHECK_OK(check(engine.meter()
                               .for_tenant(account_name(i))
                               .using_provider("openai", "gpt-4o-mini")
                               .feature("chat")
                               .call([] { return answer_of_1k(); })));
  }
  return engine.drain();
}

// Lets the callers call for `seconds`, or until one of them fails.
std::vector<Moment> watch_callers(Load& load, const LoadPlan& plan) {
  constexpr auto kLook = std::chrono::milliseconds(100);
  std::vector<Moment> moments;
  const Stopwatch watch;
  const std::jthread callers([&] {
    plan.callers == Callers::threads ? call_from_threads(load) : call_from_coroutines(load);
  });
  while (watch.seconds() < plan.seconds && !load.stop) {
    std::this_thread::sleep_for(kLook);
    if (watch.seconds() < static_cast<double>(moments.size() + 1)) continue;
    moments.push_back({watch.seconds(), own_bytes(), load.engine.health().backlog});
  }
  load.stop = true;
  return moments;
}

Result<LoadResult> run_callers(const Engine& engine, const CountingFiles& files,
                               const LoadPlan& plan) {
  static int loads = 0;
  Load load{.engine = engine, .callers = plan.count, .keys = plan.keys, .number = loads++};
  const std::uint64_t syncs = files.syncs(), bytes = files.bytes();
  const double cpu = cpu_seconds(Whose::process);
  LoadResult result;
  const Stopwatch watch;
  result.moments = watch_callers(load, plan);
  result.seconds = watch.seconds();
  result.backlog = engine.health().backlog;
  result.syncs = std::max<std::uint64_t>(files.syncs() - syncs, 1);
  result.journal_bytes = files.bytes() - bytes;
  AIMETER_CHECK_OK(load.failed);
  const Stopwatch drain;
  AIMETER_CHECK_OK(engine.drain());
  result.drained_s = drain.seconds();
  result.latencies = load.latencies;
  result.calls = load.latencies.count();
  if (result.calls == 0) return fail(Code::unavailable, "no call ended in time");
  result.cpu_us = (cpu_seconds(Whose::process) - cpu) * 1e6 / static_cast<double>(result.calls);
  return result;
}

Result<LoadResult> run_engine(const std::string& file, const LoadPlan& plan) {
  CountingFiles files;
  OpenOptions options;
  options.ports.files = &files;
  AIMETER_TRY(const Engine engine, open("sqlite:" + file, std::move(options)));
  AIMETER_CHECK_OK(subscribe_accounts(engine, plan.pays));
  AIMETER_CHECK_OK(warm_up(engine));
  return run_callers(engine, files, plan);
}

}  // namespace

std::vector<Figure::Further> LoadResult::further() const {
  return {{"p50_ms", latencies.at_ms(0.5)},
          {"p99_ms", latencies.at_ms(0.99)},
          {"p99_9_ms", latencies.at_ms(0.999)},
          {"longest_ms", latencies.longest_ms()},
          {"cpu_us", cpu_us},
          {"behind_s", behind_s()}};
}

std::string LoadResult::invalid() const {
  if (behind_s() <= kBehindMax_s) return {};
  return fmt::format("the store was {:.1f} s behind when the callers stopped", behind_s());
}

Result<LoadResult> run_load(const std::string& file, const LoadPlan& plan) {
  std::int64_t before = 0;
  if (std::filesystem::exists(file)) {
    AIMETER_TRY(before, count_rows(file));
  }
  double average[1] = {0};
  getloadavg(average, 1);
  AIMETER_TRY(const LoadResult result, run_engine(file, plan));
  AIMETER_TRY(const std::int64_t rows, count_rows(file));
  const auto wanted = before + kAccounts + static_cast<std::int64_t>(result.calls);
  if (rows != wanted) return fail(Code::corrupt, fmt::format("{} rows, not {}", rows, wanted));
  say(
      fmt::format("{}: {} calls in {:.1f} s ({:.0f} a second), {} rows counted; {} calls by sync; "
                  "{:.2f} s behind at the end, drained in {:.2f} s; load average {:.1f} before",
                  plan.name, result.calls, result.seconds, result.calls_per_second(), rows,
                  result.group(), result.behind_s(), result.drained_s, average[0]));
  return result;
}

}  // namespace aimeter::bench
