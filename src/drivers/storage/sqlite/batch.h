// Package:       drivers
// Units:         amounts as in store/settlement.h.
// Errors:        the connection's; an error that one row breaks is left in was_row_error().
// Thread safety: belongs to the apply lane, inside one transaction.
// Ownership:     borrows the lane and the settlements.
//
// One batch of settlements: counted in memory, one by one in their order, then written sorted, each
// counter, lease and roll-up once. What a counter refuses (a sum out of range, an adjustment that
// takes too much) is dead at once; what the database refuses fails write(), and the caller bisects.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drivers/storage/sqlite/lane.h"
#include "drivers/storage/sqlite/purses.h"
#include "drivers/storage/sqlite/row.h"
#include "store/bound.h"
#include "store/store.h"

namespace aimeter::drivers::sqlite {

// What a batch did, for the caller of apply(). Budgets by their number.
struct BatchResult {
  std::vector<store::BudgetState> budgets = {};
  std::vector<store::Outcome> odd = {};
  std::vector<store::Crossed> crossed = {};
  std::vector<store::CreditMove> credits = {};
  std::vector<store::OverageLine> overages = {};
};

class Batch {
 public:
  Batch(Lane& lane, store::EngineId engine, Instant now)
      : lane_(lane),
        connection_(*lane.connection),
        engine_(engine),
        now_(now),
        purses_(connection_, now) {}

  [[nodiscard]] Status take(std::span<const store::Settlement> settlements);
  // Buries it instead: the database refused it for `reason`.
  [[nodiscard]] Status take_dead(const store::Settlement& settlement, const std::string& reason);
  [[nodiscard]] Status write();
  [[nodiscard]] BatchResult result();

 private:
  struct Line {
    const store::Settlement* given = nullptr;
    std::int64_t id = 0, tenant = 0, account = 0;
    std::uint32_t flags = 0;
    bool repeat = false;
    std::int64_t original = 0;
    std::uint32_t first_part = 0;  // of parts_
  };
  struct Counter {
    std::int64_t budget = 0, tenant = 0;
    const store::BudgetKey* key = nullptr;
    store::BudgetState state = {};  // without its key
    std::uint8_t told = 0, told_before = 0;
    bool touched = false;  // a settlement counted in it, or moved a part of its lease
    std::optional<store::Naming> named = {};
  };
  static constexpr std::uint32_t kNoCounter = ~std::uint32_t{0};  // of another account: not counted
  struct LeaseId {
    std::uint64_t engine = 0;
    std::int64_t budget = 0;
    auto operator<=>(const LeaseId&) const = default;
  };
  struct Lease {
    std::uint64_t epoch = 0;
    store::Amount leased = 0, before = 0;
  };
  struct HashLease {
    std::size_t operator()(const LeaseId& id) const {
      return id.engine * 0x9e3779b97f4a7c15ULL + static_cast<std::uint64_t>(id.budget);
    }
  };
  struct Cell {
    std::int64_t tenant = 0, bucket = 0, account = 0, model = 0, feature = 0, currency = 0;
    auto operator<=>(const Cell&) const = default;
  };
  struct Sums {
    std::int64_t calls = 0, input = 0, cached = 0, output = 0, cost = 0;
    std::int64_t estimated = 0, provisional = 0;
  };
  struct HashCell {
    std::size_t operator()(const Cell& cell) const {
      return base::mix64({reinterpret_cast<const char*>(&cell), sizeof cell});
    }
  };
  struct IndexEntry {
    std::int64_t tenant = 0, account = 0, occurred_at = 0, id = 0;
    auto operator<=>(const IndexEntry&) const = default;
  };
  struct Undo {  // what one settlement has changed so far
    std::vector<std::pair<std::uint32_t, store::BudgetState>> counters = {};
    std::vector<std::pair<LeaseId, Lease>> leases = {};
  };
  struct WalletPart {  // of the settlement under way
    std::uint32_t counter = 0;
    store::Amount actual = 0, covered = 0;
  };
  struct Hold {  // a row of ai_holds
    base::Key16 key = {};
    bool there = false;
    std::vector<BudgetAmount> parts = {};
  };

