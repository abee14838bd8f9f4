// aimeter wallet, as an operator types it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <sstream>

#include "cli/typing_fixture.h"

namespace aimeter::cli {
namespace {

using fixture::Seen;
using ::testing::HasSubstr;

class WalletCommand : public fixture::Typing {
 protected:
  WalletCommand() : Typing("") {}
  [[nodiscard]] Seen type(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "wallet");
    return json_of(std::move(arguments));
  }
};

TEST_F(WalletCommand, CreditsComeGoAndComeBack) {
  const Seen added = type(
      {"add", "user", "42", "100", "--tenant=acme", "--key=pay_123", "--meta=payment_id=pay_123"});
  ASSERT_EQ(added.exit, 0) << added.err;
  const auto first = added.json();
  EXPECT_EQ(first.at("direction"), "credit");
  EXPECT_EQ(first.at("cause"), "top_up");
  EXPECT_EQ(first.at("amount"), "100");
  EXPECT_EQ(first.at("balance_after"), "100");
  EXPECT_EQ(first.at("currency"), "usd");
  EXPECT_EQ(first.at("reason"), "top-up");
  EXPECT_EQ(first.at("meta").at("payment_id"), "pay_123");
  EXPECT_EQ(first.at("tenant"), "acme");
  EXPECT_TRUE(first.at("usage_id").is_null());

  const Seen again = type({"add", "user", "42", "100", "--tenant=acme", "--key=pay_123"});
  EXPECT_EQ(again.exit, 0);
  EXPECT_EQ(again.json().at("id"), first.at("id"));
  const Seen other = type({"add", "user", "42", "99", "--tenant=acme", "--key=pay_123"});
  EXPECT_EQ(other.exit, 1);
  EXPECT_THAT(other.out + other.err, HasSubstr("idempotency_key"));

  const Seen taken = type({"deduct", "user", "42", "2.5", "--tenant=acme", "--reason=chargeback"});
  ASSERT_EQ(taken.exit, 0) << taken.err;
  EXPECT_EQ(taken.json().at("direction"), "debit");
  EXPECT_EQ(taken.json().at("balance_after"), "97.5");
  const std::string debit = std::to_string(taken.json().at("id").as_int64());
  const Seen much = type({"deduct", "user", "42", "97.500000001", "--tenant=acme"});
  EXPECT_EQ(much.exit, 1);
  EXPECT_THAT(much.out + much.err, HasSubstr("97.5 usd"));

  EXPECT_EQ(
      type({"refund", "user", "42", debit, "--tenant=acme", "--amount=1"}).json().at("amount"),
      "1");
  EXPECT_EQ(type({"refund", "user", "42", debit, "--tenant=acme"}).json().at("amount"), "1.5");
  EXPECT_EQ(type({"refund", "user", "42", debit, "--tenant=acme"}).exit, 1);
  EXPECT_EQ(type({"refund", "user", "42", debit, "--tenant=zeta"}).exit, 1) << "another tenant's";

  const auto list = type({"transactions", "user", "42", "--tenant=acme"}).json().as_array();
  ASSERT_EQ(list.size(), 4U);
  EXPECT_EQ(list[0].at("cause"), "refund") << "newest first";
  EXPECT_EQ(list[0].at("refers_to").as_string(), debit);
  EXPECT_EQ(list[0].at("balance_after"), "100");
  const std::string second = std::to_string(list[1].at("id").as_int64());
  EXPECT_EQ(type({"transactions", "user", "42", "--tenant=acme", "--after=" + second, "--limit=1"})
                .json()
                .as_array()
                .at(0)
                .at("id"),
            list[2].at("id"));
}

TEST_F(WalletCommand, AWalletAsksForCreditsWhereSomebodyTakesPayments) {
  const Seen nobody =
      type({"auto-top-up", "user", "42", "--tenant=acme", "--below=5", "--amount=20"});
  EXPECT_NE(nobody.exit, 0);
  EXPECT_THAT(nobody.out + nobody.err, HasSubstr("billing.driver"));
  setenv("AI_METERING_BILLING_DRIVER", "stripe", 1);
  setenv("STRIPE_SECRET", "sk_test_not_a_key", 1);
  const Seen set = type({"auto-top-up", "user", "42", "--tenant=acme", "--below=5", "--amount=20"});
  const Seen neither = type({"auto-top-up", "user", "42", "--tenant=acme"});
  const Seen bad = type({"auto-top-up", "user", "42", "--tenant=acme", "--below=x", "--amount=20"});
  const Seen off = type({"auto-top-up", "user", "42", "--tenant=acme", "--off"});
  unsetenv("AI_METERING_BILLING_DRIVER");
  unsetenv("STRIPE_SECRET");
  ASSERT_EQ(set.exit, 0) << set.err;
  EXPECT_EQ(set.json().at("below"), "5");
  EXPECT_EQ(set.json().at("amount"), "20");
  EXPECT_EQ(set.json().at("currency"), "usd");
  EXPECT_NE(neither.exit, 0);
  EXPECT_THAT(neither.out + neither.err, HasSubstr("--off"));
  EXPECT_NE(bad.exit, 0);
  ASSERT_EQ(off.exit, 0) << off.err;
  EXPECT_TRUE(off.json().at("amount").is_null());
}

TEST_F(WalletCommand, ABalanceShowsItsLotsAndAListItsWallets) {
  EXPECT_EQ(type({"balance", "user", "42", "--tenant=acme"}).json().at("balance"), "0");
  EXPECT_EQ(type({"add", "user", "42", "3", "--tenant=acme"}).exit, 0);
  const Seen granted =
      type({"grant", "user", "42", "5", "--tenant=acme", "--expires=2999-01-01", "--priority=10"});
  ASSERT_EQ(granted.exit, 0) << granted.err;
  EXPECT_EQ(granted.json().at("cause"), "grant");
  EXPECT_EQ(type({"add", "team", "9", "1", "--tenant=zeta"}).exit, 0);
  const auto balance = type({"balance", "user", "42", "--tenant=acme"}).json();
  EXPECT_EQ(balance.at("balance"), "8");
  EXPECT_EQ(balance.at("available"), "8");
  EXPECT_EQ(balance.at("transactions"), 2);
  const auto& lots = balance.at("lots").as_array();
  ASSERT_EQ(lots.size(), 2U);
  EXPECT_EQ(lots[0].at("kind"), "paid");
  EXPECT_TRUE(lots[0].at("expires_at").is_null());
  EXPECT_EQ(lots[1].at("kind"), "promotional");
  EXPECT_EQ(lots[1].at("priority"), 10);
  EXPECT_EQ(lots[1].at("expires_at"), "2999-01-01T00:00:00Z");
  EXPECT_EQ(type({"list"}).json().as_array().size(), 2U);
  const auto of_one = type({"list", "--tenant=zeta"}).json().as_array();
  ASSERT_EQ(of_one.size(), 1U);
  EXPECT_EQ(of_one[0].at("billable_type"), "team");
  EXPECT_EQ(of_one[0].at("balance"), "1");
}

}  // namespace
}  // namespace aimeter::cli
