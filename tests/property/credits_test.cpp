// Random top-ups, grants, holds, settlements, records, adjustments, refunds, withdrawals and
// expiries on one wallet, against a purse that moves one unit at a time. After every step the
// transactions come to the balance, and the lots and the debt as well. AIMETER_SEED=N repeats one,
// AIMETER_ROUNDS=N runs so many.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/contract/store_factories.h"
#include "tests/property/plain_purse.h"

namespace aimeter::store {
namespace {

using namespace fixture;
using contract::Opened;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

class World {
 public:
  World(const contract::Factory& factory, std::uint64_t seed)
      : opened_(factory.open()), random_(seed), engine_(*opened_.store) {}

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      step();
      compare();
    }
    expect_verified(*opened_.store);
  }

 private:
  Store& store() { return *opened_.store; }
  Instant now() { return opened_.clock->now(); }
  Amount below(Amount end) {
    return static_cast<Amount>(random_() % static_cast<std::uint64_t>(end));
  }
  Result<Changed> change(ChangeBody body) {
    return store().change({.body = std::move(body), .actor = "test"});
  }
  void step() {
    switch (below(12)) {
      case 0:
      case 1:
        return add();
      case 2:
        return deduct();
      case 3:
        return refund();
      case 4:
      case 5:
        return lease();
      case 6:
      case 7:
        return settle();
      case 8:
        return record();
      case 9:
        return adjust();
      case 10:
        return give_back();
      default:
        return pass_time();
    }
  }

