// Package:       tests
// Units:         tokens; Instants in March 2026.
// Errors:        a failed expectation fails the running test.
// Thread safety: one test, one thread (StepWorkers).
// Ownership:     a World owns clock and disk; an Up owns its process, store and engine.
//
// Whole engines on one disk in memory: the SQLite store and the journals that feed it. What an
// engine acknowledged is written down in Told, to be asked for after the disaster.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/step_workers.h"
#include "drivers/storage/sqlite/sqlite_store.h"
#include "ledger/engine_ledger.h"
#include "store/store_fixture.h"
#include "tests/disk/machine.h"
#include "time/manual_clock.h"

namespace aimeter::disk {

using ledger::Durability;
using store::Amount;
using store::fixture::kFebruary;
using store::fixture::kMarch;
using store::fixture::kNoon;

inline const Account kAccount = store::fixture::account_of("acme");
constexpr Amount kTokens = 20;
constexpr Instant kInFebruary = kFebruary.start + std::chrono::days(10);

struct Told {                                     // what the workload heard
  std::set<std::string> tried = {};               // keys of calls
  std::map<std::string, std::int64_t> rows = {};  // of acknowledged calls
  std::set<std::string> plans = {};
  bool schema = false, orphan = false;
};

struct World {
  time::ManualClock clock{kNoon};
  base::MemoryFiles files;
  Machine machine{files};
  Durability durability = Durability::journal;
  drivers::sqlite::Tuning tuning = {};
  World() { EXPECT_TRUE(files.make_folder("/data")); }
};

// One process on the machine, with a store and, once asked, an engine.
class Up {
 public:
  Up(World& world, Told& told) : world_(world), told_(told) {
    workers_.set_on_idle([this] { world_.clock.advance(options_.heartbeat / 4); });
    options_.durability = world.durability;
  }
  ~Up() { kill(); }

