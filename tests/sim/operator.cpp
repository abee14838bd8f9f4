// The operator's side of the callers, and what is asked of the engines in the end.
#include <algorithm>

#include "tests/sim/callers.h"
#include "tests/sim/world.h"

namespace aimeter::sim {

void Callers::change_limit() {
  Dice& dice = world_.dice;
  Plan plan = plans_[dice.below(plans_.size())];
  if (plan.monthly_token_limit || dice.chance(50)) {
    plan.monthly_token_limit = Tokens{dice.between(0, 4'000)};
    if (dice.chance(50)) plan.monthly_token_limit.reset();
  }
  if (plan.monthly_cost_limit || dice.chance(50)) {
    plan.monthly_cost_limit = Money{.nanos = dice.between(0, 40'000)};
    if (dice.chance(50)) plan.monthly_cost_limit.reset();
  }
  if (dice.chance(100)) plan.enforcement = Enforcement::shadow;
  if (dice.chance(300)) plan.enforcement = Enforcement::enforce;
  for (BudgetRule& rule : plan.budgets) rule.limit = dice.between(1, 1'500);
  for (const Account& account : accounts_) world_.oracle.limits_move(account);
  world_.trace.line("limit", {{"plan", plan.id}});
  put(plan);
}

void Callers::change_terms() {
  Dice& dice = world_.dice;
  const std::size_t at = dice.below(subscriptions_.size());
  const Account& account = accounts_[at];
  for (const Account& one : accounts_) world_.oracle.limits_move(one);
  const Instant now = world_.store->now();
  if (dice.chance(400)) {
    UsageLimitOverride limits{.billable = account.billable,
                              .period_start = now - std::chrono::minutes(1),
                              .period_end = now + std::chrono::minutes(dice.between(1, 30)),
                              .token_limit = Tokens{dice.between(0, 3'000)}};
    world_.trace.line("override", {{"account", static_cast<std::int64_t>(at)}});
    (void)operate(store::PutOverride{account.tenant, limits});
    return;
  }
  Subscription& subscription = subscriptions_[at];
  subscription.plan = plans_[dice.below(plans_.size())].slug;
  if (has_wallets()) {
    subscription.billing_mode = dice.chance(500) ? BillingMode::credits : BillingMode::plan;
  }
  world_.trace.line("subscription", {{"account", static_cast<std::int64_t>(at)}});
  (void)operate(store::PutSubscription{account.tenant, subscription});
}

// ---------------------------------------------------------------- in the end

void Callers::release_all() {
  const std::vector<CallRef> all = calls_;
  for (const CallRef& call : all) {
    if (!call->holding || !call->process->awake()) continue;
    if (world_.dice.chance(500)) {
      release(call);
    } else {
      settle(call, call->expected);
    }
  }
}

// Tokens that fit into all blocking budgets; -1: none of them blocks.
std::int64_t Callers::room_of(Process& process, const Asking& asking) {
  const Account& account = asking.account;
  const budget::Names names{.user = "u0", .api_key = "k0", .feature = "chat"};
  Result<std::shared_ptr<const budget::Terms>> terms = fail(Code::unavailable, "");
  const Instant now = world_.wall_of(process.machine).now();
  process.run(Process::Lane::taken, [&] { terms = process.ledger->terms(account, now); });
  if (!terms) {
    world_.oracle.fail("no terms in the end: " + terms.error().message);
    return -1;
  }
  std::int64_t room = -1;
  bool requests_left = true;
  for (const plans::ConcreteBudget& budget : (*terms)->limits.budgets) {
    if (!budget.blocking()) continue;
    const budget::BudgetKey key =
        budget::key_of(account, budget, budget::scope_name(budget.scope, names));
    std::int64_t left = *budget.limit - world_.oracle.used(key);
    if (budget.kind == BudgetKind::requests) {
      requests_left = requests_left && left > 0;
      continue;
    }
    if (budget.kind == BudgetKind::cost) left /= kNanosPerToken;
    room = room < 0 ? std::max<std::int64_t>(left, 0)
                    : std::min(room, std::max<std::int64_t>(left, 0));
  }
  if (asking.mode == BillingMode::credits && (*terms)->wallet->blocking()) {
    const std::int64_t left = world_.oracle.money().balance(account) -
                              world_.oracle.money().over(account, world_.store->now());
    const std::int64_t fits = left <= 0 ? 0 : left / kNanosPerToken;
    room = room < 0 ? fits : std::min(room, fits);
  }
  return requests_left ? room : std::min<std::int64_t>(room, 0);
}

void Callers::check_room(Process& process) {
  for (const Account& account : accounts_) {
    const Asking plan{account, BillingMode::plan};
    const std::int64_t room = room_of(process, plan);
    check_room_of(process, plan);
    if (!has_wallets() || process.failed() || world_.failed()) continue;
    // A limit that fell meanwhile leaves the lease of the older one, which may be spent: the term
    // `fallen` of the bound.
    if (room_of(process, plan) != room) continue;
    check_room_of(process, {account, BillingMode::credits});
  }
}

void Callers::check_room_of(Process& process, const Asking& asking) {
  const std::int64_t room = room_of(process, asking);
  if (room < 1 || process.failed() || world_.failed()) return;
  const auto ask = [&](std::int64_t tokens) {
    const CallRef call = make_call(process);
    call->ask.account = asking.account;
    call->ask.names = {.user = "u0", .api_key = "k0", .feature = "chat", .model = "openai/gpt"};
    call->ask.names.mode = asking.mode;
    call->expected = tokens;
    call->ask.need = {.tokens = tokens,
                      .cost_nanos = tokens * kNanosPerToken,
                      .credit_nanos = tokens * kNanosPerToken};
    hold(call);
    constexpr int kRoundsMax = 40;
    for (int round = 0; round < kRoundsMax && !call->holding; ++round) {
      if (std::ranges::find(calls_, call) == calls_.end()) break;
      world_.run_quietly(1);
    }
    return call;
  };
  world_.trace.line("what fits is granted",
                    {{"process", static_cast<std::int64_t>(process.number)}, {"tokens", room}});
  const CallRef all = ask(room);
  if (process.failed()) return;
  if (!all->holding) {
    if (room_of(process, asking) < room) return;  // a lot has ended
    return world_.oracle.fail("what fits is not granted: " + std::to_string(room) + " tokens");
  }
  const CallRef more = ask(1);
  const bool moved = room_of(process, asking) != room;  // a period or an override has ended
  if (more->holding && !moved) {
    return world_.oracle.fail("one token more than there is was granted");
  }
  if (more->holding) release(more);
  release(all);
}

}  // namespace aimeter::sim