  void add() {
    LotTerms terms;
    if (below(2) == 0) terms.priority = 50 * static_cast<int>(below(4));
    if (below(2) == 0) terms.expires_at = now() + std::chrono::minutes(1 + below(60));
    const Amount amount = 1 + below(60);
    const std::string key = below(3) == 0 ? fmt::format("key {}", keys_++) : "";
    const AddCredits body{
        .account = account_, .amount = {amount, "usd"}, .terms = terms, .idempotency_key = key};
    const auto added = change(body);
    ASSERT_TRUE(added) << added.error().message;
    plain_.add(terms, amount);
    if (key.empty()) return;
    const auto again = change(body);
    ASSERT_TRUE(again && again->repeated);
    EXPECT_EQ(again->credits[0].transaction, added->credits[0].transaction);
  }
  void deduct() {
    const Amount amount = 1 + below(40);
    PlainPurse expired = plain_;
    expired.expire(now(), leased_);
    const bool fits = expired.balance() - leased_ >= amount;
    const auto taken = change(DeductCredits{.account = account_, .amount = {amount, "usd"}});
    ASSERT_EQ(taken.has_value(), fits);
    if (!fits) {
      EXPECT_EQ(taken.error().code, Code::insufficient_credits);
      return;
    }
    plain_ = expired;
    plain_.spend(amount, now(), 0);
    debits_.push_back({.transaction = taken->credits[0].transaction.id, .amount = amount});
  }
  void refund() {
    if (debits_.empty()) return;
    Debit& debit = debits_[static_cast<std::size_t>(below(std::ssize(debits_)))];
    const Amount amount = 1 + below(30);
    const auto refunded = change(RefundCredits{
        .account = account_, .debit = debit.transaction, .amount = Money{amount, "usd"}});
    const Amount rest = debit.amount - debit.refunded;
    const Amount left = debit.usage ? std::min(rest, usages_[*debit.usage].returnable()) : rest;
    ASSERT_EQ(refunded.has_value(), amount <= left) << amount << " of " << left;
    if (!refunded) return;
    debit.refunded += amount;
    if (debit.usage) usages_[*debit.usage].refunded += amount;
    plain_.give_back(amount, now());
  }
  void lease() {
    const Amount wanted = 1 + below(40);
    const std::vector<LeaseAsk> asks{
        {.key = wallet_, .ask = wanted, .one_call = wanted, .catalogue = *store().catalogue()}};
    const auto grants = store().lease(engine_.ref, asks);
    ASSERT_TRUE(grants) << grants.error().message;
    Amount good = plain_.balance() - leased_;
    for (const PlainLot& lot : plain_.lots) good -= PlainPurse::over(lot, now()) ? lot.left : 0;
    EXPECT_EQ(grants->at(0).granted, good >= wanted ? wanted : 0);
    leased_ += grants->at(0).granted;
  }
  void settle() {
    const Amount held = below(leased_ + 1);
    const Amount cost = held + (below(5) == 0 ? below(20) : 0);
    apply(call(cost, held), held);
    leased_ -= held;
  }
  void record() { apply(call(1 + below(20), 0), 0); }
  Settlement call(Amount cost, Amount held) {
    Settlement made = call_of(account_, 4);
    made.occurred_at = now();
    made.total_cost.nanos = cost;
    made.input_cost.nanos = made.output_cost.nanos = 0;
    made.hold_engine = engine_.ref.engine;
    made.epoch = engine_.ref.epoch;
    made.budgets.push_back({.key = wallet_, .held = held, .actual = cost, .blocking = true});
    if (below(4) == 0) made = keyed(made, fmt::format("call {}", keys_++));
    return made;
  }
  void apply(const Settlement& one, Amount held) {
    const Amount cost = one.budgets.back().actual;
    const Applied applied = engine_.apply(one);
    EXPECT_EQ(applied.credits.size(), cost != 0 ? 1U : 0U);
    plain_.spend(cost, one.occurred_at, held);
    if (cost == 0) return;
    debits_.push_back({.transaction = applied.credits.at(0).transaction.id,
                       .amount = cost,
                       .usage = usages_.size()});
    usages_.push_back({one, engine_.row(), cost});
    if (!one.key) return;
    Settlement again = one;
    again.budgets.back().held = 0;
    EXPECT_TRUE(engine_.apply(again).credits.empty()) << "a repeat moves nothing";
  }
  void adjust() {
    if (usages_.empty()) return;
    const auto number = static_cast<std::size_t>(below(std::ssize(usages_)));
    Paid& usage = usages_[number];
    const Amount by = below(2) == 0 ? -(1 + below(usage.left + 1)) : 1 + below(10);
    Settlement adjustment = adjustment_of(usage.call, usage.row, 0);
    adjustment.total_cost.nanos = by;
    adjustment.budgets[0].actual = 0;
    adjustment.budgets.push_back({.key = wallet_, .actual = by});
    const Applied applied = engine_.apply(adjustment);
    const bool dead = usage.left + by < 0;
    ASSERT_EQ(applied.odd.size(), dead ? 1U : 0U);
    if (dead) return;
    usage.left += by;
    const Amount twice = by < 0 ? std::max<Amount>(0, -usage.returnable()) : 0;
    ASSERT_EQ(applied.credits.size(), twice > 0 ? 2U : 1U);
    usage.refunded -= twice;
    if (by > 0) {
      plain_.spend(by, adjustment.occurred_at, 0);
      debits_.push_back(
          {.transaction = applied.credits[0].transaction.id, .amount = by, .usage = number});
    } else {
      plain_.give_back(-by - twice, now());
    }
  }
  void give_back() {
    const Amount amount = below(leased_ + 1);
    const std::vector<LeaseBack> parts{{wallet_, amount}};
    const Status given = store().give_back(engine_.ref, parts);
    if (leased_ > 0) {
      ASSERT_TRUE(given) << given.error().message;
    }
    if (given) leased_ -= amount;
  }
  void pass_time() {
    opened_.clock->advance(std::chrono::minutes(below(20)));
    ASSERT_TRUE(store().renew(engine_.ref, {}));
    const auto expired = change(ExpireCredits{});
    ASSERT_TRUE(expired) << expired.error().message;
    const Amount before = plain_.balance();
    plain_.expire(now(), leased_);
    Amount taken = 0;
    for (const CreditMove& move : expired->credits) taken += move.transaction.amount.nanos;
    EXPECT_EQ(taken, before - plain_.balance());
  }

