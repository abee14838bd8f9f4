// Package:       tests
// Units:         none
// Errors:        an error is its code: messages may differ between stores.
// Thread safety: pure functions.
// Ownership:     none.
//
// Answers of a store as text, every field that stores must agree on, so that two can be compared
// and a difference can be read.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "store/store.h"

namespace aimeter::store::property {

inline std::string text_of(Instant at) { return std::to_string(at.time_since_epoch().count()); }
inline std::string text_of(const std::optional<Instant>& at) { return at ? text_of(*at) : "-"; }
inline std::string text_of(std::int64_t number) { return std::to_string(number); }
inline std::string text_of(int number) { return std::to_string(number); }
inline std::string text_of(std::uint64_t number) { return std::to_string(number); }
inline std::string text_of(const TenantId& tenant) { return "'" + tenant.text + "'"; }

inline std::string text_of(const BudgetKey& key) {
  return fmt::format("{}/{}/{}.{}.{}[{},{})p{}{}", key.account.tenant.text, key.account.billable.id,
                     static_cast<int>(key.kind), static_cast<int>(key.scope), key.name,
                     text_of(key.span.start), text_of(key.span.end), key.plan, key.currency);
}
inline std::string text_of(const BudgetState& budget) {
  const std::string overage = budget.overage.t
                                  ? fmt::format(" T {} B {} rest {}", *budget.overage.t,
                                                budget.overage.b, budget.overage.rest)
                                  : "";
  return overage + fmt::format("{} used {} leased {} over {} late {} fallen {} limit {}{}",
                               text_of(budget.key), budget.used, budget.leased, budget.over_hold,
                               budget.late, budget.fallen,
                               budget.limit ? text_of(*budget.limit) : "-",
                               budget.blocking ? " blocking" : "");
}
inline std::string text_of(const Outcome& odd) {
  return fmt::format("seq {} {} of {}", odd.seq, static_cast<int>(odd.what), odd.original);
}
inline std::string text_of(const Crossed& crossed) {
  return text_of(crossed.key) + (crossed.reached ? " reached" : " approaching");
}
inline std::string text_of(const LeaseGrant& grant) {
  return fmt::format("granted {} used {} leased {} elsewhere {} held {}{}{}", grant.granted,
                     grant.used, grant.leased, grant.leased_elsewhere, grant.held_elsewhere,
                     grant.recalled ? " recalled" : "", grant.stale_catalogue ? " stale" : "");
}
inline std::string text_of(const EngineState& engine) {
  return fmt::format("engine {} epoch {} last {} rowless {} applied {} renewed {} closed {}",
                     engine.ref.engine, engine.ref.epoch, engine.last_seq, engine.rowless,
                     text_of(engine.applied_at), text_of(engine.renewed_at),
                     text_of(engine.closed_at));
}
inline std::string text_of(const EngineRef& ref) {
  return fmt::format("engine {} epoch {}", ref.engine, ref.epoch);
}
inline std::string text_of(const KeySeen& seen) {
  return fmt::format("row {} content {}", seen.row, seen.content);
}
inline std::string text_of(const Changed& changed) {
  return fmt::format("catalogue {} id {} rows {}{}", changed.catalogue, changed.id, changed.rows,
                     changed.more ? " more" : "");
}
inline std::string text_of(const UsageRecord& record) {
  return fmt::format(
      "{} {}/{} {} {} {} {} {} {}{} {}{}{}{}{} adj {} at {} plan {} meta {}", record.id,
      record.account.tenant.text, record.account.billable.id, record.user_id, record.provider,
      record.model, record.feature, record.usage.to_json(), record.total_cost.nanos,
      record.total_cost.currency, record.estimated ? "e" : "", record.unpriced ? "p" : "",
      record.duplicate ? "d" : "", record.late ? "l" : "", record.adjustment ? "a" : "",
      record.adjusts, text_of(record.occurred_at), record.plan, record.meta);
}
inline std::string text_of(const Settlement& row) {
  std::string text =
      fmt::format("{} f{} {}/{} {} {} {} adj {} meta {}", row.seq, row.flags,
                  row.account.tenant.text, row.account.billable.id, row.user,
                  row.usage.total_tokens.count, row.total_cost.nanos, row.adjusts, row.meta);
  for (const BudgetPart& part : row.budgets) {
    text += fmt::format(" ({} held {} actual {})", text_of(part.key), part.held, part.actual);
  }
  return text;
}
inline std::string text_of(const DeadSettlement& dead) {
  return fmt::format("dead {}: {}", dead.id, text_of(dead.settlement));
}
inline std::string text_of(const RollupRow& row) {
  return fmt::format(
      "{}/{} {} {} {} {} {} calls {} in {} cached {} out {} est {} prov {} cost {} "
      "tenants {}",
      row.account.tenant.text, row.account.billable.id, row.provider, row.model, row.feature,
      row.currency, text_of(row.bucket), row.calls, row.input_tokens, row.cached_input_tokens,
      row.output_tokens, row.estimated, row.provisional, static_cast<std::int64_t>(row.cost_nanos),
      row.tenants);
}
inline std::string text_of(const Plan& plan) {
  return fmt::format("plan {} {}/{} v{} limit {}", plan.id, plan.tenant, plan.slug, plan.version,
                     plan.monthly_token_limit ? text_of(plan.monthly_token_limit->count) : "-");
}
inline std::string text_of(const Subscription& subscription) {
  return fmt::format("subscription {} {} {} from {}", subscription.id, subscription.billable.id,
                     subscription.plan, text_of(subscription.started_at));
}
inline std::string text_of(const UsageLimitOverride& limits) {
  return fmt::format("override {} {} {}", limits.id, limits.billable.id,
                     limits.token_limit ? text_of(limits.token_limit->count) : "-");
}
inline std::string text_of(const std::monostate&) { return "done"; }

template <class A, class B>
std::string text_of(const std::pair<A, B>& pair) {
  return fmt::format("{}/{}: {}", pair.first.tenant.text, pair.first.billable.id,
                     text_of(pair.second));
}
template <class T>
std::string text_of(const std::vector<T>& values) {
  std::string text;
  for (const T& value : values) text += text_of(value) + "\n";
  return text;
}
// Of values whose order the port leaves open.
template <class T>
std::string sorted_text_of(const std::vector<T>& values) {
  std::vector<std::string> lines;
  for (const T& value : values) lines.push_back(text_of(value));
  std::ranges::sort(lines);
  return fmt::format("{}\n", fmt::join(lines, "\n"));
}

inline std::string text_of(const Pulse& pulse) {
  return fmt::format("{} {} catalogue {} engines {} now {} recalled {}",
                     pulse.lost ? "lost" : "alive", text_of(pulse.ref), pulse.catalogue,
                     pulse.engines, text_of(pulse.store_now), sorted_text_of(pulse.recalled));
}
inline std::string text_of(const Applied& applied) {
  return fmt::format("last {}\n{}{}{}", applied.last, sorted_text_of(applied.budgets),
                     text_of(applied.odd), sorted_text_of(applied.crossed));
}
inline std::string text_of(const UsagePage& page) { return text_of(page.records); }
inline std::string text_of(const AccountState& state) {
  return fmt::format("{}{}{}catalogue {}", text_of(state.contract.subscriptions),
                     text_of(state.contract.plans), text_of(state.contract.overrides),
                     state.catalogue);
}
template <class T>
std::string text_of(const std::optional<T>& value) {
  return value ? text_of(*value) : "none";
}

template <class T>
std::string answer_of(const Result<T>& result) {
  if (!result) return fmt::format("error {}", name_of(result.error().code));
  if constexpr (std::is_same_v<T, std::vector<BudgetState>>) {
    return sorted_text_of(*result);
  } else if constexpr (std::is_void_v<T>) {
    return "done";
  } else {
    return text_of(*result);
  }
}

}  // namespace aimeter::store::property
