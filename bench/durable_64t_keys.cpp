// Whole meter calls of 64 threads on one SQLite file, each with an idempotency key of its own.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "aimeter/aimeter.h"
#include "bench/counting_files.h"
#include "bench/raw_inserts.h"
#include "bench/scenario.h"

namespace aimeter::bench {
namespace {

constexpr int kThreads = 64;
constexpr int kAccounts = 1'000;
constexpr std::int64_t kTokenLimit = 1'000'000'000'000;  // never reached: leases, no refusals
constexpr std::int64_t kCostLimit_nanos = 1'000'000'000'000'000;  // 1,000,000 usd

// A folder that is gone with its owner: in AIMETER_BENCH_FOLDER, else in the current one.
class Folder {
 public:
  Folder() {
    const char* where = std::getenv("AIMETER_BENCH_FOLDER");  // NOLINT(concurrency-mt-unsafe)
    path_ = std::filesystem::path(where == nullptr ? "." : where) / "aimeter-bench-files";
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::string account_name(std::int64_t number) { return fmt::format("t{:03}", number % kAccounts); }

Status subscribe_accounts(const Engine& engine) {
  AIMETER_TRY(const Plan plan,
              engine.admin().create_plan({.name = "bench",
                                          .slug = "bench",
                                          .monthly_token_limit = Tokens{kTokenLimit},
                                          .monthly_cost_limit = Money{kCostLimit_nanos}}));
  for (int i = 0; i < kAccounts; ++i) {
    const std::string tenant = account_name(i);
    AIMETER_CHECK_OK(engine.tenant(tenant).subscribe(
        {.billable = {"tenant", tenant}, .plan = plan.slug, .started_at = system_clock().now()}));
  }
  return {};
}

// What the threads did together.
struct Load {
  std::vector<std::vector<std::uint32_t>> latencies_us =
      std::vector<std::vector<std::uint32_t>>(kThreads);
  std::atomic<bool> stop = false;
  std::mutex mutex = {};
  Status failed = {};

  void note(Error error) {
    const std::scoped_lock lock(mutex);
    if (failed) failed = std::unexpected(std::move(error));
    stop = true;
  }
  [[nodiscard]] std::vector<std::uint32_t> all() const {
    std::vector<std::uint32_t> together;
    for (const auto& one : latencies_us) together.insert(together.end(), one.begin(), one.end());
    return together;
  }
};

Status call_once(const Engine& engine, const std::string& tenant, const std::string& key) {
  const auto reply = engine.meter()
                         .for_tenant(tenant)
                         .using_provider("openai", "gpt-4o-mini")
                         .feature("chat")
                         .with_idempotency_key(key)
                         .call([] { return answer_of_1k(); });
  if (!reply) return std::unexpected(reply.error());
  if (reply->unrecorded()) return std::unexpected(*reply->unrecorded());
  if (reply->duplicate()) return fail(Code::conflict, "a fresh key is called a duplicate");
  return {};
}

void call_until_stopped(const Engine& engine, int thread, Load& load) {
  std::mt19937_64 random(static_cast<std::uint64_t>(thread) + 1);
  auto& latencies = load.latencies_us[static_cast<std::size_t>(thread)];
  for (std::int64_t i = 0; !load.stop.load(std::memory_order_relaxed); ++i) {
    const std::string tenant = account_name(static_cast<std::int64_t>(random() % kAccounts));
    const std::string key = fmt::format("bench-{}-{}", thread, i);
    const Stopwatch watch;
    if (Status done = call_once(engine, tenant, key); !done) {
      load.note(std::move(done).error());
      return;
    }
    latencies.push_back(static_cast<std::uint32_t>(watch.seconds() * 1e6));
  }
}

// One call of every account, so that what is measured is the steady state and not first leases.
Status warm_up(const Engine& engine) {
  for (int i = 0; i < kAccounts; ++i) {
    AIMETER_CHECK_OK(call_once(engine, account_name(i), fmt::format("warm-{}", i)));
  }
  return engine.drain();
}

double percentile_ms(std::vector<std::uint32_t>& latencies_us, double part) {
  const auto at = static_cast<std::ptrdiff_t>(part * static_cast<double>(latencies_us.size() - 1));
  std::ranges::nth_element(latencies_us, latencies_us.begin() + at);
  return latencies_us[static_cast<std::size_t>(at)] / 1e3;
}

struct Ours {
  double calls_per_second = 0, p50_ms = 0, p99_ms = 0, cpu_us = 0;
  std::uint64_t calls = 0, group = 1;
};

Result<Ours> run_callers(const Engine& engine, const CountingFiles& files) {
  Load load;
  const std::uint64_t syncs_before = files.syncs();
  const double cpu_before = cpu_seconds();
  const Stopwatch watch;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { call_until_stopped(engine, i, load); });
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds_to_run()));
    load.stop = true;
  }
  const double seconds = watch.seconds();
  const std::uint64_t backlog = engine.health().backlog;
  const std::uint64_t syncs = std::max<std::uint64_t>(files.syncs() - syncs_before, 1);
  AIMETER_CHECK_OK(load.failed);
  const Stopwatch drain;
  AIMETER_CHECK_OK(engine.drain());
  std::vector<std::uint32_t> latencies = load.all();
  if (latencies.empty()) return fail(Code::unavailable, "no call ended in time");
  const auto calls = static_cast<double>(latencies.size());
  Ours ours{.calls_per_second = calls / seconds,
            .p50_ms = percentile_ms(latencies, 0.5),
            .p99_ms = percentile_ms(latencies, 0.99),
            .cpu_us = (cpu_seconds() - cpu_before) * 1e6 / calls,
            .calls = latencies.size(),
            .group = std::max<std::uint64_t>(latencies.size() / syncs, 1)};
  say(
      fmt::format("durable_64t_keys: {} calls in {:.1f} s, {} syncs, {} calls by sync; backlog at "
                  "the end {}, drained in {:.2f} s",
                  ours.calls, seconds, syncs, ours.group, backlog, drain.seconds()));
  return ours;
}

