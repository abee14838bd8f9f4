// What does it cost that a file is large: calls, limit decisions, reports.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "bench/engine_load.h"
#include "bench/filled_store.h"
#include "bench/folder.h"
#include "bench/median.h"
#include "bench/scenario.h"
#include "drivers/builtin.h"
#include "reports/report.h"

namespace aimeter::bench {
namespace {

Result<Figure> beside_empty_file(const Folder& folder) {
  const LoadPlan plan{
      .name = "growth_5m", .callers = Callers::coroutines, .count = 256, .keys = Keys::fresh};
  const std::string empty = folder.file("empty.db"), grown = folder.file("grown.db");
  for (const std::string& file : {empty, grown}) {
    std::filesystem::remove(file);
    std::filesystem::remove_all(file + ".aimeter");
  }
  AIMETER_TRY(const LoadResult young, run_load(empty, plan));
  std::filesystem::copy_file(folder.file("filled.db"), grown);
  sync();  // or the copy's pages are written while calls wait for theirs
  AIMETER_TRY(const LoadResult old, run_load(grown, plan));
  return Figure{.ours = old.calls_per_second(),
                .baseline_value = young.calls_per_second(),
                .unit = "calls per second",
                .baseline = "the same with no rows in the file",
                .further = old.further(),
                .invalid = old.invalid().empty() ? young.invalid() : old.invalid()};
}

// ---- limit_1m

constexpr int kRounds = 101, kDecisions = 2'000;

Status subscribe_first(const Engine& engine) {
  AIMETER_TRY(const Plan plan,
              engine.admin().create_plan({.name = "bench",
                                          .slug = "bench",
                                          .monthly_token_limit = Tokens{1'000'000'000'000},
                                          .monthly_cost_limit = Money{1'000'000'000'000'000}}));
  const std::string& tenant = account_name(0);
  AIMETER_TRY(
      [[maybe_unused]] const Subscription made,
      engine.tenant(tenant).subscribe(
          {.billable = {"tenant", tenant}, .plan = plan.slug, .started_at = system_clock().now()}));
  return {};
}

// Seconds of one decision: whether the account may spend, and a hold that is taken and given back.
Result<double> seconds_of_decision(const Engine& engine, std::int64_t rows) {
  const std::string& tenant = account_name(0);
  const Stopwatch watch;
  for (int i = 0; i < kDecisions; ++i) {
    AIMETER_TRY(const LimitCheck check,
                engine.tenant(tenant).check_limit({"tenant", tenant}, {.tokens = Tokens{1'000}}));
    if (!check.allowed || !check.used || check.used->count < rows) {
      return fail(Code::corrupt, "a decision that does not know the past");
    }
    AIMETER_TRY(Hold hold, engine.meter()
                               .for_tenant(tenant)
                               .using_provider("openai", "gpt-4o-mini")
                               .expecting({.tokens = Tokens{1'000}})
                               .hold());
    hold.release("measured");
  }
  return watch.seconds() / kDecisions;
}

Result<Engine> engine_with_past(const std::string& file, std::int64_t rows) {
  Past past = recent_past(rows, Keys::none);
  past.accounts = 1;
  AIMETER_CHECK_OK(fill_store(file, past));
  AIMETER_TRY(Engine engine, open("sqlite:" + file));
  AIMETER_CHECK_OK(subscribe_first(engine));
  AIMETER_TRY([[maybe_unused]] const double first, seconds_of_decision(engine, rows));
  return engine;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// ---- report_5m

const Instant kMonth = std::chrono::sys_days(std::chrono::year(2026) / 6 / 1);
constexpr int kMonths = 10;
constexpr int kReports = 300;

Instant month_before(int months) {
  const std::chrono::year_month_day june{std::chrono::floor<std::chrono::days>(kMonth)};
  return std::chrono::sys_days(june - std::chrono::months(months));
}
const Instant kMonthEnd = month_before(-1);

// Milliseconds of a report of one tenant's June, the median of many tenants'.
Result<double> ms_of_report(const std::string& file) {
  AIMETER_TRY(const std::unique_ptr<store::Store> store, drivers::open_store("sqlite:" + file, {}));
  std::vector<double> all;
  for (int i = 0; i < kReports; ++i) {
    reports::Query query{.filter = {.from = kMonth, .to = kMonthEnd},
                         .group_by = {reports::GroupBy::model}};
    query.filter.tenant = TenantId{account_name(static_cast<std::size_t>(i) * 37)};
    const Stopwatch watch;
    AIMETER_TRY(const reports::Report report, reports::report(*store, query));
    all.push_back(watch.seconds() * 1e3);
    if (report.totals.size() != 1 || report.totals[0].calls == 0) {
      return fail(Code::corrupt, "a report without calls");
    }
  }
  return median(std::move(all));
}

Result<double> ms_of_report_after(const Folder& folder, const Past& past) {
  const std::string file = folder.file("report.db");
  std::filesystem::remove(file);
  AIMETER_CHECK_OK(fill_store(file, past));
  return ms_of_report(file);
}

}  // namespace

Result<Figure> growth_5m() {
  const Folder folder;
  AIMETER_CHECK_OK(fill_store(folder.file("filled.db"), recent_past(rows_to_fill(), Keys::fresh)));
  return median_of_runs([&] { return beside_empty_file(folder); });
}

Result<Figure> limit_1m() {
  const Folder folder;
  const std::int64_t many = rows_to_fill() / 5, few = many / 1'000;
  AIMETER_TRY(const Engine large, engine_with_past(folder.file("large.db"), many));
  AIMETER_TRY(const Engine small, engine_with_past(folder.file("small.db"), few));
  std::vector<double> ours, baseline;
  for (int i = 0; i < kRounds; ++i) {  // in turns: the machine is as fast for both
    AIMETER_TRY(ours.emplace_back(), seconds_of_decision(large, many));
    AIMETER_TRY(baseline.emplace_back(), seconds_of_decision(small, few));
  }
  return Figure{
      .ours = median(ours) * 1e6,
      .baseline_value = median(baseline) * 1e6,
      .unit = "us per limit check and hold",
      .baseline = fmt::format("the same with {} rows instead of {} in the period", few, many)};
}

Result<Figure> report_5m() {
  const Folder folder;
  const std::int64_t many = rows_to_fill(), few = many / kMonths;
  AIMETER_TRY(const double few_ms,
              ms_of_report_after(folder, {.rows = few, .from = kMonth, .to = kMonthEnd}));
  AIMETER_TRY(const double many_ms,
              ms_of_report_after(
                  folder, {.rows = many, .from = month_before(kMonths - 1), .to = kMonthEnd}));
  AIMETER_TRY(const double dense_ms,
              ms_of_report_after(folder, {.rows = many, .from = kMonth, .to = kMonthEnd}));
  return Figure{.ours = many_ms,
                .baseline_value = few_ms,
                .unit = "ms per report of one tenant's month, by model",
                .baseline = fmt::format("the same month among {} rows instead of {}", few, many),
                .further = {{"all_in_one_month_ms", dense_ms}}};
}

}  // namespace aimeter::bench
