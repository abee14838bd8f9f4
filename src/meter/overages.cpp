// Lines of overage: as readers see them, and the event of each.
#include "meter/core.h"

namespace aimeter {
namespace meter {
namespace {

constexpr std::int64_t kThousand = 1'000;

store::OverageFilter stored(const OverageFilter& filter) {
  return {.tenant = filter.tenant,
          .billable = filter.billable,
          .usage = filter.ai_usage_id,
          .from = filter.from,
          .to = filter.to,
          .open_only = filter.open_only};
}

}  // namespace

Overage overage_of(const store::OverageLine& line) {
  const std::string& currency = line.price.currency;
  Overage overage{.id = line.id,
                  .account = line.budget.account,
                  .ai_usage_id = line.usage,
                  .period = line.budget.span,
                  .kind = line.budget.kind};
  if (overage.kind == BudgetKind::cost) {
    overage.used_cost = {line.amount, line.budget.currency};
  } else {
    overage.tokens = {line.amount};
    overage.used_cost = {0, currency};
  }
  overage.price_per_1k_tokens = {line.price.nanos_per_million / kThousand, currency};
  overage.cost = {line.cost_nanos, currency};
  overage.batch = line.batch;
  overage.created_at = line.created_at;
  return overage;
}

void Facts::charged(const store::OverageLine& line) {
  if (!events_.wanted<OverageCharged>()) return;
  const Overage overage = overage_of(line);
  events_.publish(OverageCharged{overage.account, overage});
}

Result<OveragePage> Core::overages(const OverageFilter& filter, std::string_view cursor,
                                   std::size_t limit) {
  AIMETER_CHECK_OK(usable());
  AIMETER_CHECK_OK(deps_.ledger.drain());
  AIMETER_TRY(store::OveragePage page, deps_.store.overages(stored(filter), cursor, limit));
  OveragePage shown{.next = std::move(page.next)};
  for (const store::OverageLine& line : page.lines) shown.overages.push_back(overage_of(line));
  return shown;
}

}  // namespace meter

Result<OveragePage> TenantView::overages(OverageFilter filter, std::string_view cursor,
                                         std::size_t limit) const {
  filter.tenant = tenant_;
  return meter::Core::of(core_).overages(filter, cursor, limit);
}

Result<OveragePage> Admin::overages(const OverageFilter& filter, std::string_view cursor,
                                    std::size_t limit) const {
  return meter::Core::of(core_).overages(filter, cursor, limit);
}

}  // namespace aimeter
