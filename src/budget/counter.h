// Package:       budget
// Units:         Amount of the counter's kind.
// Errors:        none; broken promises end the process.
// Thread safety: guarded by the spinlock of its account.
// Ownership:     an account's entry owns its counters.
//
// One budget of one account in this engine. Leased from the store: `free + held + undrained`.
// A settled call gives up `held` of the lease, at most what it used; what it set aside beyond that
// is free again at once; what it used beyond its hold is taken from what is free, so that the same
// tokens are never sold twice. Only the rest is an excess.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>

#include "budget/book.h"

namespace aimeter::budget {

// How much history a lease follows. DESIGN 8: about ten seconds of the account's recent use.
constexpr Duration kDemandWindow = std::chrono::seconds(10);
// A lease that holds less than this part of the demand is fetched ahead of need.
constexpr Amount kLowPart = 4;
// Near the end of a limit others would wait for what was fetched ahead: while so many times the
// demand are left of it.
constexpr Amount kAheadWithin = 8;
// What others have leased can keep a lease low, whatever is asked: not more often than this.
constexpr Duration kAheadEvery = std::chrono::seconds(1);

struct Counter {
  std::unique_ptr<const BudgetKey> key = {};  // null: the place is free for another
  std::optional<Amount> limit = {};
  Amount approaching_at = 0;  // with a limit: from so much on
  BudgetKind kind = BudgetKind::tokens;
  bool blocking = false, shadow = false, in_terms = true;
  bool told_approaching = false, told_reached = false, told_refused = false;

  std::uint32_t epoch = 0;
  std::uint32_t running = 0;    // holds that name this counter
  std::uint32_t undrained = 0;  // settlements that the store has not counted
  Amount free = 0;              // of the lease: may be held
  Amount held = 0;              // by running calls, leased or only counted
  Amount held_leased = 0;       // of the lease, in this epoch
  Amount undrained_held = 0;    // given up by settlements that the store has not counted
  Amount undrained_actual = 0;  // used by them
  Amount used = 0;              // the store's word
  Amount leased_elsewhere = 0, held_elsewhere = 0;  // other engines, at the last word

#if defined(AIMETER_FAULTS)
  std::optional<Amount> bound = {};  // the store's word
#endif

  Instant window = {};  // demand: what was taken in this window of ten seconds
  Amount taken_now = 0, taken_before = 0;
  Instant last_use = {};
  Instant asked_ahead = {};  // when it was said that the lease runs low; not since it does not

  [[nodiscard]] Amount used_view() const { return used + undrained_actual; }
  [[nodiscard]] bool busy() const { return running > 0 || undrained > 0; }
  // What one call must find: a call of 0 tokens still needs a limit that is not reached.
  [[nodiscard]] Amount least(Amount need) const {
    return kind == BudgetKind::cost ? need : std::max<Amount>(need, 1);  // an empty wallet: none
  }
  // A limit of 0 lets nothing through, whatever is leased. A wallet whose credits come to 0 is not
  // shut: it has what corrections gave back beyond its use.
  [[nodiscard]] bool shut() const { return kind != BudgetKind::credits && limit && *limit == 0; }
  // Of the lease, what the limit allows as well: a limit that fell is known before the lease of the
  // old one is used up. A wallet's is what its credits allow.
  [[nodiscard]] Amount room() const {
    if (kind == BudgetKind::credits || !limit) return free;
    return std::clamp<Amount>(*limit - used_view() - held, 0, free);
  }
  [[nodiscard]] bool fits_lease(Amount need) const { return least(need) <= room() && !shut(); }
  // On the store's word: running calls of all engines counted, leases not.
  [[nodiscard]] bool fits_limit(Amount need) const {
    if (!limit) return true;
    return !shut() && used_view() + held + held_elsewhere + least(need) <= *limit;
  }
  // Nobody else holds any of it, here or elsewhere, and something is left.
  [[nodiscard]] bool may_be_capped() const {
    return room() > 0 && held == 0 && held_elsewhere == 0 && leased_elsewhere == 0;
  }
  // It could be, once what is leased elsewhere came back.
  [[nodiscard]] bool may_be_capped_later() const {
    return held == 0 && held_elsewhere == 0 && limit && used_view() < *limit;
  }
  // At `hundredths` of a percent of the limit a call is told that it approaches.
  void set_limit(std::optional<Amount> newest, std::int64_t hundredths);
  void hear(const StoreWord& word) {
    used = word.used;
    if (kind == BudgetKind::credits && blocking && word.limit) limit = word.limit;
#if defined(AIMETER_FAULTS)
    bound = word.bound;
#endif
  }
  void note_demand(Amount taken, Instant now);
  [[nodiscard]] Amount demand() const { return std::max(taken_now, taken_before); }

