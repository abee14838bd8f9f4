// aimeter validate: what is wrong, or odd, with configuration and contracts.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <ostream>
#include <set>

#include "cli/session.h"

namespace aimeter::cli {
namespace {

struct Findings {
  std::vector<std::string> errors = {}, warnings = {};
};

[[nodiscard]] Status check_subscriptions(const store::Store& store, Findings& findings) {
  AIMETER_TRY(const auto subscriptions, store.subscriptions(std::nullopt));
  for (const auto& [account, subscription] : subscriptions) {
    const std::string who =
        fmt::format("subscription {} of {} {} (tenant \"{}\")", subscription.id,
                    account.billable.type, account.billable.id, account.tenant.text);
    const char* mode = subscription.billing_mode == BillingMode::credits ? "credits" : "plan";
    if (subscription.plan.empty()) {
      findings.errors.push_back(fmt::format("{}: billing mode {} without a plan", who, mode));
      continue;
    }
    AIMETER_TRY(const auto plan, store.find_plan(account.tenant, subscription.plan));
    if (!plan) {
      findings.errors.push_back(fmt::format("{}: there is no plan {}", who, subscription.plan));
    } else if (!plan->is_active && subscription.is_active(store.now())) {
      findings.warnings.push_back(
          fmt::format("{}: plan {} is inactive; its limits hold on", who, subscription.plan));
    }
  }
  return {};
}

[[nodiscard]] Status check_usage(const store::Store& store, Findings& findings) {
  AIMETER_TRY(const auto rows, store.rollups({.by_tenant = true, .by_billable = true}));
  for (const store::RollupRow& row : rows) {
    if (row.account.billable.type.empty() || row.account.billable.id.empty()) {
      findings.errors.push_back(fmt::format("{} calls of tenant \"{}\" have nobody who pays",
                                            row.calls, row.account.tenant.text));
    }
  }
  AIMETER_TRY(const auto dead, store.dead());
  if (!dead.empty()) {
    findings.errors.push_back(fmt::format("{} settlements could not be written, the first: {}",
                                          dead.size(), dead[0].reason));
  }
  AIMETER_TRY(const auto orphans, store.orphans());
  if (!orphans.empty()) {
    findings.warnings.push_back(
        fmt::format("{} calls were running when their engine stopped (orphans)", orphans.size()));
  }
  return {};
}

Result<Exit> run(Frame& frame) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    Findings findings{.warnings = reading.settings.warnings};
    AIMETER_CHECK_OK(check_subscriptions(*reading.store, findings));
    AIMETER_CHECK_OK(check_usage(*reading.store, findings));
    if (frame.json()) {
      boost::json::array errors, warnings;
      for (const std::string& error : findings.errors) errors.emplace_back(error);
      for (const std::string& warning : findings.warnings) warnings.emplace_back(warning);
      const bool ok = errors.empty();
      print_json(frame, boost::json::serialize(boost::json::object{
                            {"ok", ok}, {"errors", errors}, {"warnings", warnings}}));
    } else {
      Console& console = frame.console();
      for (const std::string& error : findings.errors) {
        console.out() << console.paint(Style::red, "error") << "    " << error << '\n';
      }
      for (const std::string& warning : findings.warnings) {
        console.out() << console.paint(Style::yellow, "warning") << "  " << warning << '\n';
      }
      console.out() << fmt::format("{} errors, {} warnings\n", findings.errors.size(),
                                   findings.warnings.size());
    }
    return findings.errors.empty() ? Exit::done : Exit::refused;
  });
}

}  // namespace

void add_validate(Frame& frame) {
  frame.add({.name = "validate",
             .about = "Checks configuration, store, subscriptions and usage; exit 1 on errors only",
             .examples = {"aimeter validate", "aimeter validate --json"}},
            [&frame] { return run(frame); });
}

}  // namespace aimeter::cli
