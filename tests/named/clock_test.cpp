// Clocks that jump: this machine's, the store's, and boot time that a suspended machine finds far
// ahead. No fresh quota, no row in a wrong period, leases end on time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/engine_ledger.h"
#include "tests/named/site.h"

namespace aimeter::named {
namespace {

using store::BudgetState;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr Duration kJumps[] = {1h, -1h, std::chrono::days(40), -std::chrono::days(40)};

// An engine on a machine whose clock is its own.
struct Machine {
  time::ManualClock clock;
  base::StepWorkers workers;
  std::unique_ptr<ledger::Ledger> ledger;

  explicit Machine(Site& site) : clock(site.clock.now(), site.clock.boot()) {
    auto opened = ledger::Ledger::open({*site.store, site.files, workers, clock}, site.options, {});
    EXPECT_TRUE(opened) << opened.error().message;
    if (opened) ledger = *std::move(opened);
  }
  ledger::Ledger* operator->() { return ledger.get(); }
  ledger::Ledger& operator*() { return *ledger; }
  void jump(Duration by) { clock.set_wall(clock.now() + by); }
};
// Time passes everywhere.
void pass(Site& site, Machine& machine, Duration time) {
  for (Duration step{}; step < time; step += site.options.heartbeat) {
    site.clock.advance(site.options.heartbeat);
    machine.clock.advance(site.options.heartbeat);
    machine.workers.run_until_idle();
  }
}

ledger::HoldAsk ask_now(const Clock& clock, const Account& account, std::int64_t tokens) {
  ledger::HoldAsk ask = ask_of(account, tokens);
  ask.expected.occurred_at = clock.now();  // as a live call is held
  return ask;
}
Result<ledger::SettleOutcome> use_now(ledger::Ledger& ledger, const Clock& clock,
                                      const Account& account, std::int64_t tokens) {
  ledger::HoldAsk ask = ask_now(clock, account, tokens);
  AIMETER_TRY(budget::Held held, ledger.hold(ask));
  store::Settlement settlement = call_of(account, tokens);
  settlement.occurred_at = ask.expected.occurred_at;
  settlement.pins.period = held.terms->limits.budgets.front().span;
  return ledger.settle(std::move(held), std::move(settlement));
}

void expect_rows_in_their_periods(Site& site) {
  for (const store::EngineState& engine : engines_of(site)) {
    for (const store::Settlement& row : feed_of(site, {.engine = engine.ref.engine})) {
      for (const store::BudgetPart& part : row.budgets) {
        EXPECT_TRUE(part.key.span.contains(row.occurred_at)) << text_of(row.occurred_at);
      }
    }
  }
}
std::int64_t used_of_all(Site& site) {
  std::int64_t used = 0;
  for (const BudgetState& state : budgets_of(site)) {
    if (state.key.kind == BudgetKind::tokens) used += state.used;
  }
  return used;
}

// The engine's machine jumps, the store does not: nothing is granted, at once and as long as it is
// off, to limited and unlimited accounts; calls that run are settled where they were held.
TEST(Clock, a_machine_whose_clock_jumps_grants_nothing_and_says_so) {
  for (const Duration by : kJumps) {
    SCOPED_TRACE(by.count());
    on_every_store([&](Site& site) {
      const Account unlimited = account_of("zeta");
      site.subscribe(kAcme, limited(100));
      Machine machine(site);
      ASSERT_TRUE(use_now(*machine, machine.clock, kAcme, 10));
      ASSERT_TRUE(use_now(*machine, machine.clock, unlimited, 10));
      Result<budget::Held> running = machine->hold(ask_now(machine.clock, kAcme, 20));
      ASSERT_TRUE(running);
      machine.jump(by);
      // Before its next heartbeat, too, wherever the jump leads to another period or ahead.
      if (by > Duration() || by <= -std::chrono::days(40)) {
        const auto at_once = machine->hold(ask_now(machine.clock, kAcme, 1));
        ASSERT_FALSE(at_once);
        EXPECT_EQ(at_once.error().code, Code::unavailable) << at_once.error().message;
      }
      pass(site, machine, site.options.heartbeat);
      for (const Account& account : {kAcme, unlimited}) {
        const auto refused = machine->hold(ask_now(machine.clock, account, 1));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Code::unavailable);
        EXPECT_THAT(refused.error().message, HasSubstr("max_clock_skew"));
      }
      EXPECT_FALSE(machine->health().granting);
      EXPECT_THAT(machine->health().why_not, HasSubstr("clock is off"));
      ASSERT_TRUE(machine->settle(*std::move(running), call_of(kAcme, 20)));
      pass(site, machine, 2 * site.options.lease_ttl);
      EXPECT_FALSE(machine->hold(ask_now(machine.clock, kAcme, 1))) << "however long it lasts";
      machine.jump(-by);
      pass(site, machine, site.options.heartbeat);
      EXPECT_TRUE(use_now(*machine, machine.clock, kAcme, 70)) << "right again: the rest of March";
      EXPECT_FALSE(use_now(*machine, machine.clock, kAcme, 1));
      ASSERT_TRUE(machine->drain());
      EXPECT_EQ(site.state(tokens_of(kAcme)).used, 100);
      EXPECT_EQ(used_of_all(site), 110) << "nothing was counted in another period";
      expect_rows_in_their_periods(site);
    });
  }
}

// Both sides of max_clock_skew, ahead and behind.
TEST(Clock, a_skew_of_exactly_the_maximum_is_borne) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    Machine machine(site);
    const Duration skew = site.options.max_clock_skew;
    for (const Duration sign : {Duration(1), Duration(-1)}) {
      machine.jump(sign.count() * skew);
      pass(site, machine, site.options.heartbeat);
      EXPECT_TRUE(use_now(*machine, machine.clock, kAcme, 1)) << sign.count();
      machine.jump(sign);
      pass(site, machine, site.options.heartbeat);
      EXPECT_FALSE(use_now(*machine, machine.clock, kAcme, 1)) << sign.count();
      machine.jump(-sign - sign.count() * skew);
      pass(site, machine, site.options.heartbeat);
      EXPECT_TRUE(use_now(*machine, machine.clock, kAcme, 1)) << sign.count();
    }
    ASSERT_TRUE(machine->drain());
  });
}

