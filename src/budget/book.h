// Package:       budget
// Units:         Amount: tokens, requests, or nano-units of the budget's currency.
// Errors:        none: answers are values (HoldAnswer).
// Thread safety: every function may be called from any thread; each takes one account's spinlock.
// Ownership:     the Book owns the counters; Held and Terms are values that outlive it.
//
// Accounts in memory. A budget's lease is `free + held + undrained`: what may still be held, what
// running calls hold, and what settled calls took that the store has not counted yet. A hold takes
// from all budgets or from none. The bound: used + leased <= limit + what answers exceeded their
// holds by.
#pragma once

#include <atomic>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/limit.h"
#include "budget/key.h"
#include "currency/rates.h"
#include "plans/limits.h"

namespace aimeter::budget {

// What an account's holds pin: valid in `limits.valid` and for this catalogue version.
struct Terms {
  plans::EffectiveLimits limits = {};
  // The account's wallet, which calls in credits mode touch beside the limits. Its limit is what
  // was credited, by the store's word.
  std::optional<plans::ConcreteBudget> wallet = {};
  std::uint64_t catalogue = 0;
};

// The names that a call touches budgets by.
struct Names {
  std::string user = {}, api_key = {}, feature = {}, model = {}, session = {};
  std::optional<BillingMode> mode = {};  // the call's own; empty: the subscription's
};
[[nodiscard]] BillingMode mode_of(const Terms& terms, const Names& names);

[[nodiscard]] std::string_view scope_name(BudgetScope scope, const Names& names);
// The counter of `budget` that a call of these names touches.
[[nodiscard]] BudgetKey key_of(const Account& account, const plans::ConcreteBudget& budget,
                               std::string_view name);

// How the currency of a price becomes that of a budget.
struct Exchange {
  std::shared_ptr<const currency::Rates> rates = {};  // null: there are none
  Instant at = {};
};

enum class Fit : std::uint8_t { strict, may_cap };  // may_cap: a learned estimate
struct Need {
  Amount tokens = 0, cost_nanos = 0, requests = 1;
  std::string cost_currency = "usd";
  Fit tokens_fit = Fit::strict, cost_fit = Fit::strict;
  Amount credit_nanos = 0;  // of a wallet, in cost_currency: the most that it can cost
  Exchange exchange = {};
  // Rounded up into the budget's currency; without a rate 0: the caller refuses the call.
  [[nodiscard]] Amount of(BudgetKind kind, std::string_view currency) const;
  [[nodiscard]] Fit fit(BudgetKind kind) const;
};

// An account's tokens and cost, and one more, are held without a heap allocation.
constexpr std::size_t kFewBudgets = 3;

struct HeldPart {
  std::uint32_t slot = 0;  // of its account's counters
  std::uint32_t epoch = 0;
  Amount held = 0;                   // set aside; of a leased part: out of the lease
  std::optional<Amount> limit = {};  // pinned
  bool leased = false, shadow = false, would_refuse = false;
};

using LocalAccount = std::uint32_t;  // dense, per process, never written

// Part of one or several budgets set aside. Ends once: settle() or release().
struct Held {
  std::uint64_t number = 0;  // in this engine, never 0: the account's, and how many it had
  LocalAccount account = 0;
  std::uint32_t epoch = 0;
  std::shared_ptr<const Terms> terms = {};
  boost::container::small_vector<HeldPart, kFewBudgets> parts;
  bool capped = false;
  std::size_t reserved_bytes = 0;  // set aside for its settlement by whoever journals it
  std::uint64_t begin_frame = 0;   // likewise: where the journal says that it began
  [[nodiscard]] bool would_refuse() const;
};

// A budget that was short, or that the store has to be asked about.
struct Short {
  BudgetKey key = {};
  Amount need = 0, free = 0, ask = 0;  // ask: what demand suggests, >= need - free
  Amount limit = 0;
};

// first: what is short is to be asked of the store. final: no lease is to be had (the store has
// said
// so in `hear`): cap or refuse instead.
enum class Ask : std::uint8_t { first, final };

// One call that wants to hold. Other terms than those of `catalogue`, or not valid `at`, are stale.
struct HoldCall {
  const Names& names;
  const Need& need;
  Instant at = {};
  std::uint64_t catalogue = 0;
  Ask ask = Ask::first;
};

struct HoldAnswer {
  enum class What : std::uint8_t {
    held,
    stale,
    unknown_budgets,
    short_of,
    refused
  } what = What::stale;
  Held held;                                    // of held
  std::vector<BudgetKey> unknown = {};          // of unknown_budgets: add() them, then again
  std::vector<Short> shorts = {};               // of short_of: ask the store for leases, then again
  std::shared_ptr<const Refusal> refusal = {};  // of refused
  bool fits_limit = false;     // of refused: it would fit, but the rest is leased elsewhere
  bool worth_waiting = false;  // of refused: what others leased may come back and make it fit
  bool running_low = false;    // of held: leases should be fetched ahead, see low_of()
};

// What the store says of one budget; given to the book under the ledger's lane lock, in the store's
// order.
struct StoreWord {
  BudgetKey key = {};
  Amount used = 0;     // all engines
  Amount granted = 0;  // added to the lease
  Amount leased_elsewhere = 0, held_elsewhere = 0;
  std::optional<Amount> limit = {};  // of a wallet: what was credited
#if defined(AIMETER_FAULTS)
  std::optional<Amount> bound = {};  // what used and leased may be together
#endif
};

struct Actual {
  Amount tokens = 0, cost_nanos = 0, requests = 1;
  std::string cost_currency = "usd";
  std::vector<currency::PinnedRate> rates = {};
  // Half-even into the budget's currency; without a rate 0: its settlement is provisional.
  [[nodiscard]] Amount of(BudgetKind kind, std::string_view currency) const;
};
// One budget of a settlement: what the lease gives up and what is counted.
struct SettledPart {
  const BudgetKey* key = nullptr;  // the counter's, until the store has counted the settlement
  Amount held = 0, actual = 0;
  std::optional<Amount> limit = {};
  bool blocking = false, shadow = false, would_refuse = false;
  bool counted = true;  // known to the book
};
using SettledParts = boost::container::small_vector<SettledPart, kFewBudgets>;
struct Crossings {  // for the first time in this engine and period
  bool crossed_approaching = false, crossed_reached = false;
};
struct SettledBudgets : Crossings {
  SettledParts parts;
};

// What the store has counted of one budget of this engine, summed over a batch.
struct AppliedPart {
  BudgetKey key = {};
  std::uint32_t epoch = 0;  // of the holds
  Amount held = 0, actual = 0;
  Amount detached = 0;  // part of `held` that moved to the store's detached holds
  Amount ended = 0;     // of detached holds that were settled
  std::uint32_t settlements = 0;
};

struct BookOptions {
  int approaching_percent = 80;
};

class Book {
 public:
  explicit Book(BookOptions options);
  ~Book();
  Book(const Book&) = delete;
  Book& operator=(const Book&) = delete;

