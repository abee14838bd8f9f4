// What must hold of engines that are paused, killed, cut off or crowded, on every store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "ledger/engine_ledger.h"
#include "store/bound.h"
#include "tests/named/site.h"

namespace aimeter::named {
namespace {

using ledger::Ledger;
using store::BudgetState;
using ::testing::HasSubstr;

// An engine that was paused with a lease while the store took it back grants nothing of it: all
// that is used above the limit is what its running call used.
TEST(Named, zombie_with_lease_never_doubles_budget) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    Node zombie(site), other(site);
    ASSERT_TRUE(use(*zombie, kAcme, 10));
    Result<budget::Held> running = zombie->hold(ask_of(kAcme, 20));
    ASSERT_TRUE(running);
    ASSERT_TRUE(zombie->drain());
    ASSERT_GT(site.state(tokens_of(kAcme)).leased, 20) << "it has a lease beyond its call";

    pass(site, site.options.lease_ttl + site.options.hold_ttl + std::chrono::minutes(1), {&other});
    EXPECT_EQ(site.state(tokens_of(kAcme)).leased, 0) << "taken back";
    ASSERT_TRUE(use(*other, kAcme, 90)) << "all that is left of the limit";

    zombie.workers.hold_back("aim-control");  // it wakes: its caller is quicker than its heartbeat
    const auto blind = zombie->hold(ask_of(kAcme, 5));
    ASSERT_FALSE(blind) << "nothing is granted from a lease that is over";
    EXPECT_EQ(blind.error().code, Code::unavailable);
    zombie.workers.hold_back("");
    ASSERT_TRUE(zombie->settle(*std::move(running), call_of(kAcme, 20)));
    const auto told = zombie->hold(ask_of(kAcme, 1));
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, Code::quota_exceeded);
    ASSERT_TRUE(zombie->drain());
    ASSERT_TRUE(other->drain());
    const BudgetState state = site.state(tokens_of(kAcme));
    EXPECT_EQ(state.used, 120);
    EXPECT_EQ(state.late, 20) << "the running call, and nothing else";
    EXPECT_EQ(state.leased, 0);
  });
}

// While the store is away an engine grants inside its lease until lease_ttl of boot time after it
// sent its last renewal, whatever the wall clock says; it journals, and drains when it is back.
TEST(Named, store_away_grants_stop_at_lease_ttl_by_boot_clock) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(1'000));
    Node node(site);
    ASSERT_TRUE(use(*node, kAcme, 10));
    ASSERT_TRUE(node->drain());
    pass(site, site.options.heartbeat, {&node});
    const Duration renewed = site.clock.boot();
    const Instant wall = site.clock.now();
    site.away->away = true;
    const auto grants = [&] {
      Result<budget::Held> held = node->hold(ask_of(kAcme, 1));
      if (!held) return false;
      EXPECT_TRUE(node->settle(*std::move(held), call_of(kAcme, 1)));
      return true;
    };
    EXPECT_TRUE(grants());
    site.clock.set_wall(wall + std::chrono::hours(1));
    EXPECT_TRUE(grants()) << "wall time ends no lease";
    site.clock.set_wall(wall);
    site.clock.set_boot(renewed + site.options.lease_ttl - Duration(1));
    EXPECT_TRUE(grants()) << "the last microsecond";
    site.clock.set_boot(renewed + site.options.lease_ttl);
    const auto refused = node->hold(ask_of(kAcme, 1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unavailable);
    site.clock.set_wall(wall - std::chrono::hours(1));
    EXPECT_FALSE(grants()) << "wall time lengthens no lease";
    EXPECT_FALSE(node->health().granting);
    EXPECT_THAT(node->health().why_not, HasSubstr("lease_ttl"));
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 10) << "journalled, not in the store";

    site.clock.set_wall(wall + site.options.lease_ttl);
    site.away->away = false;
    pass(site, site.options.heartbeat, {&node});
    ASSERT_TRUE(node->drain());
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 13);
    EXPECT_TRUE(grants());
    ASSERT_TRUE(node->drain());
  });
}

