// Calls of several accounts that wait for leases at the same time wait for one transaction.
#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"
#include "tests/named/away_store.h"

namespace aimeter::named {
namespace {

using ledger::fixture::ask_of;
using ledger::fixture::use;
using store::fixture::tokens_of;

TEST(Named, who_waits_together_is_leased_in_one_transaction) {
  ledger::fixture::World world;
  std::vector<Account> accounts;
  for (const char* name : {"acme", "zeta", "tau"}) {
    accounts.push_back(store::fixture::account_of(name));
    Plan plan{.slug = name};
    plan.monthly_token_limit = Tokens{1'000};
    world.subscribe(accounts.back(), plan);
  }
  auto owned = std::make_unique<AwayStore>(std::move(world.store));
  AwayStore& line = *owned;
  world.store = std::move(owned);
  auto engine = world.open();
  for (const Account& account : accounts) ASSERT_TRUE(use(*engine, account, 10));
  line.leases = 0;
  std::vector<Result<budget::Held>> answers;
  for (const Account& account : accounts) {
    const std::int64_t tokens = account == accounts.back() ? 1'000 : 100;
    engine->hold(ask_of(account, tokens),
                 [&](Result<budget::Held> held) { answers.push_back(std::move(held)); });
  }
  EXPECT_TRUE(answers.empty()) << "each lacks some of its lease";
  world.workers.run_until_idle();
  ASSERT_EQ(answers.size(), 3U);
  ASSERT_TRUE(answers[0]) << answers[0].error().message;
  ASSERT_TRUE(answers[1]) << answers[1].error().message;
  ASSERT_FALSE(answers[2]) << "10 of its 1,000 are used";
  EXPECT_EQ(answers[2].error().code, Code::quota_exceeded);
  EXPECT_EQ(line.leases, 3) << "one for all, and two for the one that is refused";
  EXPECT_EQ(world.state(tokens_of(accounts[0])).over_hold, 0);
  for (Result<budget::Held>& held : answers) {
    if (held) engine->release(*std::move(held), "done");
  }
}

}  // namespace
}  // namespace aimeter::named
