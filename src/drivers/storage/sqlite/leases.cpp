#include <fmt/format.h>

#include <algorithm>

#include "drivers/storage/sqlite/counters.h"
#include "drivers/storage/sqlite/purses.h"
#include "drivers/storage/sqlite/sqlite_store.h"
#include "store/bound.h"

// Engines and what they may hold from: leases grow only under the limit, and go back when their
// engine says so, closes, or was silent.
namespace aimeter::drivers::sqlite {
namespace {

using store::Amount;
using store::EngineRef;
using store::LeaseAsk;
using store::LeaseGrant;

std::int64_t micros(Instant at) { return at.time_since_epoch().count(); }

// The epoch in force. Errors: not_found, failed_precondition (closed).
Result<std::uint32_t> epoch_of(Connection& connection, store::EngineId engine) {
  Query query(connection, "SELECT epoch, closed_at FROM ai_engines WHERE engine = ?1", engine);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return fail(Code::not_found, fmt::format("engine {} is not known here", engine));
  if (!query.is_null(1)) {
    return fail(Code::failed_precondition,
                fmt::format("engine {} is closed: open another", engine));
  }
  return static_cast<std::uint32_t>(query.integer(0));
}

Status check_epoch(Connection& connection, EngineRef ref) {
  AIMETER_TRY(const std::uint32_t epoch, epoch_of(connection, ref.engine));
  if (epoch == ref.epoch) return {};
  return fail(
      Code::failed_precondition,
      fmt::format("epoch {} of engine {} is over, {} is in force", ref.epoch, ref.engine, epoch));
}

Result<int> live_engines(Connection& connection, store::EngineId own, Instant now) {
  AIMETER_TRY(const auto others,
              find_integer(connection,
                           "SELECT count(*) FROM ai_engines WHERE engine <> ?1 AND closed_at IS "
                           "NULL AND renewed_at > ?2",
                           own, micros(now - store::kEngineLiveFor)));
  return 1 + static_cast<int>(others.value_or(0));
}

Result<std::uint64_t> catalogue_of(Connection& connection) {
  AIMETER_TRY(const auto version,
              find_integer(connection, "SELECT version FROM ai_catalogue WHERE one = 1"));
  return static_cast<std::uint64_t>(version.value_or(0));
}

struct AskedBudget {
  std::int64_t budget = 0, tenant = 0;
  store::BudgetState state = {};  // without its key
};

Result<AskedBudget> asked_budget(Lane& lane, const store::BudgetKey& key) {
  AIMETER_TRY(const BudgetIds ids, lane.names.ids_of(key));
  AskedBudget asked{.tenant = ids.tenant};
  AIMETER_TRY(asked.budget, lane.names.budget(ids));
  Query query(*lane.connection,
              "SELECT used, leased, over_hold, late, fallen, limit_amount, blocking, credited FROM "
              "ai_budgets "
              "WHERE tenant = ?1 AND budget = ?2",
              asked.tenant, asked.budget);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return fail(Code::corrupt, lane.connection->path() + ": a budget has vanished");
  asked.state = {.used = query.integer(0),
                 .leased = query.integer(1),
                 .over_hold = query.integer(2),
                 .late = query.integer(3),
                 .fallen = query.integer(4),
                 .limit = query.optional_integer(5),
                 .blocking = query.integer(6) != 0,
                 .credited = query.integer(7)};
  asked.state.key.kind = key.kind;
  return asked;
}

struct Elsewhere {
  Amount held = 0, leased = 0;
  bool others = false;
};

Status read_others(Connection& connection, store::EngineId own, store::Pulse& pulse) {
  Query query(connection,
              "SELECT max(engine), (SELECT count(*) FROM ai_engines WHERE engine <> ?1 AND "
              "closed_at IS NULL) FROM ai_engines",
              own);
  AIMETER_CHECK_OK(query.step());
  pulse.newest_engine = static_cast<store::EngineId>(query.integer(0));
  pulse.others_open = static_cast<int>(query.integer(1));
  return {};
}

// Other engines' leases, and detached holds, which are in no lease: all of `leased` that is neither
// ours nor in another engine's lease.
Result<Elsewhere> elsewhere_of(Connection& connection, const AskedBudget& asked,
                               store::EngineId own) {
  Query query(connection,
              "SELECT engine, leased, min(max(held, 0), leased) FROM ai_leases WHERE budget = ?1",
              asked.budget);
  Elsewhere elsewhere;
  Amount in_leases = 0;
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    in_leases += query.integer(1);
    if (query.integer(0) == static_cast<std::int64_t>(own) || query.integer(1) == 0) continue;
    elsewhere.leased += query.integer(1);
    elsewhere.held += query.integer(2);
  }
  const Amount detached = std::max<Amount>(0, asked.state.leased - in_leases);
  elsewhere.leased += detached;
  elsewhere.held += detached;
  elsewhere.others = elsewhere.leased > 0;
  return elsewhere;
}

// Adds to the lease of this epoch and to the budget, which takes over the limit that was named.
Status take_grant(Connection& connection, EngineRef engine, const AskedBudget& asked,
                  Amount granted) {
  const store::BudgetState& state = asked.state;
  AIMETER_CHECK_OK(run(
      connection,
      "UPDATE ai_budgets SET leased = ?3, fallen = ?4, limit_amount = ?5, blocking "
      "= ?6 WHERE tenant = ?1 AND budget = ?2",
      asked.tenant, asked.budget, state.leased, state.fallen, state.limit, state.blocking ? 1 : 0));
  if (granted == 0) return {};
  AIMETER_CHECK_OK(
      run(connection,
          "INSERT INTO ai_leases(engine, budget, epoch, leased) VALUES(?1, ?2, ?3, ?4) ON "
          "CONFLICT DO UPDATE SET leased = leased + excluded.leased, epoch = excluded.epoch, "
          "held = iif(leased = 0, 0, held), recall = iif(leased = 0, 0, recall)",
          engine.engine, asked.budget, engine.epoch, granted));
  return {};
}

Result<bool> recall_others(Connection& connection, std::int64_t budget, store::EngineId own) {
  AIMETER_TRY(const auto recalled,
              run(connection,
                  "UPDATE ai_leases SET recall = 1 WHERE budget = ?1 AND engine <> ?2 AND leased > "
                  "0",
                  budget, own));
  return recalled > 0;
}

// The leases of an engine go back to their budgets.
Status free_leases_of(Connection& connection, store::EngineId engine) {
  AIMETER_CHECK_OK(
      run(connection,
          "UPDATE ai_budgets SET leased = ai_budgets.leased - l.leased FROM ai_leases l "
          "WHERE l.engine = ?1 AND ai_budgets.budget = l.budget",
          engine));
  AIMETER_CHECK_OK(run(connection, "DELETE FROM ai_leases WHERE engine = ?1", engine));
  return {};
}

// Of the asks of one account.
Result<std::vector<LeaseGrant>> decide(Lane& lane, EngineRef engine, std::span<const LeaseAsk> asks,
                                       Instant now) {
  Connection& connection = *lane.connection;
  std::vector<LeaseGrant> grants(asks.size());
  std::vector<AskedBudget> budgets;
  AIMETER_TRY(const std::uint64_t catalogue, catalogue_of(connection));
  bool stale = false;
  for (std::size_t i = 0; i < asks.size(); ++i) {
    AIMETER_TRY(budgets.emplace_back(), asked_budget(lane, asks[i].key));
    grants[i].used = budgets[i].state.used;
    grants[i].leased = budgets[i].state.leased;
    grants[i].stale_catalogue = asks[i].catalogue != catalogue;
    stale = stale || grants[i].stale_catalogue;
  }
  if (stale) return grants;

  bool refused = false;
  AIMETER_TRY(const int engines, live_engines(connection, engine.engine, now));
  for (std::size_t i = 0; i < asks.size(); ++i) {
    store::BudgetState& state = budgets[i].state;
    grants[i].limit = asks[i].limit;
    if (store::is_wallet(asks[i].key)) {
      AIMETER_TRY(const Amount over, over_in(connection, budgets[i].budget, now));
      grants[i].limit = state.credited - over;
    }
    store::name_limit(state, store::naming_of(state, {.limit = asks[i].limit, .blocking = true}));
    AIMETER_TRY(const Elsewhere elsewhere, elsewhere_of(connection, budgets[i], engine.engine));
    const store::Room room{store::free_of(state, grants[i].limit), engines, elsewhere.others};
    grants[i].held_elsewhere = elsewhere.held;
    grants[i].leased_elsewhere = elsewhere.leased;
    grants[i].granted = store::grant_of(asks[i], room);
    if (!store::refuses(asks[i], room)) continue;
    refused = true;
    AIMETER_TRY(grants[i].recalled, recall_others(connection, budgets[i].budget, engine.engine));
  }
  for (std::size_t i = 0; i < asks.size(); ++i) {
    if (refused) grants[i].granted = 0;
    budgets[i].state.leased += grants[i].granted;
    if (grants[i].granted > 0) grants[i].leased = budgets[i].state.leased;
    AIMETER_CHECK_OK(take_grant(connection, engine, budgets[i], grants[i].granted));
  }
  return grants;
}

}  // namespace

