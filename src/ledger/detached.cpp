// Detached holds: out of the engine's lease into a row of the store, under a token that any engine
// of the store settles, also when the one that held is gone. Whichever of settlement, release and
// expiry the store commits first takes the row, once.
#include <algorithm>

#include "ledger/charges.h"
#include "ledger/engine_ledger.h"
#include "ledger/frames.h"
#include "store/codec.h"

namespace aimeter::ledger {
namespace {

constexpr int kExpirySlicesMax = 16;  // of one heartbeat; the rest is due at the next

store::KeyRef key_ref(const HoldClaim& claim) {
  return {store::hold_key_of(claim.account.tenant, claim.token), store::kHoldExpired};
}

// Empty: nobody has ended it as far as is known here.
std::optional<Error> over(const Result<KeyEntry>& entry) {
  if (entry || entry.error().code != Code::conflict) return std::nullopt;
  return Error{Code::failed_precondition, "hold: was released before; nothing was counted"};
}

}  // namespace

std::vector<store::HoldKey> EngineLedger::hold_keys() const {
  const base::Lock lock(hold_keys_mutex_);
  return hold_keys_;
}

Status EngineLedger::read_hold_keys() {
  AIMETER_TRY(std::vector<store::HoldKey> keys, deps_.store.hold_keys());
  const base::Lock lock(hold_keys_mutex_);
  hold_keys_ = std::move(keys);
  return {};
}

// In the journal, or in memory where there is none.
Result<EngineLedger::Numbered> EngineLedger::put_numbered(Frame frame) {
  Numbered numbered;
  const auto push = [&](store::Seq seq, std::uint64_t at) {
    numbered.seq = frame.settlement.seq = seq;
    if (frame.counted) frame.counted();
    tail_.push(std::move(frame.settlement), at);
  };
  if (journal_ == nullptr) {
    const base::Lock lock(memory_mutex_);
    push(++memory_seq_, 0);
    numbered.ticket = numbered.seq;
  } else {
    AIMETER_TRY(const journal::Appended appended,
                journal_->append(frame.type, store::encode(frame.settlement), frame.uses,
                                 [&](const journal::Appended& at) { push(at.seq, at.frame); }));
    if (appended.wake) deps_.workers.wake(writer_);
    const bool by_store = options_.durability == Durability::store;
    numbered.ticket = by_store ? appended.seq : appended.frame;
  }
  if (options_.durability != Durability::journal) deps_.workers.wake(projector_);
  return numbered;
}

// ---------------------------------------------------------------- detach

Result<EngineLedger::Moved> EngineLedger::move_out(const budget::Held& held, HoldClaim claim) {
  claim.flags &= ~static_cast<std::uint32_t>(store::kDetach);
  claim.hold = held.number;
  claim.hold_engine = engine_;
  claim.epoch = held.epoch;
  claim.pins.capped = held.capped;
  claim.token = base::random_bytes(kHoldIdBytes);
  claim.expires_at = deps_.store.now() + options_.hold_ttl;
  claim.budgets.clear();
  for (const budget::SettledPart& part : book_.parts_of(held)) {
    claim.budgets.push_back({.key = *part.key,
                             .held = part.blocking ? part.held : 0,
                             .limit = part.limit,
                             .blocking = part.blocking,
                             .shadow = part.shadow,
                             .would_refuse = part.would_refuse});
  }
  pin_charge(claim, held.terms->limits);
  Moved moved{.detached = {.hold = key_ref(claim).key, .expires_at = claim.expires_at}};
  moved.detached.token = make_hold_token(claim, hold_keys().front());
  if (moved.detached.token.size() > kHoldTokenBytesMax) {
    return fail(Code::unavailable, "hold: its metadata are too long for a token");
  }
  store::Settlement frame{.hold = claim.hold,
                          .hold_engine = claim.hold_engine,
                          .epoch = claim.epoch,
                          .flags = store::kDetach,
                          .occurred_at = claim.occurred_at,
                          .account = claim.account,
                          .budgets = std::move(claim.budgets),
                          .token = std::move(claim.token),
                          .expires_at = claim.expires_at};
  for (store::BudgetPart& part : frame.budgets) part.counted = true;
  AIMETER_TRY(const Numbered numbered,
              put_numbered({.type = journal::FrameType::detach,
                            .settlement = std::move(frame),
                            .uses = {held.reserved_bytes, held.begin_frame},
                            .counted = [&] { book_.detach(held); }}));
  moved.ticket = numbered.ticket;
  running_.fetch_sub(1, std::memory_order_relaxed);
  detaches_.store(true, std::memory_order_relaxed);
  return moved;
}

Result<Detached> EngineLedger::detach(const budget::Held& held, HoldClaim claim) {
  AIMETER_TRY(Moved moved, move_out(held, std::move(claim)));
  AIMETER_CHECK_OK(wait(moved.ticket));
  return std::move(moved.detached);
}

void EngineLedger::detach(const budget::Held& held, HoldClaim claim, DetachDone done) {
  Result<Moved> moved = move_out(held, std::move(claim));
  if (!moved) {
    done(std::unexpected(std::move(moved).error()));
    return;
  }
  when_durable(moved->ticket, [detached = std::move(moved->detached),
                               done = std::move(done)](Status status) mutable {
    if (!status) {
      done(std::unexpected(std::move(status).error()));
    } else {
      done(std::move(detached));
    }
  });
}

// ---------------------------------------------------------------- its end

Result<HoldClaim> EngineLedger::open_token(std::string_view text) {
  AIMETER_TRY(ParsedHoldToken token, parse_hold_token(text));
  Signature signature = check_signature(token, hold_keys());
  if (signature == Signature::unknown_key) {  // another engine has rotated
    AIMETER_CHECK_OK(read_hold_keys());
    signature = check_signature(token, hold_keys());
  }
  if (signature == Signature::good) return std::move(token.claim);
  return fail(Code::permission_denied, "hold token: it was not given out by this store");
}

// So that the state of the limits can be said; a store that is away is no reason not to count.
void EngineLedger::make_known(const store::Settlement& settlement) {
  const auto terms = this->terms(settlement.account, settlement.occurred_at);
  if (!terms || *terms != book_.terms(book_.local(settlement.account))) return;
  (void)make_ready(settlement.account, names_of(settlement), settlement.occurred_at);
}

// What is new to the filter of known keys may have been ended by another engine a moment ago: the
// store is asked. Where it is away, the entry stands.
Result<KeyEntry> EngineLedger::ask_store(const store::KeyRef& key, Result<KeyEntry> entry) {
  if (!entry || entry->what != KeyEntry::What::fresh) return entry;
  const auto found = deps_.store.find_key(key.key);
  if (!found || !*found) return entry;
  keys_.know(key.key);
  keys_.leave(key, 0);
  if ((*found)->content != key.content) return fail(Code::conflict, "hold: was released");
  return KeyEntry{.what = KeyEntry::What::seen, .seen = **found};
}

Result<EngineLedger::Ended> EngineLedger::end_detached(Result<KeyEntry> entry,
                                                       store::Settlement settlement) {
  entry = ask_store(key_ref(settlement), std::move(entry));
  if (std::optional<Error> error = over(entry)) return std::unexpected(*std::move(error));
  const bool boarded = entry && entry->what == KeyEntry::What::fresh;
  if (entry && entry->what == KeyEntry::What::seen && entry->seen.row != 0) {
    return Ended{.outcome = {.first = entry->seen.row}};
  }
  // Unknown because the store is away, or expired: it counts all the same, and the store knows the
  // token: what is counted twice here is a duplicate there.
  const store::KeyRef key = key_ref(settlement);
  make_known(settlement);
  const budget::LocalAccount local = book_.local(settlement.account);
  const budget::Actual actual = actual_of(settlement);
  budget::SettledParts parts;
  for (store::BudgetPart& part : settlement.budgets) {
    part.actual = actual.of(part.key.kind, part.key.currency);
    parts.push_back({.key = &part.key, .actual = part.actual});
  }
  const budget::Crossings crossed = book_.count_detached(local, {parts.data(), parts.size()});
  std::vector<budget::AppliedPart> undo;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    store::BudgetPart& part = settlement.budgets[i];
    part.counted = parts[i].counted;
    if (part.would_refuse) settlement.flags |= store::kWouldRefuse;
    if (part.counted) undo.push_back({.key = part.key, .actual = part.actual, .settlements = 1});
  }
  Ended ended{.outcome = {.outcome = outcome_of(crossed, local, settlement)}};
  const auto numbered = put_numbered({.settlement = std::move(settlement)});
  if (!numbered) {
    book_.applied(undo, {});
    if (boarded) keys_.leave(key, 0);
    return std::unexpected(numbered.error());
  }
  ended.outcome.outcome.row = store::row_id(engine_, numbered->seq);
  ended.ticket = numbered->ticket;
  if (boarded) ended.boarded = key;
  return ended;
}

