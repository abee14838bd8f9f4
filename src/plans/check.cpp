#include <fmt/format.h>

#include <algorithm>

#include "aimeter/plan.h"
#include "base/ids.h"

namespace aimeter {
namespace {

constexpr int kTrialDaysMax = 3660;  // ten years
constexpr std::size_t kFeaturesMax = 256;
constexpr std::size_t kBudgetsMax = 32;
constexpr std::int64_t kMarkupMax = 1'000'00;                     // 1000 %
constexpr std::int64_t kOveragePriceMax = 9'000'000'000'000'000;  // nano-units per 1000 tokens
constexpr std::size_t kMetaEntriesMax = 50;
constexpr std::size_t kMetaValueBytesMax = 1024;

Status check_limit(std::string_view field, std::int64_t limit) {
  if (limit >= 0) return {};
  return bad_input(field, fmt::to_string(limit), "0 or more; leave it empty for unlimited");
}

Status check_currency(std::string_view field, std::string_view currency) {
  const bool good = currency.size() == 3 &&
                    std::ranges::all_of(currency, [](char c) { return c >= 'a' && c <= 'z'; });
  if (good) return {};
  return bad_input(field, currency, "a currency of ISO 4217 in lower case, such as \"usd\"");
}

Status check_money(std::string_view field, const std::optional<Money>& money) {
  if (!money) return {};
  if (money->nanos < 0) return bad_input(field, money->text(), "0 or more; empty for unlimited");
  return check_currency(fmt::format("{}.currency", field), money->currency);
}

// The cap is of what overage is charged in: the price of tokens, or the cost limit.
Status check_overage(const Plan& plan) {
  AIMETER_CHECK_OK(check_money("overage_price_per_1k_tokens", plan.overage_price_per_1k_tokens));
  if (plan.overage_price_per_1k_tokens &&
      plan.overage_price_per_1k_tokens->nanos > kOveragePriceMax) {
    return bad_input("overage_price_per_1k_tokens", plan.overage_price_per_1k_tokens->text(),
                     "at most 9000000");
  }
  if (plan.overage_markup &&
      (plan.overage_markup->hundredths < 0 || plan.overage_markup->hundredths > kMarkupMax)) {
    return bad_input("overage_markup", plan.overage_markup->text(), "0 to 1000 percent");
  }
  AIMETER_CHECK_OK(check_money("overage_cap", plan.overage_cap));
  const auto& charged = plan.has_unlimited_tokens() && plan.monthly_cost_limit
                            ? plan.monthly_cost_limit
                            : plan.overage_price_per_1k_tokens;
  if (plan.overage_cap && charged && plan.overage_cap->currency != charged->currency) {
    return bad_input("overage_cap.currency", plan.overage_cap->currency,
                     fmt::format("\"{}\", in which overage is charged", charged->currency));
  }
  return {};
}

// Period::check names the option alone; here it is a part of something.
Status check_period(std::string_view field, const Period::Options& options) {
  Status status = Period::check(options);
  if (!status) {
    status.error().message = fmt::format("{}.{}", field, status.error().message);
  }
  return status;
}

Status check_rule(std::string_view field, const BudgetRule& rule) {
  if (rule.kind == BudgetKind::credits) {
    return bad_input(fmt::format("{}.kind", field), "credits", "tokens, cost or requests");
  }
  AIMETER_CHECK_OK(check_limit(fmt::format("{}.limit", field), rule.limit));
  if (rule.kind == BudgetKind::cost) {
    AIMETER_CHECK_OK(check_currency(fmt::format("{}.currency", field), rule.currency));
  }
  return check_period(fmt::format("{}.period", field), rule.period);
}

bool same_counter(const BudgetRule& a, const BudgetRule& b) {
  return a.kind == b.kind && a.scope == b.scope && a.period == b.period;
}

Status check_rules(const std::vector<BudgetRule>& rules) {
  if (rules.size() > kBudgetsMax) {
    return bad_input("budgets", fmt::to_string(rules.size()), "at most 32 budgets");
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string field = fmt::format("budgets[{}]", i);
    AIMETER_CHECK_OK(check_rule(field, rules[i]));
    for (std::size_t j = 0; j < i; ++j) {
      if (same_counter(rules[j], rules[i])) {
        return bad_input(field,
                         fmt::format("{} of {}", name_of(rules[i].kind), name_of(rules[i].scope)),
                         fmt::format("another kind, scope or period than budgets[{}]", j));
      }
    }
  }
  return {};
}

// Empty is fine: there is no such instant.
Status check_not_before(std::string_view field, std::optional<Instant> at, std::string_view other,
                        Instant earliest) {
  if (!at || *at >= earliest) return {};
  return bad_input(field, text_of(*at), fmt::format("{} ({}) or later", other, text_of(earliest)));
}

Status check_billable(const Billable& billable) {
  AIMETER_CHECK_OK(base::check_id("billable.type", billable.type));
  return base::check_id("billable.id", billable.id);
}

Status check_meta(const Meta& meta) {
  if (meta.size() > kMetaEntriesMax) {
    return bad_input("meta", fmt::to_string(meta.size()), "at most 50 entries");
  }
  for (const auto& [key, value] : meta) {
    AIMETER_CHECK_OK(base::check_id("meta key", key));
    if (value.size() > kMetaValueBytesMax || !base::is_utf8(value) || base::has_control(value)) {
      return bad_input(fmt::format("meta.{}", key), value,
                       "at most 1024 bytes of UTF-8 without control characters");
    }
  }
  return {};
}

}  // namespace

Status Plan::check() const {
  if (!tenant.empty()) AIMETER_CHECK_OK(base::check_id("tenant", tenant));
  AIMETER_CHECK_OK(base::check_id("name", name));
  AIMETER_CHECK_OK(base::check_id("slug", slug));
  if (monthly_token_limit) {
    AIMETER_CHECK_OK(check_limit("monthly_token_limit", monthly_token_limit->count));
  }
  AIMETER_CHECK_OK(check_money("monthly_cost_limit", monthly_cost_limit));
  AIMETER_CHECK_OK(check_overage(*this));
  if (features.size() > kFeaturesMax) {
    return bad_input("features", fmt::to_string(features.size()), "at most 256 features");
  }
  for (const std::string& feature : features) {
    AIMETER_CHECK_OK(base::check_id("features", feature));
  }
  if (trial_days && (*trial_days < 0 || *trial_days > kTrialDaysMax)) {
    return bad_input("trial_days", fmt::to_string(*trial_days), "0 to 3660");
  }
  if (!stripe_price_id.empty()) {
    AIMETER_CHECK_OK(base::check_id("stripe_price_id", stripe_price_id));
  }
  if (period) AIMETER_CHECK_OK(check_period("period", *period));
  return check_rules(budgets);
}

Status Subscription::check() const {
  AIMETER_CHECK_OK(check_billable(billable));
  if (plan.empty()) return bad_input("plan", "", "a plan's slug, in credits mode too");
  AIMETER_CHECK_OK(base::check_id("plan", plan));
  AIMETER_CHECK_OK(check_not_before("renews_at", renews_at, "started_at", started_at));
  AIMETER_CHECK_OK(check_not_before("ends_at", ends_at, "started_at", started_at));
  AIMETER_CHECK_OK(check_not_before("trial_ends_at", trial_ends_at, "started_at", started_at));
  if (next_plan.empty() != !changes_at) {
    return bad_input("changes_at", changes_at ? text_of(*changes_at) : "",
                     "next_plan and changes_at, or neither");
  }
  if (!next_plan.empty()) AIMETER_CHECK_OK(base::check_id("next_plan", next_plan));
  AIMETER_CHECK_OK(check_not_before("changes_at", changes_at, "started_at", started_at));
  if (grace_period_ends_at && !ends_at) {
    return bad_input("grace_period_ends_at", text_of(*grace_period_ends_at),
                     "ends_at beside it: grace follows an end");
  }
  if (ends_at) {
    AIMETER_CHECK_OK(
        check_not_before("grace_period_ends_at", grace_period_ends_at, "ends_at", *ends_at));
  }
  return check_meta(meta);
}

Status UsageLimitOverride::check() const {
  AIMETER_CHECK_OK(check_billable(billable));
  if (period_end <= period_start) {
    return bad_input("period_end", text_of(period_end),
                     fmt::format("a time after period_start ({})", text_of(period_start)));
  }
  if (token_limit) AIMETER_CHECK_OK(check_limit("token_limit", token_limit->count));
  AIMETER_CHECK_OK(check_money("cost_limit", cost_limit));
  if (unlimited_tokens && token_limit) {
    return bad_input("unlimited_tokens", "true", "no token_limit beside it");
  }
  if (unlimited_cost && cost_limit) {
    return bad_input("unlimited_cost", "true", "no cost_limit beside it");
  }
  if (!token_limit && !cost_limit && !unlimited_tokens && !unlimited_cost) {
    return bad_input("token_limit", "",
                     "at least one of token_limit, cost_limit, unlimited_tokens "
                     "and unlimited_cost");
  }
  return {};
}

}  // namespace aimeter
