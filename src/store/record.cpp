#include "store/record.h"

#include <boost/json.hpp>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

#include "store/bound.h"

namespace aimeter::store {
namespace {

bool has(const Settlement& settlement, Flag flag) { return (settlement.flags & flag) != 0; }

CostSource cost_source_of(const Settlement& settlement) {
  if (has(settlement, kCostFromCaller)) return CostSource::caller;
  if (has(settlement, kCostFromProvider)) return CostSource::provider;
  if (has(settlement, kCostFromConfiguration)) return CostSource::configuration;
  return CostSource::book;
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool in_span(const UsageFilter& filter, Instant at) {
  return (!filter.from || *filter.from <= at) && (!filter.to || at < *filter.to);
}

template <class Row>
bool matches_names(const UsageFilter& filter, const Row& row) {
  return (!filter.tenant || row.account.tenant == *filter.tenant) &&
         (!filter.billable || row.account.billable == *filter.billable) &&
         (!filter.provider || row.provider == *filter.provider) &&
         (!filter.model || row.model == *filter.model) &&
         (!filter.feature || row.feature == *filter.feature);
}

using GroupKey = std::tuple<Account, std::string, std::string, std::string, std::string, Instant>;

GroupKey key_of(const RollupRow& row) {
  return {row.account, row.provider, row.model, row.feature, row.currency, row.bucket};
}

RollupRow blanked(const RollupFilter& by, RollupRow row) {
  if (!by.by_tenant) row.account.tenant = {};
  if (!by.by_billable) row.account.billable = {};
  if (!by.by_provider) row.provider.clear();
  if (!by.by_model) row.model.clear();
  if (!by.by_feature) row.feature.clear();
  if (!by.by_bucket) row.bucket = {};
  return row;
}

}  // namespace

UsageRecord record_of(const Settlement& settlement, std::int64_t id) {
  UsageRecord record{.id = id, .account = settlement.account, .user_id = settlement.user};
  record.provider = settlement.provider;
  record.model = settlement.model;
  record.feature = settlement.feature;
  record.api_key = settlement.api_key;
  record.session = settlement.session;
  record.usage = settlement.usage;
  record.input_cost = settlement.input_cost;
  record.output_cost = settlement.output_cost;
  record.total_cost = settlement.total_cost;
  record.cost_source = cost_source_of(settlement);
  record.estimated = has(settlement, kEstimated);
  record.unpriced = has(settlement, kProvisional);
  record.duplicate = has(settlement, kDuplicate);
  record.late = has(settlement, kLate);
  record.adjustment = has(settlement, kAdjustment);
  record.adjusts = settlement.adjusts;
  record.price_version = settlement.pins.price_version;
  record.plan = settlement.pins.plan_slug;
  record.subscription_id = settlement.pins.subscription;
  record.meta = meta_of(settlement.meta);
  record.occurred_at = settlement.occurred_at;
  return record;
}

Meta meta_of(std::string_view json) {
  Meta meta;
  if (json.empty()) return meta;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse({json.data(), json.size()}, error);
  if (error || !value.is_object()) return meta;
  for (const auto& [key, field] : value.get_object()) {
    const std::string name(key);
    if (const auto* text = field.if_string()) {
      meta[name] = std::string(*text);
    } else {
      meta[name] = boost::json::serialize(field);
    }
  }
  return meta;
}

bool matches(const UsageFilter& filter, const Settlement& settlement) {
  if (!filter.with_duplicates && has(settlement, kDuplicate)) return false;
  if (!matches_names(filter, settlement)) return false;
  if (filter.user && settlement.user != *filter.user) return false;
  if (!in_span(filter, settlement.occurred_at)) return false;
  if (!filter.meta) return true;
  const Meta meta = meta_of(settlement.meta);
  const auto field = meta.find(filter.meta->first);
  return field != meta.end() && field->second == filter.meta->second;
}

std::string text_of(const Cursor& cursor) {
  return std::to_string(cursor.occurred_at.time_since_epoch().count()) + "." +
         std::to_string(cursor.id);
}

Result<std::optional<Cursor>> parse_cursor(std::string_view text) {
  if (text.empty()) return std::optional<Cursor>();
  const auto dot = text.find('.');
  std::int64_t at = 0;
  Cursor cursor;
  if (dot == std::string_view::npos || !parse_number(text.substr(0, dot), at) ||
      !parse_number(text.substr(dot + 1), cursor.id)) {
    return bad_input("cursor", text, "the cursor of an earlier page");
  }
  cursor.occurred_at = Instant(Duration(at));
  return std::optional(cursor);
}

Status check_page(std::size_t limit) {
  if (limit >= 1 && limit <= kPageMax) return {};
  return bad_input("limit", std::to_string(limit), "1 to " + std::to_string(kPageMax));
}

Instant bucket_of(Instant at) {
  using Bucket = std::chrono::duration<std::int64_t, std::ratio<kBucketMinutes * 60>>;
  return std::chrono::floor<Bucket>(at);
}

Status check(const RollupFilter& filter) {
  const UsageFilter& usage = filter.usage;
  if (usage.user) return bad_input("user", *usage.user, "no user: roll-ups have none");
  if (usage.meta) return bad_input("meta", usage.meta->first, "no meta: roll-ups have none");
  const auto on_border = [](const std::optional<Instant>& at) {
    return !at || bucket_of(*at) == *at;
  };
  const auto text = [](const std::optional<Instant>& at) {
    return std::to_string(at->time_since_epoch().count());
  };
  if (!on_border(usage.from)) return bad_input("from", text(usage.from), "a multiple of 15 min");
  if (!on_border(usage.to)) return bad_input("to", text(usage.to), "a multiple of 15 min");
  return {};
}

bool matches(const RollupFilter& filter, const RollupRow& cell) {
  return matches_names(filter.usage, cell) && in_span(filter.usage, cell.bucket);
}

RollupRow cell_of(const Settlement& settlement) {
  RollupRow cell{.account = settlement.account, .provider = settlement.provider};
  cell.model = settlement.model;
  cell.feature = settlement.feature;
  cell.currency = settlement.total_cost.currency;
  cell.bucket = bucket_of(settlement.occurred_at);
  cell.input_tokens = settlement.usage.input_tokens.count;
  cell.cached_input_tokens = settlement.usage.cached_input_tokens.count;
  cell.output_tokens = settlement.usage.output_tokens.count;
  cell.cost_nanos = settlement.total_cost.nanos;
  cell.provisional = provisional_of(settlement.flags);
  if (has(settlement, kAdjustment)) return cell;
  cell.calls = 1;
  cell.estimated = has(settlement, kEstimated) ? 1 : 0;
  return cell;
}

bool add_to(RollupRow& sum, const RollupRow& cell) {
  RollupRow next = sum;
  bool fits = true;
  const auto add = [&fits](std::int64_t& into, std::int64_t value) {
    fits = !__builtin_add_overflow(into, value, &into) && fits;
  };
  add(next.calls, cell.calls);
  add(next.input_tokens, cell.input_tokens);
  add(next.cached_input_tokens, cell.cached_input_tokens);
  add(next.output_tokens, cell.output_tokens);
  add(next.estimated, cell.estimated);
  add(next.provisional, cell.provisional);
  fits = !__builtin_add_overflow(next.cost_nanos, cell.cost_nanos, &next.cost_nanos) && fits;
  if (fits) sum = next;
  return fits;
}

Result<std::vector<RollupRow>> group(const RollupFilter& filter, std::span<const RollupRow> cells) {
  std::map<GroupKey, RollupRow> sums;
  std::map<GroupKey, std::set<TenantId>> tenants;
  for (const RollupRow& cell : cells) {
    if (!matches(filter, cell)) continue;
    const RollupRow asked = blanked(filter, cell);
    const GroupKey key = key_of(asked);
    tenants[key].insert(cell.account.tenant);
    const auto [sum, fresh] = sums.try_emplace(key, asked);
    if (!fresh && !add_to(sum->second, asked)) {
      return fail(Code::corrupt, "a sum of roll-ups is out of range");
    }
  }
  std::vector<RollupRow> rows;
  for (auto& [key, sum] : sums) {
    sum.tenants = filter.by_tenant ? 0 : static_cast<std::int64_t>(tenants[key].size());
    rows.push_back(std::move(sum));
  }
  return rows;
}

}  // namespace aimeter::store
