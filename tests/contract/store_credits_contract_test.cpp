// Wallets: every change is a transaction with the balance after it, lots are spent by their rule,
// and nothing moves twice.
#include "aimeter/limit.h"
#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;

constexpr Amount kDollar = 1'000'000'000;

Money usd(Amount nanos) { return {nanos, "usd"}; }

class CreditsContract : public StoreContract {
 protected:
  CreditTransaction add(Amount nanos, LotTerms terms = {}, std::string key = {}) {
    const Changed changed = change(AddCredits{.account = acme_,
                                              .amount = usd(nanos),
                                              .terms = terms,
                                              .reason = "top-up",
                                              .idempotency_key = std::move(key)});
    return changed.credits.empty() ? CreditTransaction{} : changed.credits[0].transaction;
  }
  CreditTransaction deduct(Amount nanos) {
    const Changed changed = change(DeductCredits{.account = acme_, .amount = usd(nanos)});
    return changed.credits.empty() ? CreditTransaction{} : changed.credits[0].transaction;
  }
  WalletState wallet(const Account& account) {
    const auto found = store().wallets({account.tenant, account.billable});
    EXPECT_TRUE(found);
    if (!found || found->empty()) return {};
    EXPECT_EQ(found->size(), 1U);
    return found->at(0);
  }
  Amount balance() { return wallet(acme_).balance().nanos; }
  std::vector<CreditTransaction> transactions(const CreditFilter& filter = {}) {
    const auto found = store().credit_transactions(filter, 100);
    EXPECT_TRUE(found);
    std::vector<CreditTransaction> all;
    if (!found) return all;
    for (const CreditMove& move : *found) all.push_back(move.transaction);
    return all;
  }
  std::vector<Amount> left(Lots which = Lots::open) {
    std::vector<Amount> remaining;
    const auto lots = store().credit_lots(acme_, which);
    EXPECT_TRUE(lots);
    if (!lots) return remaining;
    for (const CreditLot& lot : *lots) remaining.push_back(lot.remaining.nanos);
    return remaining;
  }
  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
  const BudgetKey purse_ = wallet_key(acme_, "usd");
};

// A call of acme's that takes `cost` from its wallet, of which `held` was leased.
Settlement paid_call(const BudgetKey& wallet, Amount cost, const HeldPart& part = {}) {
  Settlement call = call_of(wallet.account, 10);
  call.total_cost = usd(cost);
  call.input_cost = usd(0);
  call.output_cost = usd(cost);
  call.pins.mode = BillingMode::credits;
  call.hold_engine = part.engine.engine;
  call.epoch = part.engine.epoch;
  call.budgets.push_back(
      {.key = wallet, .held = part.held, .actual = cost, .blocking = part.held > 0});
  return call;
}

// ---- Top-ups and withdrawals.

TEST_P(CreditsContract, ATopUpMakesTheWalletAndItsFirstTransaction) {
  EXPECT_TRUE(store().wallets({})->empty());
  EXPECT_EQ(store().load_account(acme_, kNoon)->wallet_currency, "");
  const Changed changed = change(AddCredits{.account = acme_,
                                            .amount = usd(100 * kDollar),
                                            .reason = "top-up",
                                            .meta = {{"payment_id", "pay_123"}}});
  ASSERT_EQ(changed.credits.size(), 1U);
  const CreditTransaction& first = changed.credits[0].transaction;
  EXPECT_EQ(changed.credits[0].account, acme_);
  EXPECT_TRUE(first.is_credit());
  EXPECT_EQ(first.amount, usd(100 * kDollar));
  EXPECT_EQ(first.balance_after, usd(100 * kDollar));
  EXPECT_EQ(first.reason, "top-up");
  EXPECT_EQ(first.meta.at("payment_id"), "pay_123");
  EXPECT_EQ(first.created_at, kNoon);
  EXPECT_EQ(first.cause, CreditCause::top_up);
  EXPECT_EQ(changed.id, first.id);
  EXPECT_FALSE(changed.repeated);
  EXPECT_EQ(transactions(), std::vector{first});
  EXPECT_EQ(
      wallet(acme_),
      (WalletState{
          .account = acme_, .currency = "usd", .credited = 100 * kDollar, .transactions = 1}));
  EXPECT_EQ(store().load_account(acme_, kNoon)->wallet_currency, "usd");
  EXPECT_EQ(store().load_account(zeta_, kNoon)->wallet_currency, "");
}

