#include "wallet/purse.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace aimeter::wallet {
namespace {

constexpr Instant kNow = std::chrono::sys_days(std::chrono::year(2026) / 3 / 10);
constexpr Instant kLater = kNow + std::chrono::hours(1);

Lot lot_of(std::int64_t number, std::int64_t amount, LotTerms terms = {}) {
  return {.number = number, .terms = terms, .amount = amount, .remaining = amount};
}

std::int64_t left_of(const Purse& purse, std::int64_t number) {
  for (const Lot& lot : purse.lots()) {
    if (lot.number == number) return lot.remaining;
  }
  ADD_FAILURE() << "no lot " << number;
  return -1;
}

TEST(Purse, TheLowerPriorityIsSpentFirstThenTheEarlierExpiryThenTheOlder) {
  Purse purse(
      0, {lot_of(1, 10), lot_of(2, 10, {.expires_at = kLater}), lot_of(3, 10, {.priority = 50}),
          lot_of(4, 10), lot_of(5, 10, {.expires_at = kLater + Duration(1)})});
  std::vector<std::int64_t> order;
  for (int i = 0; i < 5; ++i) {
    purse.spend({.amount = 10, .at = kNow});
    for (const Lot& lot : purse.lots()) {
      if (lot.remaining == 0 && std::ranges::find(order, lot.number) == order.end()) {
        order.push_back(lot.number);
      }
    }
  }
  EXPECT_EQ(order, (std::vector<std::int64_t>{3, 2, 5, 1, 4}));
  EXPECT_EQ(purse.balance(), 0);
  EXPECT_EQ(purse.debt(), 0);
}

TEST(Purse, WhatNoLotHasIsOwedAndTheNextCreditPaysIt) {
  Purse purse(0, {lot_of(1, 10)});
  purse.spend({.amount = 13, .at = kNow});
  EXPECT_EQ(purse.balance(), -3);
  EXPECT_EQ(purse.debt(), 3);
  purse.add(lot_of(2, 2));
  EXPECT_EQ(purse.debt(), 1);
  EXPECT_EQ(left_of(purse, 2), 0);
  purse.add(lot_of(3, 5));
  EXPECT_EQ(purse.debt(), 0);
  EXPECT_EQ(left_of(purse, 3), 4);
  EXPECT_EQ(purse.balance(), 4);
}

TEST(Purse, ALotIsOverAtItsEndAndNotBefore) {
  const Lot lot = lot_of(1, 10, {.expires_at = kLater});
  EXPECT_FALSE(lot.is_over(kLater - Duration(1)));
  EXPECT_TRUE(lot.is_over(kLater));
  EXPECT_FALSE(lot_of(1, 10).is_over(Instant::max()));
}

TEST(Purse, ALotThatIsOverIsSpentOnlyForWhatALeaseCovers) {
  const std::vector<Lot> lots{lot_of(1, 10, {.expires_at = kNow}), lot_of(2, 4)};
  Purse uncovered(0, lots);
  uncovered.spend({.amount = 9, .at = kNow});
  EXPECT_EQ(left_of(uncovered, 1), 10);
  EXPECT_EQ(uncovered.debt(), 5);
  Purse covered(0, lots);
  covered.spend({.amount = 9, .at = kNow, .covered = 7});
  EXPECT_EQ(left_of(covered, 2), 0);
  EXPECT_EQ(left_of(covered, 1), 7);
  EXPECT_EQ(covered.debt(), 2);
  Purse before(0, lots);
  before.spend({.amount = 9, .at = kNow - Duration(1)});
  EXPECT_EQ(left_of(before, 1), 1);
  EXPECT_EQ(before.debt(), 0);
}

TEST(Purse, WhatComesBackPaysTheDebtThenFillsWhatWasSpentLast) {
  Purse purse(0, {lot_of(1, 10, {.priority = 1}), lot_of(2, 10), lot_of(3, 10)});
  purse.spend({.amount = 33, .at = kNow});
  EXPECT_EQ(purse.give_back(15, kNow), 0);
  EXPECT_EQ(purse.debt(), 0);
  EXPECT_EQ(left_of(purse, 3), 10);
  EXPECT_EQ(left_of(purse, 2), 2);
  EXPECT_EQ(left_of(purse, 1), 0);
  EXPECT_EQ(purse.give_back(20, kNow), 2);  // no lot has room for the last two
  EXPECT_EQ(purse.total(), 30);
}

TEST(Purse, NothingComesBackIntoALotThatIsOver) {
  Purse purse(0, {lot_of(1, 10, {.expires_at = kLater})});
  purse.spend({.amount = 10, .at = kNow});
  EXPECT_EQ(purse.give_back(4, kLater), 4);
  EXPECT_EQ(left_of(purse, 1), 0);
  EXPECT_EQ(purse.give_back(4, kLater - Duration(1)), 0);
  EXPECT_EQ(left_of(purse, 1), 4);
}

TEST(Purse, ExpiryLeavesWhatIsLeased) {
  Purse purse(0, {lot_of(1, 10, {.expires_at = kNow}), lot_of(2, 5)});
  EXPECT_EQ(purse.over(kNow), 10);
  EXPECT_EQ(purse.over(kNow - Duration(1)), 0);
  EXPECT_EQ(purse.expirable(kNow, 8), 7);
  const auto expired = purse.expire(kNow, 8);
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired[0].lot, 1);
  EXPECT_EQ(expired[0].amount, 7);
  EXPECT_EQ(left_of(purse, 1), 3);
  EXPECT_TRUE(purse.expire(kNow, 8).empty());
  EXPECT_EQ(purse.expire(kNow, 5).at(0).amount, 3);
  EXPECT_EQ(purse.balance(), 5);
}

TEST(Purse, AnExpiryWithADebtTakesTheLotAndLeavesTheDebt) {
  Purse purse(0, {lot_of(1, 5, {.expires_at = kNow})});
  purse.spend({.amount = 5, .at = kNow});
  EXPECT_EQ(purse.balance(), 0);
  EXPECT_EQ(purse.expire(kNow, 0).at(0).amount, 5);
  EXPECT_EQ(purse.balance(), -5);
}

}  // namespace
}  // namespace aimeter::wallet
