#include <cstring>

#include "drivers/storage/sqlite/catalogue.h"
#include "drivers/storage/sqlite/catalogue_json.h"
#include "drivers/storage/sqlite/maintenance.h"
#include "drivers/storage/sqlite/rows.h"
#include "drivers/storage/sqlite/sqlite_store.h"

// Overage batches: frozen, claimed and ended inside the lane's transaction, and read.
namespace aimeter::drivers::sqlite {
namespace {

using store::BatchRow;
using store::Changed;

constexpr std::int64_t kWhole = 1'000'000'000;

struct CellIds {
  std::int64_t tenant = 0, account = 0, start = 0, end = 0, currency = 0;
};
struct OpenCell {
  CellIds ids = {};
  store::CellSums sums = {};
};

Int128 wide(const Query& query, int whole, int rest) {
  return Int128{query.integer(whole)} * kWhole + query.integer(rest);
}

OpenCell open_cell_of(const Query& query) {
  return {.ids = {query.integer(0), query.integer(1), query.integer(2), query.integer(3),
                  query.integer(4)},
          .sums = {.open_nanos = wide(query, 6, 7),
                   .open_quantity = wide(query, 8, 9),
                   .open_lines = query.integer(5)}};
}

Result<std::vector<OpenCell>> open_cells(Connection& connection,
                                         const std::optional<TenantId>& tenant) {
  std::vector<OpenCell> cells;
  Query query(connection,
              "SELECT o.tenant, o.account, b.period_start, b.period_end, o.currency, count(*),"
              " sum(o.cost_nanos / 1000000000), sum(o.cost_nanos % 1000000000),"
              " sum(o.amount / 1000000000), sum(o.amount % 1000000000)"
              " FROM ai_overages o JOIN ai_budgets b USING(budget) WHERE o.batch IS NULL AND"
              " (?1 IS NULL OR o.tenant = (SELECT tenant FROM ai_tenants WHERE name = ?1))"
              " GROUP BY 1, 2, 3, 4, 5",
              tenant ? std::optional(tenant->text) : std::nullopt);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return cells;
    cells.push_back(open_cell_of(query));
  }
}

Status add_before(Connection& connection, OpenCell& cell) {
  Query query(
      connection,
      "SELECT count(*), coalesce(sum(units), 0), coalesce(sum(lines_nanos / 1000000000), 0),"
      " coalesce(sum(lines_nanos % 1000000000), 0) FROM ai_overage_batches WHERE tenant = ?1"
      " AND account = ?2 AND period_start = ?3 AND period_end = ?4 AND currency = ?5",
      cell.ids.tenant, cell.ids.account, cell.ids.start, cell.ids.end, cell.ids.currency);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return {};
  cell.sums.batches = query.integer(0);
  cell.sums.batched_units = query.integer(1);
  cell.sums.batched_nanos = wide(query, 2, 3);
  return {};
}

Result<base::Key16> id_of(Connection& connection) {
  Query query(connection, "SELECT store_id FROM ai_catalogue WHERE one = 1");
  AIMETER_TRY(const bool there, query.step());
  base::Key16 id{};
  if (!there || query.bytes(0).size() != id.size())
    return fail(Code::corrupt, connection.path() + ": ai_catalogue has no store id");
  std::memcpy(id.data(), query.bytes(0).data(), id.size());
  return id;
}

std::int64_t micros(Instant at) { return at.time_since_epoch().count(); }
std::optional<std::int64_t> micros(const std::optional<Instant>& at) {
  if (!at) return std::nullopt;
  return micros(*at);
}
std::optional<Instant> instant(const std::optional<std::int64_t>& at) {
  if (!at) return std::nullopt;
  return Instant(Duration(*at));
}

Status insert(Connection& connection, const CellIds& ids, BatchRow& row) {
  const OverageBatch& batch = row.batch;
  AIMETER_CHECK_OK(
      run(connection,
          "INSERT INTO ai_overage_batches(tenant, account, period_start, period_end, currency, key,"
          " units, amount_nanos, quantity, lines, lines_nanos, description, ids, attempt, state,"
          " frozen_at, sender, receipt, error) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
          " ?12, '{}', 1, 0, ?13, '', '', '')",
          ids.tenant, ids.account, ids.start, ids.end, ids.currency, batch.key, batch.units,
          batch.amount.nanos, batch.quantity, batch.lines, row.lines_nanos, batch.description,
          micros(batch.frozen_at)));
  row.batch.id = connection.last_id();
  AIMETER_TRY(
      const std::int64_t taken,
      run(connection,
          "UPDATE ai_overages SET batch = ?1 WHERE batch IS NULL AND tenant = ?2 AND account = ?3"
          " AND currency = ?4 AND budget IN (SELECT budget FROM ai_budgets WHERE tenant = ?2 AND"
          " account = ?3 AND period_start = ?5 AND period_end = ?6)",
          row.batch.id, ids.tenant, ids.account, ids.currency, ids.start, ids.end));
  if (taken == batch.lines) return {};
  return fail(Code::corrupt, connection.path() + ": lines of a batch have changed under it");
}

constexpr const char* kBatch =
    "SELECT id, account, period_start, period_end, currency, key, units, amount_nanos, quantity,"
    " lines, lines_nanos, description, ids, attempt, state, frozen_at, sent_at, sender,"
    " claimed_until, receipt, error, charged_at FROM ai_overage_batches WHERE id = ?1";
constexpr const char* kBatches =
    "SELECT id, account, period_start, period_end, currency, key, units, amount_nanos, quantity,"
    " lines, lines_nanos, description, ids, attempt, state, frozen_at, sent_at, sender,"
    " claimed_until, receipt, error, charged_at FROM ai_overage_batches WHERE id > ?1 AND"
    " (?2 IS NULL OR tenant = (SELECT tenant FROM ai_tenants WHERE name = ?2)) AND"
    " (?3 IS NULL OR account IN (SELECT account FROM ai_accounts WHERE type = ?3 AND id = ?4))"
    " AND (?5 = 0 OR state <> 2) ORDER BY id";

Result<BatchRow> row_of(Rows& rows, const Query& query) {
  BatchRow row{.state = static_cast<store::BatchState>(query.integer(14)),
               .lines_nanos = query.integer(10),
               .sender = query.text(17),
               .claimed_until = instant(query.optional_integer(18)),
               .receipt = query.text(19),
               .error = query.text(20),
               .charged_at = instant(query.optional_integer(21))};
  OverageBatch& batch = row.batch;
  batch.id = query.integer(0);
  batch.key = query.text(5);
  AIMETER_TRY(batch.account, rows.account(query.integer(1)));
  batch.period = {Instant(Duration(query.integer(2))), Instant(Duration(query.integer(3)))};
  batch.amount.nanos = query.integer(7);
  AIMETER_TRY(batch.amount.currency, rows.name(query.integer(4)));
  batch.units = query.integer(6);
  batch.quantity = query.integer(8);
  batch.lines = query.integer(9);
  batch.description = query.text(11);
  AIMETER_TRY(batch.ids, read_meta(query.bytes(12)));
  batch.attempt = static_cast<int>(query.integer(13));
  batch.frozen_at = Instant(Duration(query.integer(15)));
  batch.sent_at = instant(query.optional_integer(16));
  return row;
}

Result<BatchRow> batch_at(Connection& connection, std::int64_t id) {
  Rows rows(connection);
  Query query(connection, kBatch, id);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return fail(Code::not_found, "there is no batch " + std::to_string(id));
  return row_of(rows, query);
}

Status write(Connection& connection, const BatchRow& row) {
  AIMETER_CHECK_OK(run(
      connection,
      "UPDATE ai_overage_batches SET ids = ?2, attempt = ?3, state = ?4, sent_at = ?5, sender = ?6,"
      " claimed_until = ?7, receipt = ?8, error = ?9, charged_at = ?10 WHERE id = ?1",
      row.batch.id, json_of(row.batch.ids), row.batch.attempt, static_cast<std::int64_t>(row.state),
      micros(row.batch.sent_at), row.sender, micros(row.claimed_until), row.receipt, row.error,
      micros(row.charged_at)));
  return {};
}

}  // namespace