TEST_P(CreditsContract, BadArgumentsNameTheirFieldAndChangeNothing) {
  const auto with = [&](auto set) {
    AddCredits change{.account = acme_, .amount = usd(5)};
    set(change);
    return change;
  };
  refuse(with([](AddCredits& c) { c.amount.nanos = 0; }), Code::invalid_argument, "amount");
  refuse(with([](AddCredits& c) { c.amount.nanos = -1; }), Code::invalid_argument, "amount");
  refuse(with([](AddCredits& c) { c.amount.currency = "USD"; }), Code::invalid_argument,
         "currency");
  refuse(with([](AddCredits& c) { c.terms.priority = -1; }), Code::invalid_argument, "priority");
  refuse(with([](AddCredits& c) { c.terms.priority = kLotPriorityMax + 1; }),
         Code::invalid_argument, "priority");
  refuse(with([](AddCredits& c) { c.terms.expires_at = kNoon; }), Code::invalid_argument,
         "expires_at");
  refuse(with([](AddCredits& c) { c.account.billable.id = ""; }), Code::invalid_argument,
         "billable.id");
  refuse(with([](AddCredits& c) { c.reason = std::string(kCreditReasonBytesMax + 1, 'x'); }),
         Code::invalid_argument, "reason");
  refuse(DeductCredits{.account = acme_, .amount = usd(0)}, Code::invalid_argument, "amount");
  refuse(RefundCredits{.account = acme_, .debit = 1, .amount = usd(0)}, Code::invalid_argument,
         "amount");
  EXPECT_TRUE(transactions().empty());
  add(5);
  refuse(AddCredits{.account = acme_, .amount = {5, "eur"}}, Code::invalid_argument, "usd");
  refuse(AddCredits{.account = acme_, .amount = usd(INT64_MAX)}, Code::invalid_argument, "amount");
  EXPECT_EQ(balance(), 5);
}

TEST_P(CreditsContract, TheSameKeyAgainIsTheFirstResultAndOtherContentAConflict) {
  const CreditTransaction first = add(7, {}, "pay_1");
  const Changed again = change(AddCredits{
      .account = acme_, .amount = usd(7), .reason = "other words", .idempotency_key = "pay_1"});
  EXPECT_TRUE(again.repeated);
  ASSERT_EQ(again.credits.size(), 1U);
  EXPECT_EQ(again.credits[0].transaction, first);
  EXPECT_EQ(balance(), 7);
  EXPECT_EQ(store().audit(100)->size(), 1U);
  refuse(AddCredits{.account = acme_, .amount = usd(8), .idempotency_key = "pay_1"}, Code::conflict,
         "idempotency_key");
  refuse(DeductCredits{.account = acme_, .amount = usd(7), .idempotency_key = "pay_1"},
         Code::conflict, "idempotency_key");
  refuse(
      AddCredits{.account = account_of("acme", "2"), .amount = usd(7), .idempotency_key = "pay_1"},
      Code::conflict, "idempotency_key");
  change(AddCredits{.account = zeta_, .amount = usd(8), .idempotency_key = "pay_1"});
  EXPECT_EQ(balance(), 7);
  EXPECT_EQ(wallet(zeta_).balance(), usd(8));
}

TEST_P(CreditsContract, TheSameKeyAgainIsTheFirstResultAlsoWhenItsLotHasEnded) {
  const Instant end = kNoon + std::chrono::hours(1);
  const CreditTransaction first = add(7, {.expires_at = end}, "pay_1");
  clock().set_wall(end);
  const AddCredits again{
      .account = acme_, .amount = usd(7), .terms = {.expires_at = end}, .idempotency_key = "pay_1"};
  const Changed repeated = change(again);
  EXPECT_TRUE(repeated.repeated);
  ASSERT_EQ(repeated.credits.size(), 1U);
  EXPECT_EQ(repeated.credits[0].transaction, first);
  AddCredits fresh = again;
  fresh.idempotency_key = "pay_2";
  refuse(fresh, Code::invalid_argument, "expires_at");
}

