// aimeter usage: single records, oldest first.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "cli/records.h"
#include "cli/table.h"
#include "cli/usage_filter.h"

namespace aimeter::cli {
namespace {

struct Options {
  UsageOptions usage = {};
  std::size_t limit = 50;
  std::string cursor = {};
};

void print_table(Frame& frame, const UsagePage& page) {
  Table table({{"time", Table::Align::left},
               {"tenant", Table::Align::left},
               {"who pays", Table::Align::left},
               {"user", Table::Align::left},
               {"model", Table::Align::left},
               {"input", Table::Align::right},
               {"output", Table::Align::right},
               {"cost", Table::Align::right},
               {"flags", Table::Align::left},
               {"id", Table::Align::right}});
  for (const UsageRecord& record : page.records) {
    table.add({text_of(record.occurred_at), record.account.tenant.text,
               record.account.billable.type + ":" + record.account.billable.id, record.user_id,
               record.provider + "/" + record.model,
               std::to_string(record.usage.input_tokens.count),
               std::to_string(record.usage.output_tokens.count),
               record.total_cost.text() + " " + record.total_cost.currency, flags_of(record),
               std::to_string(record.id)});
  }
  Console& console = frame.console();
  console.out() << table.text(console.options().columns);
  if (!page.next.empty()) console.note("more: --cursor " + page.next);
}

Result<Exit> run(Frame& frame, const Options& options) {
  if (options.limit < 1 || options.limit > kPageMax) {
    return bad_input("--limit", std::to_string(options.limit), fmt::format("1 to {}", kPageMax));
  }
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const UsageFilter filter,
                options.usage.filter({.zone = reading.settings.period.timezone}));
    AIMETER_TRY(const UsagePage page, reading.store->usages(filter, options.cursor, options.limit));
    if (!frame.json()) {
      print_table(frame, page);
      return Exit::done;
    }
    boost::json::array records;
    for (const UsageRecord& record : page.records) records.push_back(object_of(record));
    boost::json::object all{{"usages", std::move(records)}};
    all["cursor"] = page.next.empty() ? boost::json::value(nullptr) : boost::json::value(page.next);
    print_json(frame, boost::json::serialize(all));
    return Exit::done;
  });
}

}  // namespace

void add_usage(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add({.name = "usage",
                             .about = "Single usage records, oldest first",
                             .examples = {"aimeter usage --tenant acme --month 2026-07",
                                          "aimeter usage --user 42 --limit 1000 --json"}},
                            [&frame, options] { return run(frame, *options); });
  options->usage.add_to(app);
  app.add_option("--limit", options->limit, "At most so many records (50)")->type_name("N");
  app.add_option("--cursor", options->cursor, "Go on after the last page")->type_name("CURSOR");
}

}  // namespace aimeter::cli