// A renewal that took long is no clock that is off.
TEST(Clock, a_slow_store_is_no_skew) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    Node node(site);
    site.away->slow = [&] { site.clock.advance(site.options.max_clock_skew + 1s); };
    site.clock.advance(site.options.heartbeat);
    node.run();
    site.away->slow = nullptr;
    EXPECT_TRUE(node->health().granting) << node->health().why_not;
    EXPECT_TRUE(use_now(*node, site.clock, kAcme, 10));
    ASSERT_TRUE(node->drain());
  });
}

// The store's clock jumps and comes back (all engines see the same one): nothing is granted while
// it is not known that it stays, nothing is taken from engines that live, no quota is fresh.
TEST(Clock, a_store_whose_clock_jumps_and_comes_back_gives_no_fresh_quota) {
  for (const Duration by : kJumps) {
    SCOPED_TRACE(by.count());
    on_every_store([&](Site& site) {
      site.subscribe(kAcme, limited(100));
      Node node(site), other(site);
      pass(site, site.options.lease_ttl + 1s, {&node, &other});
      ASSERT_TRUE(use_now(*node, site.clock, kAcme, 60));
      Result<budget::Held> running = other->hold(ask_now(site.clock, kAcme, 40));
      ASSERT_TRUE(running);
      ASSERT_TRUE(node->drain());
      site.clock.set_wall(site.clock.now() + by);
      node.run();
      const auto refused = node->hold(ask_now(site.clock, kAcme, 1));
      ASSERT_FALSE(refused);
      const bool other_period = by > std::chrono::days(1) || by < -std::chrono::days(1);
      if (other_period) {
        EXPECT_THAT(refused.error().message, HasSubstr("stepped"));
      }
      pass(site, site.options.lease_ttl - 5s, {&node, &other});
      EXPECT_FALSE(node->hold(ask_now(site.clock, kAcme, 1))) << "it may be a mistake";
      EXPECT_THAT(node->health().why_not, HasSubstr("stepped"));
      site.clock.set_wall(site.clock.now() - by);
      pass(site, 2 * site.options.lease_ttl, {&node, &other});
      EXPECT_FALSE(node->hold(ask_now(site.clock, kAcme, 1))) << "60 are used, 40 are held";
      ASSERT_TRUE(other->settle(*std::move(running), call_of(kAcme, 40)));
      ASSERT_TRUE(other->drain());
      const BudgetState state = site.state(tokens_of(kAcme));
      EXPECT_EQ(state.used, 100);
      EXPECT_EQ(state.late, 0) << "no lease of a living engine was taken";
      EXPECT_EQ(used_of_all(site), 100);
      expect_rows_in_their_periods(site);
    });
  }
}

// A clock that stays where it jumped to is believed after lease_ttl: each period keeps its count,
// to and fro.
TEST(Clock, a_jump_that_stays_is_believed_and_each_period_has_its_one_quota) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    Node node(site);
    ASSERT_TRUE(use_now(*node, site.clock, kAcme, 100));
    const Duration by = std::chrono::days(31);
    std::int64_t april = 0;
    for (int turn = 0; turn < 3; ++turn) {
      site.clock.set_wall(site.clock.now() + by);
      pass(site, site.options.lease_ttl + 2s, {&node});
      while (use_now(*node, site.clock, kAcme, 25)) april += 25;
      EXPECT_EQ(april, 100) << "turn " << turn;
      site.clock.set_wall(site.clock.now() - by);
      pass(site, site.options.lease_ttl + 2s, {&node});
      const auto march = use_now(*node, site.clock, kAcme, 1);
      ASSERT_FALSE(march);
      EXPECT_EQ(march.error().code, Code::quota_exceeded) << march.error().message;
    }
    ASSERT_TRUE(node->drain());
    EXPECT_EQ(used_of_all(site), 200);
    expect_rows_in_their_periods(site);
  });
}

