#include "budget/entry.h"

#include <algorithm>

namespace aimeter::budget {

std::string_view scope_name(BudgetScope scope, const Names& names) {
  switch (scope) {
    case BudgetScope::account:
      return {};
    case BudgetScope::user:
      return names.user;
    case BudgetScope::key:
      return names.api_key;
    case BudgetScope::feature:
      return names.feature;
    case BudgetScope::model:
      return names.model;
    case BudgetScope::session:
      return names.session;
  }
  return {};
}

BudgetKey Book::Entry::key(const Counter& counter) const {
  return {.account = account,
          .kind = counter.kind,
          .scope = counter.scope,
          .name = counter.name,
          .span = counter.span,
          .plan = counter.plan,
          .currency = counter.currency};
}

BudgetKey key_of(const Account& account, const plans::ConcreteBudget& budget,
                 std::string_view name) {
  return {.account = account,
          .kind = budget.kind,
          .scope = budget.scope,
          .name = std::string(name),
          .span = budget.span,
          .plan = budget.plan,
          .currency = budget.kind == BudgetKind::cost ? budget.currency : std::string()};
}

std::uint32_t Book::Entry::find(const BudgetKey& wanted) const {
  for (std::uint32_t i = 0; i < counters.size(); ++i) {
    const Counter& c = counters[i];
    if (c.kind == wanted.kind && c.scope == wanted.scope && c.span == wanted.span &&
        c.plan == wanted.plan && c.name == wanted.name && c.currency == wanted.currency &&
        std::ranges::find(unused, i) == unused.end()) {
      return i;
    }
  }
  return kNowhere;
}

std::uint32_t Book::Entry::place(std::size_t budget, std::string_view name) const {
  const auto& known = places[budget];
  const auto at = known.find(std::string(name));
  return at == known.end() ? kNowhere : at->second;
}

void Book::Entry::places_of(const Names& names, std::vector<std::uint32_t>& known,
                            std::vector<BudgetKey>& unknown) const {
  const auto& budgets = terms->limits.budgets;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    const std::string_view name = scope_name(budgets[i].scope, names);
    const std::uint32_t index = place(i, name);
    if (index == kNowhere) {
      unknown.push_back(key_of(account, budgets[i], name));
    } else if (std::ranges::find(known, index) == known.end()) {  // two rules, one counter
      known.push_back(index);
    }
  }
}

namespace {

void take_rule(Counter& counter, const plans::ConcreteBudget& rule) {
  if (rule.limit != counter.limit && (!rule.limit || counter.used_view() < *rule.limit)) {
    counter.told_approaching = counter.told_reached = counter.told_refused = false;
  }
  counter.limit = rule.limit;
  counter.blocking = rule.blocking();
  counter.shadow = rule.limit && rule.enforcement == Enforcement::shadow;
  counter.in_terms = true;
}

bool same_counter(const Counter& counter, const plans::ConcreteBudget& rule) {
  const bool same_currency = rule.kind != BudgetKind::cost || counter.currency == rule.currency;
  return counter.kind == rule.kind && counter.scope == rule.scope && counter.span == rule.span &&
         counter.plan == rule.plan && same_currency;
}

}  // namespace

void Book::Entry::adopt(std::shared_ptr<const Terms> newest) {
  terms = std::move(newest);
  const auto& budgets = terms->limits.budgets;
  places.assign(budgets.size(), {});
  for (std::uint32_t at = 0; at < counters.size(); ++at) {
    Counter& counter = counters[at];
    counter.in_terms = false;
    if (std::ranges::find(unused, at) != unused.end()) continue;
    for (std::size_t i = 0; i < budgets.size(); ++i) {
      // Two rules of one counter (the same kind, scope and period): the lower limit is in force.
      if (!same_counter(counter, budgets[i])) continue;
      const bool first = !counter.in_terms;
      if (first || !counter.limit || (budgets[i].limit && *budgets[i].limit < *counter.limit)) {
        take_rule(counter, budgets[i]);
      }
      places[i][counter.name] = at;
    }
  }
}

std::uint32_t Book::Entry::add(const BudgetKey& wanted, std::uint32_t epoch) {
  std::uint32_t at = 0;
  if (unused.empty()) {
    at = static_cast<std::uint32_t>(counters.size());
    counters.emplace_back();
  } else {
    at = unused.back();
    unused.pop_back();
    counters[at] = Counter{};
  }
  Counter& counter = counters[at];
  counter.kind = wanted.kind;
  counter.scope = wanted.scope;
  counter.name = wanted.name;
  counter.span = wanted.span;
  counter.plan = wanted.plan;
  counter.currency = wanted.currency;
  counter.epoch = epoch;
  counter.in_terms = false;
  if (!terms) return at;
  const auto& budgets = terms->limits.budgets;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    if (!same_counter(counter, budgets[i])) continue;
    const bool first = !counter.in_terms;
    if (first || !counter.limit || (budgets[i].limit && *budgets[i].limit < *counter.limit)) {
      take_rule(counter, budgets[i]);
    }
    places[i][counter.name] = at;
  }
  return at;
}

void Book::Entry::drop_if_done(std::uint32_t at) {
  const Counter& counter = counters[at];
  if (counter.in_terms || counter.busy() || counter.free > 0) return;
  if (std::ranges::find(unused, at) == unused.end()) unused.push_back(at);
}

}  // namespace aimeter::budget