Result<bool> is_unbilled(Connection& connection, const AccountPeriod& period) {
  std::vector<OpenCell> cells;
  {
    Query query(connection,
                "SELECT o.tenant, o.account, b.period_start, b.period_end, o.currency, count(*),"
                " sum(o.cost_nanos / 1000000000), sum(o.cost_nanos % 1000000000),"
                " sum(o.amount / 1000000000), sum(o.amount % 1000000000)"
                " FROM ai_overages o JOIN ai_budgets b USING(budget) WHERE o.batch IS NULL AND"
                " o.tenant = ?1 AND o.account = ?2 AND b.period_start = ?3 AND b.period_end = ?4"
                " GROUP BY 1, 2, 3, 4, 5",
                period.tenant, period.account, period.start, period.end);
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) break;
      cells.push_back(open_cell_of(query));
    }
  }
  Rows rows(connection);
  for (OpenCell& cell : cells) {
    AIMETER_CHECK_OK(add_before(connection, cell));
    store::Cell named;
    AIMETER_TRY(named.currency, rows.name(cell.ids.currency));
    AIMETER_TRY(const auto next,
                store::next_batch(named, cell.sums, store::FreezeOverages::By::money, {}));
    if (next) return true;
  }
  return false;
}

Result<Changed> put(Lane& lane, const store::FreezeOverages& change, Instant now) {
  Connection& connection = *lane.connection;
  AIMETER_TRY(const base::Key16 id, id_of(connection));
  AIMETER_TRY(std::vector<OpenCell> cells, open_cells(connection, change.tenant));
  Rows rows(connection);
  Changed changed;
  for (OpenCell& cell : cells) {
    AIMETER_CHECK_OK(add_before(connection, cell));
    store::Cell named{
        .period = {Instant(Duration(cell.ids.start)), Instant(Duration(cell.ids.end))}};
    AIMETER_TRY(named.account, rows.account(cell.ids.account));
    AIMETER_TRY(named.currency, rows.name(cell.ids.currency));
    AIMETER_TRY(std::optional<BatchRow> next, store::next_batch(named, cell.sums, change.by, id));
    if (!next) continue;
    if (changed.batches.size() == change.limit) {
      changed.more = true;
      break;
    }
    next->batch.frozen_at = now;
    AIMETER_CHECK_OK(insert(connection, cell.ids, *next));
    changed.batches.push_back(*std::move(next));
    ++changed.rows;
  }
  return changed;
}

