// What an operator types about overage, invoices and contracts in time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/typing_fixture.h"

namespace aimeter::cli {
namespace {

using fixture::Seen;
using ::testing::HasSubstr;

class BillingCommands : public fixture::Typing {
 protected:
  BillingCommands()
      : Typing(
            "[providers.trace.models.fixed]\ninput_price_per_1k = \"0.0025\"\n"
            "output_price_per_1k = \"0.010\"\n") {
    write("plans.toml", R"(
[[plans]]
name = "Small"
monthly_token_limit = 1000
overage_behavior = "charge"
overage_price_per_1k_tokens = "1"
overage_cap = "50"
[[plans]]
name = "Large"
monthly_token_limit = 2000
overage_behavior = "charge"
overage_price_per_1k_tokens = "2"
[[plans]]
name = "Cost"
monthly_cost_limit = "0.001"
overage_behavior = "charge"
overage_markup = "12.5"
)");
  }
  void subscribe(const std::string& plan) const {
    ASSERT_EQ(type({"sync-plans", "--from", path("plans.toml")}).exit, 0);
    const Seen seen = type({"subscribe", "user", "1", plan, "--started-at", "2026-06-01"});
    ASSERT_EQ(seen.exit, 0) << seen.err;
  }
  // 3,400 tokens of July 2026.
  void use() const {
    write("usage.csv",
          "occurred_at,user,input_tokens,output_tokens\n2026-07-01T10:00:00Z,1,2000,400\n"
          "2026-07-02T10:00:00Z,1,1000,0\n");
    const Seen seen =
        type({"import", path("usage.csv"), "--provider", "trace", "--model", "fixed", "--history"});
    ASSERT_EQ(seen.exit, 0) << seen.err;
  }
};

TEST_F(BillingCommands, OveragesListsTheLines) {
  subscribe("small");
  use();
  const Seen seen = json_of({"overages", "--month", "2026-07"});
  ASSERT_EQ(seen.exit, 0) << seen.err;
  const auto lines = seen.json().at("overages").as_array();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].at("tokens").as_int64(), 1'400);
  EXPECT_EQ(lines[0].at("cost"), "1.4");
  EXPECT_EQ(lines[0].at("currency"), "usd");
  EXPECT_EQ(lines[0].at("price_per_1k"), "1");
  EXPECT_EQ(lines[0].at("kind"), "tokens");
  EXPECT_EQ(lines[0].at("period_start"), "2026-07-01T00:00:00Z");
  EXPECT_TRUE(lines[0].at("batch").is_null());
  EXPECT_TRUE(lines[0].at("used_cost").is_null());
  EXPECT_EQ(lines[1].at("tokens").as_int64(), 1'000);
  EXPECT_TRUE(seen.json().at("cursor").is_null());
  const auto page = json_of({"overages", "--limit", "1"}).json();
  const std::string cursor(page.at("cursor").as_string());
  EXPECT_EQ(json_of({"overages", "--cursor", cursor}).json().at("overages").as_array().size(), 1U);
  EXPECT_EQ(json_of({"overages", "--month", "2026-08"}).json().at("overages").as_array().size(),
            0U);
  EXPECT_EQ(type({"overages", "--limit", "0"}).exit, 2);
  EXPECT_THAT(type({"overages"}).out, HasSubstr("1.4 usd"));
  EXPECT_EQ(type({"verify"}).exit, 0);
}

TEST_F(BillingCommands, CostAboveACostLimitIsALineWithItsMarkup) {
  subscribe("cost");
  use();  // 3,000 x 0.0025 + 400 x 0.010 a thousand: 0.0115
  const auto lines = json_of({"overages"}).json().at("overages").as_array();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].at("tokens").is_null());
  EXPECT_EQ(lines[0].at("used_cost"), "0.008");
  EXPECT_EQ(lines[0].at("cost"), "0.009");
}

