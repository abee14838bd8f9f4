// Hold and settle in memory, two limited budgets: one hot account, and a random one of many.
#include <fmt/format.h>
#include <malloc.h>

#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "bench/process.h"
#include "bench/scenario.h"
#include "budget/book.h"
#include "plans/limits.h"

namespace aimeter::bench {
namespace {

using budget::Amount;
using budget::Book;

constexpr std::int64_t kOperations = 2'000'000;
constexpr std::uint32_t kManyAccounts = 1'000'000;
constexpr Amount kLimit = 1'000'000'000'000'000;
constexpr Amount kHeld = 1'000, kUsed = 900;
constexpr std::uint64_t kCatalogue = 1;
const Period::Span kMarch{
    Instant(std::chrono::sys_days(std::chrono::year(2026) / std::chrono::March / 1)),
    Instant(std::chrono::sys_days(std::chrono::year(2026) / std::chrono::April / 1))};

// Which account is next: the same for ours and the baseline.
class Order {
 public:
  explicit Order(std::uint32_t accounts) : accounts_(accounts) {}
  std::uint32_t next() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return static_cast<std::uint32_t>(((state_ >> 32U) * accounts_) >> 32U);
  }

 private:
  std::uint64_t state_ = 88'172'645'463'325'252;
  std::uint64_t accounts_;
};

// Accounts as an engine has them: terms of their own each, read from a contract.
class HeldBook {
 public:
  explicit HeldBook(std::uint32_t accounts) : uses_(accounts) {
    contract_.plans = {{.id = 1,
                        .name = "bench",
                        .slug = "bench",
                        .monthly_token_limit = Tokens{kLimit},
                        .monthly_cost_limit = Money{kLimit}}};
    for (std::uint32_t i = 0; i < accounts; ++i) add(i);
  }

  Status hold_and_settle(budget::LocalAccount local) {
    const budget::HoldAnswer answer =
        book_.hold(local, {names_, need_, kMarch.start, kCatalogue, budget::Ask::first});
    if (answer.what != budget::HoldAnswer::What::held) {
      return fail(Code::failed_precondition, "the book held nothing");
    }
    const budget::SettledBudgets settled = book_.settle(answer.held, actual_);
    if (settled.parts.size() == 2) return {};
    return fail(Code::corrupt, "the book lost a budget");
  }

  // Counting is not in the time: a random place of another array would cost a miss of the cache.
  void count(budget::LocalAccount local) { ++uses_[local]; }

  // The store has everything, and no account was used for a day: leases go back.
  void rest() {
    for (std::uint32_t i = 0; i < uses_.size(); ++i) {
      const Amount used = uses_[i] * kUsed;
      const std::shared_ptr<const budget::Terms> terms = terms_of(i);
      for (const plans::ConcreteBudget& rule : terms->limits.budgets) {
        const budget::BudgetKey key = budget::key_of(account(i), rule, "");
        const budget::AppliedPart sum{.key = key,
                                      .epoch = book_.epoch(),
                                      .held = used,
                                      .actual = used,
                                      .settlements = uses_[i]};
        const budget::StoreWord word{.key = key, .used = used};
        book_.applied({&sum, 1}, {&word, 1});
      }
    }
    while (!book_.take_idle(kMarch.start + std::chrono::days(1), std::chrono::minutes(10)).empty());
    uses_ = {};
  }

  // Every settlement was counted.
  [[nodiscard]] Status check(budget::LocalAccount local) const {
    const LimitCheck check = book_.check(local, names_, {.requests = 0});
    if (check.used && check.used->count == uses_[local] * kUsed) return {};
    return fail(Code::corrupt, "the book lost a settlement");
  }