// A machine wakes after a suspend: boot time has gone on, its leases are over before it knows; what
// others used meanwhile is not granted again.
TEST(Clock, a_suspended_machine_finds_its_leases_ended) {
  for (const Duration slept : {Duration(1h), Duration(std::chrono::days(1))}) {
    SCOPED_TRACE(slept.count());
    on_every_store([&](Site& site) {
      site.subscribe(kAcme, limited(100));
      Machine machine(site);
      Node other(site);
      ASSERT_TRUE(use_now(*machine, machine.clock, kAcme, 10));
      Result<budget::Held> running = machine->hold(ask_now(machine.clock, kAcme, 20));
      ASSERT_TRUE(running);
      ASSERT_TRUE(machine->drain());
      for (int round = 0; round < 4; ++round) {  // the others' time
        site.clock.advance(slept / 4);
        other.run();
        pass(site, site.options.lease_ttl + 1s, {&other});
      }
      ASSERT_TRUE(use_now(*other, site.clock, kAcme, 90));
      machine.clock.set_wall(site.clock.now());
      machine.clock.set_boot(site.clock.boot());
      machine.workers.hold_back("aim-control");
      EXPECT_FALSE(machine->hold(ask_now(machine.clock, kAcme, 1))) << "before its heartbeat";
      machine.workers.hold_back("");
      const auto told = machine->hold(ask_now(machine.clock, kAcme, 1));
      ASSERT_FALSE(told);
      EXPECT_EQ(told.error().code, Code::quota_exceeded) << told.error().message;
      ASSERT_TRUE(machine->settle(*std::move(running), call_of(kAcme, 20)));
      ASSERT_TRUE(machine->drain());
      ASSERT_TRUE(other->drain());
      const BudgetState state = site.state(tokens_of(kAcme));
      EXPECT_EQ(state.used, 120);
      EXPECT_EQ(state.late, 20);
      expect_rows_in_their_periods(site);
    });
  }
}

// A machine that was paused without its boot time (a virtual one, say) finds only its wall time
// ahead: it asks the store before it grants from what it had leased.
TEST(Clock, a_paused_machine_whose_boot_time_stood_still_asks_first) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    Machine machine(site);
    Node other(site);
    ASSERT_TRUE(use_now(*machine, machine.clock, kAcme, 10));
    ASSERT_TRUE(machine->drain());
    ASSERT_GT(site.state(tokens_of(kAcme)).leased, 0);
    pass(site, site.options.lease_ttl + site.options.hold_ttl + 60s, {&other});
    ASSERT_TRUE(use_now(*other, site.clock, kAcme, 90));
    machine.clock.set_wall(site.clock.now());
    machine.workers.hold_back("aim-control");
    EXPECT_FALSE(machine->hold(ask_now(machine.clock, kAcme, 1))) << "not from the old lease";
    machine.workers.hold_back("");
    EXPECT_FALSE(machine->hold(ask_now(machine.clock, kAcme, 1)));
    ASSERT_TRUE(other->drain());
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 100);
    EXPECT_EQ(site.state(tokens_of(kAcme)).late, 0);
  });
}

// Leases that nobody uses go back, also when the clock that dated their last use was ahead.
TEST(Clock, idle_leases_go_back_after_the_clock_went_back) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    site.clock.set_wall(site.clock.now() + 1h);
    Node node(site);
    ASSERT_TRUE(use_now(*node, site.clock, kAcme, 10));
    ASSERT_TRUE(node->drain());
    ASSERT_GT(site.state(tokens_of(kAcme)).leased, 0);
    site.clock.set_wall(site.clock.now() - 1h);
    pass(site, 30s, {&node});
    EXPECT_EQ(site.state(tokens_of(kAcme)).leased, 0);
  });
}

// Detached holds do not expire by a clock that has just jumped.
TEST(Clock, detached_holds_outlive_a_jump_that_is_taken_back) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    Node node(site);
    Result<budget::Held> held = node->hold(ask_now(site.clock, kAcme, 60));
    ASSERT_TRUE(held);
    ASSERT_TRUE(node->detach(*held, call_of(kAcme, 60)));
    ASSERT_TRUE(node->drain());
    site.clock.set_wall(site.clock.now() + 1h);
    pass(site, 10s, {&node});
    EXPECT_TRUE(node.expired.empty());
    site.clock.set_wall(site.clock.now() - 1h);
    pass(site, 60s, {&node});
    EXPECT_TRUE(node.expired.empty());
    EXPECT_EQ(site.state(tokens_of(kAcme)).leased, 60);
    pass(site, site.options.hold_ttl, {&node});
    EXPECT_EQ(node.expired.size(), 1U);
  });
}

}  // namespace
}  // namespace aimeter::named
