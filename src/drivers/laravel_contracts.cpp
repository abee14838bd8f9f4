// Plans, subscriptions and overrides of the reference.
#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"
#include "base/json.h"
#include "drivers/laravel_database.h"

namespace aimeter::drivers::laravel {
namespace {

constexpr std::string_view kPlans = "ai_plans", kSubscriptions = "ai_subscriptions",
                           kOverrides = "ai_usage_limit_overrides";
constexpr std::size_t kMetaValueBytesMax = 1024;  // as Subscription::check() has it

void leave(Leftovers& left, std::string_view table, std::int64_t id, std::string why) {
  left.push_back(
      {std::string(table), std::to_string(id), std::move(why), Leftover::Kind::attention});
}
void leave_by_rule(Leftovers& left, std::string_view table, std::int64_t id, std::string why) {
  left.push_back({std::string(table), std::to_string(id), std::move(why), Leftover::Kind::by_rule});
}

// A list of names, or an object whose true members are names.
std::vector<std::string> features_of(std::int64_t plan, const std::string& text, Leftovers& left) {
  std::vector<std::string> features;
  const Result<base::Json> json = base::Json::parse("features", text);
  if (!json) {
    leave(left, kPlans, plan, "carried without features: " + json.error().message);
    return features;
  }
  const auto add = [&](const std::string& name) {
    if (base::check_id("features", name)) {
      features.push_back(name);
    } else {
      leave(left, kPlans, plan, fmt::format("its feature \"{}\" is no name here", name));
    }
  };
  if (json->kind() == base::Json::Kind::array) {
    for (const base::Json& item : json->items()) {
      if (item.kind() == base::Json::Kind::string) {
        add(item.string());
      } else {
        leave(left, kPlans, plan, fmt::format("its feature {} is no text", item.excerpt()));
      }
    }
  } else if (json->kind() == base::Json::Kind::object) {
    for (const auto& [name, value] : json->members()) {
      if (value.kind() == base::Json::Kind::boolean && value.boolean()) {
        add(name);
      } else if (value.kind() != base::Json::Kind::boolean) {
        leave(left, kPlans, plan,
              fmt::format("its feature {} has a value, {}", name, value.excerpt()));
      }
    }
  } else if (!json->is_null()) {
    leave(left, kPlans, plan, "its features are neither a list nor an object");
  }
  return features;
}

Result<Plan> plan_of(const Cells& cells, const ReadOptions& options) {
  Plan plan{.tenant = options.tenant.text};
  AIMETER_TRY(plan.name, cells.needed_text("name"));
  AIMETER_TRY(plan.slug, cells.needed_text("slug"));
  AIMETER_TRY(const auto tokens, cells.count("monthly_token_limit"));
  if (tokens) plan.monthly_token_limit = Tokens{*tokens};
  AIMETER_TRY(plan.monthly_cost_limit, cells.money("monthly_cost_limit", options.currency));
  AIMETER_TRY(plan.overage_price_per_1k_tokens,
              cells.money("overage_price_per_1k_tokens", options.currency));
  AIMETER_TRY(plan.is_active, cells.flag("is_active", true));
  AIMETER_TRY(const auto trial, cells.count("trial_days"));
  if (trial) plan.trial_days = static_cast<int>(std::min<std::int64_t>(*trial, 1'000'000));
  return plan;
}

// What a subscription here does not take: left out, the rest goes in.
void fit(Subscription& subscription, std::int64_t id, Leftovers& left) {
  const auto drop = [&](std::optional<Instant>& at, const char* name, const std::string& why) {
    leave_by_rule(left, kSubscriptions, id,
                  fmt::format("carried without {} ({}): {}", name, text_of(*at), why));
    at.reset();
  };
  const auto not_before_start = [&](std::optional<Instant>& at, const char* name) {
    if (at && *at < subscription.started_at) drop(at, name, "it is before started_at");
  };
  not_before_start(subscription.renews_at, "renews_at");
  not_before_start(subscription.trial_ends_at, "trial_ends_at");
  auto& grace = subscription.grace_period_ends_at;
  if (grace && !subscription.ends_at) drop(grace, "grace_period_ends_at", "there is no ends_at");
  if (grace && *grace < *subscription.ends_at) {
    drop(grace, "grace_period_ends_at", "it is before ends_at");
  }
  std::erase_if(subscription.meta, [&](const auto& field) {
    const auto& [key, value] = field;
    const bool good = base::check_id("meta key", key) && value.size() <= kMetaValueBytesMax &&
                      base::is_utf8(value) && !base::has_control(value);
    if (!good) leave(left, kSubscriptions, id, fmt::format("carried without meta \"{}\"", key));
    return !good;
  });
}

Result<Subscription> subscription_of(const Cells& cells, const ReadOptions& options,
                                     std::int64_t id, Leftovers& left) {
  Subscription subscription;
  AIMETER_TRY(const auto started, cells.time("started_at", options.zone));
  if (!started) return cells.bad("started_at", "NULL", "a time");
  subscription.started_at = *started;
  AIMETER_TRY(subscription.renews_at, cells.time("renews_at", options.zone));
  AIMETER_TRY(subscription.ends_at, cells.time("ends_at", options.zone));
  AIMETER_TRY(subscription.trial_ends_at, cells.time("trial_ends_at", options.zone));
  AIMETER_TRY(subscription.grace_period_ends_at, cells.time("grace_period_ends_at", options.zone));
  const std::string mode = cells.text("billing_mode").value_or("plan");
  if (mode != "plan" && mode != "credits")
    return cells.bad("billing_mode", mode, "plan or credits");
  subscription.billing_mode = mode == "plan" ? BillingMode::plan : BillingMode::credits;
  Result<Meta> meta = meta_of(cells.text("meta").value_or("null"));
  if (meta) {
    subscription.meta = *std::move(meta);
  } else {
    leave(left, kSubscriptions, id, "carried without its meta: " + meta.error().message);
  }
  return subscription;
}

}  // namespace

Result<std::map<std::int64_t, Plan>> Database::all_plans(const ReadOptions& options,
                                                         std::vector<std::int64_t>& deleted,
                                                         Leftovers& left) {
  std::map<std::int64_t, Plan> plans;
  const auto add = [&](const Cells& cells) -> Status {
    AIMETER_TRY(const std::int64_t id, cells.id());
    AIMETER_TRY(Plan plan, plan_of(cells, options));
    AIMETER_TRY(const auto gone, cells.time("deleted_at", options.zone));
    plan.features = features_of(id, cells.text("features").value_or("null"), left);
    if (const Status good = plan.check(); !good) {
      leave(left, kPlans, id, good.error().message);
      return {};
    }
    if (gone) deleted.push_back(id);
    if (gone) plan.is_active = false;
    plans.emplace(id, std::move(plan));
    return {};
  };
  if (has(kPlans)) {
    AIMETER_CHECK_OK(file_->each({"SELECT * FROM ai_plans ORDER BY id", kPlans}, add));
  }
  return plans;
}

Status Database::subscriptions(const ReadOptions& options,
                               const std::map<std::int64_t, Plan>& plans, Contracts& into,
                               Leftovers& left) {
  const auto add = [&](const Cells& cells) -> Status {
    AIMETER_TRY(const std::int64_t id, cells.id());
    AIMETER_TRY(const auto gone, cells.time("deleted_at", options.zone));
    AIMETER_TRY(const auto plan, cells.count("ai_plan_id"));
    AIMETER_TRY(const auto previous, cells.count("previous_plan_id"));
    AIMETER_TRY(const std::optional<Billable> who, billable(cells));
    if (!who) return cells.bad("billable_id", "NULL", "whose subscription it is");
    Leftovers parts;
    AIMETER_TRY(Subscription subscription, subscription_of(cells, options, id, parts));
    subscription.billable = *who;
    if (gone) {
      leave_by_rule(left, kSubscriptions, id,
                    fmt::format("it was deleted there at {}", text_of(*gone)));
      return {};
    }
    if (!plan || !plans.contains(*plan)) {
      leave(left, kSubscriptions, id,
            plan ? fmt::format("its plan {} was not carried or is not there", *plan)
                 : "it has no plan: here every subscription has one");
      return {};
    }
    subscription.plan = plans.at(*plan).slug;
    if (previous && plans.contains(*previous)) {
      subscription.previous_plan = plans.at(*previous).slug;
    }
    fit(subscription, id, parts);
    subscription.meta[kSubscriptionMeta] = std::to_string(id);
    if (const Status good = subscription.check(); !good) {
      leave(left, kSubscriptions, id, good.error().message);
      return {};
    }
    std::ranges::move(parts, std::back_inserter(left));
    into.subscriptions.push_back({id, std::move(subscription)});
    return {};
  };
  if (!has(kSubscriptions)) return {};
  return file_->each({"SELECT * FROM ai_subscriptions ORDER BY id", kSubscriptions}, add);
}

Status Database::overrides(const ReadOptions& options, Contracts& into, Leftovers& left) {
  const auto add = [&](const Cells& cells) -> Status {
    UsageLimitOverride limits;
    AIMETER_TRY(const std::int64_t id, cells.id());
    AIMETER_TRY(const std::optional<Billable> who, billable(cells));
    if (!who) return cells.bad("billable_id", "NULL", "whose limits they are");
    limits.billable = *who;
    AIMETER_TRY(const auto start, cells.time("period_start", options.zone));
    AIMETER_TRY(const auto end, cells.time("period_end", options.zone));
    if (!start) return cells.bad("period_start", "NULL", "a time");
    if (!end) return cells.bad("period_end", "NULL", "a time");
    limits.period_start = *start;
    limits.period_end = *end;
    AIMETER_TRY(const auto tokens, cells.count("token_limit"));
    if (tokens) limits.token_limit = Tokens{*tokens};
    AIMETER_TRY(limits.cost_limit, cells.money("cost_limit", options.currency));
    if (const Status good = limits.check(); !good) {
      leave(left, kOverrides, id, good.error().message);
      return {};
    }
    into.overrides.push_back({id, std::move(limits)});
    return {};
  };
  if (!has(kOverrides)) return {};
  return file_->each({"SELECT * FROM ai_usage_limit_overrides ORDER BY id", kOverrides}, add);
}

Result<Contracts> Database::contracts(const ReadOptions& options, Leftovers& left) {
  AIMETER_CHECK_OK(name_types(options));
  Contracts contracts;
  std::vector<std::int64_t> deleted;
  AIMETER_TRY(auto plans, all_plans(options, deleted, left));
  AIMETER_CHECK_OK(subscriptions(options, plans, contracts, left));
  for (auto& [id, plan] : plans) {
    if (std::ranges::find(deleted, id) != deleted.end()) {
      const bool named = std::ranges::any_of(contracts.subscriptions, [&](const auto& one) {
        return one.subscription.plan == plan.slug || one.subscription.previous_plan == plan.slug;
      });
      leave_by_rule(left, kPlans, id,
                    named ? "it was deleted there; carried as inactive, as subscriptions name it"
                          : "it was deleted there");
      if (!named) continue;
    }
    contracts.plans.push_back(std::move(plan));
  }
  AIMETER_CHECK_OK(overrides(options, contracts, left));
  return contracts;
}

}  // namespace aimeter::drivers::laravel
