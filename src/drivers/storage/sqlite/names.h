// Package:       drivers
// Units:         interned integers; 0 = no name.
// Errors:        the connection's.
// Thread safety: belongs to one write connection, used inside its transaction.
// Ownership:     borrows the connection.
//
// Tenants, accounts, names, pins and budgets as integers, given inside the transaction that first
// needs them. The cache keeps what a committed transaction gave; a rolled back one leaves no trace.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "drivers/storage/sqlite/connection.h"
#include "store/settlement.h"

namespace aimeter::drivers::sqlite {

// Stored. A model is interned with its provider: "openai\x1fgpt-4o" (no id holds a control
// character). model_alone and account_part: the name of a budget of that scope.
enum class NameKind : std::uint8_t {
  model = 1,
  feature = 2,
  user = 3,
  api_key = 4,
  session = 5,
  model_alone = 6,
  account_part = 7,
  currency = 9
};
constexpr char kProviderEnd = '\x1f';
[[nodiscard]] NameKind kind_of(BudgetScope scope);
[[nodiscard]] BudgetScope scope_of(NameKind kind);

struct AccountIds {
  std::int64_t tenant = 0, account = 0;
};

struct BudgetIds {
  std::int64_t tenant = 0, account = 0, kind = 0, scope = 0, currency = 0;
  std::int64_t start = 0, end = 0, plan = 0;
  friend bool operator==(const BudgetIds&, const BudgetIds&) = default;
};

constexpr std::size_t kNamesMax = 1U << 20U;  // of one cache; beyond it starts anew

class Names {
 public:
  explicit Names(Connection& connection) : connection_(connection) {}

  // First in each transaction: drops the cache when another program has changed a name.
  [[nodiscard]] Status begin();
  void commit();
  void rollback();
  // For a savepoint: forgets what was learned after its mark.
  struct Mark {
    std::size_t names = 0, budgets = 0;
  };
  [[nodiscard]] Mark mark() const { return {added_.size(), added_budgets_.size()}; }
  void rollback_to(Mark mark);

  [[nodiscard]] Result<std::int64_t> tenant(std::string_view name);
  [[nodiscard]] Result<AccountIds> account(const Account& account);
  [[nodiscard]] Result<std::int64_t> name(std::int64_t tenant, NameKind kind,
                                          std::string_view text);  // "": 0
  [[nodiscard]] Result<std::int64_t> model(std::int64_t tenant, std::string_view provider,
                                           std::string_view model);
  [[nodiscard]] Result<std::int64_t> currency(std::string_view text);
  // `settlement` gives the columns beside the body.
  [[nodiscard]] Result<std::int64_t> pins(std::int64_t tenant, const store::Settlement& settlement,
                                          std::string_view body);
  [[nodiscard]] Result<std::int64_t> budget(const BudgetIds& ids);
  [[nodiscard]] Result<BudgetIds> ids_of(const store::BudgetKey& key);

 private:
  struct HashText {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return base::mix64(text); }
  };
  struct HashBudget {
    std::size_t operator()(const BudgetIds& ids) const;
  };
  template <class Find, class Insert>
  [[nodiscard]] Result<std::int64_t> intern(const Find& find, const Insert& insert);
  void remember(std::int64_t number);
  [[nodiscard]] Result<std::int64_t> any_name(std::int64_t tenant, NameKind kind,
                                              std::string_view text);

  Connection& connection_;
  std::string key_;  // of the look-up under way
  boost::unordered_flat_map<std::string, std::int64_t, HashText, std::equal_to<>> known_;
  boost::unordered_flat_map<BudgetIds, std::int64_t, HashBudget> budgets_;
  std::vector<std::string> added_;
  std::vector<BudgetIds> added_budgets_;
  std::int64_t generation_ = 0;
};

}  // namespace aimeter::drivers::sqlite
