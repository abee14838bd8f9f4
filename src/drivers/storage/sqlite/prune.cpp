#include <algorithm>
#include <map>
#include <tuple>

#include "base/fault.h"
#include "drivers/storage/sqlite/maintenance.h"
#include "drivers/storage/sqlite/rows.h"
#include "store/record.h"

// Pruning: rows of whole periods go, and the same transaction writes their sums into the seals.
namespace aimeter::drivers::sqlite {
namespace {

std::int64_t micros(Instant at) { return at.time_since_epoch().count(); }

// In the order of ids: what goes is at the front, so a slice does not read past much that stays.
constexpr const char* kEndedRows =
    "SELECT u.id, u.tenant, u.account, p.period_start, p.period_end FROM ai_usages u CROSS JOIN"
    " ai_pins p ON p.pins = u.pins WHERE p.closes_at <= ?1 AND (?2 IS NULL OR u.tenant = (SELECT"
    " tenant FROM ai_tenants WHERE name = ?2)) ORDER BY u.id";
// A row of the same account and period that also counts in a budget that still runs.
constexpr const char* kOpenRow =
    "SELECT 1 FROM ai_usages_by_account b JOIN ai_usages u ON u.id = b.id JOIN ai_pins p ON p.pins "
    "="
    " u.pins WHERE b.tenant = ?1 AND b.account = ?2 AND b.occurred_at < ?5 AND p.period_start = ?3"
    " AND p.period_end = ?4 AND p.closes_at > ?5 LIMIT 1";

using SealKey = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;

struct SealSums {
  std::int64_t rows = 0, calls = 0, input = 0, cached = 0, output = 0, cost = 0;
  std::int64_t estimated = 0, provisional = 0;
};
struct EngineSeal {
  std::int64_t rows = 0, first_id = 0, last_id = 0;
};
struct BudgetSeal {
  std::int64_t tenant = 0, actual = 0;
};

class Sealer {
 public:
  Sealer(Connection& connection, Instant now) : connection_(connection), now_(now) {}
  [[nodiscard]] Status take(const StoredRow& row);
  [[nodiscard]] Status write();

