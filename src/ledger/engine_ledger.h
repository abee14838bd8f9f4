// Package:       ledger
// Units:         as in ledger.h
// Errors:        as in ledger.h
// Thread safety: hot functions from any thread; each worker's step on its own thread.
// Ownership:     owns book, keys, tail, journal and the three workers; borrows Deps.
//
// The Ledger over one journal and one store. Three workers: the journal's writer, the projector
// (journal -> store) and the control lane (leases, heartbeat, first loads).
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fork.h"
#include "base/mutex.h"
#include "ledger/keys.h"
#include "ledger/lane.h"
#include "ledger/ledger.h"
#include "ledger/silence.h"
#include "ledger/tail.h"

namespace aimeter::ledger {

[[nodiscard]] budget::Names names_of(const store::Settlement& settlement);
[[nodiscard]] budget::Actual actual_of(const store::Settlement& settlement);
// quota_exceeded, or insufficient_credits where the wallet refuses.
[[nodiscard]] budget::StoreWord word_of(const store::BudgetState& state);
[[nodiscard]] Error refused_by(const std::shared_ptr<const Refusal>& refusal);

class EngineLedger final : public Ledger {
 public:
  EngineLedger(const Deps& deps, Options options, Sinks sinks);
  ~EngineLedger() override;
  EngineLedger(const EngineLedger&) = delete;
  EngineLedger& operator=(const EngineLedger&) = delete;
  [[nodiscard]] Status start();
  // For tests of crashes: stops working as if the process were gone; nothing is closed.
  void abandon();

  Result<budget::Held> hold(const HoldAsk& ask) override;
  void hold(const HoldAsk& ask, HoldDone done) override;
  void release(budget::Held held, std::string_view reason) override;
  Result<SettleOutcome> settle(budget::Held held, store::Settlement&& settlement) override;
  void settle(budget::Held held, store::Settlement&& settlement, SettleDone done) override;
  Result<Detached> detach(const budget::Held& held, HoldClaim claim) override;
  void detach(const budget::Held& held, HoldClaim claim, DetachDone done) override;
  Result<HoldClaim> open_token(std::string_view token) override;
  Result<DetachedOutcome> settle_detached(store::Settlement settlement) override;
  void settle_detached(store::Settlement settlement, DetachedDone done) override;
  Status release_detached(const HoldClaim& claim) override;
  Result<Recorded> record(const budget::Names& names, store::Settlement settlement) override;
  Result<Recorded> adjust(store::Settlement settlement) override;
  Status wait(std::uint64_t ticket) override;
  Result<KeyEntry> enter_key(const store::KeyRef& key) override { return keys_.enter(key); }
  void enter_key(const store::KeyRef& key, KeyDone done) override {
    keys_.enter(key, std::move(done));
  }
  void leave_key(const store::KeyRef& key, std::int64_t row) override { keys_.leave(key, row); }
  Result<LimitCheck> check(const Account& account, const budget::Names& names,
                           const budget::Need& requested) override;
  Result<std::shared_ptr<const budget::Terms>> terms(const Account& account, Instant at) override;
  Result<store::Changed> change(const store::Change& change) override;
  Status drain() override;
  Health health() const override;

 private:
  // ---- engine_ledger.cpp: calls
  struct Written {  // where a settlement went
    SettleOutcome outcome = {};
    std::uint64_t ticket = 0;
    bool wake = false;  // the writer, before the ticket is waited for
  };
  [[nodiscard]] Status wait(const Written& written);
  [[nodiscard]] Instant time_of(const HoldAsk& ask) const;  // whose limits: its own, else now
  [[nodiscard]] std::optional<Error> refuses(const budget::Held& held, Instant at) const;
  [[nodiscard]] bool is_lost(const budget::Held& held) const;
  [[nodiscard]] Result<budget::Held> begin(budget::Held held, const HoldAsk& ask);
  [[nodiscard]] SettleOutcome outcome_of(budget::Crossings crossed, budget::LocalAccount local,
                                         const store::Settlement& settlement) const;
  [[nodiscard]] Result<Written> write(SettleOutcome&& outcome, store::Settlement&& settlement,
                                      const journal::Uses& uses);
  [[nodiscard]] Result<Written> settle_now(const budget::Held& held,
                                           store::Settlement&& settlement);
  [[nodiscard]] std::shared_ptr<const budget::Terms> past_terms(budget::LocalAccount account,
                                                                Instant at) const;
  // Without a hold: the budgets that the call takes part in, and what they count.
  [[nodiscard]] Status name_budgets(const budget::Names& names, store::Settlement& settlement);
  [[nodiscard]] SettleOutcome count_unheld(store::Settlement& settlement);
  [[nodiscard]] Result<Recorded> write_unheld(store::Settlement settlement);
  void when_durable(std::uint64_t ticket, std::move_only_function<void(Status)> done);
  [[nodiscard]] Status durable(std::uint64_t ticket) const;
  [[nodiscard]] base::Gate& durable_gate();

