// Package:       ledger
// Units:         amounts as in budget/book.h; waits in microseconds of boot time.
// Errors:        each function says; after an answer nothing is refused.
// Thread safety: every function may be called from any thread; open and destruction once.
// Ownership:     borrows Store, Files, Workers, Clock; owns the journal, the book and three
//                workers.
//
// Feeds the store from the journal, renews leases, answers holds. The hot path touches no database:
// holds are taken in memory from leases; a settlement is a frame in the journal; the projector
// carries it to the store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/workers.h"
#include "budget/book.h"
#include "journal/journal.h"
#include "ledger/hold_token.h"
#include "store/store.h"

namespace aimeter::ledger {

enum class Durability : std::uint8_t { memory, journal, store };

struct Options {
  Durability durability = Durability::journal;
  std::string journal_dir = {};  // "" = no journal (the memory: store; only Durability::memory)
  std::string host = {};
  std::uint64_t segment_bytes = 64ULL << 20;
  std::size_t batch_size = 16'384;
  std::size_t tail_max = 262'144;  // settlements in memory; beyond it the journal is read again
  store::Seq far_behind = 8'192;   // settlements; then callers wait for the store as well
  Duration hold_wait = std::chrono::milliseconds(2'500);
  Duration lease_ttl = std::chrono::seconds(30);
  Duration hold_ttl = std::chrono::minutes(10);
  Duration heartbeat = std::chrono::seconds(1);
  Duration max_clock_skew = std::chrono::seconds(2);
  Duration keep_segments = std::chrono::hours(1);
  plans::LimitOptions limits = {};
  plans::WithoutSubscription without_subscription = plans::WithoutSubscription::allow;
  budget::BookOptions book = {};
  struct Wallets {
    std::string currency = "usd";  // of a wallet that is made
    bool overdraft = false;        // a balance below zero refuses no call
  } wallets = {};
};

struct Deps {
  store::Store& store;
  base::Files& files;
  base::Workers& workers;
  const Clock& clock;
};

// Facts for the meter's events; called on the projector's or the control's thread. Must not throw.
struct Sinks {
  std::function<void(const store::Settlement&, const store::Outcome&)> odd = {};
  std::function<void(const store::Orphan&)> orphan = {};
  std::function<void(const store::EndedHold&)> expired = {};    // a detached hold, of any engine
  std::function<void(const store::OverageLine&)> charged = {};  // once it is committed
  std::function<void(std::uint64_t catalogue)> catalogue_changed = {};
  std::function<void(const store::CreditMove&)> credits = {};  // committed, by this engine
};

struct HoldAsk {
  Account account = {};
  budget::Names names = {};
  budget::Need need = {};
  store::Settlement expected = {};  // names and meta as the settlement will carry them; its
                                    // occurred_at (unset: now) says which limits are
                                    // in force
  std::string estimate_source = {};
};

struct KeyEntry {
  enum class What : std::uint8_t { fresh, seen } what = What::fresh;
  store::KeySeen seen = {};  // of seen
};

struct SettleOutcome {
  std::int64_t row = 0;
  LimitCheck check = {};
  bool crossed_approaching = false, crossed_reached = false;
};

struct Detached {
  std::string token = {};  // a secret: whoever has it may end the hold
  base::Key16 hold = {};   // store::hold_key_of: names it in events
  Instant expires_at = {};
};
struct DetachedOutcome {
  SettleOutcome outcome = {};
  std::int64_t first = 0;  // row of the first settlement, when it was settled before
};

class Ledger {
 public:
  // Applies what dead engines left in `journal_dir`, lists their orphans, gives their leases back,
  // opens an engine, begins its journal. Errors: unavailable, failed_precondition, corrupt.
  [[nodiscard]] static Result<std::unique_ptr<Ledger>> open(const Deps& deps, Options options,
                                                            Sinks sinks);
  virtual ~Ledger() = default;  // stops, drains what it can, closes the engine

  // Waits up to hold_wait. Errors: quota_exceeded, insufficient_credits (with Refusal),
  // failed_precondition (no
  // subscription, and the operator says refuse), unavailable (no lease to be had, journal full or
  // failed, forked, clock off): nothing is held.
  [[nodiscard]] virtual Result<budget::Held> hold(const HoldAsk& ask) = 0;
  using HoldDone = std::move_only_function<void(Result<budget::Held>)>;
  virtual void hold(const HoldAsk& ask, HoldDone done) = 0;  // never blocks; may run `done` at once
  virtual void release(budget::Held held, std::string_view reason) = 0;