 private:
  Connection& connection_;
  Instant now_;
  std::map<SealKey, SealSums> periods_;
  std::map<std::int64_t, EngineSeal> engines_;
  std::map<std::int64_t, BudgetSeal> budgets_;
};

Status Sealer::take(const StoredRow& row) {
  const store::Settlement& settlement = row.settlement;
  bool fits = true;
  const auto add = [&fits](std::int64_t& into, std::int64_t value) {
    fits = !__builtin_add_overflow(into, value, &into) && fits;
  };
  for (std::size_t i = 0; i < row.budgets.size(); ++i) {
    BudgetSeal& seal = budgets_[row.budgets[i].budget];
    seal.tenant = row.tenant;
    add(seal.actual, settlement.budgets[i].actual);
  }
  SealSums& sums = periods_[{row.tenant, row.account, micros(settlement.pins.period.start),
                             micros(settlement.pins.period.end), row.currency}];
  sums.rows += 1;
  if ((settlement.flags & store::kDuplicate) == 0) {
    const store::RollupRow cell = store::cell_of(settlement);
    sums.calls += cell.calls;
    sums.estimated += cell.estimated;
    sums.provisional += cell.provisional;
    add(sums.input, cell.input_tokens);
    add(sums.cached, cell.cached_input_tokens);
    add(sums.output, cell.output_tokens);
    add(sums.cost, settlement.total_cost.nanos);
  }
  EngineSeal& engine = engines_[row.id >> store::kSeqBits];
  engine.first_id = engine.rows == 0 ? row.id : std::min(engine.first_id, row.id);
  engine.last_id = std::max(engine.last_id, row.id);
  engine.rows += 1;
  if (!fits) return fail(Code::corrupt, connection_.path() + ": a seal is out of range");
  return {};
}

Status Sealer::write() {
  for (const auto& [key, sums] : periods_) {
    const auto& [tenant, account, starts, ends, currency] = key;
    AIMETER_CHECK_OK(
        run(connection_,
            "INSERT INTO ai_seals VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
            " ?14) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, calls = calls +"
            " excluded.calls, input_tokens = input_tokens + excluded.input_tokens,"
            " cached_input_tokens = cached_input_tokens + excluded.cached_input_tokens,"
            " output_tokens = output_tokens + excluded.output_tokens, cost_nanos = cost_nanos +"
            " excluded.cost_nanos, estimated = estimated + excluded.estimated, provisional ="
            " provisional + excluded.provisional, sealed_at = excluded.sealed_at",
            tenant, account, starts, ends, currency, sums.rows, sums.calls, sums.input, sums.cached,
            sums.output, sums.cost, sums.estimated, sums.provisional, micros(now_)));
  }
  for (const auto& [budget, seal] : budgets_) {
    AIMETER_CHECK_OK(run(connection_,
                         "INSERT INTO ai_seal_budgets VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET"
                         " actual = actual + excluded.actual",
                         budget, seal.tenant, seal.actual));
  }
  for (const auto& [engine, seal] : engines_) {
    AIMETER_CHECK_OK(
        run(connection_,
            "INSERT INTO ai_seal_engines VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET rows ="
            " rows + excluded.rows, first_id = min(first_id, excluded.first_id), last_id ="
            " max(last_id, excluded.last_id)",
            engine, seal.rows, seal.first_id, seal.last_id));
    AIMETER_CHECK_OK(run(connection_,
                         "UPDATE ai_engines SET rowless = rowless + ?2 WHERE engine = ?1", engine,
                         seal.rows));
  }
  return {};
}

}  // namespace

Result<Slice> slice_of(Connection& connection, const store::Prune& change) {
  if (change.limit == 0) return bad_input("limit", "0", "1 or more");
  Slice slice;
  std::map<AccountPeriod, bool> open;
  Query ended(connection, kEndedRows, micros(change.before),
              change.tenant ? std::optional(change.tenant->text) : std::nullopt);
  for (;;) {
    AIMETER_TRY(const bool more, ended.step());
    if (!more) return slice;
    const AccountPeriod period{ended.integer(1), ended.integer(2), ended.integer(3),
                               ended.integer(4)};
    const auto [known, fresh] = open.try_emplace(period, false);
    if (fresh) {
      AIMETER_TRY(const auto row,
                  find_integer(connection, kOpenRow, ended.integer(1), ended.integer(2),
                               ended.integer(3), ended.integer(4), micros(change.before)));
      known->second = row.has_value();
      if (!known->second && change.unbilled == store::Prune::Unbilled::keep) {
        AIMETER_TRY(known->second, is_unbilled(connection, period));
      }
    }
    if (known->second) continue;
    if (slice.rows.size() == change.limit) {
      slice.more = true;
      return slice;
    }
    slice.rows.push_back(ended.integer(0));
  }
}

Result<store::Changed> prune(Lane& lane, const Slice& slice, Instant now) {
  Connection& connection = *lane.connection;
  Rows rows(connection);
  Sealer sealer(connection, now);
  store::Changed changed{.more = slice.more};
  for (const std::int64_t id : slice.rows) {
    AIMETER_TRY(const auto row, rows.read(id));
    if (!row) continue;
    AIMETER_CHECK_OK(sealer.take(*row));
    AIMETER_CHECK_OK(run(connection,
                         "DELETE FROM ai_usages_by_account WHERE tenant = ?1 AND account = ?2 AND"
                         " occurred_at = ?3 AND id = ?4",
                         row->tenant, row->account, micros(row->settlement.occurred_at), id));
    AIMETER_CHECK_OK(
        run(connection, "DELETE FROM ai_usages WHERE id = ?1 AND tenant = ?2", id, row->tenant));
    changed.rows += 1;
  }
  AIMETER_FAULT_POINT("store.pruned");
  AIMETER_CHECK_OK(sealer.write());
  AIMETER_FAULT_POINT("store.sealed");
  if (!slice.more) AIMETER_CHECK_OK(lane.keys.drop_older(micros(now - kKeysKept)));
  return changed;
}

}  // namespace aimeter::drivers::sqlite
