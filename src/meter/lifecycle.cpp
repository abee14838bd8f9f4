// An account's contract in time: changed, cancelled, renewed, failed to be paid; and what is due.
#include "plans/lifecycle.h"

#include <algorithm>

#include <fmt/format.h>

#include "meter/core.h"

namespace aimeter {
namespace meter {
namespace {

constexpr std::size_t kDueAtOnce = 1'000;
constexpr int kDueSlicesMax = 1'000;
constexpr int kTriesMax = 3;

}  // namespace

// Compared and put: a change made elsewhere in between is taken into account, never lost.
Result<Subscription> Core::change_active(
    const Account& account,
    const std::function<Result<Subscription>(const Subscription&, const Period::Options&)>& how) {
  AIMETER_CHECK_OK(usable());
  for (int attempt = 1;; ++attempt) {
    const Instant now = deps_.clock.now();
    AIMETER_TRY(const store::AccountState state, deps_.store.load_account(account, now));
    const plans::EffectiveLimits limits =
        plans::effective_limits(state.contract, options_.limits, now);
    if (!limits.subscription) {
      return fail(Code::not_found, fmt::format("subscription: {} {} has none that is active",
                                               account.billable.type, account.billable.id));
    }
    const Period::Options period =
        limits.plan && limits.plan->period ? *limits.plan->period : options_.limits.period;
    AIMETER_TRY(Subscription after, how(*limits.subscription, period));
    const Result<store::Changed> changed =
        change(store::PutSubscription{account.tenant, after, *limits.subscription});
    if (changed) return after;
    if (changed.error().code != Code::conflict || attempt == kTriesMax) {
      return std::unexpected(changed.error());
    }
  }
}

Result<int> Core::run_due() {
  AIMETER_CHECK_OK(usable());
  int done = 0;
  std::optional<Error> wrong;
  for (int slice = 0; slice < kDueSlicesMax; ++slice) {
    const Instant now = deps_.store.now();
    AIMETER_TRY(const auto all, deps_.store.due(now, kDueAtOnce));
    int here = 0;
    for (const auto& [account, subscription] : all) {
      AIMETER_TRY(std::optional<Plan> from,
                  deps_.store.find_plan(account.tenant, subscription.plan));
      const Period::Options period = from && from->period ? *from->period : options_.limits.period;
      const plans::Due due = plans::due_of(subscription, period, now);
      if (!due.any()) continue;
      const Result<store::Changed> changed =
          change(store::PutSubscription{account.tenant, due.after, subscription});
      if (!changed) {
        const Code code = changed.error().code;
        if (code == Code::conflict) continue;  // another was first
        if (code == Code::unavailable || code == Code::in_doubt) {
          return std::unexpected(changed.error());
        }
        wrong = changed.error();  // of this one: the others are due all the same
        continue;
      }
      ++here;
      Events& events = deps_.facts.events();
      if (due.changes_plan) {
        AIMETER_TRY(std::optional<Plan> to, deps_.store.find_plan(account.tenant, due.after.plan));
        events.publish(PlanChanged{account, due.after, std::move(from), std::move(to)});
      }
      if (due.expires) events.publish(SubscriptionExpired{account, due.after});
    }
    done += here;
    if (all.size() < kDueAtOnce || here == 0) break;
  }
  if (wrong) return std::unexpected(*wrong);
  return done;
}

Result<int> Core::move_allowances() {
  AIMETER_CHECK_OK(usable());
  const Instant now = deps_.store.now();
  AIMETER_TRY(const std::vector<store::BudgetState> budgets, deps_.store.in_overage(now));
  int moved = 0;
  for (const store::BudgetState& budget : budgets) {
    const Account& account = budget.key.account;
    AIMETER_TRY(const store::AccountState state, deps_.store.load_account(account, now));
    const plans::EffectiveLimits limits =
        plans::effective_limits(state.contract, options_.limits, now);
    if (!limits.plan) continue;  // what was charged under a plan that ended is owed
    const auto same = [&](const plans::ConcreteBudget& one) {
      return one.kind == budget.key.kind && one.scope == budget.key.scope &&
             one.span == budget.key.span && one.plan == budget.key.plan &&
             (one.kind == BudgetKind::tokens || one.currency == budget.key.currency);
    };
    const auto found = std::ranges::find_if(limits.budgets, same);
    if (found == limits.budgets.end()) continue;
    const auto limit = found->charged ? std::optional(found->charged->allowance) : found->limit;
    if (limit && *limit <= budget.overage.t.value_or(0)) continue;
    AIMETER_TRY(const store::Changed changed,
                change(store::MoveAllowance{budget.key, limit, {state.catalogue, now}}));
    for (const store::OverageLine& line : changed.overages) deps_.facts.charged(line);
    moved += changed.rows > 0 ? 1 : 0;
  }
  return moved;
}

}  // namespace meter

using meter::Core;

Result<Subscription> TenantView::cancel(const Billable& who, When when) const {
  Core& core = Core::of(core_);
  const Account payer = account(who);
  AIMETER_TRY(
      Subscription after,
      core.change_active(
          payer,
          [&](const Subscription& now, const Period::Options& period) -> Result<Subscription> {
            const Instant at = core.deps().clock.now();
            if (when == When::period_end) {
              return plans::cancelled(now, plans::paid_until(now, period, at));
            }
            AIMETER_TRY(Subscription ended, plans::cancelled(now, at));
            ended.expired_at = at;
            return ended;
          }));
  if (after.expired_at) core.deps().facts.events().publish(SubscriptionExpired{payer, after});
  return after;
}

Result<Subscription> TenantView::renew(const Billable& who) const {
  Core& core = Core::of(core_);
  return core.change_active(account(who), [&](const Subscription& now, const Period::Options&) {
    return plans::renewed(now, core.deps().clock.now());
  });
}

Result<Subscription> TenantView::payment_failed(const Billable& who) const {
  Core& core = Core::of(core_);
  return core.change_active(account(who), [&](const Subscription& now, const Period::Options&) {
    return Result<Subscription>(plans::payment_failed(now, core.deps().clock.now(),
                                                      core.options().payment_failure_grace_days));
  });
}

Result<Subscription> TenantView::payment_succeeded(const Billable& who) const {
  Core& core = Core::of(core_);
  return core.change_active(account(who), [&](const Subscription& now, const Period::Options&) {
    return Result<Subscription>(plans::payment_restored(now));
  });
}

}  // namespace aimeter
