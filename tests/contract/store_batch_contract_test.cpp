// Overage batches in every store: frozen with their lines, one sender at a time, each ended once.
#include <random>

#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;
using How = EndBatch::How;

// Above a limit of 0: each token is charged.
Settlement charged(const Account& account, Amount tokens, Amount nanos_each,
                   const std::string& currency = "usd") {
  Settlement call = call_of(account, tokens);
  call.pins.catalogue = 1;
  call.budgets[0].limit = 0;
  call.budgets[0].allowance = 0;
  call.pins.overage = billing::OveragePrice{nanos_each * billing::kMillion, currency};
  return call;
}

struct Told {
  std::string text = "ii_1";
  int attempt = 1;
};

class BatchContract : public StoreContract {
 protected:
  std::vector<BatchRow> batches(const BatchFilter& filter = {}) {
    const auto found = store().overage_batches(filter);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<BatchRow>());
  }
  std::size_t open_lines() {
    const auto page = store().overages({.open_only = true}, "", kPageMax);
    EXPECT_TRUE(page);
    return page ? page->lines.size() : 0;
  }
  Changed claim(std::int64_t id, const std::string& sender, Meta ids = {}) {
    return change(ClaimBatch{.id = id, .sender = sender, .ids = std::move(ids)});
  }
  Changed end(std::int64_t id, const std::string& sender, How how, const Told& told = {}) {
    return change(EndBatch{
        .id = id, .sender = sender, .attempt = told.attempt, .how = how, .text = told.text});
  }

  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
};

TEST_P(BatchContract, TheOpenLinesOfACellAreOneBatch) {
  Feeder engine(store());
  for (int i = 0; i < 3; ++i) engine.apply(charged(acme_, 100, 70'000));  // 0.021
  engine.apply(charged(zeta_, 1'000, 70'000));
  const Changed frozen = change(FreezeOverages{});
  EXPECT_EQ(frozen.rows, 2);
  EXPECT_FALSE(frozen.more);
  const auto all = batches();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all, frozen.batches);
  const BatchRow& first = all[0].batch.account == acme_ ? all[0] : all[1];
  EXPECT_EQ(first.batch.units, 2);
  EXPECT_EQ(first.batch.amount, (Money{20'000'000, "usd"}));
  EXPECT_EQ(first.batch.quantity, 300);
  EXPECT_EQ(first.batch.lines, 3);
  EXPECT_EQ(first.lines_nanos, 21'000'000);
  EXPECT_EQ(first.batch.period, kMarch);
  EXPECT_EQ(first.batch.frozen_at, kNoon);
  EXPECT_EQ(first.batch.attempt, 1);
  EXPECT_EQ(first.batch.sent_at, std::nullopt);
  EXPECT_EQ(first.state, BatchState::open);
  EXPECT_EQ(first.batch.key.size(), 32U);
  EXPECT_NE(all[0].batch.key, all[1].batch.key);
  EXPECT_EQ(open_lines(), 0U);
  EXPECT_EQ(change(FreezeOverages{}).rows, 0) << "nothing is left";
  EXPECT_EQ(batches({.tenant = acme_.tenant}).size(), 1U);
  EXPECT_EQ(batches({.billable = Billable{"nobody", "1"}}).size(), 0U);
}

TEST_P(BatchContract, PruningWaitsForWhatIsNotBilled) {
  Feeder engine(store());
  engine.apply(charged(acme_, 1, 20'000'000));
  engine.apply(charged(zeta_, 1, 4'000'000));  // rounds to nothing: no batch will come for it
  EXPECT_EQ(change(Prune{.tenant = acme_.tenant, .before = kMarch.end}).rows, 0);
  EXPECT_EQ(change(Prune{.tenant = zeta_.tenant, .before = kMarch.end}).rows, 1);
  change(FreezeOverages{});
  engine.apply(charged(acme_, 1, 4'000'000));  // late, less than half a cent
  EXPECT_EQ(change(Prune{.before = kMarch.end}).rows, 2);
  EXPECT_EQ(batches().at(0).lines_nanos, 20'000'000);
  engine.apply(charged(acme_, 1, 20'000'000));
  EXPECT_EQ(change(Prune{.before = kMarch.end}).rows, 0);
  EXPECT_EQ(change(Prune{.before = kMarch.end, .unbilled = Prune::Unbilled::drop}).rows, 1);
  expect_verified(store());
}

TEST_P(BatchContract, WhatRoundsToNothingWaitsForMore) {
  Feeder engine(store());
  engine.apply(charged(acme_, 1, 4'000'000));  // 0.004
  EXPECT_EQ(change(FreezeOverages{}).rows, 0);
  EXPECT_EQ(open_lines(), 1U);
  engine.apply(charged(acme_, 1, 4'000'000));  // 0.008 in all
  EXPECT_EQ(change(FreezeOverages{}).batches.at(0).batch.units, 1);
  engine.apply(charged(acme_, 1, 4'000'000));  // 0.012 in all: one cent, and that is sent
  EXPECT_EQ(change(FreezeOverages{}).rows, 0);
  engine.apply(charged(acme_, 1, 4'000'000));  // 0.016: two
  EXPECT_EQ(change(FreezeOverages{}).batches.at(0).batch.units, 1);
  engine.apply(charged(acme_, 1, 1'000'000));
  EXPECT_EQ(change(FreezeOverages{.by = FreezeOverages::By::quantity}).batches.at(0).batch.units, 0)
      << "where quantities go to a meter";
}

TEST_P(BatchContract, TenThousandTinyLinesAreTheRoundedSum) {
  struct Row {
    const char* currency;
    std::int64_t units;
  };
  constexpr Row kRows[] = {{"usd", 68}, {"jpy", 1}, {"kwd", 680}};
  Feeder engine(store());
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.currency);
    const Account account = account_of("tiny", row.currency);
    std::int64_t units = 0, lines = 0;
    for (int part = 0; part < 10; ++part) {
      std::vector<Settlement> thousand(1'000, charged(account, 1, 68'500, row.currency));
      engine.apply(std::move(thousand));
      for (const BatchRow& batch : change(FreezeOverages{}).batches) units += batch.batch.units;
    }
    EXPECT_EQ(units, row.units);
    for (const BatchRow& batch : batches({.billable = account.billable}))
      lines += batch.batch.lines;
    EXPECT_LE(lines, 10'000);
  }
}

