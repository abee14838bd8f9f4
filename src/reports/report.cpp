#include "reports/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "store/record.h"

namespace aimeter::reports {
namespace {

constexpr std::array kNames = {"tenant",  "billable", "user", "provider", "model",
                               "feature", "minute",   "hour", "day",      "month"};

// Groups and totals on their way. Sums are checked: a total beyond int64 tokens is an error.
class Fold {
 public:
  explicit Fold(const Query& query) : query_(query) {
    for (const GroupBy group : query.group_by) {
      if (group >= GroupBy::hour) {
        const Period::Type type = group == GroupBy::hour  ? Period::Type::hourly
                                  : group == GroupBy::day ? Period::Type::daily
                                                          : Period::Type::monthly;
        periods_.emplace(group, Period({.type = type, .timezone = query.timezone}));
      }
    }
  }

  struct Fact {  // one roll-up or one row
    const Account& account;
    std::string_view user, provider, model, feature;
    Instant at = {};
    Sums sums = {};
  };
  [[nodiscard]] Status add(const Fact& fact) {
    std::vector<std::string> names;
    names.reserve(query_.group_by.size());
    for (const GroupBy group : query_.group_by) names.push_back(name(group, fact));
    AIMETER_CHECK_OK(sum(totals_[fact.sums.currency], fact.sums));
    tenants_[fact.sums.currency].insert(fact.account.tenant.text);
    if (names.empty()) return {};
    const auto key = std::pair(std::move(names), fact.sums.currency);
    group_tenants_[key].insert(fact.account.tenant.text);
    return sum(groups_[key], fact.sums);
  }
  void finish(Report& report) {
    for (auto& [currency, sums] : totals_) {
      sums.currency = currency;
      sums.tenants = static_cast<std::int64_t>(tenants_[currency].size());
      report.totals.push_back(sums);
    }
    if (report.totals.empty()) report.totals.push_back({.currency = "usd"});
    for (auto& [key, sums] : groups_) {
      sums.currency = key.second;
      sums.tenants = static_cast<std::int64_t>(group_tenants_[key].size());
      report.groups.push_back({key.first, sums});
    }
  }

 private:
  [[nodiscard]] std::string name(GroupBy group, const Fact& fact) const {
    switch (group) {
      case GroupBy::tenant:
        return fact.account.tenant.text;
      case GroupBy::billable:
        return fact.account.billable.type + ":" + fact.account.billable.id;
      case GroupBy::user:
        return std::string(fact.user);
      case GroupBy::provider:
        return std::string(fact.provider);
      case GroupBy::model:
        return std::string(fact.model);
      case GroupBy::feature:
        return std::string(fact.feature);
      case GroupBy::minute:
        return text_of(std::chrono::floor<std::chrono::minutes>(fact.at));
      default:
        return text_of(periods_.at(group).at(fact.at).start);
    }
  }
  [[nodiscard]] static Status sum(Sums& into, const Sums& more) {
    const std::pair<std::int64_t*, std::int64_t> parts[] = {
        {&into.calls, more.calls},
        {&into.input_tokens, more.input_tokens},
        {&into.cached_input_tokens, more.cached_input_tokens},
        {&into.output_tokens, more.output_tokens},
        {&into.provisional_calls, more.provisional_calls},
        {&into.estimated_calls, more.estimated_calls}};
    for (const auto& [total, part] : parts) {
      if (__builtin_add_overflow(*total, part, total)) {
        return fail(Code::corrupt, "report: a sum of tokens is beyond 64 bits");
      }
    }
    into.cost_nanos += more.cost_nanos;
    return {};
  }