  void compare() {
    const auto wallets = store().wallets({});
    ASSERT_TRUE(wallets);
    if (wallets->empty()) {
      EXPECT_EQ(plain_.balance(), 0);
      return;
    }
    const WalletState& wallet = wallets->at(0);
    ASSERT_EQ(wallet.balance().nanos, plain_.balance());
    EXPECT_EQ(wallet.debt, plain_.debt);
    EXPECT_EQ(wallet.leased, leased_);
    const auto lots = store().credit_lots(account_, Lots::all);
    ASSERT_TRUE(lots);
    ASSERT_EQ(lots->size(), plain_.lots.size());
    for (std::size_t i = 0; i < lots->size(); ++i) {
      ASSERT_EQ(lots->at(i).remaining.nanos, plain_.lots[i].left) << "lot " << i;
    }
    Amount sum = 0;
    const auto moves = store().credit_transactions({}, kPageMax);
    ASSERT_TRUE(moves);
    for (const CreditMove& move : *moves) {
      const CreditTransaction& one = move.transaction;
      sum += one.is_credit() ? one.amount.nanos : -one.amount.nanos;
      ASSERT_EQ(one.balance_after.nanos, sum);
    }
    ASSERT_EQ(sum, wallet.balance().nanos) << "transactions = balance";
  }

  struct Debit {
    std::int64_t transaction = 0;
    Amount amount = 0, refunded = 0;
    std::optional<std::size_t> usage = {};  // that it is of, itself or as a correction
  };
  struct Paid {
    Settlement call = {};
    std::int64_t row = 0;
    Amount left = 0, refunded = 0;  // left: what it costs with its adjustments
    [[nodiscard]] Amount returnable() const { return left - refunded; }
  };
  Opened opened_;
  std::mt19937_64 random_;
  Feeder engine_;
  const Account account_ = account_of("acme");
  const BudgetKey wallet_ = wallet_key(account_, "usd");
  PlainPurse plain_ = {};
  Amount leased_ = 0;
  int keys_ = 0;
  std::vector<Debit> debits_ = {};
  std::vector<Paid> usages_ = {};
};

void run_rounds(const contract::Factory& factory, std::uint64_t rounds, int steps) {
  const std::uint64_t first = from_environment("AIMETER_SEED", 1);
  for (std::uint64_t seed = first; seed < first + rounds; ++seed) {
    SCOPED_TRACE(fmt::format("AIMETER_SEED={}", seed));
    World(factory, seed).run(steps);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(CreditsModel, a_wallet_in_memory_is_what_a_plain_purse_is) {
  run_rounds({"memory", contract::open_memory}, from_environment("AIMETER_ROUNDS", 300), 120);
}

TEST(CreditsModel, a_wallet_in_sqlite_is_what_a_plain_purse_is) {
  run_rounds({"sqlite", contract::open_sqlite}, from_environment("AIMETER_ROUNDS", 300) / 50, 120);
}

// Usage, corrections and top-ups in any order: the same balance, and the same sum of transactions.
TEST(CreditsModel, the_order_of_arrival_changes_no_balance) {
  std::mt19937_64 random(from_environment("AIMETER_SEED", 1));
  const Account account = account_of("acme");
  const BudgetKey wallet = wallet_key(account, "usd");
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    std::vector<Amount> moves;  // more than 0 comes in
    Amount expected = 0;
    for (int i = 0; i < 30; ++i) {
      moves.push_back(static_cast<Amount>(random() % 100) - 60);
      if (moves.back() == 0) moves.back() = 1;
      expected += moves.back();
    }
    for (int order = 0; order < 5; ++order) {
      std::ranges::shuffle(moves, random);
      const Opened opened = contract::open_memory();
      Feeder engine(*opened.store);
      for (const Amount move : moves) {
        if (move > 0) {
          ASSERT_TRUE(opened.store->change(
              {.body = AddCredits{.account = account, .amount = {move, "usd"}}, .actor = "test"}));
        } else {
          Settlement call = call_of(account, 1);
          call.total_cost.nanos = -move;
          call.budgets.push_back({.key = wallet, .actual = -move});
          engine.apply(call);
        }
      }
      EXPECT_EQ(opened.store->wallets({})->at(0).balance().nanos, expected);
      expect_verified(*opened.store);
    }
  }
}

}  // namespace
}  // namespace aimeter::store
