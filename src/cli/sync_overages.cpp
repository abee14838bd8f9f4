// aimeter sync-stripe-overages: takes what is above the plans' limits to the billing service.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "app/overage_sync.h"
#include "base/hash.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/table.h"
#include "drivers/billing_drivers.h"

namespace aimeter::cli {
namespace {

using store::BatchRow;
using By = store::FreezeOverages::By;

struct Options {
  TenantOption tenant = {};
  std::size_t limit = 100;
  bool dry_run = false;
};

billing::DriverSetup setup_of(const config::Settings& settings) {
  return {.stripe = {.secret_key = settings.stripe.secret_key,
                     .webhook_secret = settings.stripe.webhook_secret,
                     .api_base = settings.stripe.api_base,
                     .meter_event = settings.stripe.meter_event}};
}

By by_of(const config::Settings& settings) {
  return settings.stripe.meter_event.empty() ? By::money : By::quantity;
}

boost::json::object object_of(const BatchRow& row) {
  const OverageBatch& batch = row.batch;
  boost::json::object made{{"batch", nullptr},
                           {"tenant", batch.account.tenant.text},
                           {"billable_type", batch.account.billable.type},
                           {"billable_id", batch.account.billable.id},
                           {"period_start", text_of(batch.period.start)},
                           {"period_end", text_of(batch.period.end)},
                           {"lines", batch.lines},
                           {"amount", batch.amount.text()},
                           {"currency", batch.amount.currency},
                           {"state", name_of(row.state)}};
  if (batch.id != 0) made["batch"] = std::to_string(batch.id);
  return made;
}

void print_batches(Frame& frame, const std::vector<BatchRow>& rows) {
  Table table({{"tenant", Table::Align::left},
               {"who pays", Table::Align::left},
               {"period", Table::Align::left},
               {"lines", Table::Align::right},
               {"amount", Table::Align::right}});
  for (const BatchRow& row : rows) {
    const OverageBatch& batch = row.batch;
    table.add({batch.account.tenant.text,
               batch.account.billable.type + " " + batch.account.billable.id,
               text_of(batch.period.start).substr(0, 10), std::to_string(batch.lines),
               batch.amount.text() + " " + batch.amount.currency});
  }
  frame.console().out() << table.text(frame.console().options().columns);
}

// What would be sent: batches that are frozen already, then those that a sync would freeze.
Result<Exit> show(Frame& frame, const Reading& reading, const Options& options,
                  const std::optional<TenantId>& tenant) {
  AIMETER_TRY(std::vector<BatchRow> rows,
              reading.store->overage_batches({.tenant = tenant, .to_send_only = true}));
  AIMETER_TRY(const std::vector<BatchRow> to_come,
              app::batches_to_come(*reading.store, {.tenant = tenant}, by_of(reading.settings)));
  rows.insert(rows.end(), to_come.begin(), to_come.end());
  if (rows.size() > options.limit) rows.resize(options.limit);
  if (!frame.json()) {
    print_batches(frame, rows);
    return Exit::done;
  }
  boost::json::array batches;
  for (const BatchRow& row : rows) batches.push_back(object_of(row));
  print_json(frame, boost::json::serialize(
                        boost::json::object{{"dry_run", true}, {"batches", std::move(batches)}}));
  return Exit::done;
}

boost::json::object object_of(const app::SyncReport& report) {
  boost::json::array amounts, failures;
  for (const auto& [currency, units] : report.units) {
    const Result<Money> money = money_of_units(units, currency);
    amounts.push_back(boost::json::object{{"amount", money ? money->text() : "out of range"},
                                          {"currency", currency}});
  }
  for (const app::SyncFailure& failure : report.failures) {
    failures.push_back(boost::json::object{{"batch", std::to_string(failure.batch)},
                                           {"tenant", failure.account.tenant.text},
                                           {"billable_type", failure.account.billable.type},
                                           {"billable_id", failure.account.billable.id},
                                           {"code", name_of(failure.error.code)},
                                           {"message", failure.error.message}});
  }
  return {{"frozen", report.frozen},       {"charged", report.charged},
          {"waiting", report.waiting},     {"failed", report.failures.size()},
          {"amounts", std::move(amounts)}, {"failures", std::move(failures)}};
}

Exit finish(Frame& frame, const app::SyncReport& report) {
  if (frame.json()) {
    print_json(frame, boost::json::serialize(object_of(report)));
  } else {
    for (const app::SyncFailure& failure : report.failures) {
      frame.console().warn(fmt::format("batch {} ({} {} {}): {}", failure.batch,
                                       failure.account.tenant.text, failure.account.billable.type,
                                       failure.account.billable.id, failure.error.message));
    }
    frame.console().out() << fmt::format("{} batches charged, {} failed, {} waiting\n",
                                         report.charged, report.failures.size(), report.waiting);
  }
  if (report.failures.empty()) return report.interrupted ? Exit::partly : Exit::done;
  return report.charged > 0 ? Exit::partly : Exit::refused;
}

Result<Exit> run(Frame& frame, const Options& options) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(reading.settings));
    if (options.dry_run) return show(frame, reading, options, tenant);
    if (reading.settings.billing.driver == "null") {
      return fail(Code::failed_precondition,
                  "billing.driver: is null, so there is nobody to charge; set it to stripe");
    }
    AIMETER_TRY(const auto driver, drivers::make_billing_driver(reading.settings.billing.driver,
                                                                setup_of(reading.settings)));
    std::optional<Progress> bar;
    app::SyncOptions sync{.tenant = tenant, .limit = options.limit, .by = by_of(reading.settings)};
    sync.sender = fmt::format("aimeter {} {}", getpid(), base::hex(base::random_bytes(4)));
    if (!reading.settings.stripe.auto_sync_ids) sync.ids = app::SyncOptions::Ids::stored;
    sync.progress = [&](std::int64_t done, std::int64_t total) {
      if (!bar) bar.emplace(frame.console(), "batches", total);
      bar->at(done);
      return !frame.console().interrupted();
    };
    AIMETER_TRY(const app::SyncReport report, app::sync_overages(*reading.store, *driver, sync));
    bar.reset();
    return finish(frame, report);
  });
}

}  // namespace

void add_sync_stripe_overages(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app =
      frame.add({.name = "sync-stripe-overages",
                 .about = "Charges overage at the billing service, each batch once",
                 .examples = {"aimeter sync-stripe-overages --dry-run",
                              "aimeter sync-stripe-overages --all-tenants --limit 1000"}},
                [&frame, options] { return run(frame, *options); });
  options->tenant.add_changing_to(app);
  app.add_option("--limit", options->limit, "Batches that are sent at most (100)")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  app.add_flag("--dry-run", options->dry_run, "Shows what would be charged and changes nothing");
}

}  // namespace aimeter::cli
