#include "drivers/storage/sqlite/batch.h"
#include "drivers/storage/sqlite/overage_lines.h"

// What a settlement does to the overage of its budgets.
namespace aimeter::drivers::sqlite {

Status Batch::step_overage(const Line& line, const store::Settlement& row,
                           const store::BudgetPart& part, Counter& counter) {
  if (line.repeat) return {};
  const billing::CountedUsage usage = store::usage_of(row, part, counter.state.used, counts_);
  const bool own = usage.charges == billing::Charges::yes;
  if (!own && !counter.state.overage.t) return {};
  billing::OverageStep step = billing::step_of(counter.state.overage, usage);
  const LinesOf of{.tenant = line.tenant,
                   .account = line.account,
                   .budget = counter.budget,
                   .usage = line.id,
                   .now = now_};
  AIMETER_TRY(std::vector<store::OverageLine> lines,
              write_lines(lane_, of, step, own ? &*row.pins.overage : nullptr));
  counter.state.overage = step.after;
  for (store::OverageLine& told : lines) {
    if (counter.key != nullptr) told.budget = *counter.key;
    overages_.push_back(std::move(told));
  }
  return {};
}

Status Batch::write_overage(const Counter& counter) {
  return write_overage_state(connection_, {.tenant = counter.tenant, .budget = counter.budget},
                             counter.state.overage);
}

}  // namespace aimeter::drivers::sqlite