 private:
  static Account account(std::uint32_t number) {
    const std::string name = fmt::format("t{:07}", number);
    return {{name}, {"tenant", name}};
  }
  [[nodiscard]] std::shared_ptr<const budget::Terms> terms_of(std::uint32_t number) {
    contract_.subscriptions = {{.id = number + 1,
                                .billable = account(number).billable,
                                .plan = "bench",
                                .started_at = kMarch.start - std::chrono::days(1)}};
    auto terms = std::make_shared<budget::Terms>();
    terms->limits = plans::effective_limits(contract_, {}, kMarch.start);
    terms->catalogue = kCatalogue;
    return terms;
  }
  void add(std::uint32_t number) {
    const Account who = account(number);
    const budget::LocalAccount local = book_.local(who);
    AIMETER_ASSERT(local == number);  // dense
    const std::shared_ptr<const budget::Terms> terms = terms_of(number);
    book_.set_terms(local, terms);
    for (const plans::ConcreteBudget& rule : terms->limits.budgets) {
      book_.hear(local, {.key = budget::key_of(who, rule, ""), .granted = kLimit});
    }
  }

  Book book_{budget::BookOptions{}};
  plans::Contract contract_ = {};
  std::vector<std::uint32_t> uses_;
  const budget::Names names_ = {};
  const budget::Need need_{.tokens = kHeld, .cost_nanos = kHeld};
  const budget::Actual actual_{.tokens = kUsed, .cost_nanos = kUsed};
};

Result<double> ns_of_book(HeldBook& book, std::uint32_t accounts) {
  Order order(accounts);
  const CpuWatch watch;
  for (std::int64_t i = 0; i < kOperations; ++i) {
    AIMETER_CHECK_OK(book.hold_and_settle(order.next()));
  }
  const double ns = watch.seconds() * 1e9 / kOperations;
  Order again(accounts);
  for (std::int64_t i = 0; i < kOperations; ++i) book.count(again.next());
  AIMETER_CHECK_OK(book.check(0));
  return ns;
}

struct Cell {
  std::atomic<Amount> free = kLimit, used = 0;

  bool take() {
    Amount left = free.load(std::memory_order_relaxed);
    while (left >= kHeld) {
      if (free.compare_exchange_weak(left, left - kHeld)) return true;
    }
    return false;
  }
  void settle() {
    used.fetch_add(kUsed);
    free.fetch_add(kHeld - kUsed);
  }
};
using Cells = std::array<Cell, 2>;  // the two budgets of one account

Result<double> ns_of_array(std::uint32_t accounts) {
  std::vector<Cells> all(accounts);
  Order order(accounts);
  const CpuWatch watch;
  for (std::int64_t i = 0; i < kOperations; ++i) {
    auto& [tokens, cost] = all[order.next()];
    if (!tokens.take()) return fail(Code::quota_exceeded, "the array is empty");
    if (!cost.take()) {
      tokens.free.fetch_add(kHeld);
      return fail(Code::quota_exceeded, "the array is empty");
    }
    tokens.settle();
    cost.settle();
  }
  const double ns = watch.seconds() * 1e9 / kOperations;
  Amount used = 0;
  for (const Cells& cells : all) used += cells[0].used.load();
  if (used != kOperations * kUsed) return fail(Code::corrupt, "the array lost a settlement");
  return ns;
}

Figure figure(double ours, double baseline) {
  return {.ours = ours,
          .baseline_value = baseline,
          .unit = "ns per hold and settle",
          .baseline = "an array of two pairs of atomics an account, taken with a CAS loop"};
}

}  // namespace

Result<Figure> hold_hot() {
  AIMETER_TRY(const double baseline, ns_of_array(1));
  HeldBook book(1);
  AIMETER_TRY(const double ours, ns_of_book(book, 1));
  return figure(ours, baseline);
}

Result<Figure> hold_random() {
  AIMETER_TRY(const double baseline, ns_of_array(kManyAccounts));
  malloc_trim(0);
  const std::int64_t before = heap_bytes();
  HeldBook book(kManyAccounts);
  for (std::uint32_t i = 0; i < kManyAccounts; ++i) {
    AIMETER_CHECK_OK(book.hold_and_settle(i));
    book.count(i);
  }
  const auto per_account = [&] {
    return static_cast<double>(heap_bytes() - before) / kManyAccounts;
  };
  const double in_use = per_account() - sizeof(std::uint32_t);  // the counts of uses are ours
  AIMETER_TRY(const double ours, ns_of_book(book, kManyAccounts));
  book.rest();
  Figure random = figure(ours, baseline);
  random.further = {{"bytes_per_idle_account", per_account()},
                    {"bytes_per_account_in_use", in_use}};
  return random;
}

}  // namespace aimeter::bench
