// aimeter report: usage of a range, in total and by group.
#include "reports/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/table.h"
#include "cli/usage_filter.h"

namespace aimeter::cli {
namespace {

struct Options {
  UsageOptions usage = {};
  std::string group_by = {}, format = {};
};

constexpr int kBarColumns = 12;

std::vector<std::string> figures(const reports::Sums& sums) {
  return {std::to_string(sums.calls), std::to_string(sums.input_tokens),
          std::to_string(sums.output_tokens), std::to_string(sums.total_tokens()),
          reports::cost_text(sums.cost_nanos) + " " + sums.currency};
}

void print_table(Frame& frame, const reports::Report& report) {
  std::vector<Table::Column> columns;
  for (const reports::GroupBy group : report.group_by) {
    columns.push_back({std::string(name_of(group)), Table::Align::left});
  }
  if (columns.empty()) columns.push_back({"", Table::Align::left});
  for (const char* title : {"calls", "input", "output", "tokens", "cost"}) {
    columns.push_back({title, Table::Align::right});
  }
  columns.push_back({"", Table::Align::left});
  Table table(columns);
  std::int64_t most = 0;
  for (const reports::Group& group : report.groups) {
    most = std::max(most, group.sums.total_tokens());
  }
  for (const reports::Group& group : report.groups) {
    std::vector<std::string> cells = group.names;
    for (std::string& figure : figures(group.sums)) cells.push_back(std::move(figure));
    cells.push_back(bar(group.sums.total_tokens(), most, kBarColumns));
    table.add(std::move(cells));
  }
  for (const reports::Sums& sums : report.totals) {
    std::vector<std::string> cells = {"total"};
    cells.resize(std::max<std::size_t>(1, report.group_by.size()));
    for (std::string& figure : figures(sums)) cells.push_back(std::move(figure));
    cells.emplace_back();
    table.add(std::move(cells));
  }
  Console& console = frame.console();
  console.out() << table.text(console.options().columns);
  console.note(fmt::format("{} to {}, as of {}", text_of(report.from), text_of(report.to),
                           text_of(report.as_of)));
  for (const reports::Sums& sums : report.totals) {
    if (sums.provisional_calls + sums.estimated_calls == 0) continue;
    console.note(
        fmt::format("{} calls are provisional (no price yet), {} estimated (no usage in "
                    "the answer); `aimeter reprice` corrects them",
                    sums.provisional_calls, sums.estimated_calls));
  }
}

Result<Exit> run(Frame& frame, const Options& options) {
  AIMETER_TRY(const std::vector<reports::GroupBy> groups,
              reports::parse_group_by(options.group_by));
  if (!options.format.empty() && options.format != "csv" && options.format != "table" &&
      options.format != "json") {
    return bad_input("--format", options.format, "table, csv or json");
  }
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    const std::string zone =
        options.usage.timezone.empty() ? reading.settings.period.timezone : options.usage.timezone;
    AIMETER_CHECK_OK(Period::check({.timezone = zone}));
    const Period::Span month = Period({.timezone = zone}).at(reading.store->now());
    reports::Query query{.group_by = groups, .timezone = zone};
    AIMETER_TRY(query.filter,
                options.usage.filter({.from = month.start, .to = month.end, .zone = zone}));
    AIMETER_TRY(const reports::Report made, reports::report(*reading.store, query));
    if (frame.json() || options.format == "json") {
      print_json(frame, reports::to_json(made));
    } else if (options.format == "csv") {
      frame.console().out() << reports::to_csv(made);
    } else {
      print_table(frame, made);
    }
    return Exit::done;
  });
}

}  // namespace

void add_report(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add(
      {.name = "report",
       .about = "Usage of a month or any range, in total and by group",
       .examples =
           {"aimeter report --month 2026-07",
            "aimeter report --tenant acme --group-by model,day --json",
            "aimeter report --from 2026-07-01 --to 2026-07-08 --group-by tenant --format csv"}},
      [&frame, options] { return run(frame, *options); });
  options->usage.add_to(app);
  app.add_option("--group-by", options->group_by,
                 "tenant, billable, user, provider, model, feature, minute, hour, day, month")
      ->type_name("NAME,...");
  app.add_option("--format", options->format, "table, csv or json")->type_name("FORMAT");
}

}  // namespace aimeter::cli
