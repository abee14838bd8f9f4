// Package:       budget
// Units:         as in book.h
// Errors:        none
// Thread safety: guarded by its own spinlock.
// Ownership:     the Book's table owns its entries; they live as long as the Book.
//
// One account in this engine: its terms, its counters, and where each budget of the terms is
// counted.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "budget/counter.h"

namespace aimeter::budget {

struct Book::Entry {
  mutable base::SpinLock lock;
  Account account AIMETER_GUARDED_BY(lock);
  std::shared_ptr<const Terms> terms AIMETER_GUARDED_BY(lock);
  std::vector<Counter> counters AIMETER_GUARDED_BY(lock);  // never shrinks; freed ones are reused
  std::vector<std::uint32_t> unused AIMETER_GUARDED_BY(lock);
  // Of each budget in terms->limits.budgets: name -> counter.
  std::vector<boost::unordered_flat_map<std::string, std::uint32_t>> places
      AIMETER_GUARDED_BY(lock);

  std::int64_t approaching_hundredths = 8'000;

  static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};
  [[nodiscard]] bool stale(Instant now, std::uint64_t catalogue) const AIMETER_REQUIRES(lock) {
    return !terms || terms->catalogue != catalogue || !terms->limits.valid.contains(now);
  }
  [[nodiscard]] BudgetKey key(const Counter& counter) const AIMETER_REQUIRES(lock);
  [[nodiscard]] std::uint32_t find(const BudgetKey& budget_key) const AIMETER_REQUIRES(lock);
  [[nodiscard]] std::uint32_t place(std::size_t budget, std::string_view name) const
      AIMETER_REQUIRES(lock);
  // Where each budget that `names` touch is counted; those that are not known go into `unknown`.
  void places_of(const Names& names, std::vector<std::uint32_t>& known,
                 std::vector<BudgetKey>& unknown) const AIMETER_REQUIRES(lock);
  void adopt(std::shared_ptr<const Terms> newest) AIMETER_REQUIRES(lock);
  std::uint32_t add(const BudgetKey& budget_key, std::uint32_t epoch) AIMETER_REQUIRES(lock);
  void drop_if_done(std::uint32_t index) AIMETER_REQUIRES(lock);
  // Fills a refusal by `counter`.
  void refuse(Counter& counter, const Need& need, HoldAnswer& answer) const AIMETER_REQUIRES(lock);
  [[nodiscard]] LimitCheck check(const Names& names, const Need& requested) const
      AIMETER_REQUIRES(lock);
  [[nodiscard]] std::shared_ptr<const Refusal> refusal(const Counter& counter, Amount need,
                                                       bool first) const AIMETER_REQUIRES(lock);
};

}  // namespace aimeter::budget
