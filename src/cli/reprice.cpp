// aimeter reprice: prices rows again by the book in force at their time; differences are
// adjustments.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "cli/progress.h"
#include "cli/table.h"
#include "cli/usage_filter.h"

namespace aimeter::cli {
namespace {

struct Options {
  UsageOptions usage = {};
  bool all_tenants = false, all = false, dry_run = false;
};

std::string json_of(const RepriceReport& report) {
  boost::json::array accounts;
  for (const RepriceReport::Line& line : report.accounts) {
    accounts.push_back(boost::json::object{{"tenant", line.account.tenant.text},
                                           {"billable_type", line.account.billable.type},
                                           {"billable_id", line.account.billable.id},
                                           {"rows", line.rows},
                                           {"before", line.before.text()},
                                           {"after", line.after.text()},
                                           {"currency", line.after.currency}});
  }
  return boost::json::serialize(boost::json::object{{"seen", report.seen},
                                                    {"changed", report.changed},
                                                    {"unpriced", report.unpriced},
                                                    {"interrupted", report.interrupted},
                                                    {"accounts", std::move(accounts)}});
}

void print(Frame& frame, const RepriceReport& report, bool dry_run) {
  Table table({{"tenant", Table::Align::left},
               {"who pays", Table::Align::left},
               {"rows", Table::Align::right},
               {"before", Table::Align::right},
               {"after", Table::Align::right},
               {"difference", Table::Align::right}});
  for (const RepriceReport::Line& line : report.accounts) {
    const Money difference{line.after.nanos - line.before.nanos, line.after.currency};
    table.add({line.account.tenant.text,
               line.account.billable.type + ":" + line.account.billable.id,
               std::to_string(line.rows), line.before.text(), line.after.text(),
               difference.text() + " " + difference.currency});
  }
  Console& console = frame.console();
  console.out() << table.text(console.options().columns);
  console.out() << fmt::format("{} rows seen, {} {}, {} still without a price\n", report.seen,
                               report.changed, dry_run ? "would change" : "changed",
                               report.unpriced);
}

Result<Exit> run(Frame& frame, const Options& options) {
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    TenantOption whom = options.usage.tenant;
    whom.all = options.all_tenants;
    RepriceOptions how{.which = options.all ? Which::all : Which::provisional_or_estimated,
                       .run = options.dry_run ? Run::dry : Run::write};
    AIMETER_TRY(how.filter, options.usage.filter({.zone = acting.settings.period.timezone}));
    AIMETER_TRY(how.filter.tenant, whom.changing(acting.settings));
    Progress progress(frame.console(), "rows", std::nullopt);
    how.progress = [&](std::int64_t done) {
      progress.at(done);
      return !frame.console().interrupted();
    };
    AIMETER_TRY(const RepriceReport report, acting.engine.admin().reprice(how));
    if (frame.json()) {
      print_json(frame, json_of(report));
    } else {
      print(frame, report, options.dry_run);
    }
    return report.interrupted ? Exit::partly : Exit::done;
  });
}

}  // namespace

void add_reprice(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add({.name = "reprice",
                             .about = "Prices rows again by the book of their time; twice is once",
                             .examples = {"aimeter reprice --tenant acme --month 2026-07 --dry-run",
                                          "aimeter reprice --all-tenants --all"}},
                            [&frame, options] { return run(frame, *options); });
  options->usage.add_to(app);
  app.add_flag("--all-tenants", options->all_tenants, "Of every tenant");
  app.add_flag("--all", options->all, "Every row, not only provisional and estimated ones");
  app.add_flag("--dry-run", options->dry_run,
               "Prints the difference of each account, writes nothing");
}

}  // namespace aimeter::cli