  [[nodiscard]] bool power() const { return world_.files.has_power(); }
  Status open_store(store::StoreOptions::Migrate migrate = store::StoreOptions::Migrate::apply) {
    const store::StoreOptions options{
        .clock = &world_.clock, .migrate = migrate, .disk = process_.disk()};
    AIMETER_TRY(store_,
                drivers::sqlite::SqliteStore::open("/data/usage.db", options, world_.tuning));
    told_.schema = true;
    return {};
  }
  Status open_ledger() {
    const ledger::Deps deps{*store_, world_.files, workers_, world_.clock};
    ledger::Sinks sinks{.orphan = [this](const store::Orphan&) { ++orphans_; }};
    AIMETER_TRY(ledger_, ledger::Ledger::open(deps, options_, std::move(sinks)));
    return {};
  }
  void open() {
    if (open_store()) (void)open_ledger();
  }
  void put_plan(const std::string& slug) {
    if (store_ == nullptr) return;
    const store::Change change{
        store::PutPlan{{.name = slug, .slug = slug, .monthly_token_limit = Tokens{100'000}}},
        "test"};
    if (ledger_ != nullptr ? ledger_->change(change) : store_->change(change)) {
      told_.plans.insert(slug);
    }
  }
  void subscribe() {
    if (store_ == nullptr) return;
    const Subscription contract{
        .billable = kAccount.billable, .plan = "main", .started_at = kFebruary.start};
    (void)store_->change({store::PutSubscription{kAccount.tenant, contract}, "test"});
  }
  void call(const std::string& key) {
    if (ledger_ == nullptr) return;
    const store::Settlement settlement = settlement_of(key, kNoon);
    auto held = ledger_->hold(ask_of(settlement));
    if (!held) return;
    told_.tried.insert(key);
    const auto settled = ledger_->settle(*std::move(held), store::Settlement(settlement));
    if (settled) told_.rows[key] = settled->row;
  }
  Result<budget::Held> hold(const std::string& key) {
    return ledger_->hold(ask_of(settlement_of(key, kNoon)));
  }
  Result<ledger::SettleOutcome> settle(budget::Held held, const std::string& key) {
    return ledger_->settle(std::move(held), settlement_of(key, kNoon));
  }
  void release(const std::string& key) {
    auto held = hold(key);
    if (held) ledger_->release(*std::move(held), "no answer");
  }
  void detach(const std::string& key) {
    auto held = hold(key);
    if (held) (void)ledger_->detach(*held, settlement_of(key, kNoon));
  }
  void calls(const std::string& name, int count) {
    for (int i = 0; i < count && power(); ++i) call(fmt::format("{}{}", name, i));
  }
  void record_late(const std::string& key) {
    if (ledger_ == nullptr || !power()) return;
    told_.tried.insert(key);
    const auto recorded = ledger_->record({.user = "u1"}, settlement_of(key, kInFebruary));
    if (recorded && ledger_->wait(recorded->ticket)) told_.rows[key] = recorded->outcome.row;
  }
  void begin_and_never_end() {
    if (ledger_ == nullptr) return;
    auto held = ledger_->hold(ask_of(settlement_of("never", kNoon)));
    told_.orphan = held.has_value();
  }
  void drain() {
    if (ledger_ != nullptr && power()) (void)ledger_->drain();
  }
  void pass(Duration time) {
    for (Duration gone{}; gone < time && power(); gone += options_.heartbeat) {
      world_.clock.advance(options_.heartbeat);
      workers_.run_until_idle();
    }
  }
  void prune() {
    if (store_ == nullptr || !power()) return;
    (void)store_->change({store::Prune{.before = kMarch.start}, "test"});
  }
  void stop_projector() { workers_.hold_back("aim-project"); }
  void close() {
    if (power()) ledger_.reset();
    kill_ledger();
    store_.reset();
  }
  // The engine ends as it should, and the process dies before it has closed the store.
  void close_ledger_and_die() {
    if (power()) ledger_.reset();
    kill();
  }
  void kill() {
    kill_ledger();
    process_.kill();
    store_.reset();
  }

  [[nodiscard]] store::Store& store() { return *store_; }
  [[nodiscard]] ledger::Ledger& ledger() { return *ledger_; }
  [[nodiscard]] ledger::Options& options() { return options_; }
  [[nodiscard]] base::StepWorkers& workers() { return workers_; }
  [[nodiscard]] int orphans() const { return orphans_; }

 private:
  static store::Settlement settlement_of(const std::string& key, Instant at) {
    store::Settlement settlement = store::fixture::call_of(kAccount, kTokens);
    settlement.occurred_at = at;
    if (at == kInFebruary) settlement.pins.period = kFebruary;
    settlement.meta = "{\"note\":\"" + std::string(200, 'x') + "\"}";
    return store::fixture::keyed(std::move(settlement), key);
  }
  static ledger::HoldAsk ask_of(const store::Settlement& settlement) {
    return {.account = kAccount,
            .names = {.user = "u1", .feature = "chat", .model = "openai/gpt-4o"},
            .need = {.tokens = 30, .cost_nanos = 300},
            .expected = settlement,
            .estimate_source = "given"};
  }
  void kill_ledger() {
    if (ledger_ == nullptr) return;
    static_cast<ledger::EngineLedger&>(*ledger_).abandon();
    ledger_.reset();
  }

  World& world_;
  Told& told_;
  Process process_{world_.machine};
  base::StepWorkers workers_;
  ledger::Options options_ = {.journal_dir = "/data/usage.db.aimeter",
                              .segment_bytes = 4'096,
                              .keep_segments = std::chrono::seconds(60)};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<ledger::Ledger> ledger_;
  int orphans_ = 0;
};

inline void expect_clean(const store::Store& store) {
  const auto verified = store.verify([](std::int64_t, std::int64_t) { return true; });
  ASSERT_TRUE(verified) << verified.error().message;
  for (const store::Finding& finding : verified->findings) {
    ADD_FAILURE() << finding.check << " " << finding.where << ": " << finding.message;
  }
}

inline base::Key16 digest_of(const std::string& key) {
  return store::key_of(kAccount.tenant.text, "call", key);
}

}  // namespace aimeter::disk
