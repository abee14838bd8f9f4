// The strategy immediate: one turn of the worker charges what is open, and waits after a failure.
#include "app/billing_worker.h"

#include <gtest/gtest.h>

#include "store/store_fixture.h"
#include "time/manual_clock.h"

namespace aimeter::app {
namespace {

using namespace store::fixture;

class CountingDriver final : public BillingDriver {
 public:
  Result<Receipt> charge_overage(const Account&, const OverageBatch& batch) override {
    ++asked;
    if (fails) return fail(Code::unavailable, "nobody is there");
    units += batch.units;
    return Receipt{"c" + std::to_string(batch.id)};
  }
  Result<Receipt> refund(const Refund&) override { return Receipt{}; }
  int asked = 0;
  std::int64_t units = 0;
  bool fails = false;
};

class ImmediateCharges : public ::testing::Test {
 protected:
  ImmediateCharges() : store_(store::make_memory_store(clock_)), engine_(*store_) {}
  void charge(std::int64_t nanos) {
    store::Settlement call = call_of(account_of("acme"), 1);
    call.pins.catalogue = 1;
    call.budgets[0].limit = 0;
    call.budgets[0].allowance = 0;
    call.pins.overage = billing::OveragePrice{nanos * billing::kMillion, "usd"};
    engine_.apply(call);
  }
  std::size_t audited() { return store_->audit(1'000)->size(); }

  time::ManualClock clock_{kNoon};
  std::unique_ptr<store::Store> store_;
  Feeder engine_;
  CountingDriver driver_;
  BillingWorker worker_{{*store_, driver_, clock_}, "engine 1", store::FreezeOverages::By::money};
};

TEST_F(ImmediateCharges, OneTurnChargesWhatIsOpen) {
  charge(15'000'000);
  worker_.step();
  EXPECT_EQ(driver_.units, 2);
  EXPECT_TRUE(store_->overage_batches({.to_send_only = true})->empty());
  worker_.step();
  EXPECT_EQ(driver_.asked, 1);
}

TEST_F(ImmediateCharges, WhatRoundsToNothingIsNotTouched) {
  charge(4'000'000);
  const std::size_t before = audited();
  worker_.step();
  EXPECT_EQ(driver_.asked, 0);
  EXPECT_EQ(audited(), before) << "no write for nothing, once a second";
}

TEST_F(ImmediateCharges, AfterAFailureItWaitsLongerEachTime) {
  driver_.fails = true;
  charge(15'000'000);
  worker_.step();
  worker_.step();
  EXPECT_EQ(driver_.asked, 1);
  clock_.advance(std::chrono::seconds(2));
  worker_.step();
  EXPECT_EQ(driver_.asked, 2);
  clock_.advance(std::chrono::seconds(2));
  worker_.step();
  EXPECT_EQ(driver_.asked, 2) << "four seconds now";
  driver_.fails = false;
  clock_.advance(std::chrono::seconds(2));
  worker_.step();
  EXPECT_EQ(driver_.asked, 3);
  EXPECT_EQ(driver_.units, 2);
  charge(20'000'000);
  worker_.step();
  EXPECT_EQ(driver_.units, 4) << "a success ends the waiting";
}

}  // namespace
}  // namespace aimeter::app
