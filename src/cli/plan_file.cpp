#include "cli/plan_file.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <limits>
#include <set>
#include <sstream>

namespace aimeter::cli {
namespace {

std::string text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  std::ostringstream out;
  node.visit([&out](const auto& held) { out << held; });
  return out.str();
}

// "12.5" is 12.5 %.
Result<Percent> parse_percent(std::string_view field, std::string_view text) {
  constexpr std::int64_t kNanosPerHundredth = 10'000'000;
  const Result<Money> number = Money::parse(text);
  if (number && number->nanos >= 0 && number->nanos % kNanosPerHundredth == 0) {
    return Percent{number->nanos / kNanosPerHundredth};
  }
  return bad_input(field, text, "percent as a decimal in quotes, 0 or more, at most 2 places");
}

// Reads one table of the file; keeps every complaint.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string path, std::vector<std::string>& complaints)
      : table_(table), path_(std::move(path)), complaints_(complaints) {}

  std::optional<std::string> text(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return std::nullopt;
    if (const auto* text = node->as_string()) return text->get();
    bad(key, *node, "text in quotes");
    return std::nullopt;
  }
  std::optional<std::int64_t> count(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return std::nullopt;
    const auto* number = node->as_integer();
    if (number != nullptr && number->get() >= 0) return number->get();
    bad(key, *node, "a whole number, 0 or more");
    return std::nullopt;
  }
  std::optional<bool> flag(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return std::nullopt;
    if (const auto* flag = node->as_boolean()) return flag->get();
    bad(key, *node, "true or false");
    return std::nullopt;
  }
  std::optional<Money> money(std::string_view key, std::string_view currency) {
    const std::optional<std::string> text = this->text(key);
    if (!text) return std::nullopt;
    const Result<Money> money = Money::parse(*text, currency);
    if (money && money->nanos >= 0) return *money;
    complaints_.push_back(
        bad_input(name(key), *text, "a decimal in quotes, 0 or more, at most 9 places")
            .error()
            .message);
    return std::nullopt;
  }
  std::vector<std::string> texts(std::string_view key) {
    std::vector<std::string> all;
    const toml::node* node = take(key);
    if (node == nullptr) return all;
    const toml::array* array = node->as_array();
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
      const auto* text = array->get(i)->as_string();
      if (text == nullptr) {
        array = nullptr;
        break;
      }
      all.push_back(text->get());
    }
    if (array == nullptr) bad(key, *node, "a list of texts");
    return all;
  }
  const toml::table* table(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return nullptr;
    if (node->as_table() == nullptr) bad(key, *node, "a table");
    return node->as_table();
  }
  const toml::array* tables(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return nullptr;
    const toml::array* array = node->as_array();
    if (array != nullptr && array->is_homogeneous(toml::node_type::table)) return array;
    bad(key, *node, "tables ([[...]])");
    return nullptr;
  }
  // A value that a parser of ours reads: an enumerator's name.
  template <class T>
  std::optional<T> named(std::string_view key,
                         Result<T> (*parse)(std::string_view field, std::string_view text)) {
    const std::optional<std::string> text = this->text(key);
    if (!text) return std::nullopt;
    Result<T> value = parse(name(key), *text);
    if (value) return *value;
    complaints_.push_back(value.error().message);
    return std::nullopt;
  }
  void missing(std::string_view key) { complaints_.push_back(name(key) + ": it is missing"); }
  void refuse_others() {
    for (const auto& [key, node] : table_) {
      if (!asked_.contains(std::string(key.str()))) {
        complaints_.push_back(
            bad_input(name(key.str()), text_of(node),
                      fmt::format("no such key; one of {}", fmt::join(asked_, ", ")))
                .error()
                .message);
      }
    }
  }
  [[nodiscard]] std::string name(std::string_view key) const {
    return path_ + "." + std::string(key);
  }

 private:
  const toml::node* take(std::string_view key) {
    asked_.insert(std::string(key));
    return table_.get(key);
  }
  void bad(std::string_view key, const toml::node& node, std::string_view expected) {
    complaints_.push_back(bad_input(name(key), text_of(node), expected).error().message);
  }

  const toml::table& table_;
  std::string path_;
  std::vector<std::string>& complaints_;
  std::set<std::string> asked_;
};

Period::Options read_period(const toml::table& table, const std::string& path,
                            std::vector<std::string>& complaints) {
  TableReader in(table, path, complaints);
  Period::Options period;
  period.type = in.named("type", parse_period_type).value_or(period.type);
  period.alignment = in.named("alignment", parse_alignment).value_or(period.alignment);
  period.timezone = in.text("timezone").value_or(period.timezone);
  const auto small = [](std::int64_t count) {  // what does not fit is refused below
    return static_cast<int>(std::min<std::int64_t>(count, std::numeric_limits<int>::max()));
  };
  period.days = small(in.count("days").value_or(period.days));
  period.week_start = small(in.count("week_start").value_or(period.week_start));
  in.refuse_others();
  if (const Status good = Period::check(period); !good) {
    complaints.push_back(path + ": " + good.error().message);
  }
  return period;
}

