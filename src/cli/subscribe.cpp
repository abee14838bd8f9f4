// aimeter subscribe, migrate-plan and override: an account's contract.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "base/ids.h"
#include "cli/records.h"
#include "cli/session.h"

namespace aimeter::cli {
namespace {

struct Options {
  TenantOption tenant = {};
  std::string type = {}, id = {}, plan = {}, from_plan = {}, mode = "plan";
  std::string started_at = {}, ends_at = {}, renews_at = {};
  std::string from = {}, to = {}, cost = {};
  std::optional<std::int64_t> tokens = {};
  bool unlimited_tokens = false, unlimited_cost = false, at_period_end = false;
};

Result<TenantView> view_of(const Acting& acting, const Options& options) {
  AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(acting.settings));
  if (!tenant) return bad_input("--all-tenants", "", "one --tenant");
  return acting.engine.tenant(tenant->text);
}

Result<Billable> billable_of(const Options& options) {
  AIMETER_CHECK_OK(base::check_id("TYPE", options.type));
  AIMETER_CHECK_OK(base::check_id("ID", options.id));
  return Billable{options.type, options.id};
}

void print(Frame& frame, const TenantView& view, const Subscription& subscription) {
  const Account account{view.id(), subscription.billable};
  if (frame.json()) {
    print_json(frame, boost::json::serialize(object_of(account, subscription)));
    return;
  }
  frame.console().out() << fmt::format("{} {} is on {} since {}\n", account.billable.type,
                                       account.billable.id, subscription.plan,
                                       text_of(subscription.started_at));
}

Result<Exit> subscribe(Frame& frame, const Options& options) {
  Subscription subscription{.plan = options.plan};
  AIMETER_TRY(subscription.billable, billable_of(options));
  AIMETER_TRY(subscription.billing_mode, parse_billing_mode("--billing-mode", options.mode));
  if (!options.started_at.empty()) {
    AIMETER_TRY(subscription.started_at, parse_instant("--started-at", options.started_at));
  }
  if (!options.ends_at.empty()) {
    AIMETER_TRY(subscription.ends_at, parse_instant("--ends-at", options.ends_at));
  }
  if (!options.renews_at.empty()) {
    AIMETER_TRY(subscription.renews_at, parse_instant("--renews-at", options.renews_at));
  }
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    AIMETER_TRY(const TenantView view, view_of(acting, options));
    AIMETER_TRY(const Subscription made, view.subscribe(subscription));
    print(frame, view, made);
    return Exit::done;
  });
}

Result<Exit> migrate_plan(Frame& frame, const Options& options) {
  AIMETER_TRY(const Billable billable, billable_of(options));
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    AIMETER_TRY(const TenantView view, view_of(acting, options));
    const Result<Subscription> now = view.active_subscription(billable);
    if (now && now->plan == options.plan) {
      frame.console().warn(
          fmt::format("{} {} is on {} already", billable.type, billable.id, options.plan));
      print(frame, view, *now);
      return Exit::done;
    }
    AIMETER_CHECK_OK(
        frame.console().confirm(fmt::format("Move {} {} from {} to {}?", billable.type, billable.id,
                                            now ? now->plan : "no plan", options.plan)));
    AIMETER_TRY(const Subscription moved,
                view.migrate_plan(billable,
                                  {.to = options.plan,
                                   .expect_from = options.from_plan,
                                   .when = options.at_period_end ? When::period_end : When::now}));
    print(frame, view, moved);
    return Exit::done;
  });
}

