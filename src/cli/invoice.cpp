// aimeter invoice preview: what an account is to pay for a period, and why.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "base/ids.h"
#include "cli/session.h"
#include "cli/table.h"

namespace aimeter::cli {
namespace {

struct Options {
  TenantOption tenant = {};
  std::string type = {}, id = {}, at = {}, plan = {};
};

std::string_view name_of(InvoiceLine::Kind kind) {
  return kind == InvoiceLine::Kind::credit ? "credit" : "overage";
}

boost::json::object object_of(const InvoicePreview& preview) {
  boost::json::array lines;
  for (const InvoiceLine& line : preview.lines) {
    boost::json::array versions;
    for (const std::string& version : line.price_versions) versions.emplace_back(version);
    lines.push_back(boost::json::object{{"kind", name_of(line.kind)},
                                        {"counted", aimeter::name_of(line.counted)},
                                        {"quantity", line.quantity},
                                        {"price_per_1k", line.price_per_1k.text()},
                                        {"cost", line.cost.text()},
                                        {"plan", line.plan},
                                        {"price_versions", std::move(versions)},
                                        {"lines", line.lines}});
  }
  return {{"tenant", preview.account.tenant.text},
          {"billable_type", preview.account.billable.type},
          {"billable_id", preview.account.billable.id},
          {"plan", preview.plan},
          {"period_start", text_of(preview.period.start)},
          {"period_end", text_of(preview.period.end)},
          {"used_tokens", preview.used_tokens},
          {"used_cost", preview.used_cost.text()},
          {"credits_used", preview.credits_used.text()},
          {"lines", std::move(lines)},
          {"exact", preview.exact.text()},
          {"rounding", preview.rounding.text()},
          {"batched", preview.batched.text()},
          {"amount", preview.amount.text()},
          {"currency", preview.amount.currency}};
}

void print(Frame& frame, const InvoicePreview& preview) {
  Console& console = frame.console();
  console.out() << fmt::format("{} {}, {} to {}, plan {}\n", preview.account.billable.type,
                               preview.account.billable.id, text_of(preview.period.start),
                               text_of(preview.period.end),
                               preview.plan.empty() ? "none" : preview.plan);
  Table table({{"what", Table::Align::left},
               {"plan", Table::Align::left},
               {"quantity", Table::Align::right},
               {"per 1000", Table::Align::right},
               {"cost", Table::Align::right},
               {"prices of", Table::Align::left}});
  for (const InvoiceLine& line : preview.lines) {
    table.add({fmt::format("{} of {}", name_of(line.kind), aimeter::name_of(line.counted)),
               line.plan, std::to_string(line.quantity), line.price_per_1k.text(), line.cost.text(),
               fmt::format("{}", fmt::join(line.price_versions, ", "))});
  }
  console.out() << table.text(console.options().columns);
  console.out() << fmt::format("exact {}, rounding {}, sent before {}: to be paid {} {}\n",
                               preview.exact.text(), preview.rounding.text(),
                               preview.batched.text(), preview.amount.text(),
                               preview.amount.currency);
}

Result<Exit> preview(Frame& frame, const Options& options) {
  AIMETER_CHECK_OK(base::check_id("TYPE", options.type));
  AIMETER_CHECK_OK(base::check_id("ID", options.id));
  PreviewOptions asked{.plan = options.plan};
  if (!options.at.empty()) {
    AIMETER_TRY(asked.at, parse_instant("--at", options.at));
  }
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(acting.settings));
    if (!tenant) return bad_input("--all-tenants", "", "one --tenant");
    const TenantView view = acting.engine.tenant(tenant->text);
    AIMETER_TRY(const InvoicePreview made,
                view.preview_invoice(Billable{options.type, options.id}, asked));
    if (frame.json()) {
      print_json(frame, boost::json::serialize(object_of(made)));
    } else {
      print(frame, made);
    }
    return Exit::done;
  });
}

}  // namespace

void add_invoice(Frame& frame) {
  CLI::App& group =
      frame.add_group({.name = "invoice",
                       .about = "What will be billed",
                       .examples = {"aimeter invoice preview tenant acme --tenant acme"}});
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add_under(
      group,
      {.name = "preview",
       .about = "What an account is to pay for a period, to the cent",
       .examples = {"aimeter invoice preview tenant acme --tenant acme --at 2026-07-31",
                    "aimeter invoice preview tenant acme --tenant acme --plan pro --json"}},
      [&frame, options] { return preview(frame, *options); });
  app.add_option("TYPE", options->type, "Type of who pays, such as tenant or user")->required();
  app.add_option("ID", options->id, "Its id")->required();
  options->tenant.add_changing_to(app);
  app.add_option("--at", options->at, "Any time of the period (now)")->type_name("TIME");
  app.add_option("--plan", options->plan,
                 "What this plan would have billed over the recorded usage");
}

}  // namespace aimeter::cli
