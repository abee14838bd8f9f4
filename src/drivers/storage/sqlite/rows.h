// Package:       drivers
// Units:         as in store/settlement.h.
// Errors:        corrupt (bytes or names that are not there), and the connection's.
// Thread safety: belongs to one connection, inside one snapshot.
// Ownership:     borrows the connection.
//
// Interned integers back as text, and usage rows back as the settlements that they were. Made for
// one query: what it has looked up once it keeps, and never longer than its snapshot.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drivers/storage/sqlite/connection.h"
#include "drivers/storage/sqlite/names.h"
#include "drivers/storage/sqlite/row.h"

namespace aimeter::drivers::sqlite {

struct StoredRow {
  std::int64_t id = 0, tenant = 0, account = 0, model = 0, feature = 0, currency = 0, user = 0;
  store::Settlement settlement = {};
  std::vector<PinnedBudget> budgets = {};  // as settlement.budgets
};

class Rows {
 public:
  explicit Rows(Connection& connection) : connection_(connection) {}

  [[nodiscard]] Result<std::optional<StoredRow>> read(std::int64_t id);
  [[nodiscard]] Result<std::string> name(std::int64_t id);  // 0: ""
  [[nodiscard]] Result<std::string> tenant(std::int64_t id);
  [[nodiscard]] Result<Account> account(std::int64_t id);
  [[nodiscard]] Result<store::BudgetKey> budget(std::int64_t id);

 private:
  struct Pinned {
    store::Pins pins = {};
    std::vector<PinnedBudget> budgets = {};
  };
  struct Named {
    std::string text = {};
    NameKind kind = NameKind::model;
  };
  [[nodiscard]] Result<const Pinned*> pins(std::int64_t id);
  [[nodiscard]] Result<const Named*> named(std::int64_t id);
  [[nodiscard]] Status fill_budgets(const Pinned& pinned, store::Settlement& settlement);
  [[nodiscard]] Status fill_names(const Query& query, StoredRow& row);
  [[nodiscard]] std::unexpected<Error> damaged(std::string_view what, std::int64_t id) const;

  Connection& connection_;
  boost::unordered_flat_map<std::int64_t, Named> names_;
  boost::unordered_flat_map<std::int64_t, std::string> tenants_;
  boost::unordered_flat_map<std::int64_t, Account> accounts_;
  boost::unordered_flat_map<std::int64_t, store::BudgetKey> budgets_;
  boost::unordered_flat_map<std::int64_t, Pinned> pins_;
};

}  // namespace aimeter::drivers::sqlite