Result<EngineRef> SqliteStore::open_engine(const store::EngineCard& card) {
  const std::lock_guard hold(control_mutex_);
  Connection& connection = *control_lane_->connection;
  AIMETER_TRY(Write write, Write::begin(*control_lane_, *lock_, store::Sync::full));
  const auto number = card.number != 0 ? std::optional(card.number) : std::nullopt;
  AIMETER_TRY(const auto known,
              find_integer(connection, "SELECT 1 FROM ai_engines WHERE engine = ?1", number));
  if (known) return fail(Code::conflict, fmt::format("engine {} is known already", card.number));
  AIMETER_CHECK_OK(run(connection,
                       "INSERT INTO ai_engines(engine, host, journal, epoch, applied_at, "
                       "renewed_at) VALUES(?4, ?1, ?2, 1, ?3, ?3)",
                       card.host, card.journal, micros(now()), number));
  const EngineRef ref{.engine = static_cast<store::EngineId>(connection.last_id()), .epoch = 1};
  AIMETER_CHECK_OK(write.commit());
  return ref;
}

Result<std::vector<LeaseGrant>> SqliteStore::lease(EngineRef engine,
                                                   std::span<const LeaseAsk> asks) {
  const std::lock_guard hold(control_mutex_);
  AIMETER_TRY(Write write, Write::begin(*control_lane_, *lock_, store::Sync::relaxed));
  AIMETER_CHECK_OK(check_epoch(*control_lane_->connection, engine));
  AIMETER_CHECK_OK(store::check(asks));
  const Instant at = now();  // one moment for all
  std::vector<LeaseGrant> all;
  all.reserve(asks.size());
  while (!asks.empty()) {
    const std::span<const LeaseAsk> own = store::of_first_account(asks);
    AIMETER_TRY(const auto grants, decide(*control_lane_, engine, own, at));
    all.insert(all.end(), grants.begin(), grants.end());
    asks = asks.subspan(own.size());
  }
  AIMETER_CHECK_OK(write.commit());
  return all;
}

