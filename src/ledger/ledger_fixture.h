// Package:       ledger
// Units:         tokens; Instants in March 2026.
// Errors:        a failed expectation fails the running test.
// Thread safety: one test, one thread (StepWorkers).
// Ownership:     owns store, disk, clock and workers; a Node owns its ledger.
//
// For tests of the ledger: the reference store, a disk in memory, a clock that moves when told and
// workers that step when somebody waits.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/memory_files.h"
#include "base/step_workers.h"
#include "ledger/engine_ledger.h"
#include "store/store_fixture.h"
#include "time/manual_clock.h"

namespace aimeter::ledger::fixture {

using store::fixture::account_of;
using store::fixture::kMarch;
using store::fixture::kNoon;

struct World {
  time::ManualClock clock{kNoon};
  base::MemoryFiles files;
  base::StepWorkers workers;
  std::unique_ptr<store::Store> store = store::make_memory_store(clock);
  Options options = {.journal_dir = "/usage.db.aimeter", .segment_bytes = 1U << 20};
  std::vector<store::Outcome> odd;
  std::vector<store::Orphan> orphans;

  World() {
    workers.set_on_idle([this] { clock.advance(options.heartbeat / 4); });
  }
  [[nodiscard]] std::unique_ptr<Ledger> open() {
    const Deps deps{*store, files, workers, clock};
    Sinks sinks{.odd = [this](const store::Settlement&,
                              const store::Outcome& outcome) { odd.push_back(outcome); },
                .orphan = [this](const store::Orphan& orphan) { orphans.push_back(orphan); }};
    Result<std::unique_ptr<Ledger>> ledger = Ledger::open(deps, options, std::move(sinks));
    EXPECT_TRUE(ledger) << ledger.error().message;
    return ledger ? *std::move(ledger) : nullptr;
  }
  // The process is gone at once: nothing is closed, its disk keeps what was synced.
  void kill(std::unique_ptr<Ledger> ledger) {
    static_cast<EngineLedger&>(*ledger).abandon();
    files.crash();
  }
  void subscribe(const Account& account, Plan plan) {
    plan.name = plan.slug;
    const auto put = store->change({store::PutPlan{plan}, "test"});
    EXPECT_TRUE(put) << put.error().message;
    Subscription subscription{
        .billable = account.billable, .plan = plan.slug, .started_at = kMarch.start};
    const auto subscribed =
        store->change({store::PutSubscription{account.tenant, subscription}, "test"});
    EXPECT_TRUE(subscribed) << subscribed.error().message;
  }
  [[nodiscard]] store::BudgetState state(const store::BudgetKey& key) {
    return store->budget_states({&key, 1})->at(0);
  }
  void expect_clean() {
    const auto verified = store->verify([](std::int64_t, std::int64_t) { return true; });
    ASSERT_TRUE(verified) << verified.error().message;
    for (const store::Finding& finding : verified->findings) {
      ADD_FAILURE() << finding.check << " " << finding.where << ": " << finding.message;
    }
  }
};

[[nodiscard]] inline HoldAsk ask_of(const Account& account, std::int64_t tokens,
                                    budget::Fit fit = budget::Fit::strict) {
  HoldAsk ask{
      .account = account,
      .names = {.user = "u1", .feature = "chat", .model = "openai/gpt-4o"},
      .need = {.tokens = tokens, .cost_nanos = tokens * 10, .tokens_fit = fit, .cost_fit = fit},
      .expected = store::fixture::call_of(account, tokens)};
  ask.estimate_source = fit == budget::Fit::strict ? "given" : "learned";
  return ask;
}

// Holds `tokens` strictly and settles `actual`.
[[nodiscard]] inline Result<SettleOutcome> use(Ledger& ledger, const Account& account,
                                               std::int64_t tokens, std::int64_t actual) {
  AIMETER_TRY(budget::Held held, ledger.hold(ask_of(account, tokens)));
  return ledger.settle(std::move(held), store::fixture::call_of(account, actual));
}
[[nodiscard]] inline Result<SettleOutcome> use(Ledger& ledger, const Account& account,
                                               std::int64_t tokens) {
  return use(ledger, account, tokens, tokens);
}

}  // namespace aimeter::ledger::fixture
