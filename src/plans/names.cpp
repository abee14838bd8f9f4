#include <fmt/format.h>

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "aimeter/plan.h"

namespace aimeter {
namespace {

template <class E>
using Names = std::span<const std::pair<E, std::string_view>>;

using namespace std::string_view_literals;
constexpr std::array kModes = {std::pair{BillingMode::plan, "plan"sv},
                               std::pair{BillingMode::credits, "credits"sv}};
constexpr std::array kBehaviors = {std::pair{OverageBehavior::block, "block"sv},
                                   std::pair{OverageBehavior::charge, "charge"sv},
                                   std::pair{OverageBehavior::allow, "allow"sv}};
constexpr std::array kEnforcements = {std::pair{Enforcement::enforce, "enforce"sv},
                                      std::pair{Enforcement::shadow, "shadow"sv}};
constexpr std::array kKinds = {
    std::pair{BudgetKind::tokens, "tokens"sv}, std::pair{BudgetKind::cost, "cost"sv},
    std::pair{BudgetKind::requests, "requests"sv}, std::pair{BudgetKind::credits, "credits"sv}};
constexpr std::array kScopes = {
    std::pair{BudgetScope::account, "account"sv}, std::pair{BudgetScope::user, "user"sv},
    std::pair{BudgetScope::key, "key"sv},         std::pair{BudgetScope::feature, "feature"sv},
    std::pair{BudgetScope::model, "model"sv},     std::pair{BudgetScope::session, "session"sv}};

template <class E>
std::string_view name_in(Names<E> names, E value) {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  AIMETER_ASSERT(!"an enum value without a name");
  return {};
}

template <class E>
Result<E> parse_in(Names<E> names, std::string_view field, std::string_view text) {
  std::vector<std::string_view> accepted;
  for (const auto& [value, name] : names) {
    if (name == text) return value;
    accepted.push_back(name);
  }
  return bad_input(field, text, fmt::format("one of {}", fmt::join(accepted, ", ")));
}

}  // namespace

std::string_view name_of(BillingMode mode) { return name_in<BillingMode>(kModes, mode); }
std::string_view name_of(OverageBehavior behavior) {
  return name_in<OverageBehavior>(kBehaviors, behavior);
}
std::string_view name_of(Enforcement enforcement) {
  return name_in<Enforcement>(kEnforcements, enforcement);
}
std::string_view name_of(BudgetKind kind) { return name_in<BudgetKind>(kKinds, kind); }
std::string_view name_of(BudgetScope scope) { return name_in<BudgetScope>(kScopes, scope); }

Result<BillingMode> parse_billing_mode(std::string_view field, std::string_view text) {
  return parse_in<BillingMode>(kModes, field, text);
}
Result<OverageBehavior> parse_overage_behavior(std::string_view field, std::string_view text) {
  return parse_in<OverageBehavior>(kBehaviors, field, text);
}
Result<Enforcement> parse_enforcement(std::string_view field, std::string_view text) {
  return parse_in<Enforcement>(kEnforcements, field, text);
}
Result<BudgetKind> parse_budget_kind(std::string_view field, std::string_view text) {
  return parse_in<BudgetKind>(kKinds, field, text);
}
Result<BudgetScope> parse_budget_scope(std::string_view field, std::string_view text) {
  return parse_in<BudgetScope>(kScopes, field, text);
}

}  // namespace aimeter