TEST_P(CreditsContract, AWithdrawalNeedsTheBalanceThatIsNotLeased) {
  Feeder engine(store());
  add(10);
  lease(engine, purse_, 4, 0);
  refuse(DeductCredits{.account = acme_, .amount = usd(7)}, Code::insufficient_credits,
         "0.000000004 of it is set aside");
  const auto refused =
      store().change({.body = DeductCredits{.account = acme_, .amount = usd(7)}, .actor = "test"});
  ASSERT_TRUE(refused.error().refusal);
  EXPECT_EQ(refused.error().refusal->budget, "credits");
  EXPECT_EQ(refused.error().refusal->balance, usd(10));
  EXPECT_EQ(refused.error().refusal->required, usd(7));
  const CreditTransaction taken = deduct(6);
  EXPECT_TRUE(taken.is_debit());
  EXPECT_EQ(taken.cause, CreditCause::withdrawal);
  EXPECT_EQ(taken.balance_after, usd(4));
  refuse(DeductCredits{.account = acme_, .amount = usd(1)}, Code::insufficient_credits,
         "0.000000004");
  const std::vector<LeaseBack> back{{purse_, 4}};
  ASSERT_TRUE(store().give_back(engine.ref, back));
  EXPECT_EQ(deduct(4).balance_after, usd(0));
  refuse(DeductCredits{.account = zeta_, .amount = usd(1)}, Code::insufficient_credits, "0");
}

// ---- Settlements.

TEST_P(CreditsContract, ASettlementIsADebitInTheOrderOfItsBatch) {
  Feeder engine(store());
  add(100);
  Settlement third = paid_call(purse_, 0);
  const Applied applied =
      engine.apply({paid_call(purse_, 30), paid_call(purse_, 50), third, paid_call(purse_, 5)});
  ASSERT_EQ(applied.credits.size(), 3U);
  EXPECT_EQ(applied.credits[0].transaction.balance_after, usd(70));
  EXPECT_EQ(applied.credits[1].transaction.balance_after, usd(20));
  EXPECT_EQ(applied.credits[2].transaction.balance_after, usd(15));
  EXPECT_EQ(applied.credits[0].account, acme_);
  EXPECT_EQ(applied.credits[1].transaction.usage_id, row_id(engine.ref.engine, 2));
  EXPECT_EQ(applied.credits[1].transaction.cause, CreditCause::usage);
  EXPECT_TRUE(applied.credits[1].transaction.is_debit());
  const std::vector<CreditTransaction> all = transactions();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[2], applied.credits[1].transaction);
  EXPECT_EQ(state(purse_).used, 85);
  EXPECT_EQ(state(purse_).credited, 100);
  EXPECT_EQ(left(), std::vector<Amount>{15});
}

TEST_P(CreditsContract, ADuplicateAndAReplayTakeNothing) {
  Feeder engine(store());
  add(100);
  engine.apply(keyed(paid_call(purse_, 30), "k"));
  const Applied again = engine.apply(keyed(paid_call(purse_, 30), "k"));
  EXPECT_TRUE(again.credits.empty());
  ASSERT_EQ(again.odd.size(), 1U);
  EXPECT_EQ(again.odd[0].what, Odd::duplicate);
  EXPECT_EQ(balance(), 70);
  EXPECT_EQ(transactions().size(), 2U);
}

TEST_P(CreditsContract, ADebtIsPaidByTheNextTopUp) {
  Feeder engine(store());
  add(10);
  lease(engine, purse_, 10, 0);
  engine.apply(paid_call(purse_, 13, {engine.ref, 10}));
  EXPECT_EQ(balance(), -3);
  EXPECT_EQ(wallet(acme_).debt, 3);
  EXPECT_EQ(state(purse_).over_hold, 3);
  const std::vector<LeaseAsk> asks{ask_of(purse_, 5, 0)};
  EXPECT_EQ(store().lease(engine.ref, asks)->at(0).granted, 0);
  EXPECT_EQ(add(2).balance_after, usd(-1));
  EXPECT_EQ(store().lease(engine.ref, asks)->at(0).granted, 0);
  EXPECT_EQ(add(4).balance_after, usd(3));
  EXPECT_EQ(wallet(acme_).debt, 0);
  EXPECT_EQ(left(), std::vector<Amount>{3});
  lease(engine, purse_, 3, 0);
}