Result<Changed> put(Lane& lane, const store::ClaimBatch& change, Instant now) {
  AIMETER_TRY(BatchRow row, batch_at(*lane.connection, change.id));
  AIMETER_TRY(OverageBatch batch, store::claim(row, change, now));
  AIMETER_CHECK_OK(write(*lane.connection, row));
  row.batch = std::move(batch);
  Changed changed{.id = change.id, .rows = 1};
  changed.batches.push_back(std::move(row));
  return changed;
}

Result<Changed> put(Lane& lane, const store::EndBatch& change, Instant now) {
  AIMETER_TRY(BatchRow row, batch_at(*lane.connection, change.id));
  AIMETER_CHECK_OK(store::end(row, change, now));
  AIMETER_CHECK_OK(write(*lane.connection, row));
  Changed changed{.id = change.id, .rows = 1};
  changed.batches.push_back(std::move(row));
  return changed;
}

Result<std::vector<BatchRow>> SqliteStore::overage_batches(const store::BatchFilter& filter) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Rows rows(*use);
  Query query(*use, kBatches, filter.after,
              filter.tenant ? std::optional(filter.tenant->text) : std::nullopt,
              filter.billable ? std::optional(filter.billable->type) : std::nullopt,
              filter.billable ? std::optional(filter.billable->id) : std::nullopt,
              filter.to_send_only ? 1 : 0);
  std::vector<BatchRow> found;
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return found;
    AIMETER_TRY(BatchRow row, row_of(rows, query));
    if (store::matches(filter, row, now())) found.push_back(std::move(row));
  }
}

}  // namespace aimeter::drivers::sqlite
