// aimeter plans and sync-plans: what is for sale.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <fstream>
#include <memory>
#include <ostream>
#include <sstream>

#include "cli/plan_file.h"
#include "cli/records.h"
#include "cli/session.h"
#include "cli/table.h"

namespace aimeter::cli {
namespace {

struct Options {
  TenantOption tenant = {};
  std::string from = "plans.toml";
  bool dry_run = false;
};

Result<Exit> list(Frame& frame, const Options& options) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.reading());
    AIMETER_TRY(const std::vector<Plan> plans, reading.store->plans(tenant));
    if (frame.json()) {
      boost::json::array all;
      for (const Plan& plan : plans) all.push_back(object_of(plan));
      print_json(frame, boost::json::serialize(all));
      return Exit::done;
    }
    Table table({{"slug", Table::Align::left},
                 {"name", Table::Align::left},
                 {"tenant", Table::Align::left},
                 {"tokens", Table::Align::right},
                 {"cost", Table::Align::right},
                 {"budgets", Table::Align::right},
                 {"version", Table::Align::right},
                 {"state", Table::Align::left}});
    for (const Plan& plan : plans) {
      table.add(
          {plan.slug, plan.name, plan.tenant,
           plan.monthly_token_limit ? std::to_string(plan.monthly_token_limit->count) : "unlimited",
           plan.monthly_cost_limit
               ? plan.monthly_cost_limit->text() + " " + plan.monthly_cost_limit->currency
               : "unlimited",
           std::to_string(plan.budgets.size()), std::to_string(plan.version),
           std::string(plan.is_active ? "active" : "inactive") +
               (plan.enforcement == Enforcement::shadow ? ", shadow" : "")});
    }
    frame.console().out() << table.text(frame.console().options().columns);
    return Exit::done;
  });
}

bool same(Plan a, const Plan& b) {
  a.id = b.id;
  a.version = b.version;
  return boost::json::serialize(object_of(a)) == boost::json::serialize(object_of(b)) &&
         a.overage_price_per_1k_tokens == b.overage_price_per_1k_tokens &&
         a.overage_cap == b.overage_cap && a.overage_markup == b.overage_markup &&
         a.stripe_price_id == b.stripe_price_id;
}

// Makes the plans of a file the plans of a store.
class Sync {
 public:
  Sync(Frame& frame, store::Store& store, const Options& options)
      : frame_(frame), store_(store), options_(options) {}

  [[nodiscard]] Status put(Plan plan) {
    AIMETER_TRY(const std::optional<Plan> found, store_.find_plan({plan.tenant}, plan.slug));
    const bool known = found && found->tenant == plan.tenant;  // "" is no tenant's own
    if (known && same(plan, *found)) {
      ++unchanged_;
      return {};
    }
    ++(known ? changed_ : created_);
    frame_.console().note(fmt::format("{}{} {}", options_.dry_run ? "would be " : "",
                                      known ? "changed" : "created", plan.slug));
    if (options_.dry_run) return {};
    if (known) plan.id = found->id;
    AIMETER_CHECK_OK(store_.change({store::PutPlan{std::move(plan)}, "cli"}));
    return {};
  }
  void print() {
    if (frame_.json()) {
      print_json(frame_, fmt::format(R"({{"created":{},"changed":{},"unchanged":{},"dry_run":{}}})",
                                     created_, changed_, unchanged_, options_.dry_run));
    } else {
      frame_.console().out() << fmt::format("{} created, {} changed, {} unchanged\n", created_,
                                            changed_, unchanged_);
    }
  }

 private:
  Frame& frame_;
  store::Store& store_;
  const Options& options_;
  int created_ = 0, changed_ = 0, unchanged_ = 0;
};

Result<Exit> sync(Frame& frame, const Options& options) {
  std::ifstream in(options.from, std::ios::binary);
  if (!in) return bad_input("--from", options.from, "a file that can be read");
  std::ostringstream text;
  text << in.rdbuf();
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::vector<Plan> plans,
                parse_plans(text.str(), options.from, reading.settings.billing.currency));
    Sync syncing(frame, *reading.store, options);
    for (const Plan& plan : plans) AIMETER_CHECK_OK(syncing.put(plan));
    syncing.print();
    return Exit::done;
  });
}

}  // namespace

void add_plans(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& listing =
      frame.add({.name = "plans",
                 .about = "Plans: the operator's and tenants' own",
                 .examples = {"aimeter plans", "aimeter plans --tenant acme --json"}},
                [&frame, options] { return list(frame, *options); });
  options->tenant.add_to(listing);
  CLI::App& syncing =
      frame.add({.name = "sync-plans",
                 .about = "Makes the plans of a file the plans in force; changes are new versions",
                 .examples = {"aimeter sync-plans --from plans.toml --dry-run"}},
                [&frame, options] { return sync(frame, *options); });
  syncing.add_option("--from", options->from, "Where they stand (plans.toml)")->type_name("FILE");
  syncing.add_flag("--dry-run", options->dry_run, "Says what would change");
}

}  // namespace aimeter::cli
