// What every billing driver in drivers/builtin.inc must keep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/billing_drivers.h"
#include "time/manual_clock.h"

namespace aimeter {
namespace {

using ::testing::HasSubstr;

OverageBatch batch_of(std::int64_t id, std::int64_t units) {
  OverageBatch batch{.id = id, .account = {.tenant = {"acme"}, .billable = {"team", "7"}}};
  batch.units = units;
  batch.amount = money_of_units(units, "usd").value();
  batch.ids = {{"stripe_customer_id", "cus_1"}};
  return batch;
}

TEST(BillingContract, AnUnknownNameIsRefusedAndTheNamesAreListed) {
  const auto made = drivers::make_billing_driver("paddle", {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::invalid_argument);
  EXPECT_THAT(made.error().message, HasSubstr("billing.driver"));
  for (const std::string_view name : drivers::billing_driver_names())
    EXPECT_THAT(made.error().message, HasSubstr(name));
}

TEST(BillingContract, TheNullDriverAsksNobodyForMoney) {
  const auto made = drivers::make_billing_driver("null", {});
  ASSERT_TRUE(made);
  BillingDriver& driver = **made;
  const OverageBatch batch = batch_of(1, 1'999);
  const Result<Receipt> charged = driver.charge_overage(batch.account, batch);
  ASSERT_TRUE(charged);
  EXPECT_EQ(charged->id, "") << "there is no charge anywhere";
  EXPECT_EQ(driver.ids_of(batch.account).value(), Meta{});
  const Result<Receipt> paid = driver.top_up({.account = batch.account, .idempotency_key = "k"});
  ASSERT_FALSE(paid) << "a wallet must not be filled with money that nobody gave";
  EXPECT_EQ(paid.error().code, Code::failed_precondition);
  const Result<BillingEvent> told = driver.webhook({.body = "{}", .signature = "t=1,v1=0"});
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, Code::failed_precondition);
}

TEST(BillingContract, ARefundWithoutAKeyIsRefused) {
  const auto made = drivers::make_billing_driver("null", {});
  ASSERT_TRUE(made);
  const Result<Receipt> refused = (*made)->refund({.amount = {1'000'000'000, "usd"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
  EXPECT_THAT(refused.error().message, HasSubstr("idempotency_key"));
  EXPECT_TRUE((*made)->refund({.amount = {1'000'000'000, "usd"}, .idempotency_key = "r1"}));
}

}  // namespace
}  // namespace aimeter
