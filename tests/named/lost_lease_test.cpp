// A lease that is lost while its engine did not hear of it.
#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"
#include "tests/named/away_store.h"

namespace aimeter::named {
namespace {

using ledger::fixture::ask_of;
using ledger::fixture::use;
using store::fixture::tokens_of;

// A renewal fails, the next one comes when a call waits for it, and tells that the lease is lost.
TEST(Named, a_hold_waits_for_a_renewal_and_is_not_granted_from_a_lost_lease) {
  const Account acme = store::fixture::account_of("acme");
  ledger::fixture::World world;
  Plan plan{.slug = "small"};
  plan.monthly_token_limit = Tokens{100};
  world.subscribe(acme, plan);
  auto owned = std::make_unique<AwayStore>(std::move(world.store));
  AwayStore& line = *owned;
  world.store = std::move(owned);
  auto engine = world.open();
  ASSERT_TRUE(use(*engine, acme, 10));
  ASSERT_TRUE(engine->drain());
  world.clock.advance(world.options.lease_ttl + world.options.hold_ttl + std::chrono::seconds(1));
  line.away = true;
  world.workers.run_until_idle();  // the heartbeat is lost
  line.away = false;
  ASSERT_EQ(store::fixture::take_back(line, world.clock.now()), 1);
  ASSERT_EQ(world.state(tokens_of(acme)).leased, 0);
  Result<budget::Held> held = engine->hold(ask_of(acme, 10));
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(held->epoch, 2U) << "leased anew";
  EXPECT_GE(world.state(tokens_of(acme)).leased, 10) << "what is held is leased";
}

}  // namespace
}  // namespace aimeter::named
