// How one call was decided and priced, from what its settlement pinned.
#include "meter/core.h"
#include "store/record.h"

namespace aimeter::meter {
namespace {

bool counts_in(const store::BudgetKey& key, const UsageRecord& record) {
  switch (key.scope) {
    case BudgetScope::account:
      return true;
    case BudgetScope::user:
      return record.user_id == key.name;
    case BudgetScope::key:
      return record.api_key == key.name;
    case BudgetScope::feature:
      return record.feature == key.name;
    case BudgetScope::model:
      return record.provider + "/" + record.model == key.name;
    case BudgetScope::session:
      return record.session == key.name;
  }
  return false;
}

std::int64_t amount_in(const store::BudgetKey& key, const UsageRecord& record) {
  switch (key.kind) {
    case BudgetKind::tokens:
      return record.usage.total_tokens.count;
    case BudgetKind::cost:
      return record.total_cost.currency == key.currency ? record.total_cost.nanos : 0;
    case BudgetKind::requests:
      return record.adjustment ? 0 : 1;
    case BudgetKind::credits:
      return 0;
  }
  return 0;
}

// Of everything that comes before this usage in the order of reads: by time, then by id.
Result<std::int64_t> used_before(const store::Store& store, const store::BudgetKey& key,
                                 const UsageRecord& record) {
  const UsageFilter filter{.tenant = key.account.tenant,
                           .billable = key.account.billable,
                           .from = key.span.start,
                           .to = record.occurred_at + Duration(1)};
  std::int64_t used = 0;
  std::string cursor;
  do {
    AIMETER_TRY(UsagePage page, store.usages(filter, cursor, kPageMax));
    for (const UsageRecord& other : page.records) {
      if (other.occurred_at == record.occurred_at && other.id >= record.id) continue;
      if (counts_in(key, other)) used += amount_in(key, other);
    }
    cursor = std::move(page.next);
  } while (!cursor.empty());
  return used;
}

Result<Explanation::Budget> explained(const store::Store& store, const store::BudgetPart& part,
                                      const UsageRecord& record) {
  Explanation::Budget budget{.held = part.held, .counted = part.actual};
  budget.before.kind = part.key.kind;
  budget.before.scope = part.key.scope;
  budget.before.name = part.key.name;
  budget.before.limit = part.limit;
  budget.before.currency = part.key.currency;
  budget.before.period = part.key.span;
  budget.before.enforcement = part.shadow ? Enforcement::shadow : Enforcement::enforce;
  budget.before.would_refuse = part.would_refuse;
  AIMETER_TRY(budget.before.used, used_before(store, part.key, record));
  budget.used_after = budget.before.used + part.actual;
  return budget;
}

}  // namespace

Result<Explanation> Core::explain(const std::optional<TenantId>& tenant, std::int64_t row) {
  AIMETER_TRY(const store::Settlement found, settlement(tenant, row));
  Explanation explanation{.record = store::record_of(found, row)};
  const store::Pins& pins = found.pins;
  explanation.tenant_found_by = pins.tenant_found_by;
  explanation.estimate_source = pins.estimate_source;
  explanation.estimate_tokens = Tokens{pins.estimate_tokens};
  explanation.estimate_cost = Money{pins.estimate_cost_nanos, found.total_cost.currency};
  explanation.capped = pins.capped;
  explanation.period = pins.period;
  explanation.plan_version = pins.plan_version;
  explanation.price_model = pins.price_model;
  for (const store::BudgetPart& part : found.budgets) {
    AIMETER_TRY(Explanation::Budget budget, explained(deps_.store, part, explanation.record));
    explanation.budgets.push_back(std::move(budget));
  }
  Result<CostResult> cost = deps_.prices.now()->cost(
      {.provider = found.provider, .model = found.model, .at = found.occurred_at}, found.usage,
      pins.price_version);
  if (cost) explanation.cost = *std::move(cost);
  AIMETER_TRY(explanation.adjustments, adjustments_of(found.account, found.occurred_at, row));
  return explanation;
}

}  // namespace aimeter::meter
