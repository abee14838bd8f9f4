#include "cli/records.h"

#include <boost/json.hpp>

namespace aimeter::cli {
namespace {

boost::json::value or_null(const std::optional<Instant>& at) {
  if (!at) return nullptr;
  return boost::json::value(text_of(*at));
}

boost::json::object refusal_object(const Refusal& refusal) {
  boost::json::object made{{"code", refusal.balance ? "insufficient_credits" : "quota_exceeded"},
                           {"budget", refusal.budget},
                           {"scope", refusal.scope}};
  const auto add = [&](const char* name, const std::optional<Tokens>& tokens,
                       const std::optional<Money>& money) {
    if (tokens) made[name] = tokens->count;
    if (money) made[name] = money->text();
  };
  add("limit", refusal.limit, refusal.limit_cost);
  add("used", refusal.used, refusal.used_cost);
  add("held", refusal.held, refusal.held_cost);
  add("requested", refusal.requested, refusal.requested_cost);
  add("balance", {}, refusal.balance);
  add("required", {}, refusal.required);
  made["resets_at"] = or_null(refusal.resets_at);
  return made;
}

boost::json::value amount(BudgetKind kind, std::int64_t value, const std::string& currency) {
  const bool money = kind == BudgetKind::cost || kind == BudgetKind::credits;
  if (money) return boost::json::value(Money{value, currency}.text());
  return value;
}

boost::json::object period_object(const Period::Options& period) {
  return {{"type", name_of(period.type)},
          {"alignment", name_of(period.alignment)},
          {"timezone", period.timezone},
          {"days", period.days},
          {"week_start", period.week_start}};
}

}  // namespace

std::string flags_of(const UsageRecord& record) {
  std::string flags;
  const std::pair<bool, const char*> all[] = {
      {record.estimated, "estimated"},   {record.unpriced && !record.adjustment, "provisional"},
      {record.duplicate, "duplicate"},   {record.late, "late"},
      {record.adjustment, "adjustment"}, {record.unpriced && record.adjustment, "priced"}};
  for (const auto& [set, name] : all) {
    if (set) flags += (flags.empty() ? "" : " ") + std::string(name);
  }
  return flags;
}

boost::json::object object_of(const UsageRecord& record) {
  boost::json::object meta;
  for (const auto& [key, value] : record.meta) meta[key] = value;
  boost::json::object made{{"id", std::to_string(record.id)},
                           {"tenant", record.account.tenant.text},
                           {"billable_type", record.account.billable.type},
                           {"billable_id", record.account.billable.id},
                           {"user", record.user_id},
                           {"provider", record.provider},
                           {"model", record.model},
                           {"feature", record.feature},
                           {"usage", boost::json::parse(record.usage.to_json())},
                           {"input_cost", record.input_cost.text()},
                           {"output_cost", record.output_cost.text()},
                           {"total_cost", record.total_cost.text()},
                           {"currency", record.total_cost.currency},
                           {"price_version", record.price_version},
                           {"estimated", record.estimated},
                           {"provisional", record.unpriced && !record.adjustment},
                           {"duplicate", record.duplicate},
                           {"late", record.late}};
  if (record.adjustment) made["adjusts"] = std::to_string(record.adjusts);
  made["meta"] = std::move(meta);
  made["occurred_at"] = text_of(record.occurred_at);
  return made;
}

boost::json::object object_of(const LimitCheck& check) {
  boost::json::object made{{"allowed", check.allowed},
                           {"approaching", check.approaching},
                           {"hard_limit_reached", check.hard_limit_reached}};
  // A JSON number with two places, written from its exact text.
  made["usage_percentage"] = boost::json::parse(check.usage_percentage.text());
  made["remaining_tokens"] = nullptr;
  if (check.remaining_tokens) made["remaining_tokens"] = check.remaining_tokens->count;
  made["remaining_cost"] = nullptr;
  made["currency"] = nullptr;
  if (check.remaining_cost) {
    made["remaining_cost"] = check.remaining_cost->text();
    made["currency"] = check.remaining_cost->currency;
  }
  boost::json::array budgets;
  for (const BudgetCheck& budget : check.budgets) {
    const std::int64_t limit = budget.limit.value_or(0);
    boost::json::object one{{"kind", name_of(budget.kind)}, {"scope", name_of(budget.scope)}};
    if (!budget.name.empty()) one["name"] = budget.name;
    one["limit"] = amount(budget.kind, limit, budget.currency);
    one["used"] = amount(budget.kind, budget.used, budget.currency);
    one["held"] = amount(budget.kind, budget.held, budget.currency);
    one["remaining"] = amount(
        budget.kind, std::max<std::int64_t>(0, limit - budget.used - budget.held), budget.currency);
    one["period_start"] = text_of(budget.period.start);
    one["resets_at"] = text_of(budget.period.end);
    if (budget.kind == BudgetKind::credits) one["period_start"] = one["resets_at"] = nullptr;
    if (budget.enforcement == Enforcement::shadow) {
      one["enforcement"] = "shadow";
      one["would_refuse"] = budget.would_refuse;
    }
    budgets.push_back(std::move(one));
  }
  made["budgets"] = std::move(budgets);
  made["plan"] = check.plan.empty() ? boost::json::value(nullptr) : boost::json::value(check.plan);
  made["reason"] = nullptr;
  if (check.reason) made["reason"] = refusal_object(*check.reason);
  return made;
}

boost::json::object object_of(const Plan& plan) {
  boost::json::object made{{"id", plan.id},
                           {"name", plan.name},
                           {"slug", plan.slug},
                           {"tenant", plan.tenant},
                           {"version", plan.version}};
  made["monthly_token_limit"] = nullptr;
  if (plan.monthly_token_limit) made["monthly_token_limit"] = plan.monthly_token_limit->count;
  made["monthly_cost_limit"] = nullptr;
  if (plan.monthly_cost_limit) {
    made["monthly_cost_limit"] = plan.monthly_cost_limit->text();
    made["currency"] = plan.monthly_cost_limit->currency;
  }
  made["is_active"] = plan.is_active;
  made["trial_days"] = nullptr;
  if (plan.trial_days) made["trial_days"] = *plan.trial_days;
  made["enforcement"] = name_of(plan.enforcement);
  if (plan.overage_price_per_1k_tokens) {
    made["overage_price_per_1k_tokens"] = plan.overage_price_per_1k_tokens->text();
    made["overage_currency"] = plan.overage_price_per_1k_tokens->currency;
  }
  if (plan.overage_cap) made["overage_cap"] = plan.overage_cap->text();
  if (plan.overage_markup) made["overage_markup"] = plan.overage_markup->text();
  if (plan.overage_behavior) made["overage_behavior"] = name_of(*plan.overage_behavior);
  if (plan.period) made["period"] = period_object(*plan.period);
  boost::json::array features;
  for (const std::string& feature : plan.features) features.emplace_back(feature);
  made["features"] = std::move(features);
  boost::json::array budgets;
  for (const BudgetRule& rule : plan.budgets) {
    budgets.push_back(boost::json::object{{"kind", name_of(rule.kind)},
                                          {"scope", name_of(rule.scope)},
                                          {"limit", amount(rule.kind, rule.limit, rule.currency)},
                                          {"period", period_object(rule.period)},
                                          {"enforcement", name_of(rule.enforcement)}});
  }
  made["budgets"] = std::move(budgets);
  return made;
}

boost::json::object object_of(const Account& account, const Subscription& subscription) {
  return {{"id", subscription.id},
          {"tenant", account.tenant.text},
          {"billable_type", account.billable.type},
          {"billable_id", account.billable.id},
          {"plan", subscription.plan},
          {"billing_mode", name_of(subscription.billing_mode)},
          {"started_at", text_of(subscription.started_at)},
          {"renews_at", or_null(subscription.renews_at)},
          {"ends_at", or_null(subscription.ends_at)},
          {"trial_ends_at", or_null(subscription.trial_ends_at)},
          {"grace_period_ends_at", or_null(subscription.grace_period_ends_at)},
          {"previous_plan", subscription.previous_plan},
          {"next_plan", subscription.next_plan},
          {"changes_at", or_null(subscription.changes_at)},
          {"expired_at", or_null(subscription.expired_at)}};
}

}  // namespace aimeter::cli