  // ---- clock.cpp
  enum class ClockState : std::uint8_t { good, off, stepped };
  struct ClockReading {
    Instant wall = {};
    Duration boot = {};
  };
  [[nodiscard]] ClockReading read_clock() const;
  // What a renewal that was sent at `before` says of the clocks: ours against the store's, and the
  // store's against boot time.
  void watch_clock(const ClockReading& before, Instant store_now);
  [[nodiscard]] Status clock_is_good() const;
  // Wall time is not where boot time since the last renewal should have brought it.
  [[nodiscard]] bool clock_has_moved() const;
  [[nodiscard]] bool is_ahead(Instant at, Duration boot) const;

  // ---- detached.cpp
  struct Moved {
    Detached detached = {};
    std::uint64_t ticket = 0;
  };
  struct Ended {
    DetachedOutcome outcome = {};
    std::uint64_t ticket = 0;
    std::optional<store::KeyRef> boarded = {};  // is in flight until it is durable
  };
  struct Numbered {
    store::Seq seq = 0;
    std::uint64_t ticket = 0;
  };
  struct Frame {
    journal::FrameType type = journal::FrameType::settle;
    store::Settlement settlement = {};
    journal::Uses uses = {};
    std::function<void()> counted = {};  // runs when it has its number, before anybody sees it
  };
  [[nodiscard]] Result<Numbered> put_numbered(Frame frame);
  [[nodiscard]] Result<Moved> move_out(const budget::Held& held, HoldClaim claim);
  [[nodiscard]] Result<KeyEntry> ask_store(const store::KeyRef& key, Result<KeyEntry> entry);
  [[nodiscard]] Result<Ended> end_detached(Result<KeyEntry> entry, store::Settlement settlement);
  void leave_hold(const Ended& ended, const Status& durable);
  void make_known(const store::Settlement& settlement);
  [[nodiscard]] std::vector<store::HoldKey> hold_keys() const;
  [[nodiscard]] Status read_hold_keys();
  void rotate_hold_keys(Instant store_now);
  void expire_holds();

  // ---- wallets.cpp
  [[nodiscard]] plans::ConcreteBudget wallet_of(const store::AccountState& state) const;
  void expire_credits();
  void tell_credits(const std::vector<store::CreditMove>& moves);
  // What is free here of a wallet goes back before something else is taken from it.
  void free_wallet(const store::ChangeBody& body);
  void hear_wallet(const store::Changed& changed);

  // ---- open.cpp
  [[nodiscard]] Status prepare_folder();
  [[nodiscard]] Status close_cleanly(store::Seq newest);

  // ---- projector.cpp
  class Projector final : public base::Worker {
   public:
    explicit Projector(EngineLedger& ledger) : ledger_(ledger) {}
    bool step() override { return ledger_.project(); }

   private:
    EngineLedger& ledger_;
  };
  bool project();
  [[nodiscard]] bool yields() const;
  void fetch_batch();
  void read_spilled(std::uint64_t from_frame);
  [[nodiscard]] Status apply_batch();
  void count_applied(std::span<const store::Settlement> batch, const store::Applied& applied);
  void tell_odd(std::span<const store::Settlement> batch, const store::Applied& applied);
  void run_done(std::uint64_t passed);

  // ---- control.cpp
  class Control final : public base::Worker {
   public:
    explicit Control(EngineLedger& ledger) : ledger_(ledger) {}
    bool step() override { return ledger_.control(); }

   private:
    EngineLedger& ledger_;
  };
  struct Request {
    HoldAsk ask = {};
    HoldDone done = {};
    Duration deadline = {};
  };
  bool control();
  void heartbeat();
  void answer_recalls(const std::vector<store::BudgetKey>& recalled);
  void give_back(std::vector<budget::Book::Back> backs);
  void housekeeping(Instant store_now);
  [[nodiscard]] Status take_back_from_silent();
  [[nodiscard]] Status sync_store();
  // Nothing: it waits for what others leased.
  [[nodiscard]] std::optional<Result<budget::Held>> serve(const Request& request);
  [[nodiscard]] Result<budget::HoldAnswer> negotiate(const HoldAsk& ask);
  enum class Rest : std::uint8_t { share, whole };
  struct Wanted {  // leases of one account
    budget::LocalAccount account = 0;
    std::uint64_t catalogue = 0;  // of the terms that the limits are of
    std::vector<budget::Short> shorts = {};
    Rest rest = Rest::share;
  };
  // One transaction of the store for all of them.
  [[nodiscard]] Status lease(std::span<const Wanted> wanted);
  [[nodiscard]] Wanted wanted_by(const HoldAsk& ask);
  // Who waits for a lease and who will, at once: the store's writer is waited for once. What fails
  // here is tried again by each who waits.
  void lease_together(const std::deque<Request>& waiting,
                      const std::vector<budget::LocalAccount>& low);
  // A lease of this account runs low.
  void note_low(budget::LocalAccount account);
  [[nodiscard]] Status load(const Account& account, budget::LocalAccount local, Instant at);
  [[nodiscard]] Status learn(budget::LocalAccount local,
                             const std::vector<budget::BudgetKey>& keys);
  [[nodiscard]] Result<std::shared_ptr<const budget::Terms>> read_terms(const Account& account,
                                                                        Instant at);
  [[nodiscard]] Status make_ready(const Account& account, const budget::Names& names, Instant at);