  [[nodiscard]] LocalAccount local(const Account& account);  // the same number for the same account
  // Newest terms of an account; budgets of older ones stay until they are empty.
  void set_terms(LocalAccount account, std::shared_ptr<const Terms> terms);
  [[nodiscard]] std::shared_ptr<const Terms> terms(LocalAccount account) const;
  // Makes a budget known with the store's word of it. There already: takes the word.
  void hear(LocalAccount account, const StoreWord& word);

  // All budgets that the call touches, or none.
  [[nodiscard]] HoldAnswer hold(LocalAccount account, const HoldCall& call);
  // The shorts that hold() would answer with; nothing is held. None when it would answer otherwise.
  [[nodiscard]] std::vector<Short> shorts_of(LocalAccount account, const HoldCall& call) const;
  // Leases of an account that run low: what they lack of ten seconds' demand. None when its terms
  // are stale.
  [[nodiscard]] std::vector<Short> low_of(LocalAccount account, Instant now,
                                          std::uint64_t catalogue) const;
  void release(const Held& held);
  [[nodiscard]] SettledBudgets settle(const Held& held, const Actual& actual);
  // For what is settled without a hold (a record, an adjustment): counts the parts that are known
  // here, and takes what they use from what is free of their leases, asking for no more. Fills
  // `held` and `counted` of each part.
  [[nodiscard]] Crossings count(LocalAccount account, std::span<SettledPart> parts);
  // The hold leaves this engine for the store, with all that its leases gave it.
  void detach(const Held& held);
  // For the settlement of a detached hold: counts the parts that are known here, and takes nothing
  // from leases. Fills `counted` of each part.
  [[nodiscard]] Crossings count_detached(LocalAccount account, std::span<SettledPart> parts);
  // A hold's parts with their keys, as begin frames name them; keys live until the hold has ended.
  [[nodiscard]] SettledParts parts_of(const Held& held) const;
  // The store has counted these parts of this engine's settlements and says `used` after them.
  void applied(std::span<const AppliedPart> sums, std::span<const StoreWord> words);

  // Those of these budgets of an account that are not known here.
  [[nodiscard]] std::vector<BudgetKey> unknown_of(LocalAccount account,
                                                  std::span<const BudgetKey> keys) const;
  // Whether check() and count() have all they need: `held` (nothing is held), else what is
  // missing.
  [[nodiscard]] HoldAnswer ready(LocalAccount account, const Names& names, Instant now,
                                 std::uint64_t catalogue) const;
  // Looks and holds nothing; budgets that are not known yet are left out. `now` as in ready().
  [[nodiscard]] LimitCheck check(LocalAccount account, const Names& names,
                                 const Need& requested) const;

  // ---- for the control lane
  // What goes back: free parts of recalled budgets (or all of ended periods and idle leases when
  // `keys` is empty).
  struct Back {
    BudgetKey key = {};
    Amount amount = 0;
  };
  [[nodiscard]] std::vector<Back> take_back(std::span<const BudgetKey> keys);
  [[nodiscard]] std::vector<Back> take_idle(Instant now, Duration idle);
  [[nodiscard]] std::vector<Back> held_of(std::span<const BudgetKey> keys) const;
  // Detached holds that ended in the store without a settlement.
  void ended_elsewhere(std::span<const Back> parts);
  // The leases of this epoch are gone: nothing is free, running holds keep their old epoch.
  void new_epoch(std::uint32_t epoch);
  [[nodiscard]] std::uint32_t epoch() const;

 private:
  struct Entry;
  struct Body;
  struct Table;
  std::unique_ptr<Table> table_;
};

}  // namespace aimeter::budget
