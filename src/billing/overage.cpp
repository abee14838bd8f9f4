#include "billing/overage.h"

#include <algorithm>

#include "aimeter/decimal.h"

namespace aimeter::billing {
namespace {

Amount above(Amount used, const std::optional<Amount>& t) {
  return t ? std::max<Amount>(0, used - *t) : 0;
}

// A risen limit covers overage; a fallen one bills nothing backwards.
Amount moved(const OverageState& state, Amount used, Amount limit) {
  if (state.t && limit >= *state.t) return limit;
  return std::max(limit, used - state.b);
}

bool fits(Amount amount, const OveragePrice& price) {
  Amount rest = kMillion / 2;
  return cost_of(amount, price, rest).has_value();
}

void add(std::vector<LineDraft>& lines, Amount amount, const OveragePrice& price) {
  if (!lines.empty() && lines.back().price == price && fits(lines.back().amount + amount, price)) {
    lines.back().amount += amount;
  } else {
    lines.push_back({.amount = amount, .price = price});
  }
}

// What the lines give of `amount`: less where fewer are left than B says, which `verify` finds.
Result<Amount> take_back(std::vector<LineDraft>& lines, Amount amount, const OveragePrice* price,
                         OpenLines& open) {
  while (amount > 0) {
    AIMETER_TRY(const std::optional<OpenLine> line, open.newest(price));
    if (!line) break;
    const Amount taken = std::min(amount, line->left);
    AIMETER_CHECK_OK(open.take(line->id, taken));
    add(lines, -taken, line->price);
    amount -= taken;
  }
  return amount;
}

}  // namespace

bool is_newer(const PinsAge& age, const PinsAge& than) {
  return age.catalogue >= than.catalogue && age.at >= than.at && age != than;
}

OverageStep step_of(const OverageState& before, const CountedUsage& usage) {
  OverageStep step{.after = before};
  OverageState& after = step.after;
  const bool charges = usage.charges == Charges::yes;
  if (!after.t && !charges) return step;
  const Amount limit = usage.limit.value_or(kUnlimited);
  if (usage.moves == Moves::limit && (!after.t || is_newer(usage.age, after.age))) {
    after.t = moved(after, usage.used_before, limit);
    after.age = usage.age;
    const Amount b = above(usage.used_before, after.t);
    step.covered = after.b - b;
    after.b = b;
  }
  if (!after.t) return step;
  step.change = above(usage.used_after, after.t) - after.b;
  if (step.change > 0 && !charges) {
    *after.t += step.change;
    step.change = 0;
  }
  after.b += step.change;
  return step;
}

std::optional<Amount> cost_of(Amount amount, const OveragePrice& price, Amount& rest) {
  const Int128 exact = Int128{amount} * price.nanos_per_million + rest;
  Int128 nanos = exact / kMillion;
  Int128 left = exact % kMillion;
  if (left < 0) {
    left += kMillion;
    nanos -= 1;
  }
  constexpr Int128 kMost = std::numeric_limits<Amount>::max();
  if (nanos > kMost || nanos < -kMost) return std::nullopt;
  rest = static_cast<Amount>(left);
  return static_cast<Amount>(nanos);
}

Result<std::optional<std::vector<LineDraft>>> lines_of(OverageStep& step, const OveragePrice* price,
                                                       OpenLines& open) {
  std::vector<LineDraft> lines;
  const bool grows = step.change > 0 && price != nullptr;
  if (grows && !fits(step.change, *price)) return std::nullopt;
  AIMETER_CHECK_OK(take_back(lines, step.covered, nullptr, open));
  if (grows) lines.push_back({.amount = step.change, .price = *price});
  if (step.change < 0) {
    Amount rest = -step.change;
    if (price != nullptr) {
      AIMETER_TRY(rest, take_back(lines, rest, price, open));
    }
    AIMETER_CHECK_OK(take_back(lines, rest, nullptr, open));
  }
  for (LineDraft& line : lines) {
    const std::optional<Amount> cost = cost_of(line.amount, line.price, step.after.rest);
    if (!cost || __builtin_add_overflow(step.after.cost_nanos, *cost, &step.after.cost_nanos)) {
      return std::nullopt;
    }
    line.cost_nanos = *cost;
  }
  return lines;
}

}  // namespace aimeter::billing