TEST_P(BatchContract, ACreditIsABatchOfItsOwn) {
  Feeder engine(store());
  const Settlement call = charged(acme_, 100, 1'000'000);
  engine.apply(call);
  EXPECT_EQ(change(FreezeOverages{}).batches.at(0).batch.units, 10);
  Settlement correction = adjustment_of(call, engine.row(), -50);
  correction.pins = call.pins;
  correction.budgets[0].limit = 0;
  correction.budgets[0].allowance = 0;
  engine.apply(correction);
  EXPECT_EQ(change(FreezeOverages{}).batches.at(0).batch.units, -5);
}

TEST_P(BatchContract, FreezingIsCutIntoSlicesAndByTenant) {
  Feeder engine(store());
  for (int i = 0; i < 5; ++i) {
    engine.apply(charged(account_of("t" + std::to_string(i)), 1, 10'000'000));
  }
  EXPECT_EQ(change(FreezeOverages{.tenant = TenantId{"t3"}}).rows, 1);
  const Changed two = change(FreezeOverages{.limit = 2});
  EXPECT_EQ(two.rows, 2);
  EXPECT_TRUE(two.more);
  EXPECT_EQ(change(FreezeOverages{.limit = 2}).rows, 2);
  EXPECT_EQ(batches().size(), 5U);
}