  const Query& query_;
  std::map<GroupBy, Period> periods_;
  using Key = std::pair<std::vector<std::string>, std::string>;
  std::map<std::string, Sums> totals_;
  std::map<std::string, std::set<std::string>> tenants_;
  std::map<Key, Sums> groups_;
  std::map<Key, std::set<std::string>> group_tenants_;
};

bool has(const Query& query, GroupBy group) {
  return std::ranges::find(query.group_by, group) != query.group_by.end();
}

[[nodiscard]] Status fold_rows(const store::Store& store, const UsageFilter& filter, Fold& fold) {
  if (*filter.from >= *filter.to) return {};
  std::string cursor;
  do {
    AIMETER_TRY(const UsagePage page, store.usages(filter, cursor, kPageMax));
    for (const UsageRecord& record : page.records) {
      AIMETER_CHECK_OK(
          fold.add({.account = record.account,
                    .user = record.user_id,
                    .provider = record.provider,
                    .model = record.model,
                    .feature = record.feature,
                    .at = record.occurred_at,
                    .sums = {.calls = record.adjustment ? 0 : 1,
                             .input_tokens = record.usage.input_tokens.count,
                             .cached_input_tokens = record.usage.cached_input_tokens.count,
                             .output_tokens = record.usage.output_tokens.count,
                             .provisional_calls = store::provisional_of(record),
                             .estimated_calls = record.estimated ? 1 : 0,
                             .cost_nanos = record.total_cost.nanos,
                             .currency = record.total_cost.currency}}));
    }
    cursor = page.next;
  } while (!cursor.empty());
  return {};
}

// Whole buckets from roll-ups, what sticks out at either end from rows.
[[nodiscard]] Status fold_rollups(const store::Store& store, const Query& query, Fold& fold) {
  constexpr Duration kBucket = std::chrono::minutes(store::kBucketMinutes);
  const Instant from = *query.filter.from, to = *query.filter.to;
  const Instant first = std::min(store::bucket_of(from + kBucket - Duration(1)), to);
  const Instant last = std::max(store::bucket_of(to), first);
  UsageFilter edge = query.filter;
  edge.to = first;
  AIMETER_CHECK_OK(fold_rows(store, edge, fold));
  edge.from = last;
  edge.to = to;
  AIMETER_CHECK_OK(fold_rows(store, edge, fold));
  if (first >= last) return {};
  UsageFilter middle = query.filter;
  middle.from = first;
  middle.to = last;
  const bool by_time =
      has(query, GroupBy::hour) || has(query, GroupBy::day) || has(query, GroupBy::month);
  AIMETER_TRY(const std::vector<store::RollupRow> rows,
              store.rollups({.usage = middle,
                             .by_tenant = true,
                             .by_billable = has(query, GroupBy::billable),
                             .by_provider = has(query, GroupBy::provider),
                             .by_model = has(query, GroupBy::model),
                             .by_feature = has(query, GroupBy::feature),
                             .by_bucket = by_time}));
  for (const store::RollupRow& row : rows) {
    AIMETER_CHECK_OK(fold.add({.account = row.account,
                               .provider = row.provider,
                               .model = row.model,
                               .feature = row.feature,
                               .at = row.bucket,
                               .sums = {.calls = row.calls,
                                        .input_tokens = row.input_tokens,
                                        .cached_input_tokens = row.cached_input_tokens,
                                        .output_tokens = row.output_tokens,
                                        .provisional_calls = row.provisional,
                                        .estimated_calls = row.estimated,
                                        .cost_nanos = row.cost_nanos,
                                        .currency = row.currency}}));
  }
  return {};
}

}  // namespace

std::string_view name_of(GroupBy group) { return kNames.at(static_cast<std::size_t>(group)); }

Result<std::vector<GroupBy>> parse_group_by(std::string_view text) {
  constexpr std::string_view kAccepted =
      "names among tenant, billable, user, provider, model, feature, minute, hour, day, month, "
      "separated by commas, each once";
  std::vector<GroupBy> groups;
  if (text.empty()) return groups;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view name = text.substr(begin, end - begin);
    const auto at = std::ranges::find(kNames, name);
    if (at == kNames.end()) return bad_input("--group-by", text, kAccepted);
    const auto group = static_cast<GroupBy>(at - kNames.begin());
    if (std::ranges::find(groups, group) != groups.end()) {
      return bad_input("--group-by", text, kAccepted);
    }
    groups.push_back(group);
    begin = end + 1;
  }
  return groups;
}

Result<Instant> as_of(const store::Store& store) {
  AIMETER_TRY(const std::vector<store::EngineState> engines, store.engines());
  Instant oldest = store.now();
  for (const store::EngineState& engine : engines) {
    if (!engine.closed_at) oldest = std::min(oldest, engine.renewed_at);
  }
  return oldest;
}

Result<Report> report(const store::Store& store, const Query& query) {
  if (!query.filter.from || !query.filter.to || *query.filter.from >= *query.filter.to) {
    return bad_input("--from", query.filter.from ? text_of(*query.filter.from) : "",
                     "a time before --to");
  }
  AIMETER_CHECK_OK(Period::check({.timezone = query.timezone}));
  Report report{.from = *query.filter.from, .to = *query.filter.to, .group_by = query.group_by};
  AIMETER_TRY(report.as_of, as_of(store));
  Fold fold(query);
  const bool rows = has(query, GroupBy::user) || has(query, GroupBy::minute) || query.filter.user ||
                    query.filter.meta;
  AIMETER_CHECK_OK(rows ? fold_rows(store, query.filter, fold) : fold_rollups(store, query, fold));
  fold.finish(report);
  return report;
}

Result<Period::Span> month_of(std::string_view field, std::string_view text,
                              std::string_view timezone) {
  constexpr std::size_t kLength = 7;  // YYYY-MM
  const bool shaped = text.size() == kLength && text[4] == '-';
  const Result<Instant> first = shaped ? parse_instant(field, std::string(text) + "-01", timezone)
                                       : Result<Instant>(fail(Code::invalid_argument, ""));
  if (!first) return bad_input(field, text, "a month as YYYY-MM");
  AIMETER_CHECK_OK(Period::check({.timezone = std::string(timezone)}));
  return Period({.type = Period::Type::monthly, .timezone = std::string(timezone)}).at(*first);
}

}  // namespace aimeter::reports
