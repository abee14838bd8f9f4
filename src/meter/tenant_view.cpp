#include "aimeter/tenant_view.h"

#include <fmt/format.h>

#include "base/ids.h"
#include "meter/core.h"
#include "plans/lifecycle.h"
#include "plans/limits.h"
#include "store/record.h"

namespace aimeter {
namespace {

using meter::Core;

Status check_tenant(const TenantId& tenant) {
  return tenant.text.empty() ? Status() : base::check_id("tenant", tenant.text);
}

Result<Plan> put_plan(Core& core, Plan plan) {
  AIMETER_CHECK_OK(plan.check());
  const TenantId tenant{plan.tenant};
  const std::string slug = plan.slug;
  AIMETER_TRY(const store::Changed changed, core.change(store::PutPlan{std::move(plan)}));
  AIMETER_TRY(std::optional<Plan> stored, core.deps().store.find_plan(tenant, slug));
  if (!stored || stored->id != changed.id)
    return fail(Code::corrupt, "plan: \"" + slug + "\" was written and is not there");
  return *std::move(stored);
}

Result<Plan> plan_of(Core& core, const TenantId& tenant, const std::string& slug) {
  AIMETER_TRY(std::optional<Plan> plan, core.deps().store.find_plan(tenant, slug));
  if (plan) return *std::move(plan);
  return fail(Code::not_found, fmt::format("plan: there is no \"{}\"", slug));
}

Result<Subscription> put_subscription(Core& core, const TenantId& tenant,
                                      Subscription subscription) {
  AIMETER_TRY(const store::Changed changed,
              core.change(store::PutSubscription{tenant, subscription}));
  subscription.id = changed.id;
  return subscription;
}

}  // namespace

UsageQuery TenantView::usages() const { return {Core::of(core_).reader(), tenant_}; }

Result<UsageRecord> TenantView::usage(std::int64_t row) const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  AIMETER_TRY(const store::Settlement found, Core::of(core_).settlement(tenant_, row));
  return store::record_of(found, row);
}

Result<Explanation> TenantView::explain(std::int64_t row) const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  return Core::of(core_).explain(tenant_, row);
}

Result<Subscription> TenantView::subscribe(Subscription subscription) const {
  Core& core = Core::of(core_);
  AIMETER_CHECK_OK(core.usable());
  AIMETER_CHECK_OK(check_tenant(tenant_));
  if (subscription.started_at == Instant()) subscription.started_at = core.deps().clock.now();
  AIMETER_CHECK_OK(subscription.check());
  AIMETER_TRY(const Plan plan, plan_of(core, tenant_, subscription.plan));
  if (!plan.is_active)
    return fail(Code::failed_precondition,
                fmt::format("plan: \"{}\" takes no new subscriptions", plan.slug));
  AIMETER_TRY(
      const store::AccountState state,
      core.deps().store.load_account(account(subscription.billable), core.deps().clock.now()));
  subscription = plans::with_trial(std::move(subscription), plan, state.contract.subscriptions);
  // One that is over when it is made is not told as an end.
  if (subscription.is_expired(core.deps().clock.now())) {
    subscription.expired_at = core.deps().clock.now();
  }
  subscription.id = 0;
  return put_subscription(core, tenant_, std::move(subscription));
}

Result<Subscription> TenantView::active_subscription(const Billable& who) const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  AIMETER_TRY(const std::shared_ptr<const budget::Terms> terms,
              Core::of(core_).terms(account(who)));
  if (terms->limits.subscription) return *terms->limits.subscription;
  return fail(Code::not_found,
              fmt::format("subscription: {} {} has none that is active", who.type, who.id));
}

Result<Plan> TenantView::active_plan(const Billable& who) const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  AIMETER_TRY(const std::shared_ptr<const budget::Terms> terms,
              Core::of(core_).terms(account(who)));
  if (terms->limits.plan) return *terms->limits.plan;
  return fail(Code::not_found, fmt::format("plan: {} {} is on none", who.type, who.id));
}

Result<BillingMode> TenantView::billing_mode(const Billable& who) const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  AIMETER_TRY(const std::shared_ptr<const budget::Terms> terms,
              Core::of(core_).terms(account(who)));
  const auto& subscription = terms->limits.subscription;
  return subscription ? subscription->billing_mode : BillingMode::plan;
}

Result<Subscription> TenantView::migrate_plan(const Billable& who,
                                              const MigratePlanOptions& options) const {
  Core& core = Core::of(core_);
  AIMETER_CHECK_OK(check_tenant(tenant_));
  AIMETER_TRY(Plan to, plan_of(core, tenant_, options.to));
  if (!to.is_active)
    return fail(Code::failed_precondition,
                fmt::format("plan: \"{}\" takes no new subscriptions", to.slug));
  const auto move = [&](const Subscription& now,
                        const Period::Options& period) -> Result<Subscription> {
    const Instant at = core.deps().clock.now();
    Subscription settled = plans::due_of(now, period, at).after;
    AIMETER_TRY(Subscription moved, plans::migrated(settled, {options.to, options.expect_from}));
    moved.next_plan.clear();
    moved.changes_at.reset();
    if (options.when == When::now) return moved;
    settled.next_plan = to.slug;
    settled.changes_at = plans::paid_until(settled, period, at);
    return settled;
  };
  AIMETER_TRY(Subscription subscription, core.change_active(account(who), move));
  if (options.when == When::period_end) return subscription;
  AIMETER_TRY(std::optional<Plan> from,
              core.deps().store.find_plan(tenant_, subscription.previous_plan));
  core.deps().facts.events().publish(
      PlanChanged{account(who), subscription, std::move(from), std::move(to)});
  return subscription;
}