TEST_P(BatchContract, OneSenderAtATime) {
  Feeder engine(store());
  engine.apply(charged(acme_, 1, 10'000'000));
  const std::int64_t id = change(FreezeOverages{}).batches.at(0).batch.id;
  const Changed claimed = claim(id, "one", {{"stripe_customer_id", "cus_1"}});
  EXPECT_EQ(claimed.batches.at(0).batch.sent_at, std::nullopt) << "it was never sent";
  EXPECT_EQ(claimed.batches.at(0).batch.ids.at("stripe_customer_id"), "cus_1");
  EXPECT_EQ(batches().at(0).batch.sent_at, kNoon) << "written down before it is sent";
  EXPECT_TRUE(batches({.to_send_only = true}).empty());
  refuse(ClaimBatch{.id = id, .sender = "two"}, Code::failed_precondition, "one sends it");
  refuse(ClaimBatch{.id = id + 9, .sender = "two"}, Code::not_found, "no batch");
  refuse(EndBatch{.id = id, .sender = "two", .how = How::doubtful}, Code::failed_precondition,
         "somebody else");
  clock().advance(std::chrono::minutes(10));
  EXPECT_EQ(batches({.to_send_only = true}).size(), 1U) << "its sender may be dead";
  const Changed again = claim(id, "two", {{"stripe_customer_id", "cus_other"}});
  EXPECT_EQ(again.batches.at(0).batch.sent_at, kNoon) << "it may have charged";
  EXPECT_EQ(again.batches.at(0).batch.ids.at("stripe_customer_id"), "cus_1")
      << "the same key needs the same parameters";
  end(id, "one", How::charged, {"ii_7"});  // a receipt is a receipt, whoever brings it
  EXPECT_EQ(batches().at(0).state, BatchState::charged);
  EXPECT_EQ(batches().at(0).receipt, "ii_7");
  refuse(ClaimBatch{.id = id, .sender = "two"}, Code::failed_precondition, "charged already");
  refuse(EndBatch{.id = id, .sender = "two", .text = "ii_8"}, Code::failed_precondition, "ii_7");
  end(id, "two", How::charged, {"ii_7"});  // the same again
}

TEST_P(BatchContract, WhatAnEndMakesOfABatch) {
  Feeder engine(store());
  engine.apply(charged(acme_, 1, 10'000'000));
  const std::int64_t id = change(FreezeOverages{}).batches.at(0).batch.id;
  claim(id, "one");
  end(id, "one", How::untouched, {"no network"});
  EXPECT_EQ(batches().at(0).state, BatchState::open);
  EXPECT_EQ(batches().at(0).batch.sent_at, std::nullopt);
  EXPECT_EQ(batches().at(0).batch.attempt, 1);
  EXPECT_EQ(batches().at(0).error, "no network");
  clock().advance(std::chrono::minutes(1));
  claim(id, "one");
  end(id, "one", How::doubtful, {"no answer"});
  EXPECT_EQ(batches().at(0).batch.sent_at, kNoon + std::chrono::minutes(1));
  EXPECT_EQ(batches().at(0).batch.attempt, 1) << "the same attempt, the same key";
  clock().advance(std::chrono::minutes(1));
  EXPECT_EQ(claim(id, "one").batches.at(0).batch.sent_at, kNoon + std::chrono::minutes(1));
  end(id, "one", How::refused, {"no such customer"});
  EXPECT_EQ(batches().at(0).batch.attempt, 2) << "charged nothing for certain: another key";
  EXPECT_EQ(batches().at(0).batch.sent_at, std::nullopt);
  claim(id, "one");
  refuse(EndBatch{.id = id, .sender = "one", .attempt = 1, .how = How::refused},
         Code::failed_precondition, "somebody else");
  end(id, "one", How::charged, {"ii_1", 2});
  EXPECT_EQ(batches().at(0).error, "");
  EXPECT_EQ(batches().at(0).charged_at, kNoon + std::chrono::minutes(2));
}

// The same lines frozen by a store that went back in time have the same key.
TEST_P(BatchContract, AKeyIsMadeOfWhatIsFrozen) {
  Feeder engine(store());
  engine.apply(charged(acme_, 1, 10'000'000));
  const std::string first = change(FreezeOverages{}).batches.at(0).batch.key;
  engine.apply(charged(acme_, 1, 10'000'000));
  const std::string second = change(FreezeOverages{}).batches.at(0).batch.key;
  EXPECT_NE(first, second) << "the same amount again is another charge";
}

INSTANTIATE_TEST_SUITE_P(Stores, BatchContract, testing::ValuesIn(factories()), name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
