// Package:       sim
// Units:         tokens, nano-units; true time as a Duration.
// Errors:        the first thing that is wrong is kept as failure().
// Thread safety: none: one thread does everything.
// Ownership:     borrows the store.
//
// What must be true, from what callers were told and what the store shows; it believes neither the
// engines nor the store's own sums. Rows are read once, as they appear.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "store/store.h"
#include "tests/sim/history.h"
#include "tests/sim/wallet_oracle.h"

namespace aimeter::sim {

using store::Amount;

struct HeldOf {  // of one budget
  std::size_t budget = 0;
  Amount held = 0;
  bool leased = false;
};

// One settlement that a caller wanted written.
struct Attempt {
  enum class What : std::uint8_t { call, record, adjustment, detached } what = What::call;
  Account account = {};
  Amount tokens = 0;                     // may be negative in an adjustment
  std::optional<BillingMode> mode = {};  // that its caller asked for
  std::optional<store::KeyRef> key = {};
  std::int64_t adjusts = 0;
  Instant occurred_at = {};
  ledger::Durability durability = ledger::Durability::journal;
  store::EngineId engine = 0;
  std::uint32_t epoch = 0;
  std::uint64_t hold = 0;
  std::vector<HeldOf> held = {};
  std::size_t handed_out = 0;  // of What::detached: the call whose hold it ends
  enum class State : std::uint8_t {
    holding,
    detaching,  // its hold leaves the engine, or has left it
    written,
    acked,
    refused,
    ended
  } state = State::holding;
  std::int64_t row = 0;     // as the engine said
  std::int64_t landed = 0;  // as the store says
  bool dead = false, duplicate = false;
  bool released = false;
  bool begun = false, ended = false;  // its begin, its release are written (not: synced)
};

// The hold of a call that was detached.
struct HandedOut {
  base::Key16 key = {};     // once its token is known
  Instant expires_at = {};  // likewise; until then it may expire at any time
  bool came = false;        // the store has heard of it
  bool landed = false;      // and has made a row of holds of it, with all that it held
  bool may_be_over = false, over = false;
};

[[nodiscard]] std::string label_of(const store::BudgetKey& key);

class Oracle {
 public:
  // How the world looks to the oracle.
  struct View {
    const std::unique_ptr<store::Store>& store;
    const Duration& now;  // true time
    Duration lease_ttl = {}, hold_ttl = {};
    Wallets wallets = Wallets::none;
  };
  explicit Oracle(View view)
      : view_(view), money_(view.store, [this](std::string why) { fail(std::move(why)); }) {}

  [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }
  void fail(std::string message);

  [[nodiscard]] WalletOracle& money() { return money_; }

  // ---- callers
  [[nodiscard]] std::size_t intern(const store::BudgetKey& key);
  [[nodiscard]] std::size_t add(Attempt attempt);  // -> its number, in the row's meta
  [[nodiscard]] Attempt& attempt(std::size_t number) { return attempts_[number]; }
  [[nodiscard]] std::size_t attempts() const { return attempts_.size(); }
  struct Hold {
    std::uint32_t epoch = 0;
    std::uint64_t number = 0;
    std::vector<HeldOf> held = {};
  };
  void begin_hold(std::size_t number, Hold hold);
  // A hold was granted, with `renewed` as the last renewal that its engine sent with success.
  void granted(std::size_t number, Duration renewed);
  void acked(std::size_t number, std::int64_t row);
  void opened(store::EngineId engine) { alive_.insert(engine); }
  void closing(store::EngineId engine) { alive_.erase(engine); }
  void not_acked(std::size_t number, Code code);  // unavailable: not written
  void lost_process(store::EngineId engine);  // its holds are gone: orphans, if they were written
  // Nobody knows what was written and not synced. Dead: perhaps the store was fed from that.
  enum class Was : std::uint8_t { running, dead };
  void lost_power(store::EngineId engine, Was was);
  // The writer of an engine writes: what it knew before is in its file after it.
  [[nodiscard]] std::vector<std::size_t> unwritten(store::EngineId engine) const;
  void written(const std::vector<std::size_t>& attempts);
  void arriving(bool late) { arriving_ = late; }  // a call that its engine gave up comes now
  // A key was found: row and content. Or it was fresh, asked `before` the rows that came since.
  void key_seen(const store::KeyRef& key, const store::KeySeen& seen);
  struct Fresh {
    std::int64_t owner = 0;  // row of the key when it was asked for, 0: none
    store::EngineId engine = 0;
    Duration renewed = {};  // when its engine sent the last renewal that it got an answer to
  };
  void key_fresh(const Fresh& fresh);
  [[nodiscard]] std::int64_t owner_of(const base::Key16& key) const;
  void key_content(const store::KeyRef& key) { contents_[key.key].insert(key.content); }
  [[nodiscard]] bool other_content(const store::KeyRef& key) const;
  void orphan(const store::Orphan& orphan);
  // ---- detached holds: the call with this number
  void detaching(std::size_t number);
  void detached(std::size_t number, const base::Key16& key, Instant expires_at);
  void not_detached(std::size_t number);  // the hold runs on
  void hold_may_be_over(std::size_t number) { handed_out_.at(number).may_be_over = true; }
  void hold_is_over(std::size_t number) { handed_out_.at(number).over = true; }
  [[nodiscard]] bool may_be_over(std::size_t number) const;
  [[nodiscard]] bool is_over(std::size_t number) const;
  [[nodiscard]] bool holds_left() const;  // detached ones that are not known to be over
  [[nodiscard]] bool was_settled(std::size_t number) const;  // by somebody, perhaps not yet stored
  void settled_before(std::size_t number, std::int64_t row);
  void expired(const store::EndedHold& hold);
  // ---- the operator
  void limits_move(const Account& account) { moving_.insert(account); }
  // ---- the line
  void leased(std::span<const store::LeaseAsk> asks, std::span<const store::LeaseGrant> grants);
  void renewed_there(store::EngineId engine) {
    check_engines();  // what it lost, it lost before
    renewals_[engine] = view_.now;
  }