Result<Ours> run_engine(const std::string& file) {
  CountingFiles files;
  OpenOptions options;
  options.ports.files = &files;
  AIMETER_TRY(const Engine engine, open("sqlite:" + file, std::move(options)));
  AIMETER_CHECK_OK(subscribe_accounts(engine));
  AIMETER_CHECK_OK(warm_up(engine));
  return run_callers(engine, files);
}

}  // namespace

Result<Figure> durable_64t_keys() {
  const Folder folder;
  double load[1] = {0};
  getloadavg(load, 1);
  say(fmt::format("durable_64t_keys: load average {:.1f} at the start", load[0]));
  AIMETER_TRY(const Ours ours, run_engine(folder.file("ours.db")));
  AIMETER_TRY(const std::int64_t rows, count_rows(folder.file("ours.db")));
  if (static_cast<std::uint64_t>(rows) != ours.calls + kAccounts) {
    return fail(Code::corrupt, fmt::format("{} rows of {} calls", rows, ours.calls + kAccounts));
  }
  AIMETER_TRY(const double raw, raw_rows_per_second({.like = folder.file("ours.db"),
                                                     .file = folder.file("raw.db"),
                                                     .rows_per_transaction = ours.group,
                                                     .seconds = seconds_to_run()}));
  return Figure{.ours = ours.calls_per_second,
                .baseline_value = raw,
                .unit = "calls per second",
                .baseline = fmt::format("RAW: the same rows inserted by one thread, {} a "
                                        "transaction, synchronous=FULL",
                                        ours.group),
                .p50_ms = ours.p50_ms,
                .p99_ms = ours.p99_ms,
                .cpu_us = ours.cpu_us};
}

}  // namespace aimeter::bench
