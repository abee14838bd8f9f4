// Package:       budget
// Units:         as in book.h
// Errors:        none
// Thread safety: guarded by the spinlock of the entry.
// Ownership:     the Book's table owns its entries; they live as long as the Book.
//
// One account in this engine. An entry that is not in use is its name and nothing more; in use it
// has a body: its terms, its counters, and where each budget of the terms is counted.
#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "budget/account_name.h"
#include "budget/counter.h"

namespace aimeter::budget {

using Places = boost::container::small_vector<std::uint32_t, 8>;

struct Book::Body {
  struct HashName {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const;
  };
  struct Route {  // of one budget of the terms: name -> counter
    std::uint32_t nameless = kNowhere;
    boost::unordered_flat_map<std::string, std::uint32_t, HashName, std::equal_to<>> named = {};
  };
  static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};

  std::shared_ptr<const Terms> terms;
  Period::Span valid = {};      // the terms'
  std::uint64_t catalogue = 0;  // the terms'
  std::int64_t approaching_hundredths = 0;
  // Every budget of the terms is the account's own and has its counter: each of these once.
  bool plain = false;
  Places plain_places;
  // Never shrinks while the body lives: a hold names its counters by their place.
  boost::container::small_vector<Counter, 2> counters;
  std::vector<Route> routes;  // by budget of the terms
  std::uint32_t wallet = kNowhere;

  [[nodiscard]] bool stale(Instant now, std::uint64_t newest) const {
    return !terms || catalogue != newest || !valid.contains(now);
  }
  [[nodiscard]] std::uint32_t find(const BudgetKey& wanted) const;
  [[nodiscard]] std::uint32_t place(std::size_t budget, std::string_view name) const;
  // Where each budget that `names` touch is counted, each once, in the body or in `found`; those
  // that are not known go into `unknown`.
  [[nodiscard]] std::span<const std::uint32_t> places_of(const AccountName& account,
                                                         const Names& names, Places& found,
                                                         std::vector<BudgetKey>& unknown) const {
    const bool credits = mode_of(*terms, names) == BillingMode::credits;
    if (plain && !credits) return {plain_places.data(), plain_places.size()};
    search(account, names, found, unknown);
    return {found.data(), found.size()};
  }
  void adopt(std::shared_ptr<const Terms> newest);
  std::uint32_t add(const BudgetKey& wanted, std::uint32_t epoch);
  void drop_if_done(std::uint32_t place);
  [[nodiscard]] bool in_use_since(Instant then) const;
  // Fills a refusal by `counter`.
  void refuse(Counter& counter, const Need& need, HoldAnswer& answer) const;
  [[nodiscard]] LimitCheck check(const Names& names, const Need& requested) const;

 private:
  void search(const AccountName& account, const Names& names, Places& found,
              std::vector<BudgetKey>& unknown) const;
  [[nodiscard]] std::shared_ptr<const Refusal> refusal(const Counter& counter, Amount need,
                                                       bool first) const;
  void connect(std::uint32_t place);
  void connect_wallet(std::uint32_t place);
  void find_plain();
};

struct Book::Entry {
  mutable base::SpinLock lock;
  AccountName name;                                  // written once, before the entry is known
  std::uint64_t holds AIMETER_GUARDED_BY(lock) = 0;  // that it ever had
  std::unique_ptr<Body> body AIMETER_GUARDED_BY(lock);
};

}  // namespace aimeter::budget