  [[nodiscard]] bool low() const {
    if (!blocking || !limit || free >= demand() / kLowPart) return false;
    return (*limit - used_view() - held) / kAheadWithin >= demand();
  }
  // True once while it is low, and again when that did not help for kAheadEvery.
  [[nodiscard]] bool asks_ahead(Instant now);

  void take(Amount amount, Instant now, HeldPart& part);
  void put_back(const HeldPart& part);
  // -> what the lease gives up.
  [[nodiscard]] Amount settle(const HeldPart& part, Amount actual);
  // All of a leased part leaves for a row of the store; held here until the store has it.
  void detach(const HeldPart& part);
  // The same amount is held in the store now, or no more.
  void hold_elsewhere(Amount amount);
  void end_elsewhere(Amount amount);
  void check() const;  // our own promises
};

inline void Counter::check() const {
  AIMETER_ASSERT(free >= 0);
  AIMETER_ASSERT(held >= 0);
  AIMETER_ASSERT(held_leased >= 0);
  AIMETER_ASSERT(held_leased <= held);
  AIMETER_ASSERT(undrained_held >= 0);
#if defined(AIMETER_FAULTS)  // the bound itself, of what this engine has of it
  AIMETER_ASSERT(!blocking || !bound || used + free + held_leased + undrained_held <= *bound);
#endif
}

inline void Counter::note_demand(Amount taken, Instant now) {
  if (now - window >= kDemandWindow || now < window) {
    taken_before = now - window < 2 * kDemandWindow && now >= window ? taken_now : 0;
    taken_now = 0;
    window = now;
  }
  taken_now += taken;
  last_use = now;
}

inline bool Counter::asks_ahead(Instant now) {
  if (!low()) {
    asked_ahead = {};
    return false;
  }
  if (asked_ahead <= now && now - asked_ahead < kAheadEvery) return false;
  asked_ahead = now;
  return true;
}

inline void Counter::take(Amount amount, Instant now, HeldPart& part) {
  part.epoch = epoch;
  part.held = amount;
  if (kind != BudgetKind::credits) part.limit = limit;  // of a wallet the store knows it
  part.leased = blocking;
  part.shadow = shadow;
  part.would_refuse = shadow && !fits_limit(amount);
  if (blocking) {
    free -= amount;
    held_leased += amount;
  }
  held += amount;
  ++running;
  note_demand(amount, now);
  check();
}

inline void Counter::put_back(const HeldPart& part) {
  held -= part.held;
  --running;
  if (part.leased && part.epoch == epoch) {
    held_leased -= part.held;
    free += part.held;
  }
  check();
}

inline Amount Counter::settle(const HeldPart& part, Amount actual) {
  held -= part.held;
  --running;
  const Amount counted = std::max<Amount>(actual, 0);
  Amount gives = part.leased ? std::min(part.held, counted) : 0;
  if (part.epoch == epoch) {
    if (part.leased) {
      held_leased -= part.held;
      free += part.held - gives;
    }
    const Amount more = blocking ? std::min(free, counted - gives) : 0;
    free -= more;
    gives += more;
    undrained_held += gives;
  }
  undrained_actual += actual;
  ++undrained;
  check();
  return gives;
}

}  // namespace aimeter::budget