// Whoever waits with the same token is told of a row that is durable.
void EngineLedger::leave_hold(const Ended& ended, const Status& durable) {
  if (ended.boarded) keys_.leave(*ended.boarded, durable ? ended.outcome.outcome.row : 0);
}

Result<DetachedOutcome> EngineLedger::settle_detached(store::Settlement settlement) {
  Result<KeyEntry> entry = keys_.enter(key_ref(settlement));
  AIMETER_TRY(Ended ended, end_detached(std::move(entry), std::move(settlement)));
  const Status durable = wait(ended.ticket);
  leave_hold(ended, durable);
  AIMETER_CHECK_OK(durable);
  return std::move(ended.outcome);
}

void EngineLedger::settle_detached(store::Settlement settlement, DetachedDone done) {
  const store::KeyRef key = key_ref(settlement);
  const auto kept = std::make_shared<std::pair<store::Settlement, DetachedDone>>(
      std::move(settlement), std::move(done));
  keys_.enter(key, [this, kept](Result<KeyEntry> entry) {
    Result<Ended> ended = end_detached(std::move(entry), std::move(kept->first));
    if (!ended) {
      kept->second(std::unexpected(std::move(ended).error()));
      return;
    }
    when_durable(ended->ticket, [this, ended = *std::move(ended), kept](Status status) mutable {
      leave_hold(ended, status);
      if (!status) {
        kept->second(std::unexpected(std::move(status).error()));
      } else {
        kept->second(std::move(ended.outcome));
      }
    });
  });
}

