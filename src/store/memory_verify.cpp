#include <fmt/format.h>

#include "store/memory_maintenance.h"
#include "store/memory_wallets.h"

namespace aimeter::store::memory {
namespace {

__extension__ using Wide = __int128;

std::string where_of(const BudgetKey& key) {
  return fmt::format("tenant \"{}\", {} {}, {} {}, {}", key.account.tenant.text,
                     key.account.billable.type, key.account.billable.id, name_of(key.scope),
                     name_of(key.kind), aimeter::text_of(key.span.start));
}

class Audit {
 public:
  explicit Audit(const State& state) : state_(state) {}

  [[nodiscard]] Status rows(const Progress& progress);
  void counters();
  void leases();
  void rollups();
  void engines();
  void keys();
  void wallets() { verify_wallets(state_, verified_.findings); }
  void overages();
  [[nodiscard]] Verified verified() { return std::move(verified_); }

 private:
  void find(std::string check, std::string where, std::string message) {
    verified_.findings.push_back({std::move(check), std::move(where), std::move(message)});
  }

  const State& state_;
  Verified verified_ = {};
  std::map<BudgetKey, Wide> counted_ = {};
  std::map<RollupKey, RollupRow> cells_ = {};
  std::map<EngineId, Seq> seen_ = {};
  std::map<base::Key16, std::int64_t> keyed_ = {};
};

Status Audit::rows(const Progress& progress) {
  const auto total = static_cast<std::int64_t>(state_.rows.size());
  for (const auto& [id, row] : state_.rows) {
    const Settlement& settlement = row.settlement;
    if (progress && !progress(verified_.rows, total)) {
      return fail(Code::unavailable, "interrupted");
    }
    verified_.rows += 1;
    seen_[static_cast<EngineId>(id) >> kSeqBits] += 1;
    for (const BudgetPart& part : settlement.budgets) counted_[part.key] += part.actual;
    if ((settlement.flags & kDuplicate) != 0) continue;
    const RollupRow cell = cell_of(settlement);
    const auto [sum, fresh] = cells_.try_emplace(key_of(cell), cell);
    if (!fresh && !add_to(sum->second, cell)) find("roll-ups = rows", "", "out of range");
    if (settlement.key && !keyed_.try_emplace(settlement.key->key, id).second) {
      find("keys unique", fmt::format("row {}", id), "its key has another row");
    }
  }
  for (const auto& [id, dead] : state_.dead) {
    seen_[dead.engine] += 1;
    for (const LeaseBack& part : dead.counted) counted_[part.key] += part.amount;
  }
  return {};
}

void Audit::counters() {
  for (const auto& [key, seal] : state_.seals) counted_[key] += seal.sum;
  for (const auto& [key, budget] : state_.budgets) {
    verified_.budgets += 1;
    const Wide counted = counted_[key];
    if (counted != budget.state.used) {
      find("rows = counters", where_of(key),
           fmt::format("used is {}, rows, dead and seals have {}", budget.state.used, counted));
    }
    if (!in_bound(budget.state)) {
      find("bound", where_of(key),
           fmt::format("used {} and leased {} are above limit {}", budget.state.used,
                       budget.state.leased, *budget.state.limit));
    }
  }
  for (const auto& [key, counted] : counted_) {
    if (counted != 0 && !state_.budgets.contains(key)) {
      find("rows = counters", where_of(key), "there is no counter");
    }
  }
}

void Audit::leases() {
  std::map<BudgetKey, Wide> leased;
  for (const auto& [key, lease] : state_.leases) leased[key.budget] += lease.leased;
  for (const auto& [token, hold] : state_.holds) {
    for (const LeaseBack& part : hold.parts) leased[part.key] += part.amount;
  }
  for (const auto& [key, budget] : state_.budgets) {
    if (leased[key] == budget.state.leased) continue;
    find("leases = leased", where_of(key),
         fmt::format("leased is {}, leases and holds have {}", budget.state.leased, leased[key]));
  }
}

void Audit::rollups() {
  for (const auto& [key, sealed] : state_.sealed) {
    const auto [sum, fresh] = cells_.try_emplace(key, sealed);
    if (!fresh && !add_to(sum->second, sealed)) find("seals", "", "out of range");
  }
  const auto same = [](const RollupRow& a, const RollupRow& b) {
    return a.calls == b.calls && a.input_tokens == b.input_tokens &&
           a.cached_input_tokens == b.cached_input_tokens && a.output_tokens == b.output_tokens &&
           a.estimated == b.estimated && a.provisional == b.provisional &&
           a.cost_nanos == b.cost_nanos;
  };
  for (const auto& [key, cell] : state_.rollups) {
    const auto counted = cells_.find(key);
    const RollupRow none;
    if (same(cell, counted == cells_.end() ? none : counted->second)) continue;
    find("roll-ups = rows",
         fmt::format("tenant \"{}\", {}", cell.account.tenant.text, aimeter::text_of(cell.bucket)),
         fmt::format("the roll-up has {} calls", cell.calls));
  }
  if (cells_.size() > state_.rollups.size()) {
    find("roll-ups = rows", "", "rows without a roll-up");
  }
}

void Audit::engines() {
  for (const auto& [id, engine] : state_.engines) {
    verified_.engines += 1;
    const Seq there = seen_[id] + static_cast<Seq>(engine.rowless);
    if (there == engine.last_seq) continue;
    find("gapless", fmt::format("engine {}", id),
         fmt::format("last seq is {}, rows, dead and rowless are {}", engine.last_seq, there));
  }
}

void Audit::keys() {
  for (const auto& [key, row] : keyed_) {
    const auto seen = state_.keys.find(key);
    if (seen != state_.keys.end() && seen->second.row == row) continue;
    find("keys unique", fmt::format("row {}", row), "its key is not known");
  }
}

void Audit::overages() {
  struct Sums {
    Wide amount = 0, remaining = 0, cost = 0, exact = billing::kMillion / 2;
  };
  std::map<BudgetKey, Sums> sums;
  for (const auto& [id, line] : state_.overages) {
    Sums& sum = sums[line.budget];
    sum.amount += line.amount;
    sum.remaining += line.remaining;
    sum.cost += line.cost_nanos;
    sum.exact += Wide{line.remaining} * line.price.nanos_per_million;
  }
  for (const auto& [key, budget] : state_.budgets) {
    const billing::OverageState& overage = budget.state.overage;
    const Sums sum = sums[key];
    for (std::string& problem : problems_of({.amount = sum.amount,
                                             .remaining = sum.remaining,
                                             .cost_nanos = sum.cost,
                                             .exact = sum.exact,
                                             .used = budget.state.used},
                                            overage)) {
      find("lines = overage", where_of(key), std::move(problem));
    }
  }
}

}  // namespace

Result<Verified> verify(const State& state, const Progress& progress) {
  Audit audit(state);
  AIMETER_CHECK_OK(audit.rows(progress));
  audit.counters();
  audit.leases();
  audit.wallets();
  audit.rollups();
  audit.engines();
  audit.keys();
  audit.overages();
  return audit.verified();
}

}  // namespace aimeter::store::memory
