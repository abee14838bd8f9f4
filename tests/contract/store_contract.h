// Package:       tests
// Units:         as in store_fixture.h
// Errors:        a store that cannot be opened fails the test.
// Thread safety: none
// Ownership:     the fixture owns the store that it opened.
//
// What every test of the contract stands on: a fresh store, changes that must succeed or fail, and
// a verify after each test.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "store/bound.h"
#include "store/store_fixture.h"
#include "tests/contract/store_factories.h"

namespace aimeter::store::contract {

class StoreContract : public testing::TestWithParam<Factory> {
 protected:
  void SetUp() override {
    opened_ = GetParam().open();
    ASSERT_NE(opened_.store, nullptr);
  }
  void TearDown() override {
    if (opened_.store) fixture::expect_verified(*opened_.store);
  }

  Store& store() { return *opened_.store; }
  time::ManualClock& clock() { return *opened_.clock; }
  // A change that must succeed.
  Changed change(ChangeBody body) {
    Result<Changed> changed = store().change({.body = std::move(body), .actor = "test"});
    EXPECT_TRUE(changed) << changed.error().message;
    return changed ? *changed : Changed{};
  }
  // A change that must fail so; its message must contain `word`.
  void refuse(ChangeBody body, Code code, std::string_view word) {
    const Result<Changed> changed = store().change({.body = std::move(body), .actor = "test"});
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().code, code) << changed.error().message;
    EXPECT_NE(changed.error().message.find(word), std::string::npos) << changed.error().message;
  }
  // Leases just `amount` of a budget under `limit`, alone in a call's need.
  void lease(const fixture::Feeder& engine, const BudgetKey& key, Amount amount, Amount limit) {
    const std::vector<LeaseAsk> asks{{.key = key,
                                      .ask = amount,
                                      .one_call = amount,
                                      .limit = limit,
                                      .catalogue = *store().catalogue()}};
    const auto grants = store().lease(engine.ref, asks);
    ASSERT_TRUE(grants) << grants.error().message;
    ASSERT_EQ(grants->at(0).granted, amount);
  }
  BudgetState state(const BudgetKey& key) { return fixture::state_of(store(), key); }

 private:
  Opened opened_ = {};
};

}  // namespace aimeter::store::contract
