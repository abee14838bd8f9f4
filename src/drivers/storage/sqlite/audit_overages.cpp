#include "drivers/storage/sqlite/audit.h"
#include "drivers/storage/sqlite/counters.h"

namespace aimeter::drivers::sqlite {

Status Audit::overages() {
  std::map<std::int64_t, store::OverageSums> sums;
  Query lines(connection_,
              "SELECT budget, amount, remaining, cost_nanos, price_nanos FROM ai_overages");
  for (;;) {
    AIMETER_TRY(const bool more, lines.step());
    if (!more) break;
    store::OverageSums& sum = sums[lines.integer(0)];
    sum.amount += lines.integer(1);
    sum.remaining += lines.integer(2);
    sum.cost_nanos += lines.integer(3);
    sum.exact += Wide{lines.integer(2)} * lines.integer(4);
  }
  Query budgets(connection_,
                "SELECT budget, used, overage_t, overage_b, overage_rest, overage_catalogue,"
                " overage_at, overage_cost FROM ai_budgets ORDER BY budget");
  for (;;) {
    AIMETER_TRY(const bool more, budgets.step());
    if (!more) break;
    const std::int64_t budget = budgets.integer(0);
    store::OverageSums& sum = sums[budget];
    sum.used = budgets.integer(1);
    for (std::string& problem : store::problems_of(sum, read_overage(budgets, 2))) {
      find("lines = overage", place_of_budget(budget), std::move(problem));
    }
    sums.erase(budget);
  }
  for (const auto& [budget, sum] : sums) {
    find("lines = overage", "budget " + std::to_string(budget),
         "lines of a budget that is not there");
  }
  return {};
}

}  // namespace aimeter::drivers::sqlite
