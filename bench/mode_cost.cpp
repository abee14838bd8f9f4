// What a call costs more in CPU when a wallet pays for it, or when it is charged as overage.
#include <fmt/format.h>

#include <string>

#include "bench/engine_load.h"
#include "bench/folder.h"
#include "bench/median.h"
#include "bench/raw_inserts.h"
#include "bench/scenario.h"
#include "drivers/builtin.h"
#include "store/store.h"

namespace aimeter::bench {
namespace {

struct Sum {  // of the loads of one mode
  double cpu_us = 0, seconds = 0;
  std::uint64_t calls = 0;
  std::string invalid = {};

  void add(const LoadResult& load) {
    cpu_us += load.cpu_us * static_cast<double>(load.calls);
    seconds += load.seconds;
    calls += load.calls;
    if (invalid.empty()) invalid = load.invalid();
  }
  [[nodiscard]] double us_per_call() const { return cpu_us / static_cast<double>(calls); }
  [[nodiscard]] double calls_per_second() const { return static_cast<double>(calls) / seconds; }
};

Status expect(const std::string& file, const std::string& query, std::int64_t wanted) {
  AIMETER_TRY(const std::int64_t found, number_in(file, query));
  if (found == wanted) return {};
  return fail(Code::corrupt, fmt::format("{}: {}, not {}", query, found, wanted));
}

Status expect_clean(const std::string& file) {
  AIMETER_TRY(const auto store, drivers::open_store("sqlite:" + file, {}));
  AIMETER_TRY(const store::Verified verified,
              store->verify([](std::int64_t, std::int64_t) { return true; }));
  if (verified.findings.empty()) return {};
  const store::Finding& first = verified.findings.front();
  return fail(Code::corrupt, fmt::format("{} {}: {}", first.check, first.where, first.message));
}

// Every call paid, each once: by a debit, or by a line from the first token above the allowance on.
Status expect_paid(const std::string& file, Pays pays) {
  AIMETER_CHECK_OK(expect_clean(file));
  AIMETER_TRY(const std::int64_t rows, count_rows(file));
  if (pays == Pays::charge) {
    AIMETER_TRY(const std::int64_t used,
                number_in(file, "SELECT sum(input_tokens + output_tokens) FROM ai_usages"));
    const std::int64_t over = used - kAccounts * kAllowance_tokens;
    AIMETER_CHECK_OK(expect(file, "SELECT count(*) FROM ai_overages", rows));
    AIMETER_CHECK_OK(expect(file, "SELECT sum(amount) FROM ai_overages", over));
    AIMETER_CHECK_OK(
        expect(file, "SELECT sum(cost_nanos) FROM ai_overages", over * kOverage_nanos_per_token));
  } else if (pays == Pays::credits) {
    AIMETER_TRY(const std::int64_t cost, number_in(file, "SELECT sum(cost_nanos) FROM ai_usages"));
    const std::string debits = "FROM ai_credit_transactions WHERE usage IS NOT NULL";
    AIMETER_CHECK_OK(expect(file, "SELECT count(*) " + debits, rows));
    AIMETER_CHECK_OK(expect(file, "SELECT -sum(amount_nanos) " + debits, cost));
    AIMETER_CHECK_OK(expect(file, "SELECT sum(remaining_nanos) FROM ai_credit_lots",
                            kAccounts * kDeposit_nanos - cost));
  }
  return {};
}

Status add_load(Sum& sum, const std::string& name, Pays pays) {
  const Folder folder;
  const std::string file = folder.file("ours.db");
  AIMETER_TRY(const LoadResult load, run_load(file, {.name = name,
                                                     .callers = Callers::coroutines,
                                                     .count = 256,
                                                     .keys = Keys::fresh,
                                                     .pays = pays,
                                                     .seconds = seconds_to_run() / 2}));
  AIMETER_CHECK_OK(expect_paid(file, pays));
  sum.add(load);
  return {};
}

Result<Figure> beside_plan_mode(const std::string& name, Pays pays) {
  Sum ours, plan;
  AIMETER_CHECK_OK(add_load(plan, "plan mode", Pays::plan));
  AIMETER_CHECK_OK(add_load(ours, name, pays));
  AIMETER_CHECK_OK(add_load(ours, name, pays));
  AIMETER_CHECK_OK(add_load(plan, "plan mode", Pays::plan));
  return Figure{.ours = ours.us_per_call(),
                .baseline_value = plan.us_per_call(),
                .unit = "us of CPU per call",
                .baseline = "the same load in plan mode, before and after",
                .further = {{"calls_per_second", ours.calls_per_second()},
                            {"plan_calls_per_second", plan.calls_per_second()}},
                .invalid = ours.invalid.empty() ? plan.invalid : ours.invalid};
}

}  // namespace

Result<Figure> credits_cost() {
  return median_of_runs([] { return beside_plan_mode("credits_cost", Pays::credits); });
}

Result<Figure> charge_cost() {
  return median_of_runs([] { return beside_plan_mode("charge_cost", Pays::charge); });
}

}  // namespace aimeter::bench
