#include "store/memory_maintenance.h"

#include "store/memory_batches.h"

#include <fmt/format.h>
#include <algorithm>
#include <set>

namespace aimeter::store::memory {
namespace {

// The hold's part leaves `leased`; its token is remembered as over.
void end_hold(State& state, const base::Key16& token, std::uint64_t how) {
  const auto hold = state.holds.find(token);
  if (hold != state.holds.end()) {
    for (const LeaseBack& part : hold->second.parts) {
      budget_at(state, part.key).state.leased -= part.amount;
    }
    state.holds.erase(hold);
  }
  state.keys.try_emplace(token, KeySeen{.row = 0, .content = how});
}

struct Who {
  const Account& account;
  const std::string& user;
  Instant at;
};

bool is_meant(const Erase& change, const Who& who) {
  return who.account.tenant == change.tenant && (!change.user || who.user == *change.user) &&
         (!change.billable || who.account.billable == *change.billable) &&
         (!change.older_than || who.at < *change.older_than);
}

bool erase_from(const Erase& change, Settlement& settlement) {
  if (settlement.user.empty() && settlement.meta.empty()) return false;
  const Who who{settlement.account, settlement.user, settlement.occurred_at};
  if (!is_meant(change, who)) return false;
  settlement.user.clear();
  settlement.meta.clear();
  return true;
}

bool erase_from(const Erase& change, Begin& begin) {
  if (begin.user.empty()) return false;
  if (!is_meant(change, {begin.account, begin.user, begin.opened_at})) return false;
  begin.user.clear();
  return true;
}

using AccountPeriod = std::pair<Account, Period::Span>;

// The periods of accounts whose rows may all go: ended, with every budget that their rows count in.
std::set<AccountPeriod> ended_periods(const State& state, const Prune& change) {
  std::set<AccountPeriod> ended, open;
  for (const auto& [id, row] : state.rows) {
    const Settlement& settlement = row.settlement;
    if (change.tenant && settlement.account.tenant != *change.tenant) continue;
    const auto runs = [&](const BudgetPart& part) {
      return !is_wallet(part.key) && change.before < part.key.span.end;
    };
    const AccountPeriod period{settlement.account, settlement.pins.period};
    const bool is_open =
        change.before < settlement.pins.period.end || std::ranges::any_of(settlement.budgets, runs);
    (is_open ? open : ended).insert(period);
  }
  for (const AccountPeriod& period : open) ended.erase(period);
  return ended;
}

void seal_row(State& state, std::int64_t id, const Settlement& row) {
  for (const BudgetPart& part : row.budgets) {
    Seal& seal = state.seals[part.key];
    const auto sum = sum_of(seal.sum, part.actual);
    AIMETER_ASSERT(sum.has_value());  // it fitted into the counter
    seal = {.sum = *sum, .rows = seal.rows + 1, .last_row = std::max(seal.last_row, id)};
  }
  if ((row.flags & kDuplicate) == 0) {
    const RollupRow cell = cell_of(row);
    const auto [sum, fresh] = state.sealed.try_emplace(key_of(cell), cell);
    AIMETER_ASSERT(fresh || add_to(sum->second, cell));
  }
  state.engines.at(static_cast<EngineId>(id) >> kSeqBits).rowless += 1;
}

}  // namespace

Result<Changed> put(State& state, const PutOrphans& change) {
  for (const Orphan& orphan : change.orphans) {
    state.orphans.try_emplace({orphan.engine, orphan.hold}, orphan);
  }
  return Changed{.rows = static_cast<std::int64_t>(change.orphans.size())};
}

Result<Changed> drop(State& state, const DropOrphan& change) {
  if (state.orphans.erase({change.engine, change.hold}) == 1) return Changed{.rows = 1};
  return fail(Code::not_found,
              fmt::format("no orphan {} of engine {}", change.hold, change.engine));
}

Result<Changed> release(State& state, const ReleaseHold& change) {
  if (change.token.empty()) return bad_input("token", change.token, "the token of a hold");
  const base::Key16 token = hold_key_of(change.tenant, change.token);
  const auto ended = state.keys.find(token);
  if (ended != state.keys.end() && ended->second.row != 0) {
    return fail(Code::failed_precondition, "the hold is settled");
  }
  const std::int64_t rows = state.holds.contains(token) ? 1 : 0;
  end_hold(state, token, kHoldReleased);
  return Changed{.rows = rows};
}

Changed expire(State& state, const ExpireHolds& change, Instant now) {
  std::vector<std::pair<Instant, base::Key16>> due;
  for (const auto& [token, hold] : state.holds) {
    if (hold.expires_at <= now) due.emplace_back(hold.expires_at, token);
  }
  std::ranges::sort(due);
  const std::size_t count = std::min(due.size(), change.limit);
  Changed changed{.rows = static_cast<std::int64_t>(count), .more = count < due.size()};
  for (std::size_t i = 0; i < count; ++i) {
    const base::Key16& token = due[i].second;
    const DetachedHold& hold = state.holds.at(token);
    changed.ended.push_back({hold.account, token, hold.parts});
    end_hold(state, token, kHoldExpired);
  }
  return changed;
}

Changed rotate(State& state, const RotateHoldKeys& change, Instant now) {
  std::vector<HoldKey>& keys = state.hold_keys;
  if (keys.front().made_at >= change.before) return {};
  keys.insert(keys.begin(), new_hold_key(keys.front().number + 1, now));
  keys.resize(std::min(keys.size(), kHoldKeysKept));
  return {.rows = 1};
}

Result<Changed> erase(State& state, const Erase& change) {
  if (!change.user && !change.billable && !change.older_than) {
    return bad_input("erase", "", "a user, a billable or an age");
  }
  if (change.limit == 0) return bad_input("limit", "0", "1 or more");
  Changed changed;
  const auto slice = [&](auto& values, auto&& value_of) {
    for (auto& entry : values) {
      if (changed.more) return;
      if (static_cast<std::size_t>(changed.rows) == change.limit) {
        auto copy = value_of(entry.second);  // is there one more?
        changed.more = erase_from(change, copy);
        continue;
      }
      if (erase_from(change, value_of(entry.second))) changed.rows += 1;
    }
  };
  slice(state.rows, [](Row& row) -> Settlement& { return row.settlement; });
  slice(state.dead, [](Dead& dead) -> Settlement& { return dead.dead.settlement; });
  slice(state.orphans, [](Orphan& orphan) -> Begin& { return orphan.begin; });
  return changed;
}

Result<Changed> prune(State& state, const Prune& change) {
  if (change.limit == 0) return bad_input("limit", "0", "1 or more");
  std::set<AccountPeriod> periods = ended_periods(state, change);
  if (change.unbilled == Prune::Unbilled::keep) {
    AIMETER_TRY(const std::set<AccountPeriod> unbilled, unbilled_periods(state));
    for (const AccountPeriod& period : unbilled) periods.erase(period);
  }
  Changed changed;
  for (auto row = state.rows.begin(); row != state.rows.end();) {
    const Settlement& settlement = row->second.settlement;
    if (!periods.contains({settlement.account, settlement.pins.period})) {
      ++row;
      continue;
    }
    if (static_cast<std::size_t>(changed.rows) == change.limit) {
      changed.more = true;
      break;
    }
    seal_row(state, row->first, settlement);
    row = state.rows.erase(row);
    changed.rows += 1;
  }
  return changed;
}

}  // namespace aimeter::store::memory