  // Rows have come; they are read in the order in which they count.
  void see_rows() { check_engines(); }
  // The store's machine lost its power: what was committed with relaxed syncing may be gone until a
  // journal brings it back. `engines` ran there. Everything is read anew.
  void store_lost_power(const std::vector<store::EngineId>& engines);
  void catalogue_is(std::uint64_t version) { catalogue_ = std::max(catalogue_, version); }
  // Everything that must be true after every step.
  void check();
  void verify();
  // Nothing runs, and all engines have been idle for longer than a lease may lie about unused.
  void check_idle();
  // After everything ended and was recovered.
  void check_end();
  void check_journalled(std::int64_t id, const store::Settlement& written);
  void check_promises();
  void check_journal_end(store::EngineId engine, store::Seq last);
  [[nodiscard]] const store::Settlement* row(std::int64_t id) const;
  [[nodiscard]] std::int64_t any_landed(std::size_t choice) const;
  [[nodiscard]] Amount left_of(std::int64_t row) const;
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  [[nodiscard]] Amount used(const store::BudgetKey& key);

 private:
  struct Budget {
    store::BudgetKey key = {};
    Amount used = 0;    // of rows
    Amount excess = 0;  // above their holds
    Amount held = 0;    // by calls that run or wait for the store, of leases in force
    Amount late = 0;    // of rows that came late
  };
  struct Engine {
    store::Seq seen = 0;
    std::uint32_t epoch = 1;
    bool closed = false;
    std::int64_t rowless = 0;  // detaches that have come
    Duration opened = {};      // not before it was
  };
  void check_engines();
  void check_engine(const store::EngineState& state, Engine& engine);
  void read_rows(store::EngineId id, Engine& engine, store::Seq last);
  void take_row(store::EngineId id, const store::Settlement& row);
  void take_counted(Attempt& attempt, std::int64_t id, const store::Settlement& row);
  void take_duplicate(std::size_t number, const store::Settlement& row);
  void take_rowless(store::EngineId id, store::Seq seq);
  void take_dead(const store::DeadSettlement& one);
  void take_detach(store::EngineId id, store::Seq seq);
  void check_late(const Attempt& attempt, std::int64_t row);
  void check_parts(const Attempt& attempt, const store::Settlement& row);
  void check_adjustment(const Attempt& attempt, bool dead);
  [[nodiscard]] Amount part_amount(const Attempt& attempt, BudgetKind kind) const;
  void count_held();
  void check_budgets();
  void check_budget(const store::BudgetState& state);
  void check_wallet(const store::BudgetState& state, const Budget& budget);
  void check_leased_money(const Account& account);
  [[nodiscard]] bool in_force(store::EngineId engine, std::uint32_t epoch) const;
  [[nodiscard]] bool keeps_hold(const Attempt& attempt, std::size_t number) const;
  void see_time();

  View view_;
  WalletOracle money_;
  std::optional<std::string> failure_ = {};
  std::vector<Attempt> attempts_ = {};
  std::vector<std::size_t> open_ = {};  // attempts that hold, or wait for the store
  std::vector<Budget> budgets_ = {};
  std::map<store::BudgetKey, std::size_t> numbers_ = {};
  std::map<store::EngineId, Engine> engines_ = {};
  std::map<store::EngineId, Duration> renewals_ = {};
  std::map<std::int64_t, store::Settlement> rows_ = {};
  std::vector<std::int64_t> usages_ = {};  // rows of calls and records that count
  std::map<std::int64_t, Amount> left_ = {};
  std::map<base::Key16, std::int64_t> owners_ = {};  // -> the row that counts
  std::map<base::Key16, std::set<std::uint64_t>> contents_ = {};
  std::vector<std::pair<base::Key16, std::int64_t>> promised_ = {};
  std::vector<std::size_t> duplicates_ = {};  // of this step: their first must be there by its end
  std::set<Account> moving_ = {};
  std::set<store::EngineId> alive_ = {};
  std::set<std::pair<store::EngineId, std::uint64_t>> orphans_ = {};  // that must be listed
  std::map<std::size_t, HandedOut> handed_out_ = {};
  std::map<store::EngineId, std::vector<std::size_t>> detaches_ = {};  // in the order of their seqs
  std::set<store::EngineId> cut_journals_ = {};  // may end before what was read from them
  std::set<store::EngineId> powerless_ = {};     // their leases may be gone with the store's power
  std::uint64_t catalogue_ = 0;                  // that an operator was told
  bool arriving_ = false, rereading_ = false;
};

}  // namespace aimeter::sim
