// Package:       drivers
// Units:         Tokens, Money to the nano-unit, Instant in UTC; ids as the reference has them.
// Errors:        invalid_argument: no database of the reference, or a cell that cannot be read
//                (file, table, row, column, value, what is accepted); corrupt, unavailable.
// Thread safety: belongs to one thread.
// Ownership:     a Database owns its file; values are returned by value.
//
// A database of the package ajooda/laravel-ai-metering as values of ours. What cannot be read is an
// error; what has no place here is left over, with its reason. Nothing is priced, nothing rounded.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "aimeter/plan.h"
#include "aimeter/usage.h"
#include "aimeter/wallet.h"
#include "drivers/laravel_table.h"

namespace aimeter::drivers::laravel {

// What could not be carried, or not as it was.
struct Leftover {
  // by_rule: as documented, such as rows that were deleted there. attention: somebody should look.
  enum class Kind : std::uint8_t { by_rule, attention };
  std::string table = {}, id = {}, why = {};  // id: of the row; "" the table itself
  Kind kind = Kind::by_rule;
  friend bool operator==(const Leftover&, const Leftover&) = default;
};
using Leftovers = std::vector<Leftover>;

struct ReadOptions {
  TenantId tenant = {};                           // of what names none
  std::string zone = "UTC";                       // of the application's timestamps
  std::string currency = "usd";                   // of limits of cost, which name none there
  std::map<std::string, std::string> types = {};  // class -> billable type, by hand
};

struct Contracts {
  std::vector<Plan> plans = {};
  struct Contract {
    std::int64_t id = 0;
    Subscription subscription = {};
  };
  std::vector<Contract> subscriptions = {};
  struct Override {
    std::int64_t id = 0;
    UsageLimitOverride limits = {};
  };
  std::vector<Override> overrides = {};
};
// Where a subscription remembers its id in the reference.
constexpr const char* kSubscriptionMeta = "laravel_subscription_id";

struct CreditStep {  // one change of a wallet here
  std::string key = {};
  Direction direction = Direction::credit;
  Money amount = {};  // more than 0
  std::string reason = {};
  Meta meta = {};
};
struct Purse {
  std::int64_t id = 0;
  Billable billable = {};
  std::string currency = {};
  std::vector<CreditStep> steps = {};  // in an order in which no balance falls below zero
};

struct Used {
  std::int64_t id = 0;
  UsageRecord record = {};  // its account has the tenant
};

class Database {
 public:
  [[nodiscard]] static Result<Database> open(const std::string& path);
  // Reads every cell of every table: whether carrying it would meet an error.
  [[nodiscard]] Status check(const ReadOptions& options);

  // Tables that are missing, columns that nobody knows here.
  [[nodiscard]] const Leftovers& unknown() const { return unknown_; }
  [[nodiscard]] Result<Contracts> contracts(const ReadOptions& options, Leftovers& left);
  [[nodiscard]] Status purses(const ReadOptions& options, Leftovers& left,
                              const std::function<Status(Purse)>& each);
  [[nodiscard]] Status usages(const ReadOptions& options, Leftovers& left,
                              const std::function<Status(Used)>& each);
  // Every line of overage, charged there or not: none is ever charged here.
  [[nodiscard]] Status overages(const ReadOptions& options, Leftovers& left);

 private:
  explicit Database(std::unique_ptr<File> file) : file_(std::move(file)) {}
  [[nodiscard]] Status look();
  [[nodiscard]] Status look_at(const File::Rows& rows);
  [[nodiscard]] Status name_types(const ReadOptions& options);
  // Billables by class; nothing where the row names none.
  [[nodiscard]] Result<std::optional<Billable>> billable(const Cells& cells) const;
  [[nodiscard]] bool has(std::string_view table) const;
  [[nodiscard]] Result<std::map<std::int64_t, Plan>> all_plans(const ReadOptions& options,
                                                               std::vector<std::int64_t>& deleted,
                                                               Leftovers& left);
  [[nodiscard]] Status subscriptions(const ReadOptions& options,
                                     const std::map<std::int64_t, Plan>& plans, Contracts& into,
                                     Leftovers& left);
  [[nodiscard]] Status overrides(const ReadOptions& options, Contracts& into, Leftovers& left);

  std::unique_ptr<File> file_;
  std::vector<std::string> tables_;
  Leftovers unknown_;
  std::map<std::string, std::string> types_;
};

// The order of a wallet's changes in which no balance falls below zero: a debit that does not fit
// waits for the next credit. What never fits is left over, and as much of it as fits is taken.
// `balance`: what the wallet has there; what its changes do not explain is a last change.
[[nodiscard]] std::vector<CreditStep> in_order(std::vector<CreditStep> steps, const Purse& purse,
                                               const Money& balance, Leftovers& left);

// The fields of a JSON object as metadata: texts as they are, other values as JSON. Errors say why
// it cannot be kept.
[[nodiscard]] Result<Meta> meta_of(std::string_view json);
// "App\Models\User" -> "user". Two classes of one type: an error that names both, unless `given`
// names the type of each.
[[nodiscard]] Result<std::map<std::string, std::string>> types_of(
    const std::vector<std::string>& classes, const std::map<std::string, std::string>& given);

}  // namespace aimeter::drivers::laravel