  // batch.cpp: what each settlement counts
  [[nodiscard]] Status resolve(const store::Settlement& given, Line& line);
  [[nodiscard]] Result<std::uint32_t> counter_of(std::int64_t budget, std::int64_t tenant,
                                                 const store::BudgetKey* key);
  [[nodiscard]] Result<Lease*> lease_of(const LeaseId& id);
  [[nodiscard]] Status enter_keys(std::span<Line> lines);
  [[nodiscard]] Status take_one(Line& line);
  [[nodiscard]] Result<bool> count(const Line& line, const store::Settlement& row, bool& late);
  [[nodiscard]] Result<store::Amount> give_up(const store::Settlement& row,
                                              const store::BudgetPart& part, std::int64_t budget);
  void undo();
  [[nodiscard]] Status row_of(const Line& line, const store::Settlement& row);
  void note(const Line& line);
  [[nodiscard]] Status bury(const Line& line, const std::string& reason);

  // detached.cpp: holds that live in the store, and adjustments
  [[nodiscard]] bool is_slow(const store::Settlement& given) const;
  [[nodiscard]] Status find_repeat(Line& line);
  [[nodiscard]] Status find_hold(const store::Settlement& row);
  [[nodiscard]] Status detach(Line& line);
  [[nodiscard]] Status check_left(const Line& line, std::string& reason);
  [[nodiscard]] Status keep_key(const Line& line, std::int64_t ref);
  [[nodiscard]] Status keep_token(const store::Settlement& row, std::int64_t ref);

  // batch_write.cpp
  [[nodiscard]] Status write_rows();
  [[nodiscard]] Status write_index();
  [[nodiscard]] Status write_rollups();
  [[nodiscard]] Status write_leases();
  [[nodiscard]] Status write_counters();
  [[nodiscard]] Status tell(const Counter& counter, std::uint8_t crossed);

  // batch_wallets.cpp
  [[nodiscard]] Status pay(const Line& line, const store::Settlement& row);
  [[nodiscard]] Status pay_part(const Line& line, const store::Settlement& row,
                                const WalletPart& part);
  // -> the number of the transaction; `move` without its balance.
  [[nodiscard]] Result<std::int64_t> move_wallet(const WalletId& id, const store::Settlement& row,
                                                 const WalletPart& part, WalletMove move);
  [[nodiscard]] Result<store::Amount> given_twice(const store::Settlement& row,
                                                  const WalletPart& part);
  // batch_overage.cpp
  [[nodiscard]] Status step_overage(const Line& line, const store::Settlement& row,
                                    const store::BudgetPart& part, Counter& counter);
  [[nodiscard]] Status write_overage(const Counter& counter);

  Lane& lane_;
  Connection& connection_;
  store::EngineId engine_;
  Instant now_;
  Purses purses_;
  std::vector<WalletPart> wallet_parts_;
  std::vector<store::CreditMove> credits_;

  std::vector<Line> lines_;
  std::vector<std::uint32_t> parts_;  // counters of the lines' budgets, in their order
  std::vector<Counter> counters_;
  boost::unordered_flat_map<std::int64_t, std::uint32_t> counter_index_;
  boost::unordered_flat_map<LeaseId, Lease, HashLease> leases_;
  boost::unordered_flat_map<Cell, Sums, HashCell> cells_;
  std::vector<IndexEntry> index_;
  Undo undo_;
  Hold hold_;  // of the settlement under way
  bool hold_over_ = false, token_seen_ = false, hold_released_ = false;
  std::int64_t detached_ = 0;
  std::string pins_, extra_;
  std::vector<std::int64_t> budget_numbers_;
  struct PendingRow {
    std::int64_t id = 0, tenant = 0, account = 0, occurred_at = 0, model = 0, feature = 0;
    std::int64_t user = 0, input = 0, cached = 0, output = 0, cost = 0, currency = 0, pins = 0;
    std::int64_t ref = 0;
    std::uint32_t flags = 0, extra_at = 0, extra_size = 0;
    const base::Key16* key = nullptr;
  };
  std::vector<PendingRow> rows_;
  std::string extras_;
  std::vector<store::Outcome> odd_;
  std::vector<store::Crossed> crossed_;
  std::vector<store::OverageLine> overages_;
  store::Counts counts_ = store::Counts::as_pinned;  // of the settlement under way
};

}  // namespace aimeter::drivers::sqlite
