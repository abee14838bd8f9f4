#include "ledger/charges.h"

namespace aimeter::ledger {
namespace {

const plans::ConcreteBudget* charging_budget(const plans::EffectiveLimits& limits) {
  for (const plans::ConcreteBudget& budget : limits.budgets) {
    if (budget.charged) return &budget;
  }
  return nullptr;
}

}  // namespace

void pin_charge(store::Settlement& settlement, const plans::EffectiveLimits& limits) {
  const plans::ConcreteBudget* budget = charging_budget(limits);
  if (budget == nullptr || (settlement.flags & store::kBilledElsewhere) != 0) return;
  for (store::BudgetPart& part : settlement.budgets) {
    if (part.key.kind != budget->kind || part.key.scope != BudgetScope::account ||
        part.key.span != budget->span) {
      continue;
    }
    part.allowance = budget->charged->allowance;
    settlement.pins.overage =
        billing::OveragePrice{budget->charged->nanos_per_million, budget->charged->currency};
    return;
  }
}

void pin_terms_at(store::Settlement& settlement, const plans::EffectiveLimits& limits,
                  Instant now) {
  const plans::ConcreteBudget* budget = charging_budget(limits);
  if (budget == nullptr) return;
  if (limits.valid.contains(now)) settlement.pins.terms_at = now;
  if (budget->span.end <= now) settlement.pins.catalogue = 0;
}

}  // namespace aimeter::ledger
