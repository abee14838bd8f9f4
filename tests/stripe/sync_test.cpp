// The whole way: lines of overage in a store, batches, a Stripe with faults at every point, senders
// that die, days that pass. In the end each batch is one item, to the cent.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "app/overage_sync.h"
#include "billing/rounding.h"
#include "drivers/billing_drivers.h"
#include "store/store_fixture.h"
#include "tests/stripe/server.h"
#include "time/manual_clock.h"

namespace aimeter {
namespace {

using namespace store::fixture;
using testing::Fault;

constexpr const char* kSecret = "sk_test_of_this_test";

class OverageSync : public ::testing::Test {
 protected:
  OverageSync() : store_(store::make_memory_store(clock_)), engine_(*store_) { set_time(kNoon); }

  void set_time(Instant at) {
    clock_.set_wall(at);
    books_.set_now(std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
  }
  std::unique_ptr<BillingDriver> driver(const std::string& meter = "") {
    auto made = drivers::make_billing_driver("stripe",
                                             {.stripe = {.secret_key = kSecret,
                                                         .api_base = server_.base(),
                                                         .meter_event = meter,
                                                         .timeout = std::chrono::milliseconds(400),
                                                         .pause = [](Duration) {}},
                                              .clock = &clock_});
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  Account subscribed(const std::string& id) {
    const Account account = account_of("acme", id);
    Subscription ours{.billable = account.billable, .started_at = kNoon};
    ours.meta = {{"stripe_customer_id", books_.add("customer", {})}};
    EXPECT_TRUE(store_->change({.body = store::PutSubscription{account.tenant, ours}}));
    return account;
  }
  void charge(const Account& account, std::int64_t nanos) {
    store::Settlement call = call_of(account, 1);
    call.pins.catalogue = 1;
    call.budgets[0].limit = 0;
    call.budgets[0].allowance = 0;
    call.pins.overage = billing::OveragePrice{nanos * billing::kMillion, "usd"};
    engine_.apply(call);
    nanos_[account] += nanos;
  }
  app::SyncReport sync(BillingDriver& with, const std::string& sender, std::size_t limit = 10'000) {
    const Result<app::SyncReport> report =
        app::sync_overages(*store_, with, {.limit = limit, .sender = sender});
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(app::SyncReport{});
  }
  store::Changed change(store::ChangeBody body) {
    const auto changed = store_->change({.body = std::move(body)});
    EXPECT_TRUE(changed) << changed.error().message;
    return changed.value_or(store::Changed{});
  }

  time::ManualClock clock_{kNoon};
  testing::Books books_{kSecret};
  std::function<Fault(const testing::ApiRequest&)> faults_ = [](const auto&) {
    return Fault::none;
  };
  testing::Server server_{books_, [this](const auto& request) { return faults_(request); }};
  std::unique_ptr<store::Store> store_;
  Feeder engine_;
  std::map<Account, std::int64_t> nanos_;
};

TEST_F(OverageSync, LinesBecomeOneItemAndAreMarked) {
  const Account account = subscribed("1");
  for (int i = 0; i < 10'000; ++i) charge(account, 68'500);
  const auto stripe = driver();
  const app::SyncReport report = sync(*stripe, "one");
  EXPECT_EQ(report.frozen, 1);
  EXPECT_EQ(report.charged, 1);
  EXPECT_EQ(report.units.at("usd"), 68);
  EXPECT_TRUE(report.failures.empty());
  const auto items = books_.all("invoiceitem");
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].at("amount").as_int64(), 68) << "0.685 rounded once";
  const auto rows = store_->overage_batches({});
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->at(0).receipt, items[0].at("id").as_string());
  EXPECT_EQ(sync(*stripe, "one").charged, 0) << "nothing is left";
  EXPECT_EQ(books_.all("invoiceitem").size(), 1U);
}

TEST_F(OverageSync, WhoIsUnknownThereIsLookedUpAndRemembered) {
  const Account account = account_of("acme", "1");
  EXPECT_TRUE(
      store_->change({.body = store::PutSubscription{
                          account.tenant, {.billable = account.billable, .started_at = kNoon}}}));
  charge(account, 50'000'000);
  const auto stripe = driver();
  const app::SyncReport failed = sync(*stripe, "one");
  ASSERT_EQ(failed.failures.size(), 1U);
  EXPECT_EQ(failed.failures[0].error.code, Code::failed_precondition);
  EXPECT_NE(failed.failures[0].error.message.find("stripe_customer_id"), std::string::npos);
  const std::string customer =
      books_.add("customer",
                 {{"metadata", boost::json::object{{"aimeter_tenant", account.tenant.text},
                                                   {"aimeter_billable_type", account.billable.type},
                                                   {"aimeter_billable_id", account.billable.id}}}});
  EXPECT_EQ(sync(*stripe, "one").charged, 1);
  EXPECT_EQ(books_.all("invoiceitem").at(0).at("customer").as_string(), customer);
  const auto state = store_->load_account(account, kNoon);
  EXPECT_EQ(state->contract.subscriptions.at(0).meta.at("stripe_customer_id"), customer);
}

TEST_F(OverageSync, AKeyThatIsNotAcceptedStopsTheRunAndHarmsNothing) {
  for (int i = 0; i < 3; ++i) charge(subscribed(std::to_string(i)), 50'000'000);
  auto wrong = drivers::make_billing_driver(
      "stripe",
      {.stripe = {.secret_key = "sk_other", .api_base = server_.base()}, .clock = &clock_});
  ASSERT_TRUE(wrong);
  const app::SyncReport report = sync(**wrong, "one");
  EXPECT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.failures.at(0).error.code, Code::unauthenticated);
  EXPECT_EQ(report.waiting, 2);
  const auto stripe = driver();
  EXPECT_EQ(sync(*stripe, "one").charged, 3);
}

