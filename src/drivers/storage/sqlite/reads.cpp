#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "drivers/storage/sqlite/counters.h"
#include "drivers/storage/sqlite/maintenance.h"
#include "drivers/storage/sqlite/migrations.h"
#include "drivers/storage/sqlite/sqlite_store.h"
#include "store/codec.h"
#include "store/record.h"

// Reads of what engines and settlements left: engines, keys, counters, single rows, feeds.
namespace aimeter::drivers::sqlite {
namespace {

Instant instant(std::int64_t micros) { return Instant(Duration(micros)); }

std::optional<Instant> optional_instant(std::optional<std::int64_t> micros) {
  if (!micros) return std::nullopt;
  return instant(*micros);
}

constexpr const char* kBudgetState =
    "SELECT used, leased, over_hold, late, fallen, limit_amount, blocking, credited, overage_t,"
    " overage_b, overage_rest, overage_catalogue, overage_at, overage_cost FROM ai_budgets WHERE "
    "tenant = ?1 AND"
    " account = ?2 AND kind = ?3 AND scope = ?4 AND currency = ?5 AND period_start "
    "= "
    "?6 AND period_end = ?7 AND plan = ?8";

Result<store::BudgetState> state_of(Connection& connection, const store::BudgetKey& key) {
  store::BudgetState state{.key = key};
  AIMETER_TRY(const auto ids, find_ids(connection, key));
  if (!ids) return state;
  Query query(connection, kBudgetState, ids->tenant, ids->account, ids->kind, ids->scope,
              ids->currency, ids->start, ids->end, ids->plan);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return state;
  state.used = query.integer(0);
  state.leased = query.integer(1);
  state.over_hold = query.integer(2);
  state.late = query.integer(3);
  state.fallen = query.integer(4);
  state.limit = query.optional_integer(5);
  state.blocking = query.integer(6) != 0;
  state.credited = query.integer(7);
  state.overage = read_overage(query, 8);
  return state;
}

Result<store::DeadSettlement> dead_of(Connection& connection, const Query& query) {
  store::DeadSettlement dead{.id = query.integer(0), .reason = query.text(1)};
  auto settlement = store::decode_settlement(query.bytes(2));
  if (!settlement) {
    return fail(Code::corrupt, fmt::format("{}: dead settlement {}: {}", connection.path(), dead.id,
                                           settlement.error().message));
  }
  dead.settlement = *std::move(settlement);
  return dead;
}

}  // namespace

Result<std::optional<store::KeySeen>> SqliteStore::find_key(const base::Key16& key) {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Keys keys(*use);
  AIMETER_CHECK_OK(keys.begin());
  return keys.find(key);
}

Result<store::KeyPage> SqliteStore::keys_after(const store::KeyCursor& after,
                                               std::size_t limit) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Keys keys(*use);
  AIMETER_CHECK_OK(keys.begin());
  return keys.page(after, limit);
}

Result<std::vector<store::BudgetState>> SqliteStore::budget_states(
    std::span<const store::BudgetKey> keys) {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  std::vector<store::BudgetState> states;
  for (const store::BudgetKey& key : keys) {
    AIMETER_TRY(states.emplace_back(), state_of(*use, key));
  }
  return states;
}

Result<std::vector<store::BudgetState>> SqliteStore::budgets(
    const std::optional<TenantId>& tenant) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Rows rows(*use);
  std::vector<store::BudgetState> states;
  Query query(
      *use,
      "SELECT budget, used, leased, over_hold, late, fallen, limit_amount, blocking, credited,"
      " overage_t, overage_b, overage_rest, overage_catalogue, overage_at, overage_cost FROM "
      "ai_budgets WHERE "
      "(?1 IS NULL "
      "OR tenant = (SELECT tenant FROM ai_tenants WHERE name = "
      "?1)) ORDER BY budget",
      tenant ? std::optional(tenant->text) : std::nullopt);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    store::BudgetState& state = states.emplace_back();
    AIMETER_TRY(state.key, rows.budget(query.integer(0)));
    state.used = query.integer(1);
    state.leased = query.integer(2);
    state.over_hold = query.integer(3);
    state.late = query.integer(4);
    state.fallen = query.integer(5);
    state.limit = query.optional_integer(6);
    state.blocking = query.integer(7) != 0;
    state.credited = query.integer(8);
    state.overage = read_overage(query, 9);
  }
  std::ranges::sort(states, {}, &store::BudgetState::key);
  return states;
}

