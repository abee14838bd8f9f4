#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;

class ApplyContract : public StoreContract {
 protected:
  // A lease of `amount` of the account's tokens under `limit`.
  void lease(const Feeder& engine, const BudgetKey& key, Amount amount, Amount limit) {
    const std::vector<LeaseAsk> asks{
        {.key = key, .ask = amount, .one_call = amount, .limit = limit, .catalogue = 1}};
    const auto grants = store().lease(engine.ref, asks);
    ASSERT_TRUE(grants) << grants.error().message;
    ASSERT_EQ(grants->at(0).granted, amount);
  }
  const Account acme_ = account_of("acme");
};

TEST_P(ApplyContract, MovesLastSeqFromPrevElseConflict) {
  Feeder engine(store());
  engine.apply({call_of(acme_, 10), call_of(acme_, 20)});
  EXPECT_EQ(store().last_seq(engine.ref.engine), 2U);

  std::vector<Settlement> again{call_of(acme_, 10), call_of(acme_, 20)};
  again[0].seq = 1;
  again[1].seq = 2;
  const auto replay = store().apply(engine.ref, 0, again, Sync::full);
  ASSERT_FALSE(replay);
  EXPECT_EQ(replay.error().code, Code::conflict);
  EXPECT_NE(replay.error().message.find("2"), std::string::npos) << replay.error().message;
  EXPECT_EQ(state(tokens_of(acme_)).used, 30) << "a replay counts nothing";
  EXPECT_EQ(store().last_seq(engine.ref.engine), 2U);
}

INSTANTIATE_TEST_SUITE_P(Stores, ApplyContract, testing::ValuesIn(factories()), name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
