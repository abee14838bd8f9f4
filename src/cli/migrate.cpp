// aimeter migrate: brings the store's schema up to this version.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "cli/session.h"
#include "cli/table.h"
#include "drivers/builtin.h"

namespace aimeter::cli {
namespace {

struct Options {
  bool status = false, dry_run = false;
};

void print(Frame& frame, const std::vector<store::Migration>& migrations) {
  boost::json::array all;
  Table table({{"number", Table::Align::right},
               {"name", Table::Align::left},
               {"applied", Table::Align::left}});
  for (const store::Migration& migration : migrations) {
    boost::json::value at = nullptr;
    if (migration.applied_at) at = text_of(*migration.applied_at);
    all.push_back(boost::json::object{
        {"number", migration.number}, {"name", migration.name}, {"applied_at", at}});
    table.add({std::to_string(migration.number), migration.name,
               migration.applied_at ? text_of(*migration.applied_at) : "pending"});
  }
  if (frame.json()) {
    print_json(frame, boost::json::serialize(all));
  } else {
    frame.console().out() << table.text(frame.console().options().columns);
  }
}

Result<Exit> run(Frame& frame, const Options& options) {
  const Result<config::Settings> settings = settings_of(frame);
  if (!settings) return frame.report(settings.error(), Exit::configuration);
  store::StoreOptions how;
  if (options.status || options.dry_run) how.migrate = store::StoreOptions::Migrate::refuse;
  AIMETER_TRY(const std::unique_ptr<store::Store> store,
              drivers::open_store(settings->storage.url, how));
  AIMETER_TRY(const std::vector<store::Migration> migrations, store->migrations());
  print(frame, migrations);
  return Exit::done;
}

}  // namespace

void add_migrate(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add({.name = "migrate",
                             .about = "Brings the store's schema up to this version",
                             .examples = {"aimeter migrate", "aimeter migrate --status --json"}},
                            [&frame, options] { return run(frame, *options); });
  app.add_flag("--status", options->status,
               "Only says which are applied; an older store is an error");
  app.add_flag("--dry-run", options->dry_run, "The same: changes nothing");
}

}  // namespace aimeter::cli
