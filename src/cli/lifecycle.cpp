// aimeter cancel, renew and run-due: the end of a contract, and what comes by time.
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
  std::string type = {}, id = {};
  bool at_period_end = false;
};

void print(Frame& frame, const TenantView& view, const Subscription& subscription) {
  const Account account{view.id(), subscription.billable};
  if (frame.json()) {
    print_json(frame, boost::json::serialize(object_of(account, subscription)));
    return;
  }
  frame.console().out() << fmt::format(
      "{} {} is on {} {}\n", account.billable.type, account.billable.id, subscription.plan,
      subscription.ends_at ? "until " + text_of(*subscription.ends_at) : "without an end");
}

Result<Exit> on_account(
    Frame& frame, const Options& options,
    const std::function<Result<Subscription>(const TenantView&, const Billable&)>& work) {
  AIMETER_CHECK_OK(base::check_id("TYPE", options.type));
  AIMETER_CHECK_OK(base::check_id("ID", options.id));
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(acting.settings));
    if (!tenant) return bad_input("--all-tenants", "", "one --tenant");
    const TenantView view = acting.engine.tenant(tenant->text);
    AIMETER_TRY(const Subscription after, work(view, Billable{options.type, options.id}));
    print(frame, view, after);
    return Exit::done;
  });
}

Result<Exit> cancel(Frame& frame, const Options& options) {
  return on_account(frame, options,
                    [&](const TenantView& view, const Billable& who) -> Result<Subscription> {
                      const When when = options.at_period_end ? When::period_end : When::now;
                      AIMETER_CHECK_OK(frame.console().confirm(
                          fmt::format("End the subscription of {} {} {}?", who.type, who.id,
                                      options.at_period_end ? "at the end of its period" : "now")));
                      return view.cancel(who, when);
                    });
}

Result<Exit> run_due(Frame& frame) {
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    AIMETER_TRY(const int done, acting.engine.admin().run_due());
    if (frame.json()) {
      print_json(frame, fmt::format(R"({{"done":{}}})", done));
    } else {
      frame.console().out() << fmt::format("{} done\n", done);
    }
    return Exit::done;
  });
}

void add_account(CLI::App& app, Options& options) {
  app.add_option("TYPE", options.type, "Type of who pays, such as tenant or user")->required();
  app.add_option("ID", options.id, "Its id")->required();
  options.tenant.add_changing_to(app);
}

}  // namespace

void add_lifecycle(Frame& frame) {
  auto ending = std::make_shared<Options>();
  CLI::App& cancelling =
      frame.add({.name = "cancel",
                 .about = "Ends an account's subscription, now or at the end of its period",
                 .examples = {"aimeter cancel tenant acme --tenant acme --at-period-end --yes"}},
                [&frame, ending] { return cancel(frame, *ending); });
  add_account(cancelling, *ending);
  cancelling.add_flag("--at-period-end", ending->at_period_end,
                      "At renews_at, else at the end of the plan's period");

  auto going_on = std::make_shared<Options>();
  CLI::App& renewing = frame.add(
      {.name = "renew",
       .about = "Takes back a cancellation or a change that is to come",
       .examples = {"aimeter renew tenant acme --tenant acme"}},
      [&frame, going_on] {
        return on_account(frame, *going_on, [](const TenantView& view, const Billable& who) {
          return view.renew(who);
        });
      });
  add_account(renewing, *going_on);

  frame.add({.name = "run-due",
             .about = "Does once what is due by time in subscriptions, for cron",
             .examples = {"aimeter run-due --json"}},
            [&frame] { return run_due(frame); });
}

}  // namespace aimeter::cli
