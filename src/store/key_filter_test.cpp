#include "store/key_filter.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace aimeter::store {
namespace {

base::Key16 key_of_number(int number) {
  return base::first16(base::sha256("key " + std::to_string(number)));
}

TEST(KeyFilter, NothingMayBeThereBeforeAnythingWasAdded) {
  const KeyFilter filter;
  EXPECT_FALSE(filter.may_hold(key_of_number(1)));
}

TEST(KeyFilter, WhatWasAddedIsNeverCalledAbsentHoweverMuchItGrows) {
  constexpr int kKeys = 300'000;  // three layers
  KeyFilter filter;
  for (int i = 0; i < kKeys; ++i) filter.add(key_of_number(i));
  for (int i = 0; i < kKeys; ++i) ASSERT_TRUE(filter.may_hold(key_of_number(i))) << i;
}

TEST(KeyFilter, FewOthersAreTakenForOneThatMayBeThere) {
  constexpr int kKeys = 200'000;
  KeyFilter filter;
  for (int i = 0; i < kKeys; ++i) filter.add(key_of_number(i));
  int taken = 0;
  for (int i = kKeys; i < 2 * kKeys; ++i) taken += filter.may_hold(key_of_number(i)) ? 1 : 0;
  EXPECT_LT(taken, kKeys / 50) << "the filter is of no use when every key may be there";
}

TEST(KeyFilter, ManyThreadsAddTogether) {
  constexpr int kThreads = 4;
  constexpr int kEach = 40'000;
  KeyFilter filter;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&filter, t] {
        for (int i = 0; i < kEach; ++i) filter.add(key_of_number(t * kEach + i));
      });
    }
  }
  for (int i = 0; i < kThreads * kEach; ++i) ASSERT_TRUE(filter.may_hold(key_of_number(i))) << i;
}

}  // namespace
}  // namespace aimeter::store
