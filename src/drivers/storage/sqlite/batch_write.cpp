#include <algorithm>
#include <tuple>

#include "drivers/storage/sqlite/batch.h"

// What a batch has counted, written sorted: neighbours in a tree are written together.
namespace aimeter::drivers::sqlite {

Status Batch::write() {
  AIMETER_CHECK_OK(write_rows());
  AIMETER_CHECK_OK(write_index());
  AIMETER_CHECK_OK(write_rollups());
  AIMETER_CHECK_OK(write_leases());
  AIMETER_CHECK_OK(write_counters());
  AIMETER_CHECK_OK(purses_.write());
  if (detached_ != 0) {
    AIMETER_CHECK_OK(run(connection_,
                         "UPDATE ai_engines SET rowless = rowless + ?2 WHERE engine = ?1", engine_,
                         detached_));
  }
  return lane_.keys.finish(now_.time_since_epoch().count());
}

Status Batch::write_rows() {
  Query insert(
      connection_,
      "INSERT INTO ai_usages(id, tenant, account, occurred_at, model, feature, user, flags,"
      " input_tokens, cached_input_tokens, output_tokens, cost_nanos, currency, pins, ref,"
      " key, extra) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
      " ?15, ?16, ?17)");
  const std::string_view extras = extras_;
  for (const PendingRow& row : rows_) {
    const auto ref = row.ref != 0 ? std::optional(row.ref) : std::nullopt;
    const auto key = row.key != nullptr ? std::optional(blob_of(*row.key)) : std::nullopt;
    AIMETER_CHECK_OK(insert.again(row.id, row.tenant, row.account, row.occurred_at, row.model,
                                  row.feature, row.user, row.flags, row.input, row.cached,
                                  row.output, row.cost, row.currency, row.pins, ref, key,
                                  Blob{extras.substr(row.extra_at, row.extra_size)}));
  }
  rows_.clear();
  extras_.clear();
  return {};
}

Status Batch::write_index() {
  std::ranges::sort(index_);
  Query insert(connection_, "INSERT INTO ai_usages_by_account VALUES(?1, ?2, ?3, ?4)");
  for (const IndexEntry& entry : index_) {
    AIMETER_CHECK_OK(insert.again(entry.tenant, entry.account, entry.occurred_at, entry.id));
  }
  index_.clear();
  return {};
}

Status Batch::write_rollups() {
  std::vector<const std::pair<const Cell, Sums>*> cells;
  cells.reserve(cells_.size());
  for (const auto& cell : cells_) cells.push_back(&cell);
  std::ranges::sort(cells, {}, [](const auto* cell) -> const Cell& { return cell->first; });
  Query upsert(
      connection_,
      "INSERT INTO ai_usage_rollups VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
      " ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, input_tokens = input_tokens +"
      " excluded.input_tokens, cached_input_tokens = cached_input_tokens +"
      " excluded.cached_input_tokens, output_tokens = output_tokens + excluded.output_tokens,"
      " cost_nanos = cost_nanos + excluded.cost_nanos, estimated = estimated + excluded.estimated,"
      " provisional = provisional + excluded.provisional");
  for (const auto* entry : cells) {
    const Cell& cell = entry->first;
    const Sums& sums = entry->second;
    AIMETER_CHECK_OK(upsert.again(cell.tenant, cell.bucket, cell.account, cell.model, cell.feature,
                                  cell.currency, sums.calls, sums.input, sums.cached, sums.output,
                                  sums.cost, sums.estimated, sums.provisional));
  }
  return {};
}

Status Batch::write_leases() {
  std::vector<LeaseId> changed;
  for (const auto& [id, lease] : leases_) {
    if (lease.leased != lease.before) changed.push_back(id);
  }
  std::ranges::sort(changed);
  Query update(connection_,
               "UPDATE ai_leases SET leased = ?4 WHERE engine = ?1 AND budget = ?2 AND epoch = ?3");
  for (const LeaseId& id : changed) {
    const Lease& lease = leases_[id];
    AIMETER_CHECK_OK(update.again(id.engine, id.budget, lease.epoch, lease.leased));
  }
  return {};
}

Status Batch::write_counters() {
  std::ranges::sort(counters_, {}, &Counter::budget);
  for (Counter& counter : counters_) {
    if (!counter.touched) continue;
    store::BudgetState& state = counter.state;
    if (counter.named) store::name_limit(state, store::naming_of(state, *counter.named));
    const auto crossed =
        static_cast<std::uint8_t>(store::thresholds_of(state) & ~unsigned{counter.told_before});
    counter.told = counter.told_before | crossed;
    Query update(connection_,
                 "UPDATE ai_budgets SET used = ?3, leased = ?4, over_hold = ?5, late = ?6, fallen ="
                 " ?7, limit_amount = ?8, blocking = ?9, told = ?10 WHERE tenant = ?1 AND budget ="
                 " ?2");
    AIMETER_CHECK_OK(update.again(counter.tenant, counter.budget, state.used, state.leased,
                                  state.over_hold, state.late, state.fallen, state.limit,
                                  state.blocking ? 1 : 0, counter.told));
    AIMETER_CHECK_OK(write_overage(counter));
    if (crossed != 0) AIMETER_CHECK_OK(tell(counter, crossed));
  }
  return {};
}

// One row of the outbox for each threshold, and the caller's word of it.
Status Batch::tell(const Counter& counter, std::uint8_t crossed) {
  const auto one = [&](std::uint8_t bit, std::string_view kind, bool reached) -> Status {
    if ((crossed & bit) == 0) return {};
    AIMETER_CHECK_OK(run(connection_,
                         "INSERT INTO ai_outbox(tenant, at, kind, budget, used, limit_amount) "
                         "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                         counter.tenant, now_.time_since_epoch().count(), kind, counter.budget,
                         counter.state.used, counter.state.limit));
    if (counter.key != nullptr) crossed_.push_back({*counter.key, reached});
    return {};
  };
  AIMETER_CHECK_OK(one(store::kToldApproaching, "limit_approaching", false));
  return one(store::kToldReached, "limit_reached", true);
}

BatchResult Batch::result() {
  BatchResult result{.odd = std::move(odd_),
                     .crossed = std::move(crossed_),
                     .credits = std::move(credits_),
                     .overages = std::move(overages_)};
  result.budgets.reserve(counters_.size());
  for (Counter& counter : counters_) {
    if (counter.key == nullptr || !counter.touched) continue;
    store::BudgetState& state = result.budgets.emplace_back(counter.state);
    state.key = *counter.key;
  }
  std::ranges::sort(result.budgets, {}, &store::BudgetState::key);
  std::ranges::sort(result.crossed, [](const store::Crossed& a, const store::Crossed& b) {
    return std::tie(a.key, a.reached) < std::tie(b.key, b.reached);
  });
  return result;
}

}  // namespace aimeter::drivers::sqlite
