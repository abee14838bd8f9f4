// Package:       budget
// Units:         tokens
// Errors:        none: for tests, a broken expectation ends the process.
// Thread safety: as the Book's.
// Ownership:     owns its Book.
//
// A book with one account whose budgets a test names, and a stand-in for the store's word.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "budget/book.h"

namespace aimeter::budget {

inline const Period::Span kMarch{
    Instant(std::chrono::sys_days(std::chrono::year(2026) / std::chrono::March / 1)),
    Instant(std::chrono::sys_days(std::chrono::year(2026) / std::chrono::April / 1))};
inline const Instant kNoon = kMarch.start + std::chrono::hours(12);

inline plans::ConcreteBudget tokens_budget(std::optional<Amount> limit) {
  return {.kind = BudgetKind::tokens, .span = kMarch, .limit = limit};
}

class BookFixture {
 public:
  explicit BookFixture(std::vector<plans::ConcreteBudget> budgets) {
    set(std::move(budgets));
    for (const plans::ConcreteBudget& budget : terms_->limits.budgets) {
      book.hear(local, {.key = key_of(account, budget, "")});
    }
  }
  void set(std::vector<plans::ConcreteBudget> budgets) {
    auto terms = std::make_shared<Terms>();
    terms->limits.budgets = std::move(budgets);
    terms->limits.valid = kMarch;
    terms->catalogue = catalogue;
    terms_ = terms;
    book.set_terms(local, terms);
  }
  [[nodiscard]] BudgetKey key(std::size_t budget = 0, std::string_view name = "") const {
    return key_of(account, terms_->limits.budgets.at(budget), name);
  }
  void grant(Amount amount, Amount used = 0, std::size_t budget = 0) {
    book.hear(local, {.key = key(budget), .used = used, .granted = amount});
  }
  [[nodiscard]] HoldAnswer hold(Amount tokens, Fit fit = Fit::strict, Ask ask = Ask::first) {
    return book.hold(
        local,
        {names, {.tokens = tokens, .tokens_fit = fit, .cost_fit = fit}, kNoon, catalogue, ask});
  }
  [[nodiscard]] LimitCheck check(Amount tokens = 0) const {
    return book.check(local, names, {.tokens = tokens, .requests = 0});
  }

  Account account{{"acme"}, {"tenant", "acme"}};
  Names names = {};
  std::uint64_t catalogue = 1;
  Book book{BookOptions{}};
  LocalAccount local = book.local(account);

 private:
  std::shared_ptr<const Terms> terms_;
};

}  // namespace aimeter::budget