Status EngineLedger::release_detached(const HoldClaim& claim) {
  const store::KeyRef key = key_ref(claim);
  const Result<KeyEntry> entry = ask_store(key, keys_.enter(key));
  if (over(entry)) return {};
  if (!entry) return std::unexpected(entry.error());
  if (entry->what == KeyEntry::What::seen) {
    if (entry->seen.row == 0) return {};
    return fail(Code::failed_precondition, "hold: was settled before");
  }
  Status released;
  {
    const std::scoped_lock lock(lane_);
    const auto changed =
        deps_.store.change({store::ReleaseHold{claim.account.tenant, claim.token}, "engine"});
    if (!changed) released = std::unexpected(changed.error());
    if (changed) keys_.know(key.key);
    if (changed && changed->rows > 0) {
      std::vector<budget::Book::Back> parts;
      for (const store::BudgetPart& part : claim.budgets) parts.push_back({part.key, part.held});
      book_.ended_elsewhere(parts);
    }
  }
  keys_.leave(key, 0);
  return released;
}

// ---------------------------------------------------------------- control lane

void EngineLedger::expire_holds() {
  bool more = true;
  for (int slice = 0; slice < kExpirySlicesMax && more; ++slice) {
    store::Changed changed;
    {
      const std::scoped_lock lock(lane_);
      auto expired = deps_.store.change({store::ExpireHolds{}, "engine"});
      if (!expired) return;  // at the next heartbeat
      changed = *std::move(expired);
      for (const store::EndedHold& hold : changed.ended) {
        keys_.know(hold.hold);
        std::vector<budget::Book::Back> parts;
        for (const store::LeaseBack& part : hold.parts) parts.push_back({part.key, part.amount});
        book_.ended_elsewhere(parts);
      }
    }
    more = changed.more;
    if (!sinks_.expired) continue;
    for (const store::EndedHold& hold : changed.ended) sinks_.expired(hold);
  }
}

// Only who signs needs a fresh key.
void EngineLedger::rotate_hold_keys(Instant store_now) {
  if (!detaches_.load(std::memory_order_relaxed)) return;
  if (store_now - hold_keys().front().made_at < store::kHoldKeyLife) return;
  const std::scoped_lock lock(lane_);
  // Errors here are tried again at the next turn: the old key signs as well.
  if (!deps_.store.change({store::RotateHoldKeys{store_now - store::kHoldKeyLife}, "engine"}))
    return;
  (void)read_hold_keys();
}

}  // namespace aimeter::ledger
