// Package:       property
// Units:         nano-units of the wallet's currency; Instants of the store's clock.
// Errors:        none.
// Thread safety: values.
// Ownership:     none.
//
// What lies in a wallet, by the words of decision 0170 and nothing else: the plainest code that is
// right, to compare stores with.
#pragma once

#include <algorithm>
#include <vector>

#include "aimeter/wallet.h"
#include "store/settlement.h"

namespace aimeter::store {

// One unit at a time, by looking at every lot.
struct PlainLot {
  LotTerms terms = {};
  Amount amount = 0, left = 0;
};
struct PlainPurse {
  std::vector<PlainLot> lots = {};
  Amount debt = 0;

  static bool over(const PlainLot& lot, Instant at) {
    return lot.terms.expires_at && *lot.terms.expires_at <= at;
  }
  static bool sooner(const PlainLot& a, const PlainLot& b) {  // the older is the first in `lots`
    if (a.terms.priority != b.terms.priority) return a.terms.priority < b.terms.priority;
    const Instant ends_a = a.terms.expires_at.value_or(Instant::max());
    return ends_a < b.terms.expires_at.value_or(Instant::max());
  }
  template <class May>
  PlainLot* first(May may) {
    PlainLot* found = nullptr;
    for (PlainLot& lot : lots) {
      if (may(lot) && (found == nullptr || sooner(lot, *found))) found = &lot;
    }
    return found;
  }
  [[nodiscard]] Amount total() const {
    Amount sum = 0;
    for (const PlainLot& lot : lots) sum += lot.left;
    return sum;
  }
  [[nodiscard]] Amount balance() const { return total() - debt; }
  void add(LotTerms terms, Amount amount) {
    lots.push_back({terms, amount, 0});
    for (; amount > 0; --amount) {
      if (debt > 0) {
        --debt;
      } else {
        ++lots.back().left;
      }
    }
  }
  void spend(Amount amount, Instant at, Amount covered) {
    for (; amount > 0; --amount, --covered) {
      PlainLot* lot = first([&](const PlainLot& one) { return one.left > 0 && !over(one, at); });
      if (lot == nullptr && covered > 0) {
        lot = first([&](const PlainLot& one) { return one.left > 0; });
      }
      if (lot == nullptr) {
        ++debt;
      } else {
        --lot->left;
      }
    }
  }
  void give_back(Amount amount, Instant now) {
    Amount rest = 0;
    for (; amount > 0; --amount) {
      PlainLot* last = nullptr;
      for (PlainLot& lot : lots) {
        if (lot.left == lot.amount || over(lot, now)) continue;
        if (last == nullptr || !sooner(lot, *last)) last = &lot;
      }
      if (debt > 0) {
        --debt;
      } else if (last != nullptr) {
        ++last->left;
      } else {
        ++rest;
      }
    }
    if (rest > 0) lots.push_back({{}, rest, rest});
  }
  void expire(Instant now, Amount leased) {
    while (total() > leased) {
      PlainLot* lot = first([&](const PlainLot& one) { return one.left > 0 && over(one, now); });
      if (lot == nullptr) return;
      --lot->left;
    }
  }
};

}  // namespace aimeter::store