Result<std::vector<store::BudgetState>> SqliteStore::in_overage(Instant now) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Rows rows(*use);
  std::vector<store::BudgetState> states;
  Query query(*use,
              "SELECT budget, used, overage_t, overage_b, overage_rest, overage_catalogue,"
              " overage_at, overage_cost FROM ai_budgets WHERE overage_b > 0 AND period_end > ?1"
              " AND period_start <= ?1 ORDER BY budget",
              now.time_since_epoch().count());
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return states;
    store::BudgetState& state = states.emplace_back();
    AIMETER_TRY(state.key, rows.budget(query.integer(0)));
    state.used = query.integer(1);
    state.overage = read_overage(query, 2);
  }
}

Result<std::vector<store::Settlement>> SqliteStore::feed(store::FeedPosition after,
                                                         std::size_t limit) const {
  AIMETER_CHECK_OK(store::check_page(limit));
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Rows rows(*use);
  std::vector<store::Settlement> settlements;
  Query query(*use, "SELECT id FROM ai_usages WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3",
              store::row_id(after.engine, after.after), store::row_id(after.engine + 1, 0), limit);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return settlements;
    AIMETER_TRY(auto row, rows.read(query.integer(0)));
    if (row) settlements.push_back(std::move(row->settlement));
  }
}

Result<std::optional<store::Settlement>> SqliteStore::settlement(
    std::int64_t row, const std::optional<TenantId>& tenant) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Rows rows(*use);
  AIMETER_TRY(auto found, rows.read(row));
  if (!found || (tenant && found->settlement.account.tenant != *tenant)) return std::nullopt;
  return std::move(found->settlement);
}

Result<std::vector<store::EngineState>> SqliteStore::engines() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  std::vector<store::EngineState> engines;
  Query query(*use,
              "SELECT engine, epoch, host, journal, last_seq, rowless, applied_at, renewed_at, "
              "closed_at FROM ai_engines ORDER BY engine");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return engines;
    engines.push_back({.ref = {static_cast<store::EngineId>(query.integer(0)),
                               static_cast<std::uint32_t>(query.integer(1))},
                       .card = {.host = query.text(2), .journal = query.text(3)},
                       .last_seq = static_cast<store::Seq>(query.integer(4)),
                       .rowless = query.integer(5),
                       .applied_at = instant(query.integer(6)),
                       .renewed_at = instant(query.integer(7)),
                       .closed_at = optional_instant(query.optional_integer(8))});
  }
}

Result<std::uint64_t> SqliteStore::catalogue() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  AIMETER_TRY(const auto version,
              find_integer(*use, "SELECT version FROM ai_catalogue WHERE one = 1"));
  return static_cast<std::uint64_t>(version.value_or(0));
}

Result<std::vector<store::HoldKey>> SqliteStore::hold_keys() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  return read_hold_keys(*use);
}

Result<base::Key16> SqliteStore::store_id() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Query query(*use, "SELECT store_id FROM ai_catalogue WHERE one = 1");
  AIMETER_TRY(const bool there, query.step());
  base::Key16 id{};
  if (!there || query.bytes(0).size() != id.size()) {
    return fail(Code::corrupt, path_ + ": ai_catalogue has no store id");
  }
  std::memcpy(id.data(), query.bytes(0).data(), id.size());
  return id;
}

Result<std::vector<store::Orphan>> SqliteStore::orphans() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  std::vector<store::Orphan> orphans;
  Query query(*use, "SELECT engine, hold, frame FROM ai_orphans ORDER BY engine, hold");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return orphans;
    AIMETER_TRY(auto begin, store::decode_begin(query.bytes(2)));
    orphans.push_back({.engine = static_cast<store::EngineId>(query.integer(0)),
                       .hold = static_cast<std::uint64_t>(query.integer(1)),
                       .begin = std::move(begin)});
  }
}

Result<std::vector<store::DeadSettlement>> SqliteStore::dead() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  std::vector<store::DeadSettlement> all;
  Query query(*use, "SELECT id, reason, frame FROM ai_dead_settlements ORDER BY id");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return all;
    AIMETER_TRY(all.emplace_back(), dead_of(*use, query));
  }
}

Result<std::vector<store::AuditRow>> SqliteStore::audit(std::size_t newest) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  std::vector<store::AuditRow> rows;
  Query query(*use,
              "SELECT at, actor, action, tenant, details FROM ai_audit ORDER BY id DESC LIMIT ?1",
              newest);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return rows;
    rows.push_back({.at = instant(query.integer(0)),
                    .actor = query.text(1),
                    .action = query.text(2),
                    .tenant = query.text(3),
                    .details = query.text(4)});
  }
}

Result<std::vector<store::Migration>> SqliteStore::migrations() const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  return migrations_of(*use);
}

}  // namespace aimeter::drivers::sqlite