  // ---- writer
  class Writer final : public base::Worker {
   public:
    explicit Writer(EngineLedger& ledger) : ledger_(ledger) {}
    bool step() override { return ledger_.write_round(); }
    bool help() override { return ledger_.write_for_one(); }

   private:
    EngineLedger& ledger_;
  };
  bool write_round();
  [[nodiscard]] store::Seq backlog() const;  // settlements that the store lacks
  void let_store_catch_up();
  bool write_for_one();

  Deps deps_;
  const base::ForkMark born_;
  Options options_;
  Sinks sinks_;
  budget::Book book_;
  Tail tail_;
  KeyBook keys_;
  Lane lane_;  // store writes and the book's hearing of them
  std::unique_ptr<journal::Journal> journal_;
  base::Key16 store_id_ = {};
  std::string folder_;                    // the journal's
  std::atomic<std::int64_t> running_{0};  // holds that have begun and not ended
  std::atomic<std::uint32_t> epoch_{1};
  store::EngineId engine_ = 0;
  std::atomic<std::uint64_t> catalogue_{0};
  std::atomic<store::Seq> memory_seq_{0};  // without a journal
  base::Mutex memory_mutex_;
  base::Gate applied_;                           // seqs that the store has
  std::atomic<std::int64_t> grant_until_us_{0};  // boot time
  std::atomic<ClockState> clock_{ClockState::good};
  std::atomic<std::int64_t> wall_offset_us_{0};  // wall - boot at the last renewal
  std::atomic<bool> store_broken_{false};        // it said corrupt: for good
  std::atomic<bool> alone_{false};               // no other engine lives, at the last word
  std::atomic<bool> control_serves_{false};      // calls wait for leases: they go first
  std::atomic<bool> store_refuses_{false};       // the last batch was not taken

  struct Waiting {
    std::uint64_t ticket = 0;
    std::move_only_function<void(Status)> done = {};
  };
  base::Mutex done_mutex_;
  std::deque<Waiting> waiting_ AIMETER_GUARDED_BY(done_mutex_);

  // projector's own
  std::vector<store::Settlement> batch_;
  store::Seq store_seq_ = 0;
  std::size_t batch_now_ = 1'024;
  Duration retry_at_ = {};

  // control's own, but the queue
  base::Mutex queue_mutex_;
  std::deque<Request> queue_ AIMETER_GUARDED_BY(queue_mutex_);
  std::vector<budget::LocalAccount> low_ AIMETER_GUARDED_BY(queue_mutex_);
  std::deque<Request> parked_;
  Duration next_beat_ = {};
  std::vector<store::BudgetKey> recalled_;
  std::vector<budget::Book::Back> owed_;
  struct Offset {  // of the store's time from boot time: a renewal takes a while
    Duration least = {}, most = {};
  };
  std::optional<Offset> store_offset_;
  Duration stepped_until_ = {};  // boot time
  Duration settled_from_ = {};   // boot time from which the store's clock is believed
  Silence silence_;
  struct AppliedAt {
    Duration at = {};
    store::Seq seq = 0;
  };
  std::deque<AppliedAt> applied_history_;

  mutable base::Mutex trouble_mutex_;
  std::optional<Error> store_trouble_ AIMETER_GUARDED_BY(trouble_mutex_);
  std::atomic<bool> detaches_{false};  // has detached a hold since it opened
  mutable base::Mutex hold_keys_mutex_;
  std::vector<store::HoldKey> hold_keys_ AIMETER_GUARDED_BY(hold_keys_mutex_);
  mutable base::Mutex past_mutex_;
  std::map<budget::LocalAccount, std::vector<std::shared_ptr<const budget::Terms>>> past_
      AIMETER_GUARDED_BY(past_mutex_);

  Projector projector_{*this};
  Control control_{*this};
  Writer writer_{*this};
  bool started_ = false;
};

}  // namespace aimeter::ledger
