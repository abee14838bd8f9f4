// aimeter import laravel: a database of the PHP package becomes ours.
#include "cli/import_laravel.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "app/configured.h"
#include "cli/laravel.h"
#include "cli/session.h"
#include "cli/table.h"

namespace aimeter::cli {
namespace {

using drivers::laravel::Database;
using drivers::laravel::Leftover;
using drivers::laravel::ReadOptions;

struct Options {
  std::string file = {}, zone = "UTC";
  std::vector<std::string> types = {};
  TenantOption tenant = {};
  bool dry_run = false;
};

constexpr std::size_t kRowsShown = 200;

Result<ReadOptions> read_options(const Options& options) {
  ReadOptions read{.zone = options.zone};
  AIMETER_CHECK_OK(Period::check({.timezone = options.zone}));
  for (const std::string& pair : options.types) {
    const std::size_t equals = pair.rfind('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      return bad_input("--type", pair, "CLASS=TYPE, such as App\\Models\\User=user");
    }
    if (!read.types.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second) {
      return bad_input("--type", pair, "each class once");
    }
  }
  return read;
}

boost::json::object object_of(const LaravelCounts& counts) {
  return {{"seen", counts.seen}, {"added", counts.added}, {"known", counts.known}};
}

boost::json::object object_of(const LaravelReport& report, const Options& options) {
  boost::json::object cost;
  for (const auto& [currency, sum] : report.cost) cost[currency] = sum.text();
  boost::json::array left;
  for (const Leftover& one : report.left) {
    left.push_back({{"table", one.table},
                    {"id", one.id},
                    {"why", one.why},
                    {"attention", one.kind == Leftover::Kind::attention}});
  }
  return {{"dry_run", options.dry_run},
          {"interrupted", report.interrupted},
          {"plans", object_of(report.plans)},
          {"subscriptions", object_of(report.subscriptions)},
          {"overrides", object_of(report.overrides)},
          {"transactions", object_of(report.transactions)},
          {"usages", object_of(report.usages)},
          {"usage_cost", std::move(cost)},
          {"not_carried", std::move(left)}};
}

void print(Frame& frame, const LaravelReport& report, const Options& options) {
  if (frame.json()) {
    print_json(frame, boost::json::serialize(object_of(report, options)));
    return;
  }
  const int columns = frame.console().options().columns;
  Table table({{"what", Table::Align::left},
               {"seen", Table::Align::right},
               {options.dry_run ? "would be added" : "added", Table::Align::right},
               {"known", Table::Align::right}});
  const std::pair<const char*, const LaravelCounts*> rows[] = {
      {"plans", &report.plans},
      {"subscriptions", &report.subscriptions},
      {"overrides", &report.overrides},
      {"wallet transactions", &report.transactions},
      {"usages", &report.usages}};
  for (const auto& [name, counts] : rows) {
    table.add({name, std::to_string(counts->seen), std::to_string(counts->added),
               std::to_string(counts->known)});
  }
  frame.console().out() << table.text(columns);
  for (const auto& [currency, sum] : report.cost) {
    frame.console().out() << fmt::format("the usages cost {} {}\n", sum.text(), currency);
  }
  if (report.left.empty()) return;
  Table left({{"not carried", Table::Align::left},
              {"id", Table::Align::right},
              {"", Table::Align::left},
              {"why", Table::Align::left}});
  for (std::size_t i = 0; i < std::min(report.left.size(), kRowsShown); ++i) {
    const Leftover& one = report.left[i];
    const bool look = one.kind == Leftover::Kind::attention;
    left.add({one.table, one.id, look ? "!" : "", one.why});
  }
  frame.console().out() << '\n' << left.text(columns);
  if (report.left.size() > kRowsShown) {
    frame.console().out() << fmt::format("... and {} more; --json has them all\n",
                                         report.left.size() - kRowsShown);
  }
}

Exit exit_of(Frame& frame, const LaravelReport& report) {
  if (report.interrupted) {
    frame.console().warn("interrupted; run it again, what is in is not added twice");
    return Exit::partly;
  }
  const auto look = [](const Leftover& one) { return one.kind == Leftover::Kind::attention; };
  return std::ranges::any_of(report.left, look) ? Exit::partly : Exit::done;
}

Result<Exit> run(Frame& frame, const Options& options) {
  AIMETER_TRY(ReadOptions read, read_options(options));
  AIMETER_TRY(Database database, Database::open(options.file));
  // Before anything is opened or written: no cell that would stop it half-way.
  AIMETER_CHECK_OK(database.check(read));
  LaravelCarrier carrier(
      {.frame = frame,
       .database = database,
       .options = read,
       .run = options.dry_run ? LaravelCarrier::Run::dry : LaravelCarrier::Run::write});
  carrier.report().left = database.unknown();
  config::Settings settings;
  AIMETER_TRY(
      const Exit exit, with_store(frame, [&](Reading& reading) -> Result<Exit> {
        settings = reading.settings;
        AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(settings));
        if (!tenant) {
          return bad_input("--all-tenants", "", "one --tenant; plans and wallets belong to one");
        }
        read.tenant = *tenant;
        read.currency = settings.billing.currency;
        AIMETER_CHECK_OK(carrier.contracts(*reading.store));
        AIMETER_CHECK_OK(carrier.wallets(*reading.store));
        if (options.dry_run) AIMETER_CHECK_OK(carrier.look_at_usages(*reading.store));
        return Exit::done;
      }));
  if (exit != Exit::done) return exit;
  if (!options.dry_run) {
    Result<OpenOptions> how = app::options_of(settings);
    if (!how) return frame.report(how.error(), Exit::configuration);
    how->security.validate_feature_names = false;  // they are there as they are
    how->journal.far_behind = kFarBehindInBulk;
    AIMETER_TRY(const Engine engine, open(settings.storage.url, *std::move(how)));
    AIMETER_CHECK_OK(carrier.usages(engine));
  }
  AIMETER_CHECK_OK(carrier.overages());
  print(frame, carrier.report(), options);
  return exit_of(frame, carrier.report());
}

}  // namespace

void add_import_laravel(Frame& frame, CLI::App& import) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add_under(
      import,
      {.name = "laravel",
       .about = "Carries a database of the PHP package ajooda/laravel-ai-metering over, each row "
                "once; lists what has no place here",
       .examples = {"aimeter import laravel database.sqlite --tenant acme --dry-run",
                    "aimeter import laravel database.sqlite --tenant acme --zone Europe/London "
                    "--type 'App\\Models\\Team=team'"}},
      [&frame, options] { return run(frame, *options); });
  app.add_option("FILE", options->file, "The package's database, SQLite")->required();
  options->tenant.add_changing_to(app);
  app.add_option("--zone", options->zone, "Time zone of the application's timestamps (UTC)");
  app.add_option("--type", options->types, "Billable type of a class, as often as needed")
      ->type_name("CLASS=TYPE")
      ->allow_extra_args(false);
  app.add_flag("--dry-run", options->dry_run, "Checks and counts, carries nothing");
}

}  // namespace aimeter::cli