// A kill between the store's commit and the end of the journal's segment: the replay counts nothing
// twice, loses nothing and strands no lease.
TEST(Named, replay_after_kill_between_commit_and_truncate_is_exact) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(1'000));
    auto ledger = site.open();
    for (int call = 0; call < 20; ++call) ASSERT_TRUE(use(*ledger, kAcme, 10));
    ASSERT_TRUE(ledger->drain());  // in the store, and still in the journal
    site.workers.hold_back("aim-project");
    ASSERT_TRUE(use(*ledger, kAcme, 7));  // in the journal only
    site.kill(std::move(ledger));
    site.workers.hold_back("");
    auto again = site.open();
    ASSERT_NE(again, nullptr);
    ASSERT_TRUE(again->drain());
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 207);
    EXPECT_EQ(site.state(tokens_of(kAcme)).leased, 0) << "a crash strands no lease";
    EXPECT_EQ(site.store->usages({.tenant = kAcme.tenant}, "", 100)->records.size(), 21U);
    EXPECT_TRUE(site.odd.empty());
  });
}

// The answer was counted, the acknowledgement was lost with the process or is still under way: the
// client's retry with its key is billed once, whichever engine it reaches.
TEST(Named, keyed_retry_after_lost_ack_bills_once) {
  on_every_store([](Site& site) {
    const store::KeyRef key{store::key_of("acme", "call", "k1"), 7};
    const auto call = [&](Ledger& ledger) -> Result<std::int64_t> {
      AIMETER_TRY(const ledger::KeyEntry entry, ledger.enter_key(key));
      if (entry.what == ledger::KeyEntry::What::seen) return entry.seen.row;
      AIMETER_TRY(budget::Held held, ledger.hold(ask_of(kAcme, 10)));
      store::Settlement settlement = call_of(kAcme, 10);
      settlement.key = key;
      AIMETER_TRY(const auto settled, ledger.settle(std::move(held), std::move(settlement)));
      ledger.leave_key(key, settled.row);
      return settled.row;
    };
    site.subscribe(kAcme, limited(1'000));
    auto first = site.open();
    site.workers.hold_back("aim-project");  // the store has not heard of it
    const auto row = call(*first);
    ASSERT_TRUE(row);
    Node other(site);
    const auto elsewhere = call(*other);  // the retry reaches another engine at once
    ASSERT_TRUE(elsewhere);
    EXPECT_NE(*elsewhere, *row) << "two answers slipped in";
    site.kill(std::move(first));
    site.workers.hold_back("");
    auto again = site.open();  // the tail of the dead engine is applied
    ASSERT_TRUE(other->drain());
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 10) << "billed once";
    const auto third = call(*again);
    ASSERT_TRUE(third);
    EXPECT_TRUE(*third == *row || *third == *elsewhere) << "the one that was counted first";
    ASSERT_TRUE(again->drain());
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 10);
  });
}

