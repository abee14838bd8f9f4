#include "store/memory_overage.h"

#include <algorithm>
#include <ranges>

#include "store/memory_apply.h"

namespace aimeter::store::memory {
namespace {

class Open final : public billing::OpenLines {
 public:
  Open(const State& state, OverageDraft& draft, const BudgetKey& budget)
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
  OverageDraft& draft_;
  const BudgetKey& budget_;
};

}  // namespace

Status draft_lines(const LinesOf& of, billing::OverageStep& step,
                   const billing::OveragePrice* price, OverageDraft& draft) {
  Open open(of.state, draft, of.budget);
  AIMETER_TRY(const auto lines, billing::lines_of(step, price, open));
  if (!lines) return fail(Code::invalid_argument, "an overage is out of range");
  for (const billing::LineDraft& line : *lines) {
    draft.lines.push_back({.budget = of.budget,
                           .usage = of.usage,
                           .amount = line.amount,
                           .price = line.price,
                           .cost_nanos = line.cost_nanos,
                           .remaining = std::max<Amount>(0, line.amount),
                           .created_at = of.now});
  }
  return {};
}

std::vector<OverageLine> write_lines(State& state, const OverageDraft& draft) {
  for (const auto& [id, amount] : draft.taken) {
    OverageLine& line = state.overages.at(id);
    line.remaining -= amount;
    if (line.remaining == 0) state.open_overages[line.budget].erase(id);
  }
  std::vector<OverageLine> written = draft.lines;
  for (OverageLine& line : written) {
    line.id = state.overages.empty() ? 1 : state.overages.rbegin()->first + 1;
    if (line.remaining > 0) state.open_overages[line.budget].insert(line.id);
    state.overages[line.id] = line;
  }
  return written;
}

Result<Changed> put(State& state, const MoveAllowance& change, Instant now) {
  const auto found = state.budgets.find(change.key);
  if (found == state.budgets.end() || found->second.state.overage.b == 0) return Changed{};
  BudgetState& budget = found->second.state;
  billing::OverageStep step =
      billing::step_of(budget.overage, usage_of(budget.used, change.limit, change.age));
  OverageDraft draft;
  AIMETER_CHECK_OK(
      draft_lines({.state = state, .budget = change.key, .now = now}, step, nullptr, draft));
  budget.overage = step.after;
  Changed changed;
  changed.overages = write_lines(state, draft);
  changed.rows = static_cast<std::int64_t>(changed.overages.size());
  return changed;
}

std::vector<plans::OverageSoFar> overages_of(const State& state, const Account& account,
                                             Instant at) {
  std::vector<plans::OverageSoFar> found;
  for (const auto& [key, budget] : state.budgets) {
    const bool counter = key.scope == BudgetScope::account &&
                         (key.kind == BudgetKind::tokens || key.kind == BudgetKind::cost);
    if (key.account != account || !counter || !key.span.contains(at)) continue;
    const billing::OverageState& overage = budget.state.overage;
    found.push_back({.kind = key.kind,
                     .span = key.span,
                     .currency = key.currency,
                     .plan = key.plan,
                     .t = overage.t,
                     .b = overage.b,
                     .cost_nanos = overage.cost_nanos,
                     .used = budget.state.used});
  }
  return found;
}

Status Batch::draft_overage(Draft& draft, const BudgetPart& part, Budget& budget) const {
  const Settlement& row = draft.row;
  if ((row.flags & kDuplicate) != 0) return {};
  const billing::CountedUsage usage = usage_of(row, part, budget.state.used, draft.counts);
  billing::OverageStep step = billing::step_of(budget.state.overage, usage);
  const bool own = usage.charges == billing::Charges::yes;
  AIMETER_CHECK_OK(draft_lines(
      {.state = state_, .budget = part.key, .usage = row_id(engine_, row.seq), .now = now_}, step,
      own ? &*row.pins.overage : nullptr, draft.overage));
  budget.state.overage = step.after;
  return {};
}

}  // namespace aimeter::store::memory
