// Callers wait a little for a store that lags, not for one that refuses: their leases end by time.
#include <gtest/gtest.h>
#include "ledger/ledger_fixture.h"
#include "tests/named/away_store.h"

namespace aimeter::named {
namespace {

using ledger::fixture::use;
using store::fixture::tokens_of;

TEST(FarBehind, a_store_that_refuses_is_not_waited_for) {
  ledger::fixture::World world;
  world.options.far_behind = 2;
  int waits = 0;
  world.workers.set_on_idle([&waits] { ++waits; });
  const Account acme = store::fixture::account_of("acme");
  Plan plan{.slug = "small"};
  plan.monthly_token_limit = Tokens{100};
  world.subscribe(acme, plan);
  auto owned = std::make_unique<AwayStore>(std::move(world.store));
  AwayStore& line = *owned;
  world.store = std::move(owned);
  auto engine = world.open();
  ASSERT_TRUE(use(*engine, acme, 5));
  ASSERT_TRUE(engine->drain());
  line.away = true;
  ASSERT_TRUE(use(*engine, acme, 5));
  world.workers.run_until_idle();  // the projector has met it
  waits = 0;
  for (int call = 0; call < 4; ++call) ASSERT_TRUE(use(*engine, acme, 5));
  EXPECT_EQ(waits, 0);
  line.away = false;
  world.clock.advance(std::chrono::seconds(1));  // until the projector tries again
  ASSERT_TRUE(engine->drain());
  EXPECT_EQ(world.state(tokens_of(acme)).used, 30);
  world.expect_clean();
}

}  // namespace
}  // namespace aimeter::named