// Three engines, detached holds, records, pauses, take-backs and moving limits in random order: the
// bound of every blocking budget holds after every step.
TEST(Named, used_plus_leased_bounded_every_step) {
  on_every_store([](Site& site) {
    std::mt19937_64 random(20260310);
    const auto below = [&](std::int64_t end) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(end));
    };
    site.options.hold_ttl = std::chrono::seconds(20);
    site.subscribe(kAcme, limited(500));
    std::vector<std::unique_ptr<Node>> nodes;
    for (int i = 0; i < 3; ++i) nodes.push_back(std::make_unique<Node>(site));
    std::vector<std::pair<Node*, budget::Held>> running;
    std::vector<std::string> tokens;
    int granted = 0, refused = 0;
    for (int step = 0; step < 400; ++step) {
      SCOPED_TRACE(step);
      Node& node = *nodes[static_cast<std::size_t>(below(3))];
      const auto kind = below(12);
      if (kind < 4) {
        const auto fit = below(3) == 0 ? budget::Fit::may_cap : budget::Fit::strict;
        Result<budget::Held> held = node->hold(ask_of(kAcme, 1 + below(60), fit));
        held ? ++granted : ++refused;
        if (held) running.emplace_back(&node, *std::move(held));
      } else if (kind < 7 && !running.empty()) {
        auto at = running.begin() + below(static_cast<std::int64_t>(running.size()));
        auto [owner, held] = std::move(*at);
        running.erase(at);
        const std::int64_t most = held.parts.front().held;
        if (below(5) == 0) {
          (*owner)->release(std::move(held), "test");
        } else if (below(4) == 0) {
          const auto out = (*owner)->detach(held, call_of(kAcme, most));
          ASSERT_TRUE(out) << out.error().message;
          tokens.push_back(out->token);
        } else {  // sometimes above its hold
          ASSERT_TRUE((*owner)->settle(std::move(held), call_of(kAcme, below(most + 5))));
        }
      } else if (kind == 7 && !tokens.empty()) {
        auto claim = node->open_token(
            tokens[static_cast<std::size_t>(below(static_cast<std::int64_t>(tokens.size())))]);
        ASSERT_TRUE(claim);
        store::Settlement settlement = call_of(kAcme, below(30));
        settlement.budgets = claim->budgets;
        settlement.hold_engine = claim->hold_engine;
        settlement.epoch = claim->epoch;
        settlement.token = claim->token;
        ASSERT_TRUE(node->settle_detached(std::move(settlement)));
      } else if (kind == 8) {
        ASSERT_TRUE(node->record({}, call_of(kAcme, below(8))));
      } else if (kind == 9) {
        Plan plan = **site.store->find_plan(kAcme.tenant, "small");
        plan.monthly_token_limit = Tokens{300 + below(900)};
        ASSERT_TRUE(node->change({store::PutPlan{plan}, "test"}));
      } else if (kind == 10) {
        pass(site, std::chrono::seconds(1 + below(5)), {&node});
      } else {
        ASSERT_TRUE(store::fixture::take_back(*site.store,
                                              site.clock.now() - std::chrono::seconds(below(30))));
      }
      for (const BudgetState& state : budgets_of(site)) {
        ASSERT_TRUE(store::in_bound(state))
            << "used " << state.used << " leased " << state.leased << " limit "
            << state.limit.value_or(-1) << " over_hold " << state.over_hold << " late "
            << state.late << " fallen " << state.fallen;
      }
    }
    for (auto& [owner, held] : running) (*owner)->release(std::move(held), "end");
    for (auto& node : nodes) ASSERT_TRUE((*node)->drain());
    EXPECT_GT(granted, 20);
    EXPECT_GT(refused, 20);
  });
}

