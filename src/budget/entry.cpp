#include "budget/entry.h"

#include <algorithm>

#include "base/hash.h"

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

BudgetKey key_of(const Account& account, const plans::ConcreteBudget& budget,
                 std::string_view name) {
  return {.account = account,
          .kind = budget.kind,
          .scope = budget.scope,
          .name = std::string(name),
          .span = budget.span,
          .plan = budget.plan,
          .currency = budget.kind == BudgetKind::cost || budget.kind == BudgetKind::credits
                          ? budget.currency
                          : std::string()};
}

std::size_t Book::Body::HashName::operator()(std::string_view name) const {
  return base::mix64(name);
}

std::uint32_t Book::Body::find(const BudgetKey& wanted) const {
  for (std::uint32_t i = 0; i < counters.size(); ++i) {
    if (!counters[i].key) continue;
    const BudgetKey& key = *counters[i].key;
    if (key.kind == wanted.kind && key.scope == wanted.scope && key.span == wanted.span &&
        key.plan == wanted.plan && key.name == wanted.name && key.currency == wanted.currency) {
      return i;
    }
  }
  return kNowhere;
}

std::uint32_t Book::Body::place(std::size_t budget, std::string_view name) const {
  const Route& route = routes[budget];
  if (name.empty()) return route.nameless;
  const auto at = route.named.find(name);
  return at == route.named.end() ? kNowhere : at->second;
}

void Book::Body::search(const AccountName& account, const Names& names, Places& found,
                        std::vector<BudgetKey>& unknown) const {
  const auto& budgets = terms->limits.budgets;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    const std::string_view name = scope_name(budgets[i].scope, names);
    const std::uint32_t index = place(i, name);
    if (index == kNowhere) {
      unknown.push_back(key_of(account.account(), budgets[i], name));
    } else if (std::ranges::find(found, index) == found.end()) {  // two rules, one counter
      found.push_back(index);
    }
  }
  if (!terms->wallet || mode_of(*terms, names) != BillingMode::credits) return;
  if (wallet == kNowhere) {
    unknown.push_back(key_of(account.account(), *terms->wallet, {}));
  } else {
    found.push_back(wallet);
  }
}

namespace {

void take_rule(Counter& counter, const plans::ConcreteBudget& rule, std::int64_t hundredths) {
  if (rule.limit != counter.limit && (!rule.limit || counter.used_view() < *rule.limit)) {
    counter.told_approaching = counter.told_reached = counter.told_refused = false;
  }
  counter.set_limit(rule.limit, hundredths);
  counter.blocking = rule.blocking();
  counter.shadow = rule.limit && rule.enforcement == Enforcement::shadow;
  counter.in_terms = true;
}

bool same_counter(const BudgetKey& key, const plans::ConcreteBudget& rule) {
  const bool same_currency = rule.kind != BudgetKind::cost || key.currency == rule.currency;
  return key.kind == rule.kind && key.scope == rule.scope && key.span == rule.span &&
         key.plan == rule.plan && same_currency;
}

}  // namespace

// Finds the rules of a counter. Two rules of one counter (the same kind, scope and period): the
// lower limit is in force.
void Book::Body::connect(std::uint32_t at) {
  Counter& counter = counters[at];
  counter.in_terms = false;
  if (!terms) return;
  if (counter.kind == BudgetKind::credits) return connect_wallet(at);
  const auto& budgets = terms->limits.budgets;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    if (!same_counter(*counter.key, budgets[i])) continue;
    const bool first = !counter.in_terms;
    if (first || !counter.limit || (budgets[i].limit && *budgets[i].limit < *counter.limit)) {
      take_rule(counter, budgets[i], approaching_hundredths);
    }
    if (counter.key->name.empty()) {
      routes[i].nameless = at;
    } else {
      routes[i].named[counter.key->name] = at;
    }
  }
}

void Book::Body::connect_wallet(std::uint32_t at) {
  Counter& counter = counters[at];
  if (!terms->wallet || terms->wallet->currency != counter.key->currency) return;
  counter.in_terms = true;
  counter.blocking = terms->wallet->blocking();
  counter.shadow = false;
  if (!counter.blocking) counter.limit.reset();
  if (counter.blocking && !counter.limit) counter.limit = 0;  // until the store has said
  wallet = at;
}

void Book::Body::find_plain() {
  plain_places.clear();
  const auto& budgets = terms->limits.budgets;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    const std::uint32_t at = routes[i].nameless;
    plain = budgets[i].scope == BudgetScope::account && at != kNowhere;
    if (!plain) return;
    if (std::ranges::find(plain_places, at) == plain_places.end()) plain_places.push_back(at);
  }
  plain = true;
}

void Book::Body::adopt(std::shared_ptr<const Terms> newest) {
  terms = std::move(newest);
  valid = terms->limits.valid;
  catalogue = terms->catalogue;
  routes.assign(terms->limits.budgets.size(), {});
  wallet = kNowhere;
  for (std::uint32_t at = 0; at < counters.size(); ++at) {
    if (counters[at].key) connect(at);
  }
  find_plain();
}

std::uint32_t Book::Body::add(const BudgetKey& wanted, std::uint32_t epoch) {
  const auto vacant = std::ranges::find_if(counters, [](const Counter& c) { return !c.key; });
  const auto at = static_cast<std::uint32_t>(vacant - counters.begin());
  if (vacant == counters.end()) counters.emplace_back();
  Counter& counter = counters[at] = Counter{};
  counter.key = std::make_unique<const BudgetKey>(wanted);
  counter.kind = wanted.kind;
  counter.epoch = epoch;
  connect(at);
  if (terms) find_plain();
  return at;
}

void Book::Body::drop_if_done(std::uint32_t at) {
  Counter& counter = counters[at];
  if (counter.in_terms || counter.busy() || counter.free > 0) return;
  counter.key.reset();
}

bool Book::Body::in_use_since(Instant then) const {
  return std::ranges::any_of(counters, [&](const Counter& counter) {
    return counter.key && (counter.busy() || counter.free > 0 || counter.last_use >= then);
  });
}

}  // namespace aimeter::budget
