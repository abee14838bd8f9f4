#include "store/bound.h"

#include <algorithm>
#include <limits>
#include <set>

namespace aimeter::store {
namespace {

__extension__ using Wide = __int128;

Amount clamped(Wide value) {
  constexpr Wide kMax = std::numeric_limits<Amount>::max();
  return static_cast<Amount>(std::clamp<Wide>(value, 0, kMax));
}

Wide wide_bound(const BudgetState& budget) {
  return Wide{*budget.limit} + budget.over_hold + budget.late + budget.fallen;
}

Wide above_bound(const BudgetState& budget) {
  return Wide{budget.used} + budget.leased - wide_bound(budget);
}

bool rules(const BudgetState& budget) { return budget.blocking && budget.limit; }

}  // namespace

std::optional<Amount> sum_of(Amount a, Amount b) {
  Amount sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

void name_limit(BudgetState& budget, const Naming& named) {
  const bool ruled = rules(budget);
  const std::optional<Amount> before = budget.limit;
  budget.limit = named.limit;
  budget.blocking = named.blocking && named.limit.has_value();
  if (!rules(budget)) return;
  if (ruled && *budget.limit >= *before) return;
  budget.fallen = clamped(Wide{budget.fallen} + clamped(above_bound(budget)));
}

std::optional<Amount> bound_of(const BudgetState& budget) {
  return rules(budget) ? std::optional(clamped(wide_bound(budget))) : std::nullopt;
}

bool in_bound(const BudgetState& budget) { return !rules(budget) || above_bound(budget) <= 0; }

Counted counted_of(const BudgetPart& part, Amount given_up) {
  Counted counted{.used = part.actual, .leased = -given_up, .blocking = part.blocking};
  const Amount excess = clamped(Wide{part.actual} - given_up);
  (given_up < part.held ? counted.late : counted.over_hold) = excess;
  return counted;
}

bool add_to(BudgetState& budget, const Counted& counted) {
  const auto used = sum_of(budget.used, counted.used);
  const auto leased = sum_of(budget.leased, counted.leased);
  const bool blocks = counted.blocking || budget.blocking;
  const auto over_hold = sum_of(budget.over_hold, blocks ? counted.over_hold : 0);
  const auto late = sum_of(budget.late, counted.late);
  if (!used || !leased || !over_hold || !late || *leased < 0) return false;
  budget.used = *used;
  budget.leased = *leased;
  budget.over_hold = *over_hold;
  budget.late = *late;
  return true;
}

std::uint8_t thresholds_of(const BudgetState& budget) {
  if (!budget.limit || is_wallet(budget.key)) return 0;
  std::uint8_t told = 0;
  if (Wide{budget.used} * 100 >= Wide{*budget.limit} * kApproachingPercent) {
    told |= kToldApproaching;
  }
  if (budget.used >= *budget.limit) told |= kToldReached;
  return told;
}

Amount free_of(const BudgetState& budget, Amount limit) {
  return clamped(Wide{limit} - budget.used - budget.leased);
}

std::span<const LeaseAsk> of_first_account(std::span<const LeaseAsk> asks) {
  const auto other = std::ranges::find_if(
      asks, [&](const LeaseAsk& ask) { return ask.key.account != asks.front().key.account; });
  return asks.first(static_cast<std::size_t>(other - asks.begin()));
}

Status check(std::span<const LeaseAsk> asks) {
  std::set<Account> earlier;
  while (!asks.empty()) {
    const std::span<const LeaseAsk> own = of_first_account(asks);
    const Account& account = own.front().key.account;
    if (!earlier.insert(account).second) {
      return bad_input("asks", account.billable.id, "the asks of an account side by side");
    }
    for (std::size_t i = 0; i < own.size(); ++i) {
      const LeaseAsk& ask = own[i];
      if (ask.ask < 0) return bad_input("ask", std::to_string(ask.ask), "0 or more");
      if (ask.one_call < 0) return bad_input("one_call", std::to_string(ask.one_call), "0 or more");
      if (ask.limit < 0) return bad_input("limit", std::to_string(ask.limit), "0 or more");
      const auto same = [&](const LeaseAsk& other) { return other.key == ask.key; };
      if (std::ranges::any_of(own.first(i), same)) {
        return bad_input("asks", ask.key.name, "each budget once");
      }
    }
    asks = asks.subspan(own.size());
  }
  return {};
}

Amount grant_of(const LeaseAsk& ask, const Room& room) {
  if (ask.whole_rest && !room.others) return room.free;
  const Amount share = std::min(ask.ask, room.free / (2 * std::max(1, room.engines)));
  if (share >= ask.one_call) return share;
  return room.free >= ask.one_call ? ask.one_call : 0;
}

bool refuses(const LeaseAsk& ask, const Room& room) {
  const Amount granted = grant_of(ask, room);
  if (ask.whole_rest && !room.others) return granted == 0;
  return granted < ask.one_call;
}

}  // namespace aimeter::store
