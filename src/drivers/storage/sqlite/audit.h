// Package:       drivers
// Units:         amounts as in store/settlement.h.
// Errors:        unavailable ("interrupted", and the connection's); damage is a finding.
// Thread safety: belongs to one read snapshot.
// Ownership:     borrows the connection.
//
// Counts everything again from the rows and compares it with what was counted when they came. Each
// finding names its check, its place and both numbers.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "drivers/storage/sqlite/keys.h"
#include "drivers/storage/sqlite/rows.h"
#include "store/store.h"

namespace aimeter::drivers::sqlite {

constexpr std::size_t kFindingsMax = 10'000;

class Audit {
 public:
  Audit(Connection& connection, const store::Progress& progress, Instant now)
      : connection_(connection),
        progress_(progress),
        now_(now),
        names_(connection),
        keys_(connection) {}
  // Runs every check. Damage that stops one of them is its finding; the others go on.
  [[nodiscard]] Result<store::Verified> run();

 private:
  __extension__ using Wide = __int128;
  struct CellKey {
    std::int64_t tenant = 0, bucket = 0, account = 0, model = 0, feature = 0, currency = 0;
    friend bool operator==(const CellKey&, const CellKey&) = default;
  };
  struct HashCell {
    std::size_t operator()(const CellKey& key) const {
      return base::mix64({reinterpret_cast<const char*>(&key), sizeof key});
    }
  };
  struct Sums {
    Wide calls = 0, input = 0, cached = 0, output = 0, cost = 0, estimated = 0, provisional = 0;
    friend bool operator==(const Sums&, const Sums&) = default;
    void add(const Sums& other);
  };
  struct AccountCurrency {
    std::int64_t tenant = 0, account = 0, currency = 0;
    auto operator<=>(const AccountCurrency&) const = default;
  };
  struct Sealed {
    std::int64_t starts = 0, ends = 0;
  };

  // audit.cpp
  [[nodiscard]] Status integrity();
  [[nodiscard]] Status rows();
  [[nodiscard]] Status one_row(const Query& query);
  [[nodiscard]] Status dead();
  [[nodiscard]] Status seals();
  [[nodiscard]] Status counters();
  [[nodiscard]] Status leases();
  [[nodiscard]] Status engines();
  // audit_credits.cpp
  struct Ledger {
    Wide balance = 0;
    std::int64_t transactions = 0;
  };
  [[nodiscard]] Status transactions();
  [[nodiscard]] Status wallets();
  [[nodiscard]] std::string place_of_wallet(std::int64_t wallet);
  [[nodiscard]] Status overages();  // audit_overages.cpp
  // audit_cells.cpp
  [[nodiscard]] Status rollups();
  [[nodiscard]] Status key_of_row(std::int64_t id, const base::Key16& key);
  [[nodiscard]] Status keys();
  [[nodiscard]] Status one_key(std::int64_t table, const base::Key16& key, std::int64_t ref);
  [[nodiscard]] Result<bool> is_key_of(std::int64_t row, const base::Key16& key);
  [[nodiscard]] bool is_sealed(std::int64_t account, std::int64_t bucket) const;
  [[nodiscard]] std::string place_of(const CellKey& key);

  void find(std::string check, std::string where, std::string message);
  [[nodiscard]] std::string place_of_budget(std::int64_t budget);
  [[nodiscard]] Result<const std::vector<PinnedBudget>*> budgets_of(std::int64_t pins);

  Connection& connection_;
  const store::Progress& progress_;
  Instant now_;
  Rows names_;
  Keys keys_;
  store::Verified verified_ = {};
  std::int64_t total_ = 0;
  boost::unordered_flat_map<std::int64_t, Wide> counted_;  // by budget
  boost::unordered_flat_map<std::int64_t, std::vector<PinnedBudget>> pins_;
  boost::unordered_flat_map<CellKey, Sums, HashCell> cells_;
  std::map<AccountCurrency, Sums> sealed_;
  std::map<std::int64_t, std::vector<Sealed>> sealed_periods_;                // by account
  std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> sealed_ids_;  // by engine
  std::map<std::int64_t, std::int64_t> seen_;  // settlements, by engine
  std::map<std::int64_t, Ledger> ledgers_;     // by wallet
  store::Settlement scratch_ = {};
};

}  // namespace aimeter::drivers::sqlite
