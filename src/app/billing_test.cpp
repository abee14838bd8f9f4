// Which billing driver an engine takes: built in or the application's own, by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aimeter/engine.h"
#include "time/manual_clock.h"

namespace aimeter {
namespace {

using ::testing::HasSubstr;

class OwnDriver final : public BillingDriver {
 public:
  explicit OwnDriver(int& made) { ++made; }
  Result<Receipt> charge_overage(const Account&, const OverageBatch&) override {
    return Receipt{"own"};
  }
  Result<Receipt> refund(const Refund&) override { return Receipt{"own"}; }
};

TEST(BillingDrivers, AnApplicationsOwnIsTakenUnderItsName) {
  int made = 0;
  OpenOptions options;
  options.billing.driver = "paddle";
  options.billing_drivers["paddle"] = [&made] { return std::make_unique<OwnDriver>(made); };
  const Result<Engine> engine = open("memory:", std::move(options));
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_EQ(made, 1);
}

TEST(BillingDrivers, AnUnknownNameOrAnEmptyFactoryOpensNothing) {
  OpenOptions unknown;
  unknown.billing.driver = "paddle";
  const Result<Engine> refused = open("memory:", std::move(unknown));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
  EXPECT_THAT(refused.error().message, HasSubstr("billing.driver"));
  EXPECT_THAT(refused.error().message, HasSubstr("paddle"));
  OpenOptions empty;
  empty.billing.driver = "paddle";
  empty.billing_drivers["paddle"] = [] { return std::unique_ptr<BillingDriver>(); };
  const Result<Engine> nothing = open("memory:", std::move(empty));
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().message, HasSubstr("billing_drivers"));
}

}  // namespace
}  // namespace aimeter
