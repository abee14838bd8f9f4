// Package:       tests
// Units:         as in ledger/ledger_fixture.h
// Errors:        a store that cannot be opened fails the running test.
// Thread safety: one test, one thread (StepWorkers).
// Ownership:     a Site owns its store and the folder it stands in; a Node its engine.
//
// A world of engines on one store, the reference or SQLite, whose engines can be paused one by one.
#pragma once

#include <memory>
#include <string_view>

#include "drivers/builtin.h"
#include "ledger/ledger_fixture.h"
#include "tests/contract/store_factories.h"
#include "tests/named/away_store.h"

namespace aimeter::named {

using ledger::fixture::ask_of;
using ledger::fixture::use;
using store::fixture::account_of;
using store::fixture::call_of;
using store::fixture::kMarch;
using store::fixture::kNoon;
using store::fixture::tokens_of;

inline const Account kAcme = account_of("acme");

[[nodiscard]] inline Plan limited(std::int64_t tokens) {
  return {.slug = "small", .monthly_token_limit = Tokens{tokens}};
}

struct Site : ledger::fixture::World {
  std::shared_ptr<std::string> folder;
  AwayStore* away = nullptr;  // store

  explicit Site(std::string_view kind) {
    if (kind == "sqlite") {
      folder = store::contract::make_folder();
      auto opened = drivers::open_store("sqlite:" + *folder + "/usage.db", {.clock = &clock});
      store = opened ? *std::move(opened) : nullptr;
      EXPECT_NE(store, nullptr) << opened.error().message;
    }
    auto wrapped = std::make_unique<AwayStore>(std::move(store));
    away = wrapped.get();
    store = std::move(wrapped);
  }
  ~Site() { store.reset(); }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;
};

// An engine with workers of its own: it runs when told, and is paused otherwise.
struct Node {
  base::StepWorkers workers;
  std::vector<store::Outcome> odd;
  std::vector<store::EndedHold> expired;
  std::unique_ptr<ledger::Ledger> ledger;

  explicit Node(Site& site) {
    ledger::Sinks sinks{
        .odd = [this](const store::Settlement&,
                      const store::Outcome& outcome) { odd.push_back(outcome); },
        .expired = [this](const store::EndedHold& hold) { expired.push_back(hold); }};
    auto opened = ledger::Ledger::open({*site.store, site.files, workers, site.clock}, site.options,
                                       std::move(sinks));
    EXPECT_TRUE(opened) << opened.error().message;
    if (opened) ledger = *std::move(opened);
  }
  ledger::Ledger& operator*() { return *ledger; }
  ledger::Ledger* operator->() { return ledger.get(); }
  void run() { workers.run_until_idle(); }
};

// Time passes; of all engines only these live.
inline void pass(Site& site, Duration time, std::initializer_list<Node*> living) {
  for (Duration step{}; step < time; step += site.options.heartbeat) {
    site.clock.advance(site.options.heartbeat);
    for (Node* node : living) node->run();
  }
}

// By value: a range-for over a Result that is a temporary would dangle.
[[nodiscard]] inline std::vector<store::BudgetState> budgets_of(const Site& site) {
  return site.store->budgets(std::nullopt).value();
}
[[nodiscard]] inline std::vector<store::EngineState> engines_of(const Site& site) {
  return site.store->engines().value();
}
[[nodiscard]] inline std::vector<store::Settlement> feed_of(const Site& site,
                                                            store::FeedPosition after) {
  return site.store->feed(after, 1'000).value();
}

// The test on the reference store and on SQLite, each with a clean verify at its end.
template <class Test>
void on_every_store(const Test& test) {
  for (const char* kind : {"memory", "sqlite"}) {
    SCOPED_TRACE(kind);
    Site site(kind);
    if (site.store == nullptr) return;
    test(site);
    if (::testing::Test::HasFatalFailure()) return;
    site.expect_clean();
  }
}

}  // namespace aimeter::named
