// What an invoice preview says is what a sync sends, to the smallest unit: through a whole engine
// on SQLite and a Stripe server of our own.
#include <gtest/gtest.h>

#include "aimeter/aimeter.h"
#include "app/overage_sync.h"
#include "drivers/billing_drivers.h"
#include "tests/contract/store_factories.h"
#include "tests/stripe/server.h"

namespace aimeter {
namespace {

constexpr const char* kSecret = "sk_test_of_this_test";
const Billable kWho{"user", "42"};

struct Row {
  const char* currency;
  std::int64_t first, second;  // units that are sent
  const char *amount, *rounding;
};

// 10,000 and then 5,000 lines of 0.0000685: 0.685 and 1.0275 in all.
constexpr Row kRows[] = {
    {"usd", 68, 35, "0.68", "-0.005"},   // half to the even cent; 1.03
    {"jpy", 1, 0, "1", "0.315"},         // no decimals: 1, and still 1
    {"kwd", 680, 350, "0.68", "-0.005"}  // three decimals, in steps of ten
};

class InvoicePreviews : public ::testing::Test {
 protected:
  InvoicePreviews() : folder_(store::contract::make_folder()) {
    OpenOptions options;
    options.clock = &clock_;
    auto engine = open("sqlite:" + *folder_ + "/usage.db", options);
    EXPECT_TRUE(engine) << engine.error().message;
    engine_ = std::make_unique<Engine>(*std::move(engine));
    store_ = drivers::open_store("sqlite:" + *folder_ + "/usage.db", {.clock = &clock_}).value();
    auto driver = drivers::make_billing_driver(
        "stripe",
        {.stripe = {.secret_key = kSecret, .api_base = server_.base()}, .clock = &clock_});
    EXPECT_TRUE(driver) << driver.error().message;
    driver_ = *std::move(driver);
    books_.set_now(
        std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count());
  }
  TenantView tenant(const Row& row) { return engine_->tenant(row.currency); }
  void subscribe(const Row& row) {
    Plan plan{.name = row.currency, .slug = row.currency, .monthly_token_limit = Tokens{0}};
    plan.overage_behavior = OverageBehavior::charge;
    plan.overage_price_per_1k_tokens = Money::parse_or_die("0.0685", row.currency);
    ASSERT_TRUE(engine_->admin().create_plan(plan));
    Subscription ours{.billable = kWho, .plan = row.currency};
    ours.meta = {{"stripe_customer_id", books_.add("customer", {})}};
    ASSERT_TRUE(tenant(row).subscribe(ours));
  }
  void use(const Row& row, int calls) {
    constexpr int kAtOnce = 500;
    const UsageRecord one{.account = {.billable = kWho},
                          .provider = "openai",
                          .model = "gpt-4o-mini",
                          .usage = {.input_tokens = {1}}};
    for (int done = 0; done < calls; done += kAtOnce) {
      const std::vector<UsageRecord> some(kAtOnce, one);
      const auto recorded = tenant(row).record_batch(some);
      ASSERT_TRUE(recorded) << recorded.error().message;
    }
  }
  InvoicePreview preview(const Row& row) {
    const auto made = tenant(row).preview_invoice(kWho);
    EXPECT_TRUE(made) << made.error().message;
    return made.value_or(InvoicePreview{});
  }
  std::int64_t sync(const Row& row) {
    const auto report = app::sync_overages(
        *store_, *driver_, {.tenant = TenantId{row.currency}, .limit = 9, .sender = "one"});
    EXPECT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->failures.empty());
    const auto sent = report->units.find(row.currency);
    return sent == report->units.end() ? 0 : sent->second;
  }
  std::int64_t charged(const Row& row) {
    std::int64_t sum = 0;
    for (const auto& item : books_.all("invoiceitem")) {
      if (item.at("currency").as_string() == row.currency) sum += item.at("amount").as_int64();
    }
    return sum;
  }

  std::shared_ptr<std::string> folder_;
  time::ManualClock clock_{store::fixture::kNoon, std::chrono::hours(1)};
  testing::Books books_{kSecret};
  testing::Server server_{books_, [](const auto&) { return testing::Fault::none; }};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<BillingDriver> driver_;
};

TEST_F(InvoicePreviews, SayToTheSmallestUnitWhatASyncSends) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.currency);
    subscribe(row);
    use(row, 10'000);
    const InvoicePreview before = preview(row);
    EXPECT_EQ(before.exact, Money::parse_or_die("0.685", row.currency));
    EXPECT_EQ(before.amount, Money::parse_or_die(row.amount, row.currency));
    EXPECT_EQ(before.rounding.text(), row.rounding);
    EXPECT_EQ(before.batched.nanos, 0);
    ASSERT_EQ(before.lines.size(), 1U);
    EXPECT_EQ(before.lines[0].quantity, 10'000);
    EXPECT_EQ(before.lines[0].lines, 10'000);
    EXPECT_EQ(sync(row), row.first);
    EXPECT_EQ(charged(row), row.first);
    EXPECT_EQ(to_minor_units(before.amount).value(), row.first);

    const InvoicePreview sent = preview(row);
    EXPECT_EQ(sent.batched, before.amount);
    EXPECT_EQ(sent.amount.nanos, 0) << "nothing is due twice";
    use(row, 5'000);
    const InvoicePreview after = preview(row);
    EXPECT_EQ(after.exact, Money::parse_or_die("1.0275", row.currency));
    EXPECT_EQ(to_minor_units(after.amount).value(), row.second);
    EXPECT_EQ(sync(row), row.second);
    EXPECT_EQ(charged(row), row.first + row.second);
  }
}

// A limit that rose after the charge: what it covers goes back with the next batch.
TEST_F(InvoicePreviews, ACreditIsSentAsOneToo) {
  const Row& row = kRows[0];
  subscribe(row);
  use(row, 10'000);
  ASSERT_TRUE(engine_->drain()) << "what is sent is what the store has";
  EXPECT_EQ(sync(row), 68);
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(tenant(row).override_limits({.billable = kWho,
                                           .period_start = clock_.now(),
                                           .period_end = clock_.now() + std::chrono::hours(1),
                                           .unlimited_tokens = true}));
  ASSERT_TRUE(engine_->admin().run_due());
  EXPECT_EQ(preview(row).exact.nanos, 0);
  EXPECT_EQ(to_minor_units(preview(row).amount).value(), -68);
  EXPECT_EQ(sync(row), -68);
  EXPECT_EQ(charged(row), 0);
  EXPECT_TRUE(store_->verify({})->findings.empty());
}

}  // namespace
}  // namespace aimeter
