#include "store/memory_leases.h"

#include "store/memory_wallets.h"

#include <fmt/format.h>
#include <algorithm>

namespace aimeter::store::memory {
namespace {

Result<EngineState*> open_engine_at(State& state, EngineRef ref) {
  const auto found = state.engines.find(ref.engine);
  if (found == state.engines.end()) {
    return fail(Code::not_found, fmt::format("engine {} is not known here", ref.engine));
  }
  if (found->second.closed_at) {
    return fail(Code::failed_precondition,
                fmt::format("engine {} is closed: open another", ref.engine));
  }
  return &found->second;
}

Status check_epoch(State& state, EngineRef ref) {
  AIMETER_TRY(const EngineState* engine, open_engine_at(state, ref));
  if (engine->ref.epoch == ref.epoch) return {};
  return fail(Code::failed_precondition,
              fmt::format("epoch {} of engine {} is over, {} is in force", ref.epoch, ref.engine,
                          engine->ref.epoch));
}

int live_engines(const State& state, EngineId own, Instant now) {
  int live = 1;
  for (const auto& [id, engine] : state.engines) {
    if (id == own || engine.closed_at) continue;
    if (now - engine.renewed_at < kEngineLiveFor) ++live;
  }
  return live;
}

struct Elsewhere {
  Amount held = 0, leased = 0;
  bool others = false;
};

// Of a budget: other engines' leases, and detached holds, which are in no lease.
Elsewhere elsewhere_of(const State& state, const BudgetKey& key, EngineId own) {
  Elsewhere elsewhere;
  for (const auto& [lease_key, lease] : state.leases) {
    if (lease_key.budget != key || lease_key.engine == own || lease.leased == 0) continue;
    elsewhere.others = true;
    elsewhere.leased += lease.leased;
    elsewhere.held += std::min(lease.held, lease.leased);
  }
  for (const auto& [token, hold] : state.holds) {
    for (const LeaseBack& part : hold.parts) {
      if (part.key != key || part.amount == 0) continue;
      elsewhere.others = true;
      elsewhere.leased += part.amount;
      elsewhere.held += part.amount;
    }
  }
  return elsewhere;
}

bool recall_others(State& state, const BudgetKey& key, EngineId own) {
  bool recalled = false;
  for (auto& [lease_key, lease] : state.leases) {
    if (lease_key.budget != key || lease_key.engine == own || lease.leased == 0) continue;
    lease.recall = true;
    recalled = true;
  }
  return recalled;
}

std::vector<LeaseGrant> stale_grants(State& state, std::span<const LeaseAsk> asks) {
  std::vector<LeaseGrant> grants;
  for (const LeaseAsk& ask : asks) {
    const BudgetState& budget = budget_at(state, ask.key).state;
    grants.push_back({.used = budget.used, .leased = budget.leased});
    grants.back().stale_catalogue = ask.catalogue != state.catalogue.version;
  }
  return grants;
}

void free_leases_of(State& state, EngineId engine) {
  for (auto lease = state.leases.begin(); lease != state.leases.end();) {
    if (lease->first.engine != engine) {
      ++lease;
      continue;
    }
    budget_at(state, lease->first.budget).state.leased -= lease->second.leased;
    lease = state.leases.erase(lease);
  }
}

bool has_lease(const State& state, EngineId engine) {
  return std::ranges::any_of(state.leases, [engine](const auto& entry) {
    return entry.first.engine == engine && entry.second.leased > 0;
  });
}

std::vector<LeaseGrant> lease_of_account(State& state, EngineRef engine,
                                         std::span<const LeaseAsk> asks, Instant now) {
  std::vector<LeaseGrant> grants = stale_grants(state, asks);
  const auto is_stale = [](const LeaseGrant& grant) { return grant.stale_catalogue; };
  if (std::ranges::any_of(grants, is_stale)) return grants;

  bool refused = false;
  const int engines = live_engines(state, engine.engine, now);
  for (std::size_t i = 0; i < asks.size(); ++i) {
    const LeaseAsk& ask = asks[i];
    BudgetState& budget = budget_at(state, ask.key).state;
    grants[i].limit =
        is_wallet(ask.key) ? budget.credited - over_in(state, ask.key, now) : ask.limit;
    name_limit(budget, naming_of(budget, {.limit = ask.limit, .blocking = true}));
    const Elsewhere elsewhere = elsewhere_of(state, ask.key, engine.engine);
    const Room room{free_of(budget, grants[i].limit), engines, elsewhere.others};
    grants[i].held_elsewhere = elsewhere.held;
    grants[i].leased_elsewhere = elsewhere.leased;
    grants[i].granted = grant_of(ask, room);
    if (!refuses(ask, room)) continue;
    refused = true;
    grants[i].recalled = recall_others(state, ask.key, engine.engine);
  }
  for (std::size_t i = 0; i < asks.size(); ++i) {
    BudgetState& budget = budget_at(state, asks[i].key).state;
    if (refused) grants[i].granted = 0;
    if (grants[i].granted == 0) continue;
    budget.leased += grants[i].granted;
    grants[i].leased = budget.leased;
    Lease& own = state.leases[{.budget = asks[i].key, .engine = engine.engine}];
    if (own.leased == 0) own = {};  // what was recalled is gone
    own.epoch = engine.epoch;
    own.leased += grants[i].granted;
  }
  return grants;
}

}  // namespace

Result<EngineRef> open_engine(State& state, const EngineCard& card, Instant now) {
  const EngineId next = state.engines.empty() ? 1 : state.engines.rbegin()->first + 1;
  const EngineId id = card.number != 0 ? card.number : next;
  if (state.engines.contains(id)) {
    return fail(Code::conflict, fmt::format("engine {} is known already", id));
  }
  EngineState engine{.ref = {.engine = id, .epoch = 1}, .card = card};
  engine.card.number = 0;
  engine.applied_at = now;
  engine.renewed_at = now;
  state.engines[id] = engine;
  return engine.ref;
}

Result<std::vector<LeaseGrant>> lease(State& state, EngineRef engine,
                                      std::span<const LeaseAsk> asks, Instant now) {
  AIMETER_CHECK_OK(check_epoch(state, engine));
  AIMETER_CHECK_OK(check(asks));
  std::vector<LeaseGrant> all;
  while (!asks.empty()) {
    const std::span<const LeaseAsk> own = of_first_account(asks);
    const std::vector<LeaseGrant> grants = lease_of_account(state, engine, own, now);
    all.insert(all.end(), grants.begin(), grants.end());
    asks = asks.subspan(own.size());
  }
  return all;
}

Result<Pulse> renew(State& state, EngineRef engine, std::span<const HeldReport> held, Instant now) {
  AIMETER_TRY(EngineState* const known, open_engine_at(state, engine));
  Pulse pulse{.lost = known->ref.epoch != engine.epoch, .ref = known->ref};
  pulse.catalogue = state.catalogue.version;
  pulse.engines = live_engines(state, engine.engine, now);
  pulse.others_open = static_cast<int>(std::ranges::count_if(state.engines, [&](const auto& one) {
    return one.first != engine.engine && !one.second.closed_at;
  }));
  pulse.newest_engine = state.engines.rbegin()->first;
  pulse.store_now = now;
  if (pulse.lost) return pulse;
  known->renewed_at = now;
  for (auto& [key, lease] : state.leases) {  // a report is believed until the next
    if (key.engine == engine.engine) lease.held = 0;
  }
  for (const HeldReport& report : held) {
    const auto lease = state.leases.find({.budget = report.key, .engine = engine.engine});
    if (lease != state.leases.end()) lease->second.held = std::max<Amount>(0, report.held);
  }
  pulse.holds_due = std::ranges::any_of(
      state.holds, [now](const auto& entry) { return entry.second.expires_at <= now; });
  pulse.credits_due = credits_due(state, now);
  for (const auto& [key, lease] : state.leases) {
    const bool own = key.engine == engine.engine && lease.leased > 0;
    if (own && lease.recall) pulse.recalled.push_back(key.budget);
  }
  return pulse;
}

Status give_back(State& state, EngineRef engine, std::span<const LeaseBack> parts) {
  AIMETER_CHECK_OK(check_epoch(state, engine));
  std::map<LeaseKey, Amount> sums;
  for (const LeaseBack& part : parts) {
    if (part.amount < 0) return bad_input("amount", std::to_string(part.amount), "0 or more");
    Amount& sum = sums[{.budget = part.key, .engine = engine.engine}];
    const auto next = sum_of(sum, part.amount);
    if (!next) return bad_input("amount", std::to_string(part.amount), "what is leased");
    sum = *next;
  }
  for (const auto& [key, amount] : sums) {
    const auto lease = state.leases.find(key);
    if (lease == state.leases.end() || lease->second.leased < amount) {
      return fail(
          Code::failed_precondition,
          fmt::format("engine {} has less than {} of that budget leased", engine.engine, amount));
    }
  }
  for (const auto& [key, amount] : sums) {
    Lease& lease = state.leases.at(key);
    lease.leased -= amount;
    lease.recall = false;
    budget_at(state, key.budget).state.leased -= amount;
  }
  return {};
}

Status close_engine(State& state, EngineId engine, Instant now) {
  const auto known = state.engines.find(engine);
  if (known == state.engines.end()) {
    return fail(Code::not_found, fmt::format("engine {} is not known here", engine));
  }
  free_leases_of(state, engine);
  if (!known->second.closed_at) known->second.closed_at = now;
  return {};
}

std::vector<Lessee> lessees(const State& state) {
  std::vector<Lessee> found;
  for (const auto& [id, engine] : state.engines) {
    if (!engine.closed_at && has_lease(state, id)) found.push_back({id, engine.renewed_at});
  }
  return found;
}

int take_back(State& state, std::span<const Lessee> silent) {
  int taken = 0;
  for (const Lessee& one : silent) {
    const auto at = state.engines.find(one.engine);
    if (at == state.engines.end()) continue;
    EngineState& engine = at->second;
    if (engine.closed_at || engine.renewed_at != one.renewed_at) continue;
    if (!has_lease(state, one.engine)) continue;
    free_leases_of(state, one.engine);
    engine.ref.epoch += 1;
    ++taken;
  }
  return taken;
}

}  // namespace aimeter::store::memory
