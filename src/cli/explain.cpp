// aimeter explain: how one call was decided and priced.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <memory>
#include <ostream>

#include "cli/records.h"
#include "cli/session.h"

namespace aimeter::cli {
namespace {

struct Options {
  std::string call = {};
  TenantOption tenant = {};
};

std::string amount(const BudgetCheck& budget, std::int64_t value) {
  if (budget.kind != BudgetKind::cost && budget.kind != BudgetKind::credits)
    return std::to_string(value);
  return Money{value, budget.currency}.text() + " " + budget.currency;
}

std::string per_text(std::int64_t per) { return per == 1 ? "" : " per " + std::to_string(per); }

void print_call(std::ostream& out, const Explanation& why) {
  const UsageRecord& record = why.record;
  out << fmt::format("call      {} at {}\n", record.id, text_of(record.occurred_at));
  out << fmt::format("tenant    \"{}\", found: {}\n", record.account.tenant.text,
                     why.tenant_found_by.empty() ? "given with the record" : why.tenant_found_by);
  out << fmt::format("pays      {} {}{}\n", record.account.billable.type,
                     record.account.billable.id,
                     record.user_id.empty() ? "" : ", called by user " + record.user_id);
  out << fmt::format("plan      {} (version {}), period {} to {}\n",
                     record.plan.empty() ? "none" : record.plan, why.plan_version,
                     text_of(why.period.start), text_of(why.period.end));
  out << fmt::format("estimate  {} tokens, {} {} ({}{})\n", why.estimate_tokens.count,
                     why.estimate_cost.text(), why.estimate_cost.currency,
                     why.estimate_source.empty() ? "none" : why.estimate_source,
                     why.capped ? ", capped at what was free" : "");
  const std::string flags = flags_of(record);
  if (!flags.empty()) out << "flags     " << flags << '\n';
}

void print_budgets(std::ostream& out, const Explanation& why) {
  for (const Explanation::Budget& budget : why.budgets) {
    const BudgetCheck& before = budget.before;
    out << fmt::format("budget    {} of the {}{}: {} + {} = {}{}{}\n", name_of(before.kind),
                       name_of(before.scope), before.name.empty() ? "" : " " + before.name,
                       amount(before, before.used), amount(before, budget.counted),
                       amount(before, budget.used_after),
                       before.limit ? ", limit " + amount(before, *before.limit) : ", no limit",
                       before.would_refuse ? ", would refuse (shadow)" : "");
  }
}

void print_price(std::ostream& out, const Explanation& why) {
  const UsageRecord& record = why.record;
  out << fmt::format("model     {}/{}, priced as {} of version {}\n", record.provider, record.model,
                     why.price_model.empty() ? "none" : why.price_model,
                     record.price_version.empty() ? "none" : record.price_version);
  if (why.cost) {
    for (const CostPart& part : why.cost->parts) {
      out << fmt::format("price     {:<24} {} x {}{} = {}\n", part.kind, part.quantity,
                         part.unit_price.text(), per_text(part.per), part.cost.text());
    }
    out << fmt::format("exact     {}\n", why.cost->total.text());
  }
  out << fmt::format("cost      {} {}\n", record.total_cost.text(), record.total_cost.currency);
  for (const UsageRecord& adjustment : why.adjustments) {
    out << fmt::format("adjusted  {} by {} {} (record {})\n", text_of(adjustment.occurred_at),
                       adjustment.total_cost.text(), adjustment.total_cost.currency, adjustment.id);
  }
}

std::string json_of(const Explanation& why) {
  boost::json::array budgets;
  for (const Explanation::Budget& budget : why.budgets) {
    const BudgetCheck& before = budget.before;
    boost::json::object one{{"kind", name_of(before.kind)},
                            {"scope", name_of(before.scope)},
                            {"name", before.name},
                            {"used_before", amount(before, before.used)},
                            {"held", amount(before, budget.held)},
                            {"counted", amount(before, budget.counted)},
                            {"used_after", amount(before, budget.used_after)},
                            {"would_refuse", before.would_refuse}};
    one["limit"] = nullptr;
    if (before.limit) one["limit"] = amount(before, *before.limit);
    budgets.push_back(std::move(one));
  }
  boost::json::array parts;
  if (why.cost) {
    for (const CostPart& part : why.cost->parts) {
      parts.push_back(boost::json::object{{"kind", part.kind},
                                          {"quantity", part.quantity},
                                          {"unit_price", part.unit_price.text()},
                                          {"per", part.per},
                                          {"cost", part.cost.text()}});
    }
  }
  boost::json::array adjustments;
  for (const UsageRecord& adjustment : why.adjustments)
    adjustments.push_back(object_of(adjustment));
  return boost::json::serialize(
      boost::json::object{{"record", object_of(why.record)},
                          {"tenant_found_by", why.tenant_found_by},
                          {"plan", why.record.plan},
                          {"plan_version", why.plan_version},
                          {"period_start", text_of(why.period.start)},
                          {"period_end", text_of(why.period.end)},
                          {"estimate", boost::json::object{{"source", why.estimate_source},
                                                           {"tokens", why.estimate_tokens.count},
                                                           {"cost", why.estimate_cost.text()},
                                                           {"capped", why.capped}}},
                          {"budgets", std::move(budgets)},
                          {"price_model", why.price_model},
                          {"price_version", why.record.price_version},
                          {"parts", std::move(parts)},
                          {"adjustments", std::move(adjustments)}});
}

Result<Exit> run(Frame& frame, const Options& options) {
  std::int64_t row = 0;
  const char* end = options.call.data() + options.call.size();
  const auto parsed = std::from_chars(options.call.data(), end, row);
  if (parsed.ec != std::errc{} || parsed.ptr != end || row <= 0) {
    return bad_input("CALL", options.call, "the id of a record, as `aimeter usage` prints it");
  }
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.reading());
    AIMETER_TRY(const Explanation why, tenant ? acting.engine.tenant(tenant->text).explain(row)
                                              : acting.engine.admin().explain(row));
    if (frame.json()) {
      print_json(frame, json_of(why));
      return Exit::done;
    }
    std::ostream& out = frame.console().out();
    print_call(out, why);
    print_budgets(out, why);
    print_price(out, why);
    return Exit::done;
  });
}

}  // namespace

void add_explain(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add({.name = "explain",
                             .about = "How one call was decided and priced",
                             .examples = {"aimeter explain 1099511627777",
                                          "aimeter explain 1099511627777 --tenant acme --json"}},
                            [&frame, options] { return run(frame, *options); });
  app.add_option("CALL", options->call, "The record's id")->required();
  options->tenant.add_to(app);
}

}  // namespace aimeter::cli