TEST_F(BillingCommands, InvoicePreviewSaysWhatIsDueAndWhatAnotherPlanWouldBill) {
  subscribe("small");
  use();
  const Seen seen = json_of({"invoice", "preview", "user", "1", "--at", "2026-07-15"});
  ASSERT_EQ(seen.exit, 0) << seen.err;
  const auto preview = seen.json();
  EXPECT_EQ(preview.at("amount"), "2.4");
  EXPECT_EQ(preview.at("exact"), "2.4");
  EXPECT_EQ(preview.at("rounding"), "0");
  EXPECT_EQ(preview.at("batched"), "0");
  EXPECT_EQ(preview.at("currency"), "usd");
  EXPECT_EQ(preview.at("plan"), "small");
  EXPECT_EQ(preview.at("used_tokens").as_int64(), 3'400);
  ASSERT_EQ(preview.at("lines").as_array().size(), 1U);
  const auto& line = preview.at("lines").as_array()[0];
  EXPECT_EQ(line.at("quantity").as_int64(), 2'400);
  EXPECT_EQ(line.at("lines").as_int64(), 2);
  EXPECT_EQ(line.at("price_versions").as_array().size(), 1U);
  const Seen other =
      json_of({"invoice", "preview", "user", "1", "--at", "2026-07-15", "--plan", "large"});
  EXPECT_EQ(other.json().at("amount"), "2.8") << other.err;
  EXPECT_EQ(type({"invoice", "preview", "user", "1", "--plan", "none"}).exit, 1);
  EXPECT_EQ(json_of({"invoice", "preview", "user", "1", "--at", "2026-08-15"}).json().at("amount"),
            "0");
  EXPECT_THAT(type({"invoice", "preview", "user", "1", "--at", "2026-07-15"}).out,
              HasSubstr("to be paid 2.4 usd"));
}

TEST_F(BillingCommands, ADryRunOfTheSyncShowsTheBatchesAndChangesNothing) {
  subscribe("small");
  use();
  const Seen dry = json_of({"sync-stripe-overages", "--dry-run"});
  ASSERT_EQ(dry.exit, 0) << dry.err;
  const auto batches = dry.json().at("batches").as_array();
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].at("amount"), "2.4");
  EXPECT_EQ(batches[0].at("lines").as_int64(), 2);
  EXPECT_TRUE(batches[0].at("batch").is_null()) << "not frozen";
  const Seen none = json_of({"sync-stripe-overages"});
  EXPECT_EQ(none.exit, 1);
  EXPECT_THAT(none.out + none.err, HasSubstr("billing.driver"));
  EXPECT_EQ(json_of({"overages", "--open"}).json().at("overages").as_array().size(), 2U);
}

TEST_F(BillingCommands, ContractsEndAndGoOn) {
  subscribe("small");
  const Seen moved = json_of({"migrate-plan", "user", "1", "large", "--at-period-end"});
  ASSERT_EQ(moved.exit, 0) << moved.err;
  EXPECT_EQ(moved.json().at("plan"), "small");
  EXPECT_EQ(moved.json().at("next_plan"), "large");
  EXPECT_TRUE(moved.json().at("changes_at").is_string());
  const Seen ending = json_of({"cancel", "user", "1", "--at-period-end"});
  ASSERT_EQ(ending.exit, 0) << ending.err;
  EXPECT_TRUE(ending.json().at("ends_at").is_string());
  EXPECT_EQ(ending.json().at("next_plan"), "") << "it ends, so it changes no more";
  const Seen renewed = json_of({"renew", "user", "1"});
  ASSERT_EQ(renewed.exit, 0) << renewed.err;
  EXPECT_TRUE(renewed.json().at("ends_at").is_null());
  EXPECT_EQ(type({"renew", "user", "1"}).exit, 1) << "nothing to take back";
  EXPECT_EQ(json_of({"run-due"}).json().at("done").as_int64(), 0);
  EXPECT_EQ(type({"cancel", "user", "1"}).exit, 0);
  EXPECT_EQ(type({"cancel", "user", "1"}).exit, 1) << "there is none that is active";
  EXPECT_EQ(type({"cancel", "user"}).exit, 2);
}

}  // namespace
}  // namespace aimeter::cli
