// Package:       store
// Units:         amounts as in settlement.h
// Errors:        none: what cannot be written is dead.
// Thread safety: none: MemoryStore's mutex guards the state.
// Ownership:     a Batch borrows the state.
//
// One batch of settlements. Each is drafted on copies of what it touches, and written only when the
// whole draft fits: a settlement is applied, or dead and counted with its hold, never half.
#pragma once

#include <map>
#include <optional>

#include "store/memory_overage.h"
#include "store/memory_state.h"

namespace aimeter::store::memory {

class Batch {
 public:
  Batch(State& state, EngineId engine, Instant now) : state_(state), engine_(engine), now_(now) {}

  void take(const Settlement& given);
  [[nodiscard]] Applied finish(Seq last);  // limits, thresholds, the engine's last seq

 private:
  struct Draft {
    Settlement row = {};
    std::map<BudgetKey, Budget> budgets = {};
    std::map<LeaseKey, Lease> leases = {};
    std::optional<RollupRow> cell = {};
    std::optional<Left> left = {};     // of the usage that it adjusts
    std::vector<Amount> covered = {};  // of each part, by its lease
    OverageDraft overage = {};
    Counts counts = Counts::as_pinned;
    bool ends_hold = false, late = false;
  };
  struct Repeat {
    bool yes = false;
    std::int64_t original = 0;
  };

  void detach(const Settlement& given);
  [[nodiscard]] Repeat repeat_of(const Settlement& given) const;
  [[nodiscard]] Result<Draft> draft(const Settlement& row) const;
  [[nodiscard]] Status draft_parts(Draft& draft) const;
  [[nodiscard]] Status draft_left(Draft& draft) const;
  [[nodiscard]] Status draft_cell(Draft& draft) const;
  [[nodiscard]] Budget& budget_in(Draft& draft, const BudgetKey& key) const;
  [[nodiscard]] Amount give_up(Draft& draft, const BudgetPart& part) const;
  [[nodiscard]] Status draft_overage(Draft& draft, const BudgetPart& part, Budget& budget) const;
  void write(const Draft& draft);
  void pay(const Draft& draft, std::int64_t id);
  void write_row(const Draft& draft);
  void bury(const Settlement& given, const std::string& reason);
  void take_keys(const Settlement& row, std::int64_t id);
  void take_token(const Settlement& row, std::int64_t id);
  [[nodiscard]] bool hold_is_over(const Settlement& row) const;
  void note(const Settlement& row);  // the limits that it names

  State& state_;
  EngineId engine_;
  Instant now_;
  std::map<BudgetKey, std::optional<Naming>> touched_ = {};
  std::vector<Outcome> odd_ = {};
  std::vector<CreditMove> credits_ = {};
  std::vector<OverageLine> overages_ = {};
};

}  // namespace aimeter::store::memory
