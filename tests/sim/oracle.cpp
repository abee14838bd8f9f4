#include "tests/sim/oracle.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/bound.h"

namespace aimeter::sim {
namespace {

// Holds that the writer can be behind with: far more than one step begins.
constexpr std::size_t kUnwrittenMax = 64;

}  // namespace

std::string label_of(const store::BudgetKey& key) {
  return fmt::format("{}/{} {} {} \"{}\" of {}", key.account.tenant.text, key.account.billable.id,
                     name_of(key.scope), name_of(key.kind), key.name, text_of(key.span.start));
}

void Oracle::fail(std::string message) {
  if (!failure_) failure_ = std::move(message);
}

// ---------------------------------------------------------------- callers

std::size_t Oracle::intern(const store::BudgetKey& key) {
  const auto [at, fresh] = numbers_.try_emplace(key, budgets_.size());
  if (fresh) budgets_.push_back({.key = key});
  return at->second;
}

Amount Oracle::used(const store::BudgetKey& key) { return budgets_[intern(key)].used; }

std::size_t Oracle::add(Attempt attempt) {
  attempts_.push_back(std::move(attempt));
  open_.push_back(attempts_.size() - 1);
  return attempts_.size() - 1;
}

void Oracle::begin_hold(std::size_t number, Hold hold) {
  Attempt& attempt = attempts_[number];
  attempt.epoch = hold.epoch;
  attempt.hold = hold.number;
  attempt.held = std::move(hold.held);
  attempt.state = Attempt::State::holding;
  if (std::ranges::find(open_, number) == open_.end()) open_.push_back(number);
}

void Oracle::not_acked(std::size_t number, Code code) {
  if (code == Code::unavailable) {
    attempts_[number].state = Attempt::State::refused;
  } else if (code != Code::in_doubt) {
    fail(fmt::format("call {} settled with code {}", number, static_cast<int>(code)));
  }
}

void Oracle::granted(std::size_t number, Duration renewed) {
  const Attempt& attempt = attempts_[number];
  const bool leased = std::ranges::any_of(attempt.held, &HeldOf::leased);
  if (!leased) return;
  if (view_.now - renewed >= view_.lease_ttl) {
    fail(fmt::format("engine {} grants {} s after it sent its last renewal", attempt.engine,
                     (view_.now - renewed).count() / 1'000'000));
  }
  const auto engines = view_.store->engines();
  for (const store::EngineState& state : *engines) {
    if (state.ref.engine != attempt.engine) continue;
    if (state.ref.epoch != attempt.epoch) {
      fail(fmt::format("engine {} grants from epoch {}, {} is in force", attempt.engine,
                       attempt.epoch, state.ref.epoch));
    }
    if (state.closed_at) fail(fmt::format("engine {} grants, but is closed", attempt.engine));
  }
}

void Oracle::acked(std::size_t number, std::int64_t row) {
  Attempt& attempt = attempts_[number];
  attempt.state = Attempt::State::acked;
  attempt.row = row;
  if (attempt.durability != ledger::Durability::store || attempt.landed != 0) return;
  const auto found = view_.store->settlement(row, std::nullopt);
  if (found && *found) return;
  const auto dead = view_.store->dead();
  const bool buried =
      std::ranges::any_of(*dead, [row](const store::DeadSettlement& one) { return one.id == row; });
  if (!buried) fail(fmt::format("row {} was said to be in the store, and is not", row));
}

void Oracle::lost_process(store::EngineId engine) {
  alive_.erase(engine);
  for (const std::size_t number : open_) {
    Attempt& attempt = attempts_[number];
    if (attempt.engine == engine && attempt.state == Attempt::State::holding) {
      attempt.state = Attempt::State::ended;
      if (attempt.begun) orphans_.emplace(engine, attempt.hold);
    }
  }
}

void Oracle::lost_power(store::EngineId engine, Was was) {
  if (was == Was::dead) cut_journals_.insert(engine);
  std::erase_if(orphans_, [engine](const auto& orphan) { return orphan.first == engine; });
  for (Attempt& attempt : attempts_) {
    if (attempt.engine == engine) attempt.begun = attempt.ended = false;
  }
}

std::vector<std::size_t> Oracle::unwritten(store::EngineId engine) const {
  std::vector<std::size_t> found;
  for (std::size_t i = attempts_.size(); i-- > 0;) {
    const Attempt& attempt = attempts_[i];
    if (attempt.engine != engine || attempt.hold == 0) continue;
    if (!attempt.begun || attempt.released != attempt.ended) found.push_back(i);
    if (found.size() >= kUnwrittenMax) break;
  }
  return found;
}

void Oracle::written(const std::vector<std::size_t>& attempts) {
  for (const std::size_t number : attempts) {
    attempts_[number].begun = true;
    attempts_[number].ended = attempts_[number].released;
  }
}

void Oracle::key_seen(const store::KeyRef& key, const store::KeySeen& seen) {
  if (seen.content != key.content) fail("a key was found with other content, without a conflict");
  promised_.emplace_back(key.key, seen.row);
}

std::int64_t Oracle::owner_of(const base::Key16& key) const {
  const auto owner = owners_.find(key);
  return owner == owners_.end() ? 0 : owner->second;
}

// What an engine knows of others it knows from its last renewal.
void Oracle::key_fresh(const Fresh& fresh) {
  if (fresh.owner == 0) return;
  const auto owner = static_cast<store::EngineId>(fresh.owner >> store::kSeqBits);
  const bool known = owner == fresh.engine || engines_[owner].opened < fresh.renewed;
  if (!known) return;
  fail(fmt::format("a key is fresh to engine {}, and had come as row {} before it asked",
                   fresh.engine, fresh.owner));
}

bool Oracle::other_content(const store::KeyRef& key) const {
  const auto known = contents_.find(key.key);
  return known != contents_.end() &&
         (known->second.size() > 1 || !known->second.contains(key.content));
}

void Oracle::orphan(const store::Orphan& orphan) {
  for (std::size_t i = attempts_.size(); i-- > 0;) {
    const Attempt& attempt = attempts_[i];
    if (attempt.engine != orphan.engine || attempt.hold != orphan.hold) continue;
    if (attempt.state == Attempt::State::acked &&
        attempt.durability == ledger::Durability::journal) {
      fail(fmt::format("hold {} of engine {} is listed as an orphan, but its call was acknowledged",
                       orphan.hold, orphan.engine));
    }
    if (attempt.ended) {
      fail(fmt::format("hold {} of engine {} is listed as an orphan, but was released", orphan.hold,
                       orphan.engine));
    }
    return;
  }
  fail(fmt::format("hold {} of engine {} is listed as an orphan, and was never granted",
                   orphan.hold, orphan.engine));
}

// ---------------------------------------------------------------- after every step

void Oracle::see_time() {
  const Instant now = view_.store->now();
  for (auto& [number, out] : handed_out_) out.may_be_over |= now >= out.expires_at;
}

bool Oracle::in_force(store::EngineId engine, std::uint32_t epoch) const {
  const auto at = engines_.find(engine);
  return at != engines_.end() && !at->second.closed && at->second.epoch == epoch;
}

void Oracle::check_engine(const store::EngineState& state, Engine& engine) {
  const store::EngineId id = state.ref.engine;
  if (state.ref.epoch != engine.epoch && rereading_) engine.epoch = state.ref.epoch;
  if (state.ref.epoch != engine.epoch) {
    const Duration silent = view_.now - renewals_[id];
    if (silent < view_.lease_ttl + view_.hold_ttl) {
      fail(fmt::format("engine {} lost its leases after {} s of silence", id,
                       silent.count() / 1'000'000));
    }
    engine.epoch = state.ref.epoch;
  }
  if (state.closed_at && !engine.closed) {
    engine.closed = true;
    if (alive_.contains(id)) fail(fmt::format("engine {} was closed while it lives", id));
  }
  if (state.last_seq < engine.seen) fail(fmt::format("engine {} went back", id));
  if (state.last_seq > engine.seen) read_rows(id, engine, state.last_seq);
  if (state.rowless != engine.rowless) {
    fail(fmt::format("engine {} has {} seqs without a row, {} holds were detached there", id,
                     state.rowless, engine.rowless));
  }
}

void Oracle::check_engines() {
  const auto states = view_.store->engines();
  for (const store::EngineState& state : *states) {
    const auto [at, fresh] = engines_.try_emplace(state.ref.engine);
    if (fresh) {
      renewals_.try_emplace(state.ref.engine, view_.now);
      at->second.opened = view_.now;
    }
    check_engine(state, at->second);
  }
  for (const std::size_t number : duplicates_) {
    const Attempt& attempt = attempts_[number];
    if (!attempt.key || !owners_.contains(attempt.key->key)) {
      fail(fmt::format("row {} is a duplicate of nothing", attempt.landed));
    }
  }
  duplicates_.clear();
  if (view_.wallets != Wallets::none) money_.read();
}

// The store holds it for this call: in the lease of its engine, or, detached, in a row of its own.
bool Oracle::keeps_hold(const Attempt& attempt, std::size_t number) const {
  const bool in_lease =
      in_force(attempt.engine, attempt.epoch) && !powerless_.contains(attempt.engine);
  if (attempt.state != Attempt::State::detaching) return in_lease;
  const HandedOut& out = handed_out_.at(number);
  return !may_be_over(number) && !owners_.contains(out.key) && (out.landed || in_lease);
}

void Oracle::count_held() {
  for (Budget& budget : budgets_) budget.held = 0;
  std::erase_if(open_, [&](std::size_t number) {
    const Attempt& attempt = attempts_[number];
    return attempt.landed != 0 || attempt.state == Attempt::State::ended ||
           attempt.state == Attempt::State::refused;
  });
  for (const std::size_t number : open_) {
    const Attempt& attempt = attempts_[number];
    if (attempt.what == Attempt::What::detached) continue;  // its call stands for it
    if (!keeps_hold(attempt, number)) continue;
    const bool whole =
        attempt.state == Attempt::State::holding || attempt.state == Attempt::State::detaching;
    for (const HeldOf& part : attempt.held) {
      if (!part.leased) continue;
      Budget& budget = budgets_[part.budget];
      budget.held += whole ? part.held : std::min(part.held, part_amount(attempt, budget.key.kind));
    }
  }
}

void Oracle::check_budget(const store::BudgetState& state) {
  const Budget& budget = budgets_[intern(state.key)];
  if (state.used != budget.used) {
    fail(fmt::format("{}: used is {}, its rows have {}", label_of(state.key), state.used,
                     budget.used));
  }
  if (budget.held > state.leased) {
    fail(fmt::format("{}: {} are held, {} are leased", label_of(state.key), budget.held,
                     state.leased));
  }
  if (!store::in_bound(state)) {
    fail(fmt::format("{}: used {} and leased {} are above the limit {}", label_of(state.key),
                     state.used, state.leased, *state.limit));
  }
  if (state.over_hold > budget.excess) {
    fail(fmt::format("{}: above holds by {}, the calls were by {}", label_of(state.key),
                     state.over_hold, budget.excess));
  }
  if (state.late > budget.late) {
    fail(fmt::format("{}: late by {}, late rows have {}", label_of(state.key), state.late,
                     budget.late));
  }
  if (store::is_wallet(state.key)) return check_wallet(state, budget);
  if (state.fallen != 0 && !moving_.contains(state.key.account)) {
    fail(label_of(state.key) + ": fallen, but no limit moved");
  }
}

// Never below zero, but for what answers were dearer than their holds and what came late; and what
// running calls hold is there for them.
void Oracle::check_wallet(const store::BudgetState& state, const Budget& budget) {
  const Amount balance = money_.balance(state.key.account);
  if (state.credited - state.used != balance) {
    fail(fmt::format("{}: {} were credited and {} used, its transactions come to {}",
                     label_of(state.key), state.credited, state.used, balance));
  }
  if (view_.wallets == Wallets::overdraft) {
    if (state.leased != 0) fail(label_of(state.key) + ": leased, with an overdraft");
    return;
  }
  if (balance < budget.held - budget.excess - budget.late) {
    fail(fmt::format("{}: the balance is {}, {} are held, answers were dearer by {}, late by {}",
                     label_of(state.key), balance, budget.held, budget.excess, budget.late));
  }
  if (state.fallen != 0) fail(label_of(state.key) + ": a wallet has fallen");
}

void Oracle::check_budgets() {
  count_held();
  const auto states = view_.store->budgets(std::nullopt);
  for (const store::BudgetState& state : *states) check_budget(state);
  if (states->size() < budgets_.size()) {
    for (const Budget& budget : budgets_) {
      const bool there = std::ranges::any_of(
          *states, [&](const store::BudgetState& state) { return state.key == budget.key; });
      if (!there && budget.used + budget.held != 0) fail(label_of(budget.key) + " is not there");
    }
  }
}

void Oracle::check() {
  see_time();
  check_engines();
  check_budgets();
  money_.check_deals();
}

void Oracle::store_lost_power(const std::vector<store::EngineId>& engines) {
  powerless_.insert(engines.begin(), engines.end());
  for (Attempt& attempt : attempts_) {
    attempt.landed = 0;
    attempt.dead = attempt.duplicate = false;
  }
  for (Budget& budget : budgets_) budget.used = budget.excess = budget.late = 0;
  for (auto& [number, out] : handed_out_) out.came = out.landed = false;
  money_.forget();
  engines_.clear();
  rows_.clear();
  usages_.clear();
  left_.clear();
  owners_.clear();
  rereading_ = true;
  check();
  rereading_ = false;
  for (const auto& [row, left] : left_) {
    if (left < 0) fail(fmt::format("{} are left of row {}", left, row));
  }
  const auto version = view_.store->catalogue();
  if (!version || *version < catalogue_) {
    fail(fmt::format("the catalogue was version {}, after the loss of power it is {}", catalogue_,
                     version.value_or(0)));
  }
}

void Oracle::leased(std::span<const store::LeaseAsk> asks,
                    std::span<const store::LeaseGrant> grants) {
  const auto version = view_.store->catalogue();
  for (std::size_t i = 0; i < grants.size(); ++i) {
    if (grants[i].granted == 0) continue;
    if (store::is_wallet(asks[i].key)) check_leased_money(asks[i].key.account);
    if (asks[i].catalogue == *version) continue;
    fail(fmt::format("{}: leased by catalogue {}, {} is in force", label_of(asks[i].key),
                     asks[i].catalogue, *version));
  }
}

// Neither what others have leased nor what is over by the clock.
void Oracle::check_leased_money(const Account& account) {
  see_rows();
  const Amount left = money_.available(account);
  if (left >= 0) return;
  fail(fmt::format("{}/{}: {} more are leased than a wallet has", account.tenant.text,
                   account.billable.id, -left));
}

void Oracle::verify() {
  const auto verified = view_.store->verify({});
  if (!verified) return fail("verify does not answer: " + verified.error().message);
  for (const store::Finding& finding : verified->findings) {
    fail(fmt::format("verify: {}: {}: {}", finding.check, finding.where, finding.message));
  }
}

}  // namespace aimeter::sim