TEST_P(CreditsContract, TheLimitOfALeaseIsWhatWasCredited) {
  Feeder engine(store());
  const std::vector<LeaseAsk> asks{
      {.key = purse_, .ask = 8, .one_call = 8, .limit = 1'000, .catalogue = 1}};
  EXPECT_EQ(store().lease(engine.ref, asks)->at(0).granted, 0);
  add(7);
  EXPECT_EQ(store().lease(engine.ref, asks)->at(0).granted, 0);
  add(1);
  const auto grants = store().lease(engine.ref, asks);
  EXPECT_EQ(grants->at(0).granted, 8);
  EXPECT_EQ(grants->at(0).limit, 8);
  EXPECT_EQ(state(purse_).limit, 8);
  add(5);
  EXPECT_EQ(state(purse_).limit, 13);
  EXPECT_EQ(store().catalogue(), 1U) << "a top-up is no change of the catalogue";
}

TEST_P(CreditsContract, AnAdjustmentGivesAndTakesMoney) {
  Feeder engine(store());
  add(100);
  const Settlement call = paid_call(purse_, 60);
  engine.apply(call);
  const std::int64_t row = engine.row();
  const auto adjust = [&](Amount cost) {
    Settlement adjustment = adjustment_of(call, row, 0);
    adjustment.total_cost = usd(cost);
    adjustment.budgets[0].actual = 0;
    adjustment.budgets.push_back({.key = purse_, .actual = cost});
    return engine.apply(adjustment);
  };
  const Applied back = adjust(-25);
  ASSERT_EQ(back.credits.size(), 1U);
  const CreditTransaction& credit = back.credits[0].transaction;
  EXPECT_TRUE(credit.is_credit());
  EXPECT_EQ(credit.cause, CreditCause::correction);
  EXPECT_EQ(credit.amount, usd(25));
  EXPECT_EQ(credit.balance_after, usd(65));
  EXPECT_EQ(credit.refers_to, row);
  EXPECT_EQ(credit.usage_id, engine.row());
  EXPECT_EQ(left(), std::vector<Amount>{65});
  EXPECT_TRUE(adjust(5).credits.at(0).transaction.is_debit());
  EXPECT_EQ(balance(), 60);
  EXPECT_EQ(adjust(-41).odd.at(0).what, Odd::dead) << "more than is left of its usage";
  EXPECT_EQ(balance(), 60);
}

TEST_P(CreditsContract, ADeadSettlementTakesItsHold) {
  Feeder engine(store());
  add(50);
  lease(engine, purse_, 20, 0);
  Settlement dead = paid_call(purse_, 5, {engine.ref, 20});
  dead.budgets[0].actual = -1;  // no adjustment
  const Applied applied = engine.apply(dead);
  ASSERT_EQ(applied.odd.size(), 1U);
  EXPECT_EQ(applied.odd[0].what, Odd::dead);
  EXPECT_EQ(balance(), 30);
  ASSERT_EQ(transactions().size(), 2U);
  EXPECT_EQ(transactions()[1].amount, usd(20));
}

// ---- Refunds.

TEST_P(CreditsContract, RefundsNameTheirDebitAndNeverExceedIt) {
  Feeder engine(store());
  add(100);
  const CreditTransaction debit = engine.apply(paid_call(purse_, 60)).credits.at(0).transaction;
  const auto refund = [&](std::optional<Money> amount, std::string key = {}) {
    return RefundCredits{.account = acme_,
                         .debit = debit.id,
                         .amount = std::move(amount),
                         .reason = "sorry",
                         .idempotency_key = std::move(key)};
  };
  refuse(refund(usd(61)), Code::failed_precondition, "0.00000006");
  const Changed first = change(refund(usd(20), "r1"));
  ASSERT_EQ(first.credits.size(), 1U);
  EXPECT_EQ(first.credits[0].transaction.cause, CreditCause::refund);
  EXPECT_EQ(first.credits[0].transaction.refers_to, debit.id);
  EXPECT_EQ(first.credits[0].transaction.balance_after, usd(60));
  EXPECT_TRUE(change(refund(usd(20), "r1")).repeated);
  refuse(refund(usd(21), "r1"), Code::conflict, "idempotency_key");
  refuse(refund(usd(41)), Code::failed_precondition, "amount");
  EXPECT_EQ(change(refund({}, "r2")).credits.at(0).transaction.amount, usd(40));
  EXPECT_TRUE(change(refund({}, "r2")).repeated);
  refuse(refund({}), Code::failed_precondition, "amount");
  EXPECT_EQ(balance(), 100);
  refuse(RefundCredits{.account = acme_, .debit = first.id}, Code::failed_precondition, "refund");
  refuse(RefundCredits{.account = acme_, .debit = 999}, Code::not_found, "999");
  refuse(RefundCredits{.account = zeta_, .debit = debit.id}, Code::not_found,
         std::to_string(debit.id));
  const CreditTransaction withdrawal = deduct(30);
  change(RefundCredits{.account = acme_, .debit = withdrawal.id});
  EXPECT_EQ(balance(), 100);
}

TEST_P(CreditsContract, WhatAnAdjustmentGaveBackIsNotRefundedAgain) {
  Feeder engine(store());
  add(100);
  const Settlement call = paid_call(purse_, 60);
  const CreditTransaction debit = engine.apply(call).credits.at(0).transaction;
  Settlement adjustment = adjustment_of(call, engine.row(), 0);
  adjustment.total_cost = usd(-50);
  adjustment.budgets[0].actual = 0;
  adjustment.budgets.push_back({.key = purse_, .actual = -50});
  engine.apply(adjustment);
  const auto refund = [&](Amount nanos) {
    return RefundCredits{.account = acme_, .debit = debit.id, .amount = usd(nanos)};
  };
  refuse(refund(11), Code::failed_precondition, "amount");
  change(refund(10));
  EXPECT_EQ(balance(), 100);
}

// A usage, paid; each correction and refund of it, and what came of the balance.
class RefundedUsage {
 public:
  RefundedUsage(Store& store, const BudgetKey& wallet, Amount cost)
      : engine_(store), store_(store), wallet_(wallet), call_(paid_call(wallet, cost)) {
    debit = engine_.apply(call_).credits.at(0).transaction;
    row = engine_.row();
  }
  std::vector<CreditTransaction> correct(Amount cost) {
    Settlement adjustment = adjustment_of(call_, row, 0);
    adjustment.total_cost = usd(cost);
    adjustment.budgets[0].actual = 0;
    adjustment.budgets.push_back({.key = wallet_, .actual = cost});
    std::vector<CreditTransaction> moved;
    for (const CreditMove& move : engine_.apply(adjustment).credits) {
      moved.push_back(move.transaction);
    }
    return moved;
  }
  Result<Changed> refund(std::int64_t of, std::optional<Amount> nanos = {}) {
    return store_.change(
        {.body = RefundCredits{.account = wallet_.account,
                               .debit = of,
                               .amount = nanos ? std::optional(usd(*nanos)) : std::nullopt}});
  }
  CreditTransaction debit = {};
  std::int64_t row = 0;

 private:
  Feeder engine_;
  Store& store_;
  const BudgetKey wallet_;
  const Settlement call_;
};

TEST_P(CreditsContract, WhatWasRefundedIsNotGivenAgainByAnAdjustment) {
  add(100);
  RefundedUsage usage(store(), purse_, 60);
  ASSERT_TRUE(usage.refund(usage.debit.id, 50));
  EXPECT_EQ(transactions().back().usage_id, usage.row);
  EXPECT_EQ(usage.correct(-5).size(), 1U) << "5 of 60 are left, and go";
  EXPECT_EQ(balance(), 95);
  const std::vector<CreditTransaction> moved = usage.correct(-25);
  ASSERT_EQ(moved.size(), 2U);
  EXPECT_EQ(moved[0].amount, usd(25));
  EXPECT_EQ(moved[0].balance_after, usd(120));
  EXPECT_EQ(moved[1].cause, CreditCause::refund);
  EXPECT_TRUE(moved[1].is_debit());
  EXPECT_EQ(moved[1].amount, usd(20));
  EXPECT_EQ(moved[1].balance_after, usd(100));
  EXPECT_EQ(moved[1].refers_to, moved[0].id);
  EXPECT_EQ(moved[1].usage_id, usage.row);
  EXPECT_EQ(moved[1].reason, "refunded before");
  EXPECT_EQ(transactions().back(), moved[1]);
  EXPECT_EQ(balance(), 100) << "all of it came back, once";
  EXPECT_EQ(left(), std::vector<Amount>{100});
  EXPECT_EQ(wallet(acme_).credited, 130);
  EXPECT_EQ(store().verify({})->findings.size(), 0U);
  EXPECT_EQ(usage.refund(moved[1].id).error().code, Code::failed_precondition);
  EXPECT_EQ(usage.refund(usage.debit.id).error().code, Code::failed_precondition);
  ASSERT_EQ(usage.correct(12).size(), 1U);
  EXPECT_EQ(usage.refund(usage.debit.id, 11).error().code, Code::failed_precondition)
      << "10 of that debit were not refunded yet";
  ASSERT_TRUE(usage.refund(usage.debit.id));
  EXPECT_EQ(balance(), 98);
}

TEST_P(CreditsContract, ACorrectionIsRefundedAsPartOfItsUsage) {
  add(200);
  RefundedUsage usage(store(), purse_, 60);
  const CreditTransaction more = usage.correct(40).at(0);
  EXPECT_TRUE(more.is_debit());
  EXPECT_EQ(usage.correct(-50).size(), 1U);
  EXPECT_EQ(balance(), 150);
  EXPECT_EQ(usage.refund(usage.debit.id, 51).error().code, Code::failed_precondition);
  ASSERT_TRUE(usage.refund(usage.debit.id, 30));
  EXPECT_EQ(usage.refund(more.id, 21).error().code, Code::failed_precondition)
      << "the usage has cost 50, and 30 of them came back";
  ASSERT_TRUE(usage.refund(more.id));
  EXPECT_EQ(balance(), 200);
  ASSERT_EQ(usage.correct(-50).size(), 2U);
  EXPECT_EQ(balance(), 200);
}

TEST_P(CreditsContract, ADeadCallIsRefundedWhatItTook) {
  Feeder engine(store());
  add(50);
  lease(engine, purse_, 20, 0);
  Settlement dead = paid_call(purse_, 5, {engine.ref, 20});
  dead.budgets[0].actual = -1;  // no adjustment
  const CreditTransaction debit = engine.apply(dead).credits.at(0).transaction;
  const auto refund = [&](Amount nanos) {
    return RefundCredits{.account = acme_, .debit = debit.id, .amount = usd(nanos)};
  };
  change(refund(15));
  refuse(refund(6), Code::failed_precondition, "amount");
  change(refund(5));
  EXPECT_EQ(balance(), 50);
}

// ---- Lots.

TEST_P(CreditsContract, LotsAreSpentByPriorityThenExpiryThenAge) {
  Feeder engine(store());
  const Instant soon = kNoon + std::chrono::hours(1), later = kNoon + std::chrono::hours(2);
  add(10);                                                       // 1: fifth
  add(10, {.expires_at = later});                                // 2: third
  add(10, {.priority = 5});                                      // 3: first
  add(10, {.expires_at = soon});                                 // 4: second
  add(10, {.kind = LotKind::promotional, .expires_at = later});  // 5: fourth
  engine.apply(paid_call(purse_, 15));
  EXPECT_EQ(left(Lots::all), (std::vector<Amount>{10, 10, 0, 5, 10}));
  engine.apply({paid_call(purse_, 10), paid_call(purse_, 10)});
  EXPECT_EQ(left(Lots::all), (std::vector<Amount>{10, 0, 0, 0, 5}));
  EXPECT_EQ(left(), (std::vector<Amount>{10, 5}));
  const auto lots = store().credit_lots(acme_, Lots::open);
  EXPECT_EQ(lots->at(1).terms, (LotTerms{.kind = LotKind::promotional, .expires_at = later}));
  EXPECT_EQ(lots->at(1).granted_at, kNoon);
  EXPECT_EQ(lots->at(1).amount, usd(10));
  EXPECT_TRUE(store().credit_lots(zeta_, Lots::all)->empty());
}

TEST_P(CreditsContract, ALotExpiresByTheClockWithATransaction) {
  Feeder engine(store());
  const Instant end = kNoon + std::chrono::hours(1);
  add(10);
  add(30, {.kind = LotKind::promotional, .priority = 1, .expires_at = end});
  engine.apply(paid_call(purse_, 12));
  clock().set_wall(end - Duration(1));
  EXPECT_FALSE(store().renew(engine.ref, {})->credits_due);
  EXPECT_EQ(change(ExpireCredits{}).rows, 0);
  clock().set_wall(end);
  EXPECT_TRUE(store().renew(engine.ref, {})->credits_due);
  const Changed changed = change(ExpireCredits{});
  ASSERT_EQ(changed.credits.size(), 1U);
  EXPECT_EQ(changed.rows, 1);
  EXPECT_FALSE(changed.more);
  const CreditTransaction& expiry = changed.credits[0].transaction;
  EXPECT_TRUE(expiry.is_debit());
  EXPECT_EQ(expiry.cause, CreditCause::expiry);
  EXPECT_EQ(expiry.amount, usd(18));
  EXPECT_EQ(expiry.balance_after, usd(10));
  EXPECT_EQ(expiry.created_at, end);
  EXPECT_FALSE(store().renew(engine.ref, {})->credits_due);
  EXPECT_TRUE(change(ExpireCredits{}).credits.empty());
  refuse(RefundCredits{.account = acme_, .debit = expiry.id}, Code::failed_precondition, "expiry");
}

TEST_P(CreditsContract, WhatIsOverIsNotLeasedAndNotWithdrawn) {
  Feeder engine(store());
  const Instant end = kNoon + std::chrono::hours(1);
  add(10);
  add(30, {.expires_at = end});
  clock().set_wall(end);
  const std::vector<LeaseAsk> asks{
      {.key = purse_, .ask = 11, .one_call = 11, .limit = 0, .catalogue = 1}};
  const auto grants = store().lease(engine.ref, asks);
  EXPECT_EQ(grants->at(0).granted, 0);
  EXPECT_EQ(grants->at(0).limit, 10);
  refuse(DeductCredits{.account = acme_, .amount = usd(11)}, Code::insufficient_credits,
         "the balance of 0.00000001 usd");
  EXPECT_EQ(deduct(10).balance_after, usd(0));
  ASSERT_EQ(transactions().size(), 4U);
  EXPECT_EQ(transactions()[2].cause, CreditCause::expiry);
}

TEST_P(CreditsContract, WhatIsLeasedExpiresWhenItComesBack) {
  Feeder engine(store());
  const Instant end = kNoon + std::chrono::hours(1);
  add(30, {.expires_at = end});
  lease(engine, purse_, 20, 0);
  clock().set_wall(end);
  EXPECT_EQ(change(ExpireCredits{}).credits.at(0).transaction.amount, usd(10));
  const auto pulse = store().renew(engine.ref, {});
  ASSERT_EQ(pulse->recalled, std::vector{purse_});
  EXPECT_TRUE(change(ExpireCredits{}).credits.empty());
  Settlement call = paid_call(purse_, 5, {engine.ref, 5});  // held before, answered now
  call.occurred_at = end;
  engine.apply(call);
  EXPECT_EQ(balance(), 15);
  EXPECT_EQ(wallet(acme_).debt, 0);
  const std::vector<LeaseBack> back{{purse_, 15}};
  ASSERT_TRUE(store().give_back(engine.ref, back));
  EXPECT_EQ(change(ExpireCredits{}).credits.at(0).transaction.balance_after, usd(0));
}

TEST_P(CreditsContract, AnExpiredLotPaysForNoRecordOfLaterUsage) {
  Feeder engine(store());
  const Instant end = kNoon + std::chrono::hours(1);
  add(30, {.expires_at = end});
  clock().set_wall(end);
  Settlement late = paid_call(purse_, 10);
  late.occurred_at = end;
  engine.apply(late);
  EXPECT_EQ(wallet(acme_).debt, 10);
  EXPECT_EQ(left(), std::vector<Amount>{30});
  Settlement before = paid_call(purse_, 4);
  before.occurred_at = end - Duration(1);  // it was good then
  engine.apply(before);
  EXPECT_EQ(left(), std::vector<Amount>{26});
  change(ExpireCredits{});
  EXPECT_EQ(balance(), -10);
}

TEST_P(CreditsContract, ExpiryGoesInSlices) {
  const Instant end = kNoon + std::chrono::hours(1);
  for (const char* id : {"1", "2", "3"}) {
    change(AddCredits{
        .account = account_of("acme", id), .amount = usd(5), .terms = {.expires_at = end}});
  }
  clock().set_wall(end);
  const Changed first = change(ExpireCredits{.limit = 2});
  EXPECT_EQ(first.rows, 2);
  EXPECT_TRUE(first.more);
  const Changed second = change(ExpireCredits{.limit = 2});
  EXPECT_EQ(second.rows, 1);
  EXPECT_FALSE(second.more);
}

TEST_P(CreditsContract, TheRatesOfASettlementAreStoredWithBothAmounts) {
  Feeder engine(store());
  change(AddCredits{.account = acme_, .amount = {1'000, "eur"}});
  Settlement call = paid_call(wallet_key(acme_, "eur"), 92);
  call.total_cost = usd(100);
  call.pins.rates = {{"usd", "eur", Decimal::parse_or_die("0.92")}};
  engine.apply({call, paid_call(wallet_key(acme_, "eur"), 8)});
  const auto row = store().settlement(row_id(engine.ref.engine, 1), acme_.tenant);
  ASSERT_TRUE(row && *row);
  EXPECT_EQ((*row)->pins.rates, call.pins.rates);
  EXPECT_EQ((*row)->pins.mode, BillingMode::credits);
  EXPECT_EQ((*row)->total_cost, usd(100));
  EXPECT_EQ((*row)->budgets.back().actual, 92);
  EXPECT_TRUE(
      (*store().settlement(row_id(engine.ref.engine, 2), acme_.tenant))->pins.rates.empty());
  EXPECT_EQ(wallet(acme_).balance(), (Money{900, "eur"}));
}

// ---- Reads.

TEST_P(CreditsContract, TransactionsArePagedBothWaysAndStayInTheirTenant) {
  for (int i = 1; i <= 5; ++i) add(i);
  change(AddCredits{.account = zeta_, .amount = usd(9)});
  change(AddCredits{.account = account_of("acme", "2"), .amount = usd(8)});
  const auto amounts = [&](const CreditFilter& filter, std::size_t limit) {
    std::vector<Amount> found;
    const auto moves = store().credit_transactions(filter, limit);
    EXPECT_TRUE(moves);
    for (const CreditMove& move : *moves) found.push_back(move.transaction.amount.nanos);
    return found;
  };
  const WalletFilter mine{acme_.tenant, acme_.billable};
  EXPECT_EQ(amounts({.wallet = mine}, 3), (std::vector<Amount>{1, 2, 3}));
  const std::int64_t third = transactions({.wallet = mine})[2].id;
  EXPECT_EQ(amounts({.wallet = mine, .after = third}, 9), (std::vector<Amount>{4, 5}));
  CreditFilter newest{.wallet = mine, .order = CreditOrder::newest_first};
  EXPECT_EQ(amounts(newest, 2), (std::vector<Amount>{5, 4}));
  newest.after = third;
  EXPECT_EQ(amounts(newest, 9), (std::vector<Amount>{2, 1}));
  EXPECT_EQ(amounts({.wallet = {.tenant = acme_.tenant}}, 9),
            (std::vector<Amount>{1, 2, 3, 4, 5, 8}));
  EXPECT_EQ(amounts({.wallet = {.billable = acme_.billable}}, 9),
            (std::vector<Amount>{1, 2, 3, 4, 5, 9}));
  EXPECT_EQ(amounts({}, 9).size(), 7U);
  EXPECT_EQ(amounts({.wallet = mine, .id = third}, 9), std::vector<Amount>{3});
  EXPECT_TRUE(amounts({.wallet = {.tenant = zeta_.tenant}, .id = third}, 9).empty());
  EXPECT_FALSE(store().credit_transactions({}, 0));
  EXPECT_EQ(store().wallets({})->size(), 3U);
  EXPECT_EQ(store().wallets({.tenant = zeta_.tenant})->size(), 1U);
}

TEST_P(CreditsContract, EveryChangeHasItsRowOfAudit) {
  add(10);
  const CreditTransaction debit = deduct(4);
  change(RefundCredits{.account = acme_, .debit = debit.id});
  const auto audit = store().audit(100);
  ASSERT_EQ(audit->size(), 3U);
  EXPECT_EQ(audit->at(2).action, "add_credits");
  EXPECT_EQ(audit->at(2).tenant, "acme");
  EXPECT_EQ(audit->at(2).details, "user 1: 0.00000001");
  EXPECT_EQ(audit->at(1).action, "deduct_credits");
  EXPECT_EQ(audit->at(0).action, "refund_credits");
}

TEST_P(CreditsContract, AWalletKeepsNoRowFromBeingPruned) {
  Feeder engine(store());
  add(100);
  Settlement old = paid_call(purse_, 30);
  old.occurred_at = kFebruary.start;
  old.pins.period = kFebruary;
  old.budgets[0].key.span = kFebruary;
  engine.apply(old);
  EXPECT_EQ(change(Prune{.before = kFebruary.end}).rows, 1);
  EXPECT_EQ(balance(), 70);
  EXPECT_EQ(transactions().size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(Stores, CreditsContract, testing::ValuesIn(factories()), name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