Result<store::Pulse> SqliteStore::renew(EngineRef engine,
                                        std::span<const store::HeldReport> held_of_recalled) {
  const std::lock_guard hold(control_mutex_);
  Lane& lane = *control_lane_;
  Connection& connection = *lane.connection;
  AIMETER_TRY(Write write, Write::begin(lane, *lock_, store::Sync::relaxed));
  store::Pulse pulse{.ref = engine, .store_now = now()};
  AIMETER_TRY(pulse.ref.epoch, epoch_of(connection, engine.engine));
  pulse.lost = pulse.ref.epoch != engine.epoch;
  AIMETER_TRY(pulse.catalogue, catalogue_of(connection));
  AIMETER_TRY(pulse.engines, live_engines(connection, engine.engine, pulse.store_now));
  AIMETER_CHECK_OK(read_others(connection, engine.engine, pulse));
  if (pulse.lost) return pulse;
  AIMETER_CHECK_OK(run(connection,
                       "UPDATE ai_engines SET renewed_at = ?3 WHERE engine = ?1 AND epoch = ?2",
                       engine.engine, engine.epoch, micros(pulse.store_now)));
  AIMETER_CHECK_OK(run(connection,  // a report is believed until the next
                       "UPDATE ai_leases SET held = 0 WHERE engine = ?1 AND held <> 0",
                       engine.engine));
  for (const store::HeldReport& report : held_of_recalled) {
    AIMETER_TRY(const auto budget, find_budget(connection, report.key));
    if (!budget) continue;
    AIMETER_CHECK_OK(run(connection,
                         "UPDATE ai_leases SET held = ?3 WHERE engine = ?1 AND budget = ?2",
                         engine.engine, *budget, std::max<Amount>(0, report.held)));
  }
  AIMETER_TRY(const auto due,
              find_integer(connection, "SELECT 1 FROM ai_holds WHERE expires_at <= ?1 LIMIT 1",
                           micros(pulse.store_now)));
  pulse.holds_due = due.has_value();
  AIMETER_TRY(
      const auto credits,
      find_integer(connection,
                   "SELECT 1 FROM ai_credit_lots WHERE remaining_nanos > 0 AND expires_at IS"
                   " NOT NULL AND expires_at <= ?1 LIMIT 1",
                   micros(pulse.store_now)));
  pulse.credits_due = credits.has_value();
  Rows rows(connection);
  Query recalled(connection,
                 "SELECT budget FROM ai_leases WHERE engine = ?1 AND recall = 1 AND leased > 0 "
                 "ORDER BY budget",
                 engine.engine);
  for (;;) {
    AIMETER_TRY(const bool more, recalled.step());
    if (!more) break;
    AIMETER_TRY(pulse.recalled.emplace_back(), rows.budget(recalled.integer(0)));
  }
  recalled.reset();
  std::ranges::sort(pulse.recalled);
  AIMETER_CHECK_OK(write.commit());
  return pulse;
}