Status TenantView::override_limits(UsageLimitOverride limits) const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  AIMETER_CHECK_OK(limits.check());
  AIMETER_TRY(const store::Changed changed,
              Core::of(core_).change(store::PutOverride{tenant_, std::move(limits)}));
  (void)changed;
  return {};
}

Result<Plan> TenantView::create_plan(Plan plan) const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  plan.tenant = tenant_.text;
  plan.id = 0;
  return put_plan(Core::of(core_), std::move(plan));
}

Result<std::vector<Plan>> TenantView::plans() const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  return Core::of(core_).deps().store.plans(tenant_);
}

Result<LimitCheck> TenantView::check_limit(const Billable& who, const Estimate& requested) const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  return Core::of(core_).check_limit(account(who), requested);
}

Result<Settled> TenantView::record(UsageRecord record, const RecordOptions& options) const {
  std::vector<Result<Settled>> results =
      Core::of(core_).record_each(tenant_, std::span(&record, 1), options);
  return std::move(results.front());
}

Result<std::vector<Settled>> TenantView::record_batch(std::span<const UsageRecord> records,
                                                      const RecordOptions& options) const {
  return Core::of(core_).record_batch(tenant_, records, options);
}

std::vector<Result<Settled>> TenantView::record_each(std::span<const UsageRecord> records,
                                                     const RecordOptions& options) const {
  return Core::of(core_).record_each(tenant_, records, options);
}

Result<Settled> TenantView::settle(std::string_view token, const Usage& usage) const {
  return Core::of(core_).settle_token(tenant_, token, Answered{.usage = usage});
}

Result<Settled> TenantView::settle(std::string_view token, const HttpAnswer& answer) const {
  return Core::of(core_).settle_token(tenant_, token, answer);
}

void TenantView::settle(std::string_view token, Answered answered, SettleDone done) const {
  Core::of(core_).settle_token(tenant_, token, std::move(answered), std::move(done));
}

Status TenantView::release(std::string_view token) const {
  return Core::of(core_).release_token(tenant_, token);
}

Result<Settled> TenantView::adjust(const Adjustment& adjustment) const {
  AIMETER_CHECK_OK(check_tenant(tenant_));
  return Core::of(core_).adjust(tenant_, adjustment);
}

Result<std::int64_t> TenantView::erase_user(std::string_view user) const {
  Core& core = Core::of(core_);
  AIMETER_CHECK_OK(check_tenant(tenant_));
  AIMETER_CHECK_OK(base::check_id("user", user));
  AIMETER_CHECK_OK(core.usable());
  AIMETER_CHECK_OK(core.deps().ledger.drain());
  std::int64_t rows = 0;
  for (bool more = true; more;) {
    AIMETER_TRY(const store::Changed slice,
                core.change(store::Erase{.tenant = tenant_, .user = std::string(user)}));
    rows += slice.rows;
    more = slice.more;
  }
  return rows;
}

// ---- across tenants

Result<Plan> Admin::create_plan(Plan plan) const {
  plan.id = 0;
  return put_plan(Core::of(core_), std::move(plan));
}

Result<Plan> Admin::change_plan(Plan plan) const {
  Core& core = Core::of(core_);
  AIMETER_TRY(const std::vector<Plan> all, core.deps().store.plans(std::nullopt));
  for (const Plan& known : all) {
    if (known.tenant != plan.tenant || known.slug != plan.slug) continue;
    plan.id = known.id;
    return put_plan(core, std::move(plan));
  }
  return fail(Code::not_found, fmt::format("plan: there is no \"{}\"", plan.slug));
}

Result<std::vector<Plan>> Admin::plans() const {
  return Core::of(core_).deps().store.plans(std::nullopt);
}

Result<std::vector<TenantId>> Admin::tenants() const {
  Core& core = Core::of(core_);
  AIMETER_CHECK_OK(core.deps().ledger.drain());
  return core.deps().store.tenants();
}

Status Admin::for_each_tenant(const std::function<Status(const TenantView&)>& work) const {
  AIMETER_TRY(const std::vector<TenantId> all, tenants());
  for (const TenantId& tenant : all) {
    const TenantScope scope(tenant);
    AIMETER_CHECK_OK(work(TenantView(core_, tenant)));
  }
  return {};
}

Result<UsagePage> Admin::usages(const UsageFilter& filter, std::string_view cursor,
                                std::size_t limit) const {
  return Core::of(core_).reader()->page(filter, cursor, limit);
}

Result<std::vector<UsageTotals>> Admin::totals(const UsageFilter& filter) const {
  return Core::of(core_).reader()->totals(filter);
}

Result<Explanation> Admin::explain(std::int64_t row) const {
  return Core::of(core_).explain(std::nullopt, row);
}

Result<int> Admin::run_due() const {
  Core& core = Core::of(core_);
  AIMETER_TRY(const int done, core.run_due());
  AIMETER_TRY(const int moved, core.move_allowances());
  return done + moved;
}

Result<RepriceReport> Admin::reprice(const RepriceOptions& options) const {
  return Core::of(core_).reprice(options);
}

}  // namespace aimeter