BudgetRule read_budget(const toml::table& table, const std::string& path,
                       std::vector<std::string>& complaints) {
  TableReader in(table, path, complaints);
  BudgetRule rule;
  rule.kind = in.named("kind", parse_budget_kind).value_or(rule.kind);
  rule.scope = in.named("scope", parse_budget_scope).value_or(rule.scope);
  rule.currency = in.text("currency").value_or(rule.currency);
  rule.enforcement = in.named("enforcement", parse_enforcement).value_or(rule.enforcement);
  if (rule.kind == BudgetKind::cost) {
    const std::optional<Money> limit = in.money("limit", rule.currency);
    if (limit) rule.limit = limit->nanos;
    if (table.get("limit") == nullptr) in.missing("limit");
  } else {
    rule.limit = in.count("limit").value_or(0);
    if (table.get("limit") == nullptr) in.missing("limit");
  }
  if (const toml::table* period = in.table("period")) {
    rule.period = read_period(*period, in.name("period"), complaints);
  }
  in.refuse_others();
  return rule;
}

Plan read_plan(const toml::table& table, const std::string& path, std::string_view currency,
               std::vector<std::string>& complaints) {
  TableReader in(table, path, complaints);
  Plan plan;
  plan.name = in.text("name").value_or("");
  plan.slug = in.text("slug").value_or(slug_of(plan.name));
  if (plan.name.empty()) in.missing("name");
  plan.tenant = in.text("tenant").value_or("");
  const std::string own = in.text("currency").value_or(std::string(currency));
  if (const auto limit = in.count("monthly_token_limit")) plan.monthly_token_limit = Tokens{*limit};
  plan.monthly_cost_limit = in.money("monthly_cost_limit", own);
  plan.overage_price_per_1k_tokens = in.money("overage_price_per_1k_tokens", own);
  plan.overage_cap = in.money("overage_cap", own);
  plan.overage_markup = in.named("overage_markup", parse_percent);
  plan.features = in.texts("features");
  plan.is_active = in.flag("is_active").value_or(true);
  if (const auto days = in.count("trial_days")) plan.trial_days = static_cast<int>(*days);
  plan.stripe_price_id = in.text("stripe_price_id").value_or("");
  plan.overage_behavior = in.named("overage_behavior", parse_overage_behavior);
  plan.enforcement = in.named("enforcement", parse_enforcement).value_or(plan.enforcement);
  if (const toml::table* period = in.table("period")) {
    plan.period = read_period(*period, in.name("period"), complaints);
  }
  if (const toml::array* budgets = in.tables("budgets")) {
    for (std::size_t i = 0; i < budgets->size(); ++i) {
      plan.budgets.push_back(read_budget(*budgets->get(i)->as_table(),
                                         fmt::format("{}.budgets[{}]", path, i), complaints));
    }
  }
  in.refuse_others();
  if (const Status good = plan.check(); !good) {
    complaints.push_back(path + ": " + good.error().message);
  }
  return plan;
}

}  // namespace

std::string slug_of(std::string_view name) {
  std::string slug;
  for (const char c : name) {
    const bool upper = 'A' <= c && c <= 'Z';
    const bool kept = upper || ('a' <= c && c <= 'z') || ('0' <= c && c <= '9');
    if (kept) {
      slug += upper ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug;
}

Result<std::vector<Plan>> parse_plans(std::string_view toml, std::string_view file,
                                      std::string_view currency) {
  std::vector<std::string> complaints;
  std::vector<Plan> plans;
  try {
    const toml::table table = toml::parse(toml, std::string(file));
    TableReader in(table, std::string(file), complaints);
    std::set<std::pair<std::string, std::string>> names;
    const toml::array* all = in.tables("plans");
    for (std::size_t i = 0; all != nullptr && i < all->size(); ++i) {
      const std::string path = fmt::format("plans[{}]", i);
      plans.push_back(read_plan(*all->get(i)->as_table(), path, currency, complaints));
      if (!names.emplace(plans.back().tenant, plans.back().slug).second) {
        complaints.push_back(
            fmt::format("{}.slug: \"{}\" is there twice", path, plans.back().slug));
      }
    }
    if (table.get("plans") == nullptr) {
      complaints.push_back(bad_input("plans", "", fmt::format("at least one [[plans]] in {}", file))
                               .error()
                               .message);
    }
    in.refuse_others();
  } catch (const toml::parse_error& error) {
    complaints.push_back(
        fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  if (complaints.empty()) return plans;
  std::string message;
  for (const std::string& complaint : complaints) {
    message += (message.empty() ? "" : "\n") + complaint;
  }
  return fail(Code::invalid_argument, message);
}

}  // namespace aimeter::cli