Status SqliteStore::give_back(EngineRef engine, std::span<const store::LeaseBack> parts) {
  const std::lock_guard hold(control_mutex_);
  Lane& lane = *control_lane_;
  Connection& connection = *lane.connection;
  AIMETER_TRY(Write write, Write::begin(lane, *lock_, store::Sync::relaxed));
  AIMETER_CHECK_OK(check_epoch(connection, engine));
  for (const store::LeaseBack& part : parts) {
    if (part.amount < 0) return bad_input("amount", std::to_string(part.amount), "0 or more");
    AIMETER_TRY(const BudgetIds ids, lane.names.ids_of(part.key));
    AIMETER_TRY(const std::int64_t budget, lane.names.budget(ids));
    AIMETER_TRY(const auto given,
                run(connection,
                    "UPDATE ai_leases SET leased = leased - ?4, recall = 0 WHERE engine = ?1 AND "
                    "budget = ?2 AND epoch = ?3 AND leased >= ?4",
                    engine.engine, budget, engine.epoch, part.amount));
    if (given == 0) {
      return fail(Code::failed_precondition,
                  fmt::format("engine {} has less than {} of that budget leased", engine.engine,
                              part.amount));
    }
    AIMETER_CHECK_OK(
        run(connection,
            "UPDATE ai_budgets SET leased = leased - ?3 WHERE tenant = ?1 AND budget = "
            "?2",
            ids.tenant, budget, part.amount));
  }
  return write.commit();
}

Status SqliteStore::close_engine(store::EngineId engine) {
  const std::lock_guard hold(control_mutex_);
  Connection& connection = *control_lane_->connection;
  AIMETER_TRY(Write write, Write::begin(*control_lane_, *lock_, store::Sync::full));
  AIMETER_TRY(
      const auto closed,
      run(connection, "UPDATE ai_engines SET closed_at = coalesce(closed_at, ?2) WHERE engine = ?1",
          engine, micros(now())));
  if (closed == 0) return fail(Code::not_found, fmt::format("engine {} is not known here", engine));
  AIMETER_CHECK_OK(free_leases_of(connection, engine));
  return write.commit();
}

Result<std::vector<store::Lessee>> SqliteStore::lessees() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  std::vector<store::Lessee> found;
  Query query(*use,
              "SELECT engine, renewed_at FROM ai_engines e WHERE closed_at IS NULL AND "
              "EXISTS(SELECT 1 FROM ai_leases l WHERE l.engine = e.engine AND l.leased > 0) "
              "ORDER BY engine");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return found;
    found.push_back(
        {static_cast<store::EngineId>(query.integer(0)), Instant(Duration(query.integer(1)))});
  }
}

Result<int> SqliteStore::take_back(std::span<const store::Lessee> silent) {
  if (silent.empty()) return 0;
  const std::lock_guard hold(control_mutex_);
  Connection& connection = *control_lane_->connection;
  AIMETER_TRY(Write write, Write::begin(*control_lane_, *lock_, store::Sync::relaxed));
  int taken = 0;
  for (const store::Lessee& one : silent) {
    AIMETER_TRY(
        const auto over,
        run(connection,
            "UPDATE ai_engines SET epoch = epoch + 1 WHERE engine = ?1 AND closed_at IS NULL AND "
            "renewed_at = ?2 AND EXISTS(SELECT 1 FROM ai_leases WHERE engine = ?1 AND leased > 0)",
            one.engine, micros(one.renewed_at)));
    if (over == 0) continue;
    AIMETER_CHECK_OK(free_leases_of(connection, one.engine));
    ++taken;
  }
  AIMETER_CHECK_OK(write.commit());
  return taken;
}

}  // namespace aimeter::drivers::sqlite
