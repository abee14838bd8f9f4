// Plans, subscriptions, overrides and wallets of the reference, into a store.
#include <fmt/format.h>

#include <algorithm>

#include "cli/laravel.h"
#include "cli/progress.h"
#include "meter/meta.h"

namespace aimeter::cli {
namespace {

using drivers::laravel::Contracts;
using drivers::laravel::CreditStep;
using drivers::laravel::kSubscriptionMeta;
using drivers::laravel::Leftover;
using drivers::laravel::Purse;

// As far as the reference knows plans.
bool same(const Plan& a, const Plan& b) {
  return a.name == b.name && a.monthly_token_limit == b.monthly_token_limit &&
         a.monthly_cost_limit == b.monthly_cost_limit &&
         a.overage_price_per_1k_tokens == b.overage_price_per_1k_tokens &&
         a.features == b.features && a.trial_days == b.trial_days;
}

bool same(const UsageLimitOverride& a, const UsageLimitOverride& b) {
  return a.billable == b.billable && a.period_start == b.period_start &&
         a.period_end == b.period_end && a.token_limit == b.token_limit &&
         a.cost_limit == b.cost_limit;
}

// One row cannot be done; the others can.
bool is_of_row(const Error& error) {
  return error.code != Code::unavailable && error.code != Code::in_doubt &&
         error.code != Code::corrupt;
}

}  // namespace

bool LaravelCarrier::interrupted() {
  if (setup_.frame.console().interrupted()) report_.interrupted = true;
  return report_.interrupted;
}

void LaravelCarrier::leave(std::string_view table, std::int64_t id, std::string why) {
  report_.left.push_back(
      {std::string(table), std::to_string(id), std::move(why), Leftover::Kind::attention});
}

// ---------------------------------------------------------------- contracts

Result<std::map<std::string, Plan>> LaravelCarrier::known_plans(store::Store& store) const {
  std::map<std::string, Plan> known;
  AIMETER_TRY(std::vector<Plan> all, store.plans(tenant()));
  for (Plan& plan : all) {
    if (plan.tenant == tenant().text) known.emplace(plan.slug, std::move(plan));
  }
  return known;
}

// `known`: the plan of this slug as it is there.
Status LaravelCarrier::put_plan(store::Store& store, Plan plan, const Plan* known) {
  if (dry()) return {};
  if (known != nullptr) {  // only its activity changes
    const bool active = plan.is_active;
    plan = *known;
    plan.is_active = active;
  }
  AIMETER_CHECK_OK(store.change({store::PutPlan{std::move(plan)}, "import"}));
  return {};
}

// `needed`: plans that subscriptions are still to come for: only an active plan takes them.
Status LaravelCarrier::put_plans(store::Store& store, const std::vector<Plan>& plans,
                                 const std::set<std::string>& needed) {
  AIMETER_TRY(const auto known, known_plans(store));
  for (const Plan& plan : plans) {
    ++report_.plans.seen;
    const auto found = known.find(plan.slug);
    Plan first = plan;
    first.is_active = plan.is_active || needed.contains(plan.slug);
    if (found == known.end()) {
      ++report_.plans.added;
      AIMETER_CHECK_OK(put_plan(store, std::move(first), nullptr));
      continue;
    }
    ++report_.plans.known;
    if (!same(found->second, plan)) {
      report_.left.push_back({"ai_plans", "",
                              fmt::format("there is a plan \"{}\" with other figures: it stays as "
                                          "it is",
                                          plan.slug)});
    }
    if (needed.contains(plan.slug) && !found->second.is_active) {
      AIMETER_CHECK_OK(put_plan(store, std::move(first), &found->second));
    }
  }
  return {};
}

Status LaravelCarrier::close_plans(store::Store& store, const std::vector<Plan>& plans) {
  AIMETER_TRY(const auto known, known_plans(store));
  for (const Plan& plan : plans) {
    const auto found = known.find(plan.slug);
    if (plan.is_active || found == known.end() || !found->second.is_active) continue;
    AIMETER_CHECK_OK(put_plan(store, plan, &found->second));
  }
  return {};
}

Status LaravelCarrier::put_overrides(store::Store& store, const Contracts& contracts) {
  AIMETER_TRY(auto known, store.overrides(tenant()));
  for (const Contracts::Override& one : contracts.overrides) {
    ++report_.overrides.seen;
    contracted_.insert(one.limits.billable);
    const auto is_it = [&](const auto& other) {
      return other.first.tenant == tenant() && same(other.second, one.limits);
    };
    if (std::ranges::any_of(known, is_it)) {
      ++report_.overrides.known;
      continue;
    }
    ++report_.overrides.added;
    known.emplace_back(Account{tenant(), one.limits.billable}, one.limits);
    if (dry()) continue;
    AIMETER_CHECK_OK(store.change({store::PutOverride{tenant(), one.limits}, "import"}));
  }
  return {};
}

Status LaravelCarrier::contracts(store::Store& store) {
  AIMETER_TRY(const Contracts contracts, setup_.database.contracts(setup_.options, report_.left));
  AIMETER_TRY(const auto all, store.subscriptions(tenant()));
  std::set<std::pair<Billable, std::string>> known;
  for (const auto& [account, subscription] : all) {
    const auto id = subscription.meta.find(kSubscriptionMeta);
    if (account.tenant == tenant() && id != subscription.meta.end()) {
      known.emplace(account.billable, id->second);
    }
  }
  std::vector<const Contracts::Contract*> fresh;
  std::set<std::string> needed;
  for (const Contracts::Contract& one : contracts.subscriptions) {
    ++report_.subscriptions.seen;
    contracted_.insert(one.subscription.billable);
    if (known.contains({one.subscription.billable, std::to_string(one.id)})) {
      ++report_.subscriptions.known;
    } else {
      fresh.push_back(&one);
      needed.insert(one.subscription.plan);
    }
  }
  AIMETER_CHECK_OK(put_plans(store, contracts.plans, needed));
  Progress progress(setup_.frame.console(), "subscriptions",
                    static_cast<std::int64_t>(fresh.size()));
  for (const Contracts::Contract* one : fresh) {
    if (interrupted()) break;
    progress.at(++report_.subscriptions.added);
    if (dry()) continue;
    const auto done = store.change({store::PutSubscription{tenant(), one->subscription}, "import"});
    if (done) continue;
    if (!is_of_row(done.error())) return std::unexpected(done.error());
    --report_.subscriptions.added;
    leave("ai_subscriptions", one->id, done.error().message);
  }
  AIMETER_CHECK_OK(close_plans(store, contracts.plans));
  return interrupted() ? Status() : put_overrides(store, contracts);
}

// ---------------------------------------------------------------- wallets

Status LaravelCarrier::step(store::Store& store, const Purse& purse, const CreditStep& step) {
  const Account account{tenant(), purse.billable};
  Result<Meta> meta = meter::kept_meta(step.meta, meter::Metadata::sanitized);
  if (!meta) {
    leave("ai_credit_wallets", purse.id,
          fmt::format("{} is carried without its meta: {}", step.key, meta.error().message));
  }
  store::AddCredits add{.account = account,
                        .amount = step.amount,
                        .reason = step.reason,
                        .meta = meta.value_or(Meta{}),
                        .idempotency_key = step.key};
  store::DeductCredits deduct{.account = account,
                              .amount = step.amount,
                              .reason = step.reason,
                              .meta = meta.value_or(Meta{}),
                              .idempotency_key = step.key};
  if (dry()) {
    AIMETER_TRY(const auto seen, store.find_key(*store::key_of(add)));
    ++(seen ? report_.transactions.known : report_.transactions.added);
    return {};
  }
  store::Change change{std::move(add), "import"};
  if (step.direction == Direction::debit) change.body = std::move(deduct);
  const Result<store::Changed> done = store.change(change);
  if (done) {
    ++(done->repeated ? report_.transactions.known : report_.transactions.added);
    return {};
  }
  if (!is_of_row(done.error())) return std::unexpected(done.error());
  leave("ai_credit_wallets", purse.id, fmt::format("{}: {}", step.key, done.error().message));
  return {};
}

Status LaravelCarrier::carry(store::Store& store, const Purse& purse) {
  contracted_.insert(purse.billable);
  AIMETER_TRY(const auto wallets, store.wallets({tenant(), purse.billable}));
  report_.transactions.seen += static_cast<std::int64_t>(purse.steps.size());
  if (!wallets.empty() && wallets.front().currency != purse.currency) {
    leave("ai_credit_wallets", purse.id,
          fmt::format("the wallet here is in {}, this one in {}", wallets.front().currency,
                      purse.currency));
    return {};
  }
  for (const CreditStep& one : purse.steps) {
    if (interrupted()) return {};
    AIMETER_CHECK_OK(step(store, purse, one));
  }
  return {};
}

Status LaravelCarrier::wallets(store::Store& store) {
  Progress progress(setup_.frame.console(), "transactions", std::nullopt);
  return setup_.database.purses(setup_.options, report_.left, [&](const Purse& purse) -> Status {
    if (interrupted()) return {};
    progress.at(report_.transactions.seen);
    return carry(store, purse);
  });
}

}  // namespace aimeter::cli
