// The control lane: leases, heartbeat, first loads of accounts. Whoever needs the store waits here.
#include <fmt/format.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>

#include "ledger/engine_ledger.h"

namespace aimeter::ledger {
namespace {

constexpr int kRoundsMax =
    8;  // stale, unknown, short: each takes a round; more is somebody's storm
constexpr Duration kIdleLease = std::chrono::seconds(10);
constexpr Duration kHistoryStep = std::chrono::seconds(30);
using What = budget::HoldAnswer::What;

}  // namespace

bool EngineLedger::control() {
  if (deps_.clock.boot() >= next_beat_) heartbeat();
  std::deque<Request> requests = std::move(parked_);
  parked_.clear();
  std::vector<budget::LocalAccount> low;
  {
    const base::Lock lock(queue_mutex_);
    for (Request& request : queue_) requests.push_back(std::move(request));
    queue_.clear();
    low.swap(low_);
  }
  control_serves_.store(!requests.empty());
  lease_together(requests, low);
  for (Request& request : requests) {
    std::optional<Result<budget::Held>> answer = serve(request);
    if (answer) {
      request.done(*std::move(answer));
    } else {
      parked_.push_back(std::move(request));
    }
  }
  control_serves_.store(false);
  const bool more_keys = keys_.learn();
  const base::Lock lock(queue_mutex_);
  return more_keys || !queue_.empty() || !low_.empty();
}

std::optional<Result<budget::Held>> EngineLedger::serve(const Request& request) {
  Result<budget::HoldAnswer> answer = negotiate(request.ask);
  if (!answer) return std::unexpected(std::move(answer).error());
  if (answer->what == What::held) {
    if (answer->running_low) note_low(answer->held.account);
    return begin(std::move(answer->held), request.ask);
  }
  const bool may_fit = answer->worth_waiting || answer->fits_limit;
  if (may_fit && deps_.clock.boot() < request.deadline) return std::nullopt;
  if (!answer->fits_limit) return std::unexpected(refused_by(answer->refusal));
  return fail(Code::unavailable,
              fmt::format("what is left of the {} limit is leased to other engines; retry in {} ms",
                          answer->refusal->budget, options_.heartbeat.count() / 1'000));
}

Result<budget::HoldAnswer> EngineLedger::negotiate(const HoldAsk& ask) {
  const budget::LocalAccount local = book_.local(ask.account);
  auto mode = budget::Ask::first;
  bool asked = false;
  for (int round = 0; round < kRoundsMax; ++round) {
    const Instant at = time_of(ask);
    const std::uint64_t catalogue = catalogue_.load();
    budget::HoldAnswer answer = book_.hold(local, {ask.names, ask.need, at, catalogue, mode});
    switch (answer.what) {
      case What::held:
        if (!refuses(answer.held, at)) return answer;
        heartbeat();
        if (!is_lost(answer.held)) return answer;
        book_.release(answer.held);  // the renewal has told: others have what it was taken from
        break;
      case What::refused:
        // It fits, and no other engine has any of it: calls of this one were quicker. Again.
        if (!answer.fits_limit || answer.worth_waiting || round + 2 >= kRoundsMax) return answer;
        mode = budget::Ask::first;
        break;
      case What::stale:
        if (clock_has_moved()) heartbeat();  // another period, or only another clock?
        AIMETER_CHECK_OK(clock_is_good());
        AIMETER_CHECK_OK(load(ask.account, local, at));
        break;
      case What::unknown_budgets:
        AIMETER_CHECK_OK(learn(local, answer.unknown));
        break;
      case What::short_of: {
        const Wanted wanted{local, catalogue, std::move(answer.shorts),
                            asked ? Rest::whole : Rest::share};
        AIMETER_CHECK_OK(lease({&wanted, 1}));
        if (asked) mode = budget::Ask::final;
        asked = true;
        break;
      }
    }
  }
  return fail(Code::unavailable, "the account's limits change faster than they can be read; retry");
}

Result<std::shared_ptr<const budget::Terms>> EngineLedger::read_terms(const Account& account,
                                                                      Instant at) {
  AIMETER_TRY(store::AccountState state, deps_.store.load_account(account, at));
  if (plans::has_cap(state.contract)) {  // it counts from what is used, also by what is on its way
    AIMETER_CHECK_OK(drain());
    AIMETER_TRY(state, deps_.store.load_account(account, at));
  }
  catalogue_.store(state.catalogue);
  auto terms = std::make_shared<budget::Terms>();
  terms->limits = plans::effective_limits(state.contract, options_.limits, at);
  terms->catalogue = state.catalogue;
  terms->wallet = wallet_of(state);
  return terms;
}

Status EngineLedger::load(const Account& account, budget::LocalAccount local, Instant at) {
  AIMETER_TRY(std::shared_ptr<const budget::Terms> terms, read_terms(account, at));
  AIMETER_CHECK_OK(plans::admit(terms->limits, options_.without_subscription));
  book_.set_terms(local, std::move(terms));
  return {};
}

Status EngineLedger::learn(budget::LocalAccount local, const std::vector<budget::BudgetKey>& keys) {
  const std::scoped_lock lock(lane_);
  AIMETER_TRY(const std::vector<store::BudgetState> states, deps_.store.budget_states(keys));
  for (const store::BudgetState& state : states) {
    book_.hear(local, word_of(state));
  }
  return {};
}

Status EngineLedger::lease(std::span<const Wanted> wanted) {
  std::vector<store::LeaseAsk> asks;
  std::vector<budget::LocalAccount> accounts;  // of each ask
  for (const Wanted& one : wanted) {
    const bool whole = one.rest == Rest::whole;
    for (const budget::Short& part : one.shorts) {
      accounts.push_back(one.account);
      asks.push_back({.key = part.key,
                      .ask = part.ask,
                      // A limit that fell to 0 leaves a lease that has enough, and may not be held.
                      .one_call = whole ? 0 : std::max<store::Amount>(0, part.need - part.free),
                      .whole_rest = whole,
                      .limit = part.limit,
                      .catalogue = one.catalogue});
    }
  }
  const std::scoped_lock lock(lane_);
  Result<std::vector<store::LeaseGrant>> grants = deps_.store.lease({engine_, epoch_.load()}, asks);
  if (!grants) {
    if (grants.error().code == Code::failed_precondition) {
      next_beat_ = Duration{};
      return fail(Code::unavailable, "the leases of this engine have ended; retry");
    }
    if (grants.error().code == Code::in_doubt) {  // of the lease; no call is
      return fail(Code::unavailable, "the store did not say what it leased; retry");
    }
    return std::unexpected(std::move(grants).error());
  }
  bool stale = false;
  for (std::size_t i = 0; i < grants->size(); ++i) {
    const store::LeaseGrant& grant = (*grants)[i];
    stale = stale || grant.stale_catalogue;
    if (grant.stale_catalogue) continue;
    budget::StoreWord word{.key = asks[i].key,
                           .used = grant.used,
                           .granted = grant.granted,
                           .leased_elsewhere = grant.leased_elsewhere,
                           .held_elsewhere = grant.held_elsewhere,
                           .limit = grant.limit};
#if defined(AIMETER_FAULTS)  // a lease grows inside its limit alone
    AIMETER_ASSERT(grant.granted == 0 || grant.used + grant.leased <= grant.limit);
    word.bound = std::max(grant.limit, grant.used + grant.leased);
#endif
    book_.hear(accounts[i], word);
  }
  if (!stale) return {};
  AIMETER_TRY(const std::uint64_t version, deps_.store.catalogue());
  catalogue_.store(version);
  return {};
}

EngineLedger::Wanted EngineLedger::wanted_by(const HoldAsk& ask) {
  Wanted wanted{.account = book_.local(ask.account), .catalogue = catalogue_.load()};
  wanted.shorts =
      book_.shorts_of(wanted.account, {ask.names, ask.need, time_of(ask), wanted.catalogue});
  return wanted;
}

void EngineLedger::lease_together(const std::deque<Request>& waiting,
                                  const std::vector<budget::LocalAccount>& low) {
  std::vector<Wanted> wanted;
  boost::unordered_flat_set<budget::LocalAccount> accounts;
  const auto add = [&](Wanted one) {
    if (!one.shorts.empty() && accounts.insert(one.account).second) {
      wanted.push_back(std::move(one));
    }
  };
  for (const Request& request : waiting) add(wanted_by(request.ask));
  if (low.empty() && wanted.size() < 2) return;  // one alone asks for itself
  const Instant now = deps_.clock.now();
  const std::uint64_t catalogue = catalogue_.load();
  for (const budget::LocalAccount account : low) {
    add({account, catalogue, book_.low_of(account, now, catalogue)});
  }
  if (!wanted.empty()) static_cast<void>(lease(wanted));
}

void EngineLedger::note_low(budget::LocalAccount account) {
  {
    const base::Lock lock(queue_mutex_);
    low_.push_back(account);
  }
  deps_.workers.wake(control_);
}

Status EngineLedger::make_ready(const Account& account, const budget::Names& names, Instant at) {
  const budget::LocalAccount local = book_.local(account);
  for (int round = 0; round < kRoundsMax; ++round) {
    const budget::HoldAnswer answer = book_.ready(local, names, at, catalogue_.load());
    if (answer.what == What::held) return {};
    if (answer.what == What::stale) {
      AIMETER_TRY(std::shared_ptr<const budget::Terms> read, read_terms(account, at));
      book_.set_terms(local, std::move(read));
    } else {
      AIMETER_CHECK_OK(learn(local, answer.unknown));
    }
  }
  return fail(Code::unavailable, "the account's limits change faster than they can be read; retry");
}

// ---------------------------------------------------------------- heartbeat

void EngineLedger::heartbeat() {
  const ClockReading before = read_clock();
  next_beat_ = before.boot + options_.heartbeat;
  std::vector<store::HeldReport> reports;
  for (budget::Book::Back& held : book_.held_of(recalled_)) {
    reports.push_back({std::move(held.key), held.amount});
  }
  Result<store::Pulse> pulse = fail(Code::unavailable, "");
  {
    const std::scoped_lock lock(lane_);
    pulse = deps_.store.renew({engine_, epoch_.load()}, reports);
    if (pulse && pulse->ref.epoch != epoch_.load()) {  // lost: others have what we leased
      epoch_.store(pulse->ref.epoch);
      book_.new_epoch(pulse->ref.epoch);
      owed_.clear();
      pulse = deps_.store.renew(pulse->ref, {});  // the new epoch lives, before anything is leased
    }
  }
  if (!pulse) {
    if (pulse.error().code == Code::corrupt) store_broken_.store(true);
    const base::Lock lock(trouble_mutex_);
    store_trouble_ = pulse.error();
    return;
  }
  watch_clock(before, pulse->store_now);
  grant_until_us_.store((before.boot + options_.lease_ttl).count());
  if (catalogue_.exchange(pulse->catalogue) != pulse->catalogue && sinks_.catalogue_changed) {
    sinks_.catalogue_changed(pulse->catalogue);
  }
  keys_.others(pulse->others_open, pulse->newest_engine);
  alone_.store(pulse->others_open == 0);
  recalled_ = std::move(pulse->recalled);
  give_back(book_.take_back(recalled_));
  give_back(book_.take_idle(deps_.clock.now(), kIdleLease));
  if (pulse->holds_due && clock_is_good()) expire_holds();
  if (pulse->credits_due && clock_is_good()) expire_credits();
  housekeeping(pulse->store_now);
}

void EngineLedger::housekeeping(Instant store_now) {
  const Duration boot = deps_.clock.boot();
  if (!applied_history_.empty() && boot - applied_history_.back().at < kHistoryStep) return;
  // Errors here are tried again at the next turn; nothing depends on when this happens.
  (void)take_back_from_silent();
  if (boot >= settled_from_ && clock_is_good()) rotate_hold_keys(store_now);
  applied_history_.push_back({boot, applied_.passed()});
  while (applied_history_.size() > 1 && boot - applied_history_[1].at >= options_.keep_segments) {
    applied_history_.pop_front();
  }
  const bool old = boot - applied_history_.front().at >= options_.keep_segments;
  if (journal_ == nullptr || !old || !sync_store()) return;
  (void)journal_->drop_segments(applied_history_.front().seq);
}

Status EngineLedger::take_back_from_silent() {
  const Duration asked = deps_.clock.boot();
  AIMETER_TRY(std::vector<store::Lessee> lessees, deps_.store.lessees());
  std::erase_if(lessees, [this](const store::Lessee& one) { return one.engine == engine_; });
  const std::vector<store::Lessee> silent =
      silence_.look(lessees, {.asked = asked, .heard = deps_.clock.boot()});
  AIMETER_TRY([[maybe_unused]] const int taken, deps_.store.take_back(silent));
  return {};
}

// Leases and settlements are committed with relaxed syncing: what was applied an hour ago is safe
// only after a commit with full sync. An empty batch is one.
Status EngineLedger::sync_store() {
  const std::scoped_lock lock(lane_);
  AIMETER_TRY(const store::Seq last, deps_.store.last_seq(engine_));
  const auto synced = deps_.store.apply({engine_, epoch_.load()}, last, {}, store::Sync::full);
  if (!synced) return std::unexpected(synced.error());
  return {};
}

void EngineLedger::give_back(std::vector<budget::Book::Back> backs) {
  for (budget::Book::Back& back : owed_) backs.push_back(std::move(back));
  owed_.clear();
  if (backs.empty()) return;
  std::vector<store::LeaseBack> parts;
  for (const budget::Book::Back& back : backs) parts.push_back({back.key, back.amount});
  const std::scoped_lock lock(lane_);
  const Status given = deps_.store.give_back({engine_, epoch_.load()}, parts);
  // Away: owed until it is back. Another epoch: the store has them already.
  if (!given && given.error().code == Code::unavailable) owed_ = std::move(backs);
}

}  // namespace aimeter::ledger
