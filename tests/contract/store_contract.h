// Package:       tests
// Units:         as in store_fixture.h
// Errors:        a store that cannot be opened fails the test.
// Thread safety: none
// Ownership:     an Opened store owns its clock and what it stands on.
//
// The stores that must pass the suite: one line each.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "store/bound.h"
#include "store/store_fixture.h"
#include "time/manual_clock.h"

namespace aimeter::store::contract {

struct Opened {
  std::unique_ptr<time::ManualClock> clock = {};
  std::shared_ptr<void> folder = {};  // outlives the store
  std::unique_ptr<Store> store = {};
};
struct Factory {
  std::string name = {};
  std::function<Opened()> open = {};
  friend std::ostream& operator<<(std::ostream& out, const Factory& factory) {
    return out << factory.name;
  }
};

[[nodiscard]] std::vector<Factory> factories();
inline std::string name_of_factory(const testing::TestParamInfo<Factory>& factory) {
  return factory.param.name;
}

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