Result<Exit> override_limits(Frame& frame, const Options& options) {
  UsageLimitOverride limits{.unlimited_tokens = options.unlimited_tokens,
                            .unlimited_cost = options.unlimited_cost};
  AIMETER_TRY(limits.billable, billable_of(options));
  AIMETER_TRY(limits.period_start, parse_instant("--from", options.from));
  AIMETER_TRY(limits.period_end, parse_instant("--to", options.to));
  if (options.tokens) limits.token_limit = Tokens{*options.tokens};
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    if (!options.cost.empty()) {
      AIMETER_TRY(limits.cost_limit, Money::parse(options.cost, acting.settings.billing.currency));
    }
    AIMETER_CHECK_OK(limits.check());
    AIMETER_TRY(const TenantView view, view_of(acting, options));
    AIMETER_CHECK_OK(view.override_limits(limits));
    AIMETER_TRY(const LimitCheck check, view.check_limit(limits.billable));
    if (frame.json()) {
      print_json(frame, boost::json::serialize(object_of(check)));
    } else {
      frame.console().out() << fmt::format(
          "in force from {} to {}; now {} tokens and {} are left\n", text_of(limits.period_start),
          text_of(limits.period_end),
          check.remaining_tokens ? std::to_string(check.remaining_tokens->count) : "unlimited",
          check.remaining_cost ? check.remaining_cost->text() + " " + check.remaining_cost->currency
                               : "unlimited cost");
    }
    return Exit::done;
  });
}

void add_account(CLI::App& app, Options& options) {
  app.add_option("TYPE", options.type, "Type of who pays, such as tenant or user")->required();
  app.add_option("ID", options.id, "Its id")->required();
}

}  // namespace

void add_subscribe(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& subscribing = frame.add(
      {.name = "subscribe",
       .about = "Gives an account a plan",
       .examples = {"aimeter subscribe tenant acme pro --tenant acme",
                    "aimeter subscribe user 42 small --tenant acme --started-at 2026-07-01"}},
      [&frame, options] { return subscribe(frame, *options); });
  add_account(subscribing, *options);
  subscribing.add_option("PLAN", options->plan, "The plan's slug")->required();
  options->tenant.add_changing_to(subscribing);
  subscribing.add_option("--billing-mode", options->mode, "plan or credits (from the wallet)");
  subscribing.add_option("--started-at", options->started_at, "Since when (now)");
  subscribing.add_option("--ends-at", options->ends_at, "Until when (no end)");
  subscribing.add_option("--renews-at", options->renews_at, "For information");

  auto moving = std::make_shared<Options>();
  CLI::App& migrating = frame.add(
      {.name = "migrate-plan",
       .about = "Moves an account to another plan",
       .examples = {"aimeter migrate-plan tenant acme pro --tenant acme --from-plan small --yes"}},
      [&frame, moving] { return migrate_plan(frame, *moving); });
  add_account(migrating, *moving);
  migrating.add_option("TO", moving->plan, "The new plan's slug")->required();
  moving->tenant.add_changing_to(migrating);
  migrating.add_option("--from-plan", moving->from_plan, "Only if it is on this plan now");
  migrating.add_flag("--at-period-end", moving->at_period_end,
                     "At renews_at, else at the end of the plan's period");

  auto lifting = std::make_shared<Options>();
  CLI::App& overriding = frame.add(
      {.name = "override",
       .about = "Another limit for one stretch of time",
       .examples = {"aimeter override tenant acme --tenant acme --from 2026-07-10 --to 2026-08-01 "
                    "--tokens 5000000"}},
      [&frame, lifting] { return override_limits(frame, *lifting); });
  add_account(overriding, *lifting);
  lifting->tenant.add_changing_to(overriding);
  overriding.add_option("--from", lifting->from, "From this time on")->required();
  overriding.add_option("--to", lifting->to, "Before this time")->required();
  overriding.add_option("--tokens", lifting->tokens, "Token limit in place of the plan's");
  overriding.add_option("--cost", lifting->cost, "Cost limit in place of the plan's, a decimal");
  overriding.add_flag("--unlimited-tokens", lifting->unlimited_tokens, "No token limit");
  overriding.add_flag("--unlimited-cost", lifting->unlimited_cost, "No cost limit");
}

}  // namespace aimeter::cli
