// aimeter overages: the lines of charged overage.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "cli/table.h"
#include "cli/usage_filter.h"
#include "meter/facts.h"

namespace aimeter::cli {
namespace {

struct Options {
  TenantOption tenant = {};
  BillableOption billable = {};
  std::string month = {}, from = {}, to = {}, timezone = {};
  std::optional<std::int64_t> usage = {};
  bool open = false;
  std::size_t limit = 50;
  std::string cursor = {};
};

std::string quantity(const Overage& overage) {
  if (overage.kind == BudgetKind::tokens) return std::to_string(overage.tokens.count);
  return overage.used_cost.text() + " " + overage.used_cost.currency;
}

boost::json::object object_of(const Overage& overage) {
  boost::json::object made{{"id", std::to_string(overage.id)},
                           {"tenant", overage.account.tenant.text},
                           {"billable_type", overage.account.billable.type},
                           {"billable_id", overage.account.billable.id},
                           {"ai_usage_id", nullptr},
                           {"period_start", text_of(overage.period.start)},
                           {"period_end", text_of(overage.period.end)},
                           {"kind", name_of(overage.kind)}};
  if (overage.ai_usage_id != 0) made["ai_usage_id"] = std::to_string(overage.ai_usage_id);
  made["tokens"] = nullptr;
  made["used_cost"] = nullptr;
  if (overage.kind == BudgetKind::tokens) {
    made["tokens"] = overage.tokens.count;
  } else {
    made["used_cost"] = overage.used_cost.text();
  }
  made["price_per_1k"] = overage.price_per_1k_tokens.text();
  made["cost"] = overage.cost.text();
  made["currency"] = overage.cost.currency;
  made["batch"] = nullptr;
  if (overage.batch != 0) made["batch"] = std::to_string(overage.batch);
  made["created_at"] = text_of(overage.created_at);
  return made;
}

void print_table(Frame& frame, const std::vector<Overage>& overages) {
  Table table({{"time", Table::Align::left},
               {"tenant", Table::Align::left},
               {"who pays", Table::Align::left},
               {"period", Table::Align::left},
               {"above the limit", Table::Align::right},
               {"cost", Table::Align::right},
               {"usage", Table::Align::right},
               {"batch", Table::Align::right}});
  for (const Overage& one : overages) {
    table.add({text_of(one.created_at), one.account.tenant.text,
               one.account.billable.type + ":" + one.account.billable.id, text_of(one.period.start),
               quantity(one), one.cost.text() + " " + one.cost.currency,
               one.ai_usage_id == 0 ? "a risen limit" : std::to_string(one.ai_usage_id),
               one.batch == 0 ? "open" : std::to_string(one.batch)});
  }
  frame.console().out() << table.text(frame.console().options().columns);
}

Result<store::OverageFilter> filter_of(const Options& options, const std::string& zone) {
  const UsageOptions times{.tenant = options.tenant,
                           .billable = options.billable,
                           .month = options.month,
                           .from = options.from,
                           .to = options.to,
                           .timezone = options.timezone};
  AIMETER_TRY(const UsageFilter filter, times.filter({.zone = zone}));
  return store::OverageFilter{.tenant = filter.tenant,
                              .billable = filter.billable,
                              .usage = options.usage,
                              .from = filter.from,
                              .to = filter.to,
                              .open_only = options.open};
}

Result<Exit> run(Frame& frame, const Options& options) {
  if (options.limit < 1 || options.limit > kPageMax) {
    return bad_input("--limit", std::to_string(options.limit), fmt::format("1 to {}", kPageMax));
  }
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const store::OverageFilter filter,
                filter_of(options, reading.settings.period.timezone));
    AIMETER_TRY(const store::OveragePage page,
                reading.store->overages(filter, options.cursor, options.limit));
    std::vector<Overage> overages;
    for (const store::OverageLine& line : page.lines) {
      overages.push_back(meter::overage_of(line));
    }
    if (!frame.json()) {
      print_table(frame, overages);
      if (!page.next.empty()) frame.console().note("more: --cursor " + page.next);
      return Exit::done;
    }
    boost::json::array rows;
    for (const Overage& one : overages) rows.push_back(object_of(one));
    boost::json::object all{{"overages", std::move(rows)}};
    all["cursor"] = page.next.empty() ? boost::json::value(nullptr) : boost::json::value(page.next);
    print_json(frame, boost::json::serialize(all));
    return Exit::done;
  });
}

}  // namespace

void add_overages(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app =
      frame.add({.name = "overages",
                 .about = "Lines of overage: what was used above a plan's limit and is charged",
                 .examples = {"aimeter overages --tenant acme --month 2026-07",
                              "aimeter overages --open --json"}},
                [&frame, options] { return run(frame, *options); });
  options->tenant.add_to(app);
  options->billable.add_to(app);
  app.add_option("--month", options->month, "Periods that begin in this month")
      ->type_name("YYYY-MM");
  app.add_option("--from", options->from, "Periods that begin at this time or later")
      ->type_name("TIME");
  app.add_option("--to", options->to, "... and before this time")->type_name("TIME");
  app.add_option("--timezone", options->timezone, "IANA zone of --month and of times without one")
      ->type_name("ZONE");
  app.add_option("--usage", options->usage, "Only what this usage or adjustment wrote")
      ->type_name("ID");
  app.add_flag("--open", options->open, "Only what is in no batch of the billing driver yet");
  app.add_option("--limit", options->limit, "At most so many lines (50)")->type_name("N");
  app.add_option("--cursor", options->cursor, "Go on after the last page")->type_name("CURSOR");
}

}  // namespace aimeter::cli