TEST_F(OverageSync, ADryLookSaysWhatASyncWouldFreeze) {
  const Account account = subscribed("1");
  for (int i = 0; i < 3; ++i) charge(account, 5'000'000);  // 1.5 cents, half a cent a line
  const auto to_come = app::batches_to_come(*store_, {}, store::FreezeOverages::By::money);
  ASSERT_TRUE(to_come);
  ASSERT_EQ(to_come->size(), 1U);
  EXPECT_EQ(to_come->at(0).batch.units, 2);
  EXPECT_TRUE(store_->overage_batches({})->empty()) << "and changes nothing";
  const auto stripe = driver();
  EXPECT_EQ(sync(*stripe, "one").units.at("usd"), 2);
  EXPECT_TRUE(app::batches_to_come(*store_, {}, store::FreezeOverages::By::money)->empty());
}

TEST_F(OverageSync, TheLimitLeavesTheRestWaiting) {
  for (int i = 0; i < 5; ++i) charge(subscribed(std::to_string(i)), 50'000'000);
  const auto stripe = driver();
  const app::SyncReport first = sync(*stripe, "one", 2);
  EXPECT_EQ(first.frozen, 5);
  EXPECT_EQ(first.charged, 2);
  EXPECT_EQ(first.waiting, 3);
  EXPECT_EQ(sync(*stripe, "one", 3).charged, 3);
}

// 1,000 batches of 50 accounts. In each of 20 rounds most requests meet a fault, some senders die
// after they claimed, some after they sent; then up to 30 hours pass.
TEST_F(OverageSync, AThousandBatchesWithFaultsAtEveryPointAreChargedOnceEach) {
  std::mt19937_64 dice(20261124);
  std::vector<Account> accounts;
  for (int i = 0; i < 50; ++i) accounts.push_back(subscribed(std::to_string(i)));
  const auto stripe = driver();
  std::mutex mutex;
  int silent_left = 12;  // each costs the client's patience
  faults_ = [&](const testing::ApiRequest&) {
    const std::lock_guard lock(mutex);
    if (dice() % 10 < 3) return Fault::none;
    const auto fault = static_cast<Fault>(dice() % testing::kFaults);
    if (fault == Fault::silent && silent_left-- <= 0) return Fault::lost_after;
    return fault;
  };
  Instant now = kNoon;
  for (int round = 0; round < 20; ++round) {
    for (const Account& account : accounts)
      charge(account, 5'000'001 + static_cast<std::int64_t>(dice() % 90'000'000));
    change(store::FreezeOverages{});
    const auto to_send = store_->overage_batches({.to_send_only = true});
    ASSERT_TRUE(to_send);
    for (const store::BatchRow& row : *to_send) {
      if (dice() % 8 != 0) continue;
      const auto state = store_->load_account(row.batch.account, now);
      const store::Changed claimed =
          change(store::ClaimBatch{row.batch.id, "dead", state->contract.subscriptions.at(0).meta});
      const OverageBatch& batch = claimed.batches.at(0).batch;
      if (dice() % 2 == 0) (void)stripe->charge_overage(batch.account, batch);  // and died
    }
    sync(*stripe, "sender " + std::to_string(round));
    now += std::chrono::minutes(11 + dice() % 1'800);
    set_time(now);
  }
  faults_ = [](const auto&) { return Fault::none; };
  for (int day = 0; day < 3; ++day) {
    sync(*stripe, "last");
    now += std::chrono::hours(21);
    set_time(now);
  }
  const auto rows = store_->overage_batches({});
  ASSERT_TRUE(rows);
  EXPECT_GE(rows->size(), 1'000U - 20U);
  std::map<std::string, int> items;
  std::map<std::string, std::int64_t> cents;
  for (const auto& item : books_.all("invoiceitem")) {
    ++items[std::string(item.at("metadata").at("aimeter_batch").as_string())];
    cents[std::string(item.at("metadata").at("aimeter_billable_id").as_string())] +=
        item.at("amount").as_int64();
  }
  for (const store::BatchRow& row : *rows) {
    EXPECT_EQ(row.state, store::BatchState::charged) << row.batch.id << " " << row.error;
    EXPECT_EQ(items[row.batch.key], 1) << "batch " << row.batch.id;
  }
  EXPECT_EQ(items.size(), rows->size());
  for (const auto& [account, nanos] : nanos_) {
    EXPECT_EQ(cents[account.billable.id], billing::rounded_units(nanos, "usd").value())
        << account.billable.id;
  }
}

}  // namespace
}  // namespace aimeter
