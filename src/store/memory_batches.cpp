#include "store/memory_batches.h"

#include <map>

namespace aimeter::store::memory {
namespace {

Result<BatchRow*> batch_at(State& state, std::int64_t id) {
  const auto found = state.batches.find(id);
  if (found == state.batches.end())
    return fail(Code::not_found, "there is no batch " + std::to_string(id));
  return &found->second;
}

std::map<Cell, CellSums> open_cells(const State& state, const std::optional<TenantId>& tenant) {
  std::map<Cell, CellSums> cells;
  for (const auto& [id, line] : state.overages) {
    const bool wanted = line.batch == 0 && (!tenant || line.budget.account.tenant == *tenant);
    if (wanted) add(cells[cell_of(line)], line);
  }
  for (const auto& [id, row] : state.batches) {
    const auto cell = cells.find(cell_of(row));
    if (cell != cells.end()) add(cell->second, row);
  }
  return cells;
}

}  // namespace

Result<Changed> freeze(State& state, const FreezeOverages& change, const base::Key16& store,
                       Instant now) {
  std::vector<BatchRow> made;
  Changed changed;
  for (const auto& [cell, sums] : open_cells(state, change.tenant)) {
    AIMETER_TRY(std::optional<BatchRow> next, next_batch(cell, sums, change.by, store));
    if (!next) continue;
    if (made.size() == change.limit) {
      changed.more = true;
      break;
    }
    made.push_back(*std::move(next));
  }
  for (BatchRow& row : made) {
    row.batch.id = state.batches.empty() ? 1 : state.batches.rbegin()->first + 1;
    row.batch.frozen_at = now;
    for (auto& [id, line] : state.overages) {
      if (line.batch == 0 && cell_of(line) == cell_of(row)) line.batch = row.batch.id;
    }
    state.batches[row.batch.id] = row;
    changed.batches.push_back(row);
    ++changed.rows;
  }
  return changed;
}

Result<std::set<std::pair<Account, Period::Span>>> unbilled_periods(const State& state) {
  std::set<std::pair<Account, Period::Span>> periods;
  for (const auto& [cell, sums] : open_cells(state, {})) {
    AIMETER_TRY(const auto next, next_batch(cell, sums, FreezeOverages::By::money, {}));
    if (next) periods.insert({cell.account, cell.period});
  }
  return periods;
}

Result<Changed> put(State& state, const ClaimBatch& change, Instant now) {
  AIMETER_TRY(BatchRow* const row, batch_at(state, change.id));
  AIMETER_TRY(OverageBatch batch, claim(*row, change, now));
  Changed changed{.id = change.id, .rows = 1};
  changed.batches.push_back(*row);
  changed.batches.back().batch = std::move(batch);
  return changed;
}

Result<Changed> put(State& state, const EndBatch& change, Instant now) {
  AIMETER_TRY(BatchRow* const row, batch_at(state, change.id));
  AIMETER_CHECK_OK(end(*row, change, now));
  Changed changed{.id = change.id, .rows = 1};
  changed.batches.push_back(*row);
  return changed;
}

}  // namespace aimeter::store::memory
