// Package:       cli
// Units:         rows of the reference; Money.
// Errors:        those of the store and the engine; what one row cannot do is a leftover.
// Thread safety: belongs to the command's thread.
// Ownership:     a Carrier borrows what it is made of.
//
// Carries a database of the reference into a store, each row once: what is there already is known.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "aimeter/decimal.h"
#include "aimeter/engine.h"
#include "cli/frame.h"
#include "drivers/laravel_database.h"
#include "store/store.h"

namespace aimeter::cli {

struct LaravelCounts {
  std::int64_t seen = 0, added = 0, known = 0;  // added: would be, in a dry run
};
struct LaravelReport {
  LaravelCounts plans = {}, subscriptions = {}, overrides = {}, transactions = {}, usages = {};
  std::map<std::string, Decimal> cost = {};  // of the usages seen, by currency
  drivers::laravel::Leftovers left = {};
  bool interrupted = false;
};

class LaravelCarrier {
 public:
  enum class Run { write, dry };
  struct Setup {
    Frame& frame;
    drivers::laravel::Database& database;
    const drivers::laravel::ReadOptions& options;
    Run run = Run::write;
  };
  explicit LaravelCarrier(const Setup& setup) : setup_(setup) {}

  [[nodiscard]] Status contracts(store::Store& store);
  [[nodiscard]] Status wallets(store::Store& store);
  [[nodiscard]] Status usages(const Engine& engine);
  // As usages(), asking the store which of them are known and recording none.
  [[nodiscard]] Status look_at_usages(store::Store& store);
  [[nodiscard]] Status overages();
  [[nodiscard]] LaravelReport& report() { return report_; }

 private:
  struct Pending {
    std::int64_t id = 0;
    UsageRecord record = {};
  };
  using Batch = std::map<std::string, std::vector<Pending>>;  // by tenant

  [[nodiscard]] bool dry() const { return setup_.run == Run::dry; }
  [[nodiscard]] bool interrupted();
  [[nodiscard]] const TenantId& tenant() const { return setup_.options.tenant; }
  void leave(std::string_view table, std::int64_t id, std::string why);
  [[nodiscard]] Result<std::map<std::string, Plan>> known_plans(store::Store& store) const;
  [[nodiscard]] Status put_plan(store::Store& store, Plan plan, const Plan* known);
  [[nodiscard]] Status put_plans(store::Store& store, const std::vector<Plan>& plans,
                                 const std::set<std::string>& needed);
  [[nodiscard]] Status close_plans(store::Store& store, const std::vector<Plan>& plans);
  [[nodiscard]] Status put_overrides(store::Store& store,
                                     const drivers::laravel::Contracts& contracts);
  [[nodiscard]] Status carry(store::Store& store, const drivers::laravel::Purse& purse);
  [[nodiscard]] Status step(store::Store& store, const drivers::laravel::Purse& purse,
                            const drivers::laravel::CreditStep& step);
  void note_usage(const drivers::laravel::Used& used);
  void tell_other_tenants();
  [[nodiscard]] Status flush(const Engine& engine, Batch& batch);

  Setup setup_;
  LaravelReport report_;
  std::set<Billable> contracted_;                      // with a subscription, an override, a wallet
  std::set<std::pair<std::string, Billable>> others_;  // of them, with usage in other tenants
};

}  // namespace aimeter::cli
