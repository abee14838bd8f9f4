// Lines of overage, drafted with their settlement and written with it.
#include <algorithm>
#include <ranges>

#include "store/memory_apply.h"

namespace aimeter::store::memory {

class Batch::Open final : public billing::OpenLines {
 public:
  Open(const State& state, Draft& draft, const BudgetKey& budget)
      : state_(state), draft_(draft), budget_(budget) {}

  Result<std::optional<billing::OpenLine>> newest(const billing::OveragePrice* price) override {
    const auto open = state_.open_overages.find(budget_);
    if (open == state_.open_overages.end()) return std::nullopt;
    for (const std::int64_t id : std::views::reverse(open->second)) {
      const OverageLine& line = state_.overages.at(id);
      const auto taken = draft_.taken.find(id);
      const Amount left = line.remaining - (taken == draft_.taken.end() ? 0 : taken->second);
      if (left == 0 || (price != nullptr && line.price != *price)) continue;
      return std::optional(billing::OpenLine{id, left, line.price});
    }
    return std::nullopt;
  }
  Status take(std::int64_t line, Amount amount) override {
    draft_.taken[line] += amount;
    return {};
  }

 private:
  const State& state_;
  Draft& draft_;
  const BudgetKey& budget_;
};

Status Batch::draft_overage(Draft& draft, const BudgetPart& part, Budget& budget) const {
  const Settlement& row = draft.row;
  if ((row.flags & kDuplicate) != 0) return {};
  const billing::CountedUsage usage = usage_of(row, part, budget.state.used, draft.counts);
  billing::OverageStep step = billing::step_of(budget.state.overage, usage);
  const bool own = usage.charges == billing::Charges::yes;
  Open open(state_, draft, part.key);
  AIMETER_TRY(const auto lines, billing::lines_of(step, own ? &*row.pins.overage : nullptr, open));
  if (!lines) return fail(Code::invalid_argument, "an overage is out of range");
  budget.state.overage = step.after;
  for (const billing::LineDraft& line : *lines) {
    draft.overages.push_back({.budget = part.key,
                              .usage = row_id(engine_, row.seq),
                              .amount = line.amount,
                              .price = line.price,
                              .cost_nanos = line.cost_nanos,
                              .remaining = std::max<Amount>(0, line.amount),
                              .created_at = now_});
  }
  return {};
}

void Batch::write_overages(const Draft& draft) {
  for (const auto& [id, amount] : draft.taken) {
    OverageLine& line = state_.overages.at(id);
    line.remaining -= amount;
    if (line.remaining == 0) state_.open_overages[line.budget].erase(id);
  }
  for (OverageLine line : draft.overages) {
    line.id = state_.overages.empty() ? 1 : state_.overages.rbegin()->first + 1;
    if (line.remaining > 0) state_.open_overages[line.budget].insert(line.id);
    state_.overages[line.id] = line;
    overages_.push_back(std::move(line));
  }
}

}  // namespace aimeter::store::memory
