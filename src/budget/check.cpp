// The state of an account's limits, for people and for programs.
#include <algorithm>

#include "budget/entry.h"

namespace aimeter::budget {
namespace {

Money money_of(Amount nanos, const std::string& currency) { return {nanos, currency}; }

// True when `candidate` should be the budget that a LimitCheck speaks of.
bool fuller(const Counter& candidate, const Counter* chosen) {
  if (chosen == nullptr) return true;
  return Percent::of(candidate.used_view(), *candidate.limit) >
         Percent::of(chosen->used_view(), *chosen->limit);
}

BudgetCheck budget_check(const Counter& counter, Amount need) {
  BudgetCheck check{.kind = counter.kind,
                    .scope = counter.key->scope,
                    .name = counter.key->name,
                    .limit = counter.limit,
                    .used = counter.used_view(),
                    .held = counter.held + counter.held_elsewhere,
                    .currency = counter.key->currency,
                    .period = counter.key->span};
  check.enforcement = counter.shadow ? Enforcement::shadow : Enforcement::enforce;
  check.would_refuse = counter.shadow && !counter.fits_limit(need);
  return check;
}

// Limits that do not refuse (allow) still say how much of them is left.
void narrow(LimitCheck& check, const Counter& counter) {
  const Amount left = std::max<Amount>(
      0, *counter.limit - counter.used_view() - counter.held - counter.held_elsewhere);
  if (counter.kind == BudgetKind::tokens) {
    if (!check.remaining_tokens || left < check.remaining_tokens->count) {
      check.remaining_tokens = Tokens{left};
    }
  }
  if (counter.kind == BudgetKind::cost) {
    if (!check.remaining_cost || left < check.remaining_cost->nanos) {
      check.remaining_cost = money_of(left, counter.key->currency);
    }
  }
}

void speak_of(LimitCheck& check, const Counter& counter) {
  check.budget = std::string(name_of(counter.kind));
  check.usage_percentage = Percent::of(counter.used_view(), *counter.limit);
  check.limit = Tokens{*counter.limit};
  check.used = Tokens{counter.used_view()};
  check.held = Tokens{counter.held + counter.held_elsewhere};
  check.resets_at = counter.key->span.end;
}

}  // namespace

std::shared_ptr<const Refusal> Book::Body::refusal(const Counter& counter, Amount need,
                                                   bool first) const {
  auto why = std::make_shared<Refusal>();
  why->budget = std::string(name_of(counter.kind));
  why->scope = std::string(name_of(counter.key->scope));
  why->resets_at = counter.key->span.end;
  why->first = first;
  const Amount limit = counter.limit.value_or(0);
  const Amount held = counter.held + counter.held_elsewhere;
  if (counter.kind == BudgetKind::credits) {
    why->resets_at.reset();
    why->balance = money_of(limit - counter.used_view(), counter.key->currency);
    why->required = money_of(need, counter.key->currency);
    why->held_cost = money_of(held, counter.key->currency);
  } else if (counter.kind == BudgetKind::cost) {
    why->limit_cost = money_of(limit, counter.key->currency);
    why->used_cost = money_of(counter.used_view(), counter.key->currency);
    why->held_cost = money_of(held, counter.key->currency);
    why->requested_cost = money_of(need, counter.key->currency);
  } else {
    why->limit = Tokens{limit};
    why->used = Tokens{counter.used_view()};
    why->held = Tokens{held};
    why->requested = Tokens{need};
  }
  return why;
}

void Book::Body::refuse(Counter& counter, const Need& need, HoldAnswer& answer) const {
  const Amount wanted = need.of(counter.kind, counter.key->currency);
  const bool may_cap = need.fit(counter.kind) == Fit::may_cap && !counter.shut();
  answer.what = HoldAnswer::What::refused;
  answer.fits_limit = counter.fits_limit(wanted);
  const bool first =
      !answer.fits_limit && !std::exchange(counter.told_refused, true) && !counter.told_reached;
  answer.refusal = refusal(counter, wanted, first);
  answer.worth_waiting = counter.leased_elsewhere > 0 &&
                         (answer.fits_limit || (may_cap && counter.may_be_capped_later()));
  if (!answer.fits_limit) counter.told_reached = true;
}

LimitCheck Book::Body::check(const Names& names, const Need& requested) const {
  LimitCheck check;
  if (!terms) return check;
  if (terms->limits.plan) check.plan = terms->limits.plan->slug;
  const Counter* spoken = nullptr;
  const auto& budgets = terms->limits.budgets;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    const std::uint32_t at = place(i, scope_name(budgets[i].scope, names));
    if (at == kNowhere) continue;
    const Counter& counter = counters[at];
    if (!counter.limit) continue;
    const Amount need = requested.of(counter.kind, counter.key->currency);
    check.budgets.push_back(budget_check(counter, need));
    if (counter.shadow) {
      check.would_refuse = check.would_refuse || check.budgets.back().would_refuse;
      continue;
    }
    narrow(check, counter);
    check.approaching = check.approaching || counter.used_view() >= counter.approaching_at;
    check.hard_limit_reached = check.hard_limit_reached || counter.used_view() >= *counter.limit;
    if (fuller(counter, spoken)) spoken = &counter;
    if (counter.blocking && !counter.fits_limit(need) && !check.reason) {
      check.allowed = false;
      check.reason = refusal(counter, need, false);
    }
  }
  if (spoken != nullptr) speak_of(check, *spoken);
  if (wallet == kNowhere || mode_of(*terms, names) != BillingMode::credits) return check;
  const Counter& money = counters[wallet];
  const Amount need = requested.of(money.kind, money.key->currency);
  check.budgets.push_back(budget_check(money, need));
  if (money.blocking && !money.fits_limit(need) && !check.reason) {
    check.allowed = false;
    check.reason = refusal(money, need, false);
  }
  return check;
}

}  // namespace aimeter::budget
