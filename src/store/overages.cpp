#include "store/overages.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "store/settlement.h"

namespace aimeter::store {

bool matches(const OverageFilter& filter, const OverageLine& line) {
  const Account& account = line.budget.account;
  return (!filter.tenant || account.tenant == *filter.tenant) &&
         (!filter.billable || account.billable == *filter.billable) &&
         (!filter.usage || line.usage == *filter.usage) &&
         (!filter.from || *filter.from <= line.budget.span.start) &&
         (!filter.to || line.budget.span.start < *filter.to) &&
         (!filter.open_only || line.batch == 0);
}

Result<std::int64_t> parse_overage_cursor(std::string_view text) {
  if (text.empty()) return 0;
  std::int64_t after = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), after);
  if (error != std::errc() || end != text.data() + text.size() || after < 0) {
    return bad_input("cursor", text, "the cursor of an earlier page");
  }
  return after;
}

std::vector<std::string> problems_of(const OverageSums& sums,
                                     const billing::OverageState& overage) {
  std::vector<std::string> problems;
  const auto text = [](Int128 number) { return Decimal(number, 0).text(); };
  const Amount b = overage.t ? std::max<Amount>(0, sums.used - *overage.t) : 0;
  if (overage.b != b) {
    problems.push_back(fmt::format("B is {}, used {} above T {} is {}", overage.b, sums.used,
                                   overage.t.value_or(0), b));
  }
  if (sums.amount != overage.b || sums.remaining != overage.b) {
    problems.push_back(fmt::format("B is {}, its lines have {}, of which {} remain", overage.b,
                                   text(sums.amount), text(sums.remaining)));
  }
  if (sums.cost_nanos != overage.cost_nanos) {
    problems.push_back(fmt::format("its lines cost {} nanos, it counts {}", text(sums.cost_nanos),
                                   overage.cost_nanos));
  }
  if (sums.cost_nanos != sums.exact / billing::kMillion) {
    problems.push_back(fmt::format("its lines cost {} nanos, what remains of them {}",
                                   text(sums.cost_nanos), text(sums.exact / billing::kMillion)));
  }
  return problems;
}

billing::CountedUsage usage_of(Amount used, const std::optional<Amount>& limit,
                               const billing::PinsAge& age) {
  return {.used_before = used, .used_after = used, .limit = limit, .age = age};
}

billing::CountedUsage usage_of(const Settlement& settlement, const BudgetPart& part,
                               Amount used_after, Counts counts) {
  const bool dead = counts == Counts::uncharged;
  const bool charges = !dead && part.allowance && settlement.pins.overage;
  // Usage without a plan has no limit either, but that is no limit that rose: what was charged
  // under a plan that ended is owed.
  const bool no_plan = !part.allowance && !part.limit && settlement.pins.plan_slug.empty();
  const bool moves = !dead && !no_plan && (settlement.flags & kAdjustment) == 0;
  return {.used_before = used_after - part.actual,
          .used_after = used_after,
          .limit = part.allowance ? part.allowance : part.limit,
          .charges = charges ? billing::Charges::yes : billing::Charges::no,
          .moves = moves ? billing::Moves::limit : billing::Moves::nothing,
          .age = {settlement.pins.catalogue,
                  settlement.pins.terms_at.value_or(settlement.occurred_at)}};
}

}  // namespace aimeter::store
