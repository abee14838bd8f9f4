// Hold and settle of one hot account with two limited budgets, in memory.
#include <array>
#include <atomic>
#include <memory>
#include <utility>

#include "bench/scenario.h"
#include "budget/book.h"

namespace aimeter::bench {
namespace {

using budget::Amount;
using budget::Book;

constexpr std::int64_t kOperations = 2'000'000;
constexpr Amount kLimit = 1'000'000'000'000'000;
constexpr Amount kHeld = 1'000, kUsed = 900;
const Period::Span kMarch{
    Instant(std::chrono::sys_days(std::chrono::year(2026) / std::chrono::March / 1)),
    Instant(std::chrono::sys_days(std::chrono::year(2026) / std::chrono::April / 1))};

Result<double> ns_of_book() {
  Book book{budget::BookOptions{}};
  const Account account{{"acme"}, {"tenant", "acme"}};
  const budget::LocalAccount local = book.local(account);
  auto terms = std::make_shared<budget::Terms>();
  terms->limits.budgets = {{.kind = BudgetKind::tokens, .span = kMarch, .limit = kLimit},
                           {.kind = BudgetKind::cost, .span = kMarch, .limit = kLimit}};
  terms->limits.valid = kMarch;
  terms->catalogue = 1;
  book.set_terms(local, terms);
  for (const plans::ConcreteBudget& rule : terms->limits.budgets) {
    book.hear(local, {.key = budget::key_of(account, rule, ""), .granted = kLimit});
  }
  const budget::Names names;
  const budget::Need need{.tokens = kHeld, .cost_nanos = kHeld};
  const budget::Actual actual{.tokens = kUsed, .cost_nanos = kUsed};
  const Stopwatch watch;
  for (std::int64_t i = 0; i < kOperations; ++i) {
    const budget::HoldAnswer answer =
        book.hold(local, {names, need, kMarch.start, terms->catalogue, budget::Ask::first});
    if (answer.what != budget::HoldAnswer::What::held) {
      return fail(Code::failed_precondition, "the book held nothing");
    }
    const budget::SettledBudgets settled = book.settle(answer.held, names, actual);
    if (settled.check.used->count != (i + 1) * kUsed) {
      return fail(Code::corrupt, "the book lost a settlement");
    }
  }
  return watch.seconds() * 1e9 / kOperations;
}

struct Cell {
  std::atomic<Amount> free = kLimit, used = 0;
};

bool take(Cell& cell, Amount amount) {
  Amount free = cell.free.load(std::memory_order_relaxed);
  while (free >= amount) {
    if (cell.free.compare_exchange_weak(free, free - amount)) return true;
  }
  return false;
}

void settle(Cell& cell) {
  cell.used.fetch_add(kUsed);
  cell.free.fetch_add(kHeld - kUsed);
}

Result<double> ns_of_array() {
  std::array<Cell, 2> cells;
  const Stopwatch watch;
  for (std::int64_t i = 0; i < kOperations; ++i) {
    if (!take(cells[0], kHeld)) return fail(Code::quota_exceeded, "the array is empty");
    if (!take(cells[1], kHeld)) {
      cells[0].free.fetch_add(kHeld);
      return fail(Code::quota_exceeded, "the array is empty");
    }
    settle(cells[0]);
    settle(cells[1]);
    if (cells[0].used.load() != (i + 1) * kUsed) return fail(Code::corrupt, "a use was lost");
  }
  return watch.seconds() * 1e9 / kOperations;
}

}  // namespace

Result<Figure> hold_hot() {
  AIMETER_TRY(const double baseline, ns_of_array());
  AIMETER_TRY(const double ours, ns_of_book());
  return Figure{.ours = ours,
                .baseline_value = baseline,
                .unit = "ns per hold and settle",
                .baseline = "an array of two pairs of atomics, taken with a CAS loop"};
}

}  // namespace aimeter::bench