  // Writes the one settlement of `held`; fills seq, hold, epoch and budgets. Errors: unavailable
  // (the journal failed: counted in memory, not written). `done` runs when the durability is
  // reached, on the journal's thread.
  using SettleDone = std::move_only_function<void(Result<SettleOutcome>)>;
  [[nodiscard]] virtual Result<SettleOutcome> settle(budget::Held held,
                                                     store::Settlement&& settlement) = 0;
  virtual void settle(budget::Held held, store::Settlement&& settlement, SettleDone done) = 0;

  // ---- Detached holds: in the store, not in this engine; any engine of the store ends them.
  // `claim`: names, pins, key, meta, and as usage and cost what it holds. Expires after hold_ttl of
  // the store's clock. `done` runs when the durability is reached. Errors: unavailable (the hold
  // runs on here, as if nothing was asked), in_doubt (it is gone, and expires by itself).
  using DetachDone = std::move_only_function<void(Result<Detached>)>;
  [[nodiscard]] virtual Result<Detached> detach(const budget::Held& held, HoldClaim claim) = 0;
  virtual void detach(const budget::Held& held, HoldClaim claim, DetachDone done) = 0;
  // Errors: invalid_argument (no token), permission_denied (no key of this store signed it),
  // unavailable (the keys cannot be read).
  [[nodiscard]] virtual Result<HoldClaim> open_token(std::string_view token) = 0;
  // `settlement`: the claim with what was used. Settled before: the first row, nothing is written.
  // Expired before: it counts, late. Errors: failed_precondition (released), unavailable (the
  // journal failed or is full, or the same token is being settled: not counted, try again).
  using DetachedDone = std::move_only_function<void(Result<DetachedOutcome>)>;
  [[nodiscard]] virtual Result<DetachedOutcome> settle_detached(store::Settlement settlement) = 0;
  virtual void settle_detached(store::Settlement settlement, DetachedDone done) = 0;
  // Released or expired before: nothing changes. Errors: failed_precondition (settled),
  // unavailable.
  [[nodiscard]] virtual Status release_detached(const HoldClaim& claim) = 0;

  // Without a hold: counts in the period of its occurred_at, never refused by a limit.
  struct Recorded {
    SettleOutcome outcome = {};
    std::uint64_t ticket = 0;  // for wait()
  };
  [[nodiscard]] virtual Result<Recorded> record(const budget::Names& names,
                                                store::Settlement settlement) = 0;
  // An adjustment: its budgets are given (those of the original, signed amounts). Or an unbilled
  // duplicate (kDuplicate is set): it has none.
  [[nodiscard]] virtual Result<Recorded> adjust(store::Settlement settlement) = 0;
  [[nodiscard]] virtual Status wait(std::uint64_t ticket) = 0;  // by durability

  // Keys: enter before the hold (waits while the same key is in flight here), leave after the
  // settlement (its row) or after a refusal or failure (0: the key is free again).
  // Errors: conflict (other content), unavailable.
  [[nodiscard]] virtual Result<KeyEntry> enter_key(const store::KeyRef& key) = 0;
  using KeyDone = std::move_only_function<void(Result<KeyEntry>)>;
  virtual void enter_key(const store::KeyRef& key, KeyDone done) = 0;
  virtual void leave_key(const store::KeyRef& key, std::int64_t row) = 0;

  [[nodiscard]] virtual Result<LimitCheck> check(const Account& account, const budget::Names& names,
                                                 const budget::Need& requested) = 0;
  [[nodiscard]] virtual Result<std::shared_ptr<const budget::Terms>> terms(const Account& account,
                                                                           Instant at) = 0;
  // A catalogue change through this engine: acts on the next hold.
  [[nodiscard]] virtual Result<store::Changed> change(const store::Change& change) = 0;
  // Returns when the store has everything that was settled here before this call (read your
  // writes). Errors: unavailable after `hold_wait` without progress.
  [[nodiscard]] virtual Status drain() = 0;

  struct Health {
    store::EngineId engine = 0;
    std::uint64_t backlog = 0;  // settled, not yet in the store
    bool granting = true;
    std::string why_not = {};
    std::optional<Error> journal = {}, store = {};
  };
  [[nodiscard]] virtual Health health() const = 0;
};

}  // namespace aimeter::ledger