// An answer above its hold is counted whatever is free, and what it took is sold to nobody else.
TEST(Named, settlement_above_hold_never_refused_and_never_sells_twice) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    Node node(site);
    Result<budget::Held> held = node->hold(ask_of(kAcme, 10));
    ASSERT_TRUE(held);
    ASSERT_TRUE(node->settle(*std::move(held), call_of(kAcme, 60)));
    EXPECT_FALSE(node->hold(ask_of(kAcme, 41)));
    Result<budget::Held> rest = node->hold(ask_of(kAcme, 40));
    ASSERT_TRUE(rest) << "40 of 100 are left";
    ASSERT_TRUE(node->settle(*std::move(rest), call_of(kAcme, 1'000)));
    EXPECT_FALSE(node->hold(ask_of(kAcme, 1)));
    ASSERT_TRUE(node->drain());
    const BudgetState state = site.state(tokens_of(kAcme));
    EXPECT_EQ(state.used, 1'060);
    EXPECT_TRUE(store::in_bound(state));
    EXPECT_EQ(state.over_hold, 10 + 960) << "what neither the lease nor the store had for them";
    EXPECT_EQ(state.late, 0);
  });
}

// A learned estimate above what is free is capped, for one call at a time: the excess of a period
// is that of one call.
TEST(Named, capped_hold_overspends_at_most_one_call) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    Node node(site), other(site);
    ASSERT_TRUE(use(*node, kAcme, 90));
    ASSERT_TRUE(node->drain());
    Result<budget::Held> capped = node->hold(ask_of(kAcme, 4'096, budget::Fit::may_cap));
    ASSERT_TRUE(capped) << capped.error().message;
    EXPECT_TRUE(capped->capped);
    const auto second = node->hold(ask_of(kAcme, 4'096, budget::Fit::may_cap));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::quota_exceeded);
    EXPECT_EQ(second.error().refusal->held->count, 10);
    EXPECT_FALSE(other->hold(ask_of(kAcme, 4'096, budget::Fit::may_cap)));
    ASSERT_TRUE(node->settle(*std::move(capped), call_of(kAcme, 500)));
    EXPECT_FALSE(node->hold(ask_of(kAcme, 4'096, budget::Fit::may_cap)));
    ASSERT_TRUE(node->drain());
    EXPECT_FALSE(other->hold(ask_of(kAcme, 1, budget::Fit::may_cap)));
    const BudgetState state = site.state(tokens_of(kAcme));
    EXPECT_EQ(state.used, 590);
    EXPECT_EQ(state.over_hold, 490) << "one call's excess";
  });
}

// A call that runs longer than hold_ttl keeps what it holds as long as its engine lives.
TEST(Named, twelve_minute_call_keeps_its_hold) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    Node node(site), other(site);
    Result<budget::Held> running = node->hold(ask_of(kAcme, 80));
    ASSERT_TRUE(running);
    ASSERT_LT(site.options.hold_ttl, std::chrono::minutes(12));
    pass(site, std::chrono::minutes(12), {&node, &other});
    EXPECT_FALSE(other->hold(ask_of(kAcme, 21))) << "80 are held";
    ASSERT_TRUE(node->settle(*std::move(running), call_of(kAcme, 75)));
    ASSERT_TRUE(node->drain());
    const BudgetState state = site.state(tokens_of(kAcme));
    EXPECT_EQ(state.used, 75);
    EXPECT_EQ(state.late, 0);
    EXPECT_TRUE(node.odd.empty());
  });
}

// Without room on the disk no hold begins; what was held before is settled all the same.
TEST(Named, full_disk_refuses_holds_never_answers) {
  on_every_store([](Site& site) {
    Node node(site);
    std::vector<budget::Held> holds;
    holds.push_back(node->hold(ask_of(kAcme, 10)).value());
    site.files.set_free_bytes(0);
    for (int call = 0; call < 10'000; ++call) {
      Result<budget::Held> more = node->hold(ask_of(kAcme, 10));
      if (!more) {
        EXPECT_EQ(more.error().code, Code::unavailable) << more.error().message;
        break;
      }
      holds.push_back(*std::move(more));
    }
    ASSERT_FALSE(node->hold(ask_of(kAcme, 10))) << "the disk has an end";
    const auto count = static_cast<std::int64_t>(holds.size());
    for (budget::Held& each : holds) {
      ASSERT_TRUE(node->settle(std::move(each), call_of(kAcme, 10)));
    }
    ASSERT_TRUE(node->drain());
    EXPECT_EQ(site.state(tokens_of(kAcme)).used, 10 * count);
  });
}

// A hold that was detached is settled by the next engine after its owner closed or was killed.
TEST(Named, detached_hold_settles_after_owner_restart) {
  on_every_store([](Site& site) {
    site.subscribe(kAcme, limited(100));
    for (const bool killed : {false, true}) {
      SCOPED_TRACE(killed ? "killed" : "closed");
      const std::int64_t before = site.state(tokens_of(kAcme)).used;
      auto owner = site.open();
      Result<budget::Held> held = owner->hold(ask_of(kAcme, 30));
      ASSERT_TRUE(held);
      const auto out = owner->detach(*held, call_of(kAcme, 30));
      ASSERT_TRUE(out) << out.error().message;
      if (killed) {
        site.kill(std::move(owner));
      } else {
        owner.reset();
      }
      auto next = site.open();
      EXPECT_TRUE(site.orphans.empty()) << "it is nobody's orphan";
      EXPECT_EQ(site.state(tokens_of(kAcme)).leased, 30) << "still held";
      const auto claim = next->open_token(out->token);
      ASSERT_TRUE(claim) << claim.error().message;
      store::Settlement settlement = call_of(kAcme, 35);
      settlement.budgets = claim->budgets;
      settlement.hold_engine = claim->hold_engine;
      settlement.epoch = claim->epoch;
      settlement.token = claim->token;
      ASSERT_TRUE(next->settle_detached(std::move(settlement)));
      ASSERT_TRUE(next->drain());
      EXPECT_EQ(site.state(tokens_of(kAcme)).used, before + 35);
      EXPECT_EQ(site.state(tokens_of(kAcme)).leased, 0);
      EXPECT_EQ(site.state(tokens_of(kAcme)).late, 0);
    }
  });
}

// Whichever of settlement and expiry the store commits first takes the hold, and the call counts
// once: on time, or late.
TEST(Named, detached_hold_settle_and_expiry_race_counts_once) {
  for (const bool expiry_first : {false, true}) {
    SCOPED_TRACE(expiry_first ? "expiry first" : "settlement first");
    on_every_store([&](Site& site) {
      site.subscribe(kAcme, limited(100));
      Node owner(site), one(site), two(site);
      Result<budget::Held> held = owner->hold(ask_of(kAcme, 60));
      ASSERT_TRUE(held);
      const auto out = owner->detach(*held, call_of(kAcme, 60));
      ASSERT_TRUE(out);
      ASSERT_TRUE(owner->drain());
      store::Settlement settlement = call_of(kAcme, 50);
      const auto claim = one->open_token(out->token).value();
      settlement.budgets = claim.budgets;
      settlement.hold_engine = claim.hold_engine;
      settlement.epoch = claim.epoch;
      settlement.token = claim.token;
      site.clock.advance(site.options.hold_ttl);
      // Both are under way: the settlement is in the journal, the expiry is due everywhere.
      one.workers.hold_back("aim-project");
      if (!expiry_first) one.workers.hold_back("aim-control");
      ASSERT_TRUE(one->settle_detached(settlement));
      if (expiry_first) two.run();
      one.workers.hold_back("");
      ASSERT_TRUE(one->drain());
      pass(site, std::chrono::seconds(3), {&owner, &one, &two});
      const BudgetState state = site.state(tokens_of(kAcme));
      EXPECT_EQ(state.used, 50);
      EXPECT_EQ(state.late, expiry_first ? 50 : 0);
      EXPECT_EQ(one.odd.size(), expiry_first ? 1U : 0U);
      EXPECT_EQ(owner.expired.size() + one.expired.size() + two.expired.size(),
                expiry_first ? 1U : 0U)
          << "told once, by whoever found it";
      EXPECT_EQ(two->settle_detached(settlement)->first, store::row_id(2, 1)) << "the first result";
      ASSERT_TRUE(two->drain());
      EXPECT_EQ(site.state(tokens_of(kAcme)).used, 50);
      Result<budget::Held> rest = two->hold(ask_of(kAcme, 50));
      ASSERT_TRUE(rest) << "the hold is free again";
      two->release(*std::move(rest), "test");
    });
  }
}

// No second subscription, plan or way back gives more than one period's quota: carried, one counter
// for all plans; split, each plan finds its old count.
TEST(Named, flip_flop_plan_gives_no_new_quota) {
  for (const plans::PlanChange how : {plans::PlanChange::carry, plans::PlanChange::split}) {
    SCOPED_TRACE(how == plans::PlanChange::carry ? "carry" : "split");
    on_every_store([&](Site& site) {
      site.options.limits.plan_change = how;
      site.subscribe(kAcme, limited(100));
      Plan second = limited(100);
      second.slug = second.name = "other";
      ASSERT_TRUE(site.store->change({store::PutPlan{second}, "test"}));
      Node node(site);
      Subscription subscription = site.store->subscriptions(kAcme.tenant)->at(0).second;
      const auto move = [&](std::string slug) {
        subscription.plan = std::move(slug);
        const auto moved =
            node->change({store::PutSubscription{kAcme.tenant, subscription}, "test"});
        ASSERT_TRUE(moved) << moved.error().message;
      };
      const std::int64_t of_second = how == plans::PlanChange::carry ? 0 : 100;
      ASSERT_TRUE(use(*node, kAcme, 100));
      for (int turn = 0; turn < 3; ++turn) {
        move("other");
        std::int64_t got = 0;
        while (use(*node, kAcme, 10)) got += 10;
        EXPECT_EQ(got, turn == 0 ? of_second : 0) << "turn " << turn;
        move("small");
        EXPECT_FALSE(use(*node, kAcme, 1)) << "turn " << turn;
      }
      ASSERT_TRUE(node->drain());
      std::int64_t used = 0;
      for (const BudgetState& state : budgets_of(site)) {
        if (state.key.kind == BudgetKind::tokens) used += state.used;
      }
      EXPECT_EQ(used, 100 + of_second);
    });
  }
}

}  // namespace
}  // namespace aimeter::named
