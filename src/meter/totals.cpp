// Sums of usage: from roll-ups where they tell it, else from rows.
#include <limits>
#include <map>

#include "meter/core.h"
#include "store/record.h"

namespace aimeter::meter {
namespace {

bool on_bucket(const std::optional<Instant>& at) { return !at || store::bucket_of(*at) == *at; }

bool rollups_suffice(const UsageFilter& filter) {
  return !filter.user && !filter.meta && !filter.with_duplicates && on_bucket(filter.from) &&
         on_bucket(filter.to);
}

Result<std::vector<UsageTotals>> from_rollups(const store::Store& store,
                                              const UsageFilter& filter) {
  AIMETER_TRY(const std::vector<store::RollupRow> rows, store.rollups({.usage = filter}));
  std::vector<UsageTotals> sums;
  for (const store::RollupRow& row : rows) {
    constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
    if (row.cost_nanos > kMost || row.cost_nanos < -kMost)
      return fail(Code::corrupt, "a sum of costs is out of the range of Money");
    sums.push_back({.calls = row.calls,
                    .input_tokens = {row.input_tokens},
                    .cached_input_tokens = {row.cached_input_tokens},
                    .output_tokens = {row.output_tokens},
                    .total_tokens = {row.input_tokens + row.output_tokens},
                    .total_cost = {static_cast<std::int64_t>(row.cost_nanos), row.currency},
                    .estimated_calls = row.estimated,
                    .provisional_calls = row.provisional});
  }
  return sums;
}

Status add(UsageTotals& sum, const UsageRecord& record) {
  bool fits = true;
  const auto more = [&fits](std::int64_t& into, std::int64_t value) {
    fits = !__builtin_add_overflow(into, value, &into) && fits;
  };
  more(sum.input_tokens.count, record.usage.input_tokens.count);
  more(sum.cached_input_tokens.count, record.usage.cached_input_tokens.count);
  more(sum.output_tokens.count, record.usage.output_tokens.count);
  more(sum.total_tokens.count, record.usage.total_tokens.count);
  more(sum.total_cost.nanos, record.total_cost.nanos);
  if (!record.adjustment) {
    ++sum.calls;
    sum.estimated_calls += record.estimated ? 1 : 0;
  }
  sum.provisional_calls += store::provisional_of(record);
  if (fits) return {};
  return fail(Code::corrupt, "a sum of usage is out of range");
}

Result<std::vector<UsageTotals>> from_rows(const store::Store& store, const UsageFilter& filter) {
  std::map<std::string, UsageTotals> by_currency;
  std::string cursor;
  do {
    AIMETER_TRY(UsagePage page, store.usages(filter, cursor, kPageMax));
    for (const UsageRecord& record : page.records) {
      const std::string& currency = record.total_cost.currency;
      auto [sum, fresh] = by_currency.try_emplace(currency);
      if (fresh) sum->second.total_cost.currency = currency;
      AIMETER_CHECK_OK(add(sum->second, record));
    }
    cursor = std::move(page.next);
  } while (!cursor.empty());
  std::vector<UsageTotals> sums;
  for (auto& [currency, sum] : by_currency) sums.push_back(std::move(sum));
  return sums;
}

}  // namespace

Result<std::vector<UsageTotals>> totals_of(const store::Store& store, const UsageFilter& filter) {
  return rollups_suffice(filter) ? from_rollups(store, filter) : from_rows(store, filter);
}

}  // namespace aimeter::meter
