#include <filesystem>

#include "drivers/storage/sqlite/scratch_file.h"

namespace aimeter::drivers::sqlite {
namespace {

using namespace store;
using namespace store::fixture;

class CreditsVerifyTest : public ScratchFile {
 protected:
  // Wallet 1 of acme: 100 and 50 came in, 30 and 80 went out. Wallet 2 of zeta: 5 came in, 8 went
  // out: a debt of 3.
  void fill() {
    const auto store = opened();
    Feeder engine(*store);
    add(*store, acme_, 100);
    add(*store, acme_, 50);
    add(*store, zeta_, 5);
    engine.apply({paid(acme_, 30), paid(acme_, 80), paid(zeta_, 8)});
    expect_verified(*store);
  }
  static void add(Store& store, const Account& account, Amount nanos) {
    const auto changed =
        store.change({.body = AddCredits{.account = account, .amount = {nanos, "usd"}}});
    ASSERT_TRUE(changed) << changed.error().message;
  }
  static Settlement paid(const Account& account, Amount cost) {
    Settlement call = call_of(account, 10);
    call.total_cost.nanos = cost;
    call.budgets.push_back({.key = wallet_key(account, "usd"), .actual = cost});
    return call;
  }
  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
};

struct Damage {
  const char* words;
  const char* script;
  const char* check;
  const char* where;
  const char* numbers;  // part of the message
};

constexpr Damage kDamages[] = {
    {"the amount of a transaction was changed",
     "UPDATE ai_credit_transactions SET amount_nanos = 51 WHERE amount_nanos = 50", "chain",
     "tenant \"acme\", user 1, wallet in usd", "says a balance of 150, the chain has 151"},
    {"a balance_after was changed",
     "UPDATE ai_credit_transactions SET balance_after_nanos = 121 WHERE balance_after_nanos = 120",
     "chain", "tenant \"acme\"", "says a balance of 121, the chain has 120"},
    {"a transaction in the middle is gone",
     "DELETE FROM ai_credit_transactions WHERE amount_nanos = -30", "chain", "tenant \"acme\"",
     "says a balance of 40, the chain has 70"},
    {"the last transaction is gone", "DELETE FROM ai_credit_transactions WHERE amount_nanos = -80",
     "transactions = balance", "tenant \"acme\"",
     "the balance is 40, 3 transactions of 4 come to 120"},
    {"two transactions that cancel out are gone",
     "UPDATE ai_credit_wallets SET transactions = transactions + 2 WHERE debt_nanos = 0",
     "transactions = balance", "tenant \"acme\"", "4 transactions of 6"},
    {"credits were given without a transaction",
     "UPDATE ai_budgets SET credited = credited + 7 WHERE credited = 150", "transactions = balance",
     "tenant \"acme\"", "the balance is 47"},
    {"the rest of a lot was changed",
     "UPDATE ai_credit_lots SET remaining_nanos = 41 WHERE remaining_nanos = 40", "lots = balance",
     "tenant \"acme\"", "the balance is 40, lots have 41 and 0 is owed"},
    {"a lot is gone", "DELETE FROM ai_credit_lots WHERE remaining_nanos = 40", "lots = balance",
     "tenant \"acme\"", "lots have 0"},
    {"a debt was forgotten", "UPDATE ai_credit_wallets SET debt_nanos = 0", "lots = balance",
     "tenant \"zeta\"", "the balance is -3, lots have 0 and 0 is owed"},
    {"what settlements took was changed", "UPDATE ai_budgets SET used = used - 1 WHERE used = 110",
     "rows = counters", "tenant \"acme\"", "used is 109"},
};

TEST_F(CreditsVerifyTest, verify_names_each_planted_corruption_of_a_wallet) {
  fill();
  const std::string whole = path_;
  for (const Damage& damage : kDamages) {
    SCOPED_TRACE(damage.words);
    path_ = folder_ + "/copy.db";
    std::filesystem::copy_file(whole, path_, std::filesystem::copy_options::overwrite_existing);
    sql(damage.script);
    {
      const auto store = opened();
      const auto verified = store->verify({});
      ASSERT_TRUE(verified) << verified.error().message;
      bool named = false;
      std::string all;
      for (const Finding& finding : verified->findings) {
        all += finding.check + ": " + finding.where + ": " + finding.message + "\n";
        named = named || (finding.check == damage.check &&
                          finding.where.find(damage.where) != std::string::npos &&
                          finding.message.find(damage.numbers) != std::string::npos);
      }
      EXPECT_TRUE(named) << all;
    }
    std::filesystem::remove(path_ + "-wal");
    std::filesystem::remove(path_ + "-shm");
  }
}

TEST_F(CreditsVerifyTest, WalletsOutliveTheirProcess) {
  fill();
  const auto store = opened();
  const auto wallets = store->wallets({});
  ASSERT_TRUE(wallets);
  ASSERT_EQ(wallets->size(), 2U);
  EXPECT_EQ(wallets->at(0).balance(), (Money{40, "usd"}));
  EXPECT_EQ(wallets->at(1).balance(), (Money{-3, "usd"}));
  EXPECT_EQ(wallets->at(1).debt, 3);
  add(*store, zeta_, 4);
  EXPECT_EQ(store->wallets({.tenant = zeta_.tenant})->at(0).balance(), (Money{1, "usd"}));
  expect_verified(*store);
}

// A file of version 1 has budgets and no wallets.
TEST_F(CreditsVerifyTest, AnOlderFileGetsItsWallets) {
  {
    const auto store = opened();
    Feeder engine(*store);
    engine.apply(call_of(acme_, 10));
  }
  bring_back_to(1);
  const auto store = opened();
  ASSERT_NE(store, nullptr);
  add(*store, acme_, 5);
  EXPECT_EQ(store->wallets({})->size(), 1U);
  expect_verified(*store);
}

}  // namespace
}  // namespace aimeter::drivers::sqlite
