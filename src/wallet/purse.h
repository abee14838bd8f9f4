// Package:       wallet
// Units:         nano-units of the wallet's currency; Instants of the store's clock.
// Errors:        none: values; sums stay in range because the balance's do.
// Thread safety: values.
// Ownership:     none.
//
// The money of one wallet: lots, and what is owed. Total of the lots - debt = balance. The rule of
// spending: lower priority, then earlier expiry, then older. What comes in pays the debt first.
#pragma once

#include <cstdint>
#include <vector>

#include "aimeter/wallet.h"

namespace aimeter::wallet {

struct Lot {
  std::int64_t number = 0;  // growing: the older has the lower
  LotTerms terms = {};
  Instant granted_at = {};
  std::int64_t amount = 0, remaining = 0;
  std::int64_t source = 0;  // the transaction that made it
  bool changed = false;     // since it was read; for whoever stores it
  [[nodiscard]] bool is_over(Instant at) const {
    return terms.expires_at && *terms.expires_at <= at;
  }
};
[[nodiscard]] bool spent_before(const Lot& a, const Lot& b);

struct Spending {
  std::int64_t amount = 0;
  Instant at = {};           // lots that are over at this time are not spent ...
  std::int64_t covered = 0;  // ... but for what a lease had given before they were over
};

class Purse {
 public:
  Purse() = default;
  Purse(std::int64_t debt, std::vector<Lot> lots);

  [[nodiscard]] std::int64_t debt() const { return debt_; }
  [[nodiscard]] const std::vector<Lot>& lots() const { return lots_; }  // in the order of spending
  [[nodiscard]] std::int64_t total() const;                             // of what is left
  [[nodiscard]] std::int64_t balance() const { return total() - debt_; }
  // What is left in lots that are over at `now`: spendable no more, not expired yet.
  [[nodiscard]] std::int64_t over(Instant now) const;

  // What expire() would take.
  [[nodiscard]] std::int64_t expirable(Instant now, std::int64_t leased) const;

  // What no lot has is owed.
  void spend(const Spending& spending);
  void add(Lot lot);  // pays the debt first; `remaining` is what is left of its amount
  // Pays the debt, then fills lots up that are not over, the last spent first. Says what no lot
  // has room for: the caller makes a new one of it.
  [[nodiscard]] std::int64_t give_back(std::int64_t amount, Instant now);
  // Takes what is over by the clock out of the lots, but leaves `leased` in them all. Says what
  // each lost.
  struct Expired {
    std::int64_t lot = 0, amount = 0;
  };
  [[nodiscard]] std::vector<Expired> expire(Instant now, std::int64_t leased);
  void merge(std::vector<Lot> more);  // lots that were not read before
  void forget_changes();

 private:
  std::int64_t take(Lot& lot, std::int64_t at_most);
  std::int64_t debt_ = 0;
  std::vector<Lot> lots_;
};

}  // namespace aimeter::wallet
