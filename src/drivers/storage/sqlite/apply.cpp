#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/fault.h"
#include "drivers/storage/sqlite/batch.h"
#include "drivers/storage/sqlite/sqlite_store.h"

namespace aimeter::drivers::sqlite {
namespace {

using store::Applied;
using store::Settlement;

// More settlements than this that the database itself refuses are no fault of theirs.
constexpr std::size_t kRefusedMax = 256;

struct Work {
  Lane& lane;
  store::EngineId engine;
  Instant now;
  BatchResult sum = {};
  std::size_t refused = 0;
};

void merge(BatchResult& into, BatchResult&& part) {
  for (store::BudgetState& state : part.budgets) {
    const auto same = [&](const store::BudgetState& known) { return known.key == state.key; };
    const auto known = std::ranges::find_if(into.budgets, same);
    if (known == into.budgets.end()) {
      into.budgets.push_back(std::move(state));
    } else {
      *known = std::move(state);
    }
  }
  std::ranges::move(part.odd, std::back_inserter(into.odd));
  std::ranges::move(part.crossed, std::back_inserter(into.crossed));
  std::ranges::move(part.credits, std::back_inserter(into.credits));
  std::ranges::move(part.overages, std::back_inserter(into.overages));
}

Status take_and_write(Batch& batch, std::span<const Settlement> part) {
  AIMETER_CHECK_OK(batch.take(part));
  return batch.write();
}

Status bury_one(Work& work, const Settlement& settlement, const std::string& reason) {
  if (++work.refused > kRefusedMax) {
    return fail(Code::corrupt, fmt::format("{}: refuses every settlement; run `aimeter verify`: {}",
                                           work.lane.connection->path(), reason));
  }
  Batch batch(work.lane, work.engine, work.now);
  AIMETER_CHECK_OK(batch.take_dead(settlement, reason));
  AIMETER_CHECK_OK(batch.write());
  merge(work.sum, batch.result());
  return {};
}

// Writes `part`, or what of it the database does not refuse: halves it until the guilty one is
// alone.
Status write_part(Work& work, std::span<const Settlement> part) {
  Connection& connection = *work.lane.connection;
  AIMETER_CHECK_OK(connection.run_script("SAVEPOINT part"));
  const Names::Mark mark = work.lane.names.mark();
  Batch batch(work.lane, work.engine, work.now);
  const Status written = take_and_write(batch, part);
  if (written) {
    AIMETER_CHECK_OK(connection.run_script("RELEASE part"));
    if (work.sum.budgets.empty()) {
      work.sum = batch.result();
    } else {
      merge(work.sum, batch.result());
    }
    return {};
  }
  if (!connection.was_row_error() || !connection.in_transaction()) return written;
  connection.forget_row_error();
  AIMETER_CHECK_OK(connection.run_script("ROLLBACK TO part; RELEASE part"));
  work.lane.names.rollback_to(mark);
  AIMETER_CHECK_OK(work.lane.keys.begin());
  if (part.size() == 1) return bury_one(work, part.front(), written.error().message);
  AIMETER_CHECK_OK(write_part(work, part.first(part.size() / 2)));
  return write_part(work, part.subspan(part.size() / 2));
}

Status check_seqs(store::Seq prev, std::span<const Settlement> batch) {
  for (const Settlement& settlement : batch) {
    if (settlement.seq != ++prev) {
      return bad_input("seq", std::to_string(settlement.seq), std::to_string(prev));
    }
  }
  return {};
}

Result<store::Seq> last_seq_in(Connection& connection, store::EngineId engine) {
  AIMETER_TRY(
      const auto last,
      find_integer(connection, "SELECT last_seq FROM ai_engines WHERE engine = ?1", engine));
  if (!last) return fail(Code::not_found, fmt::format("engine {} is not known here", engine));
  return static_cast<store::Seq>(*last);
}

struct SeqMove {
  store::EngineId engine = 0;
  store::Seq from = 0;
  std::size_t count = 0;
};
// Moves an engine's last seq on. Errors: conflict when it is not `from`.
Status move_last_seq(Connection& connection, const SeqMove& move, Instant now) {
  const auto& [engine, prev, count] = move;
  AIMETER_TRY(const auto moved, run(connection,
                                    "UPDATE ai_engines SET last_seq = ?3, applied_at = ?4 WHERE "
                                    "engine = ?1 AND last_seq = ?2",
                                    engine, prev, prev + count, now.time_since_epoch().count()));
  if (moved == 1) return {};
  AIMETER_TRY(const store::Seq last, last_seq_in(connection, engine));
  return fail(Code::conflict,
              fmt::format("engine {}: last seq is {}, not {}: read it", engine, last, prev));
}

}  // namespace

Result<store::Applied> SqliteStore::apply(store::EngineRef engine, store::Seq prev,
                                          std::span<const Settlement> batch, store::Sync sync) {
  const std::lock_guard hold(apply_mutex_);
  Lane& lane = *apply_lane_;
  Work work{lane, engine.engine, now()};
  Status committed;
  {
    AIMETER_TRY(Write write, Write::begin(lane, *lock_, sync));
    AIMETER_CHECK_OK(
        move_last_seq(*lane.connection, {engine.engine, prev, batch.size()}, work.now));
    AIMETER_CHECK_OK(check_seqs(prev, batch));
    if (!batch.empty()) AIMETER_CHECK_OK(write_part(work, batch));
    AIMETER_FAULT_POINT("store.before_commit");
    committed = write.commit();
    AIMETER_FAULT_POINT("store.after_commit");
  }
  const store::Seq last = prev + batch.size();
  if (!committed) {
    if (committed.error().code != Code::in_doubt) {
      return std::unexpected(std::move(committed).error());
    }
    const auto there = last_seq_in(*lane.connection, engine.engine);
    if (!there) return std::unexpected(std::move(committed).error());
    if (*there != last) return fail(Code::unavailable, committed.error().message + "; it did not");
  }
  AIMETER_CHECK_OK(checkpoint_when_long());
  std::ranges::sort(work.sum.budgets, {}, &store::BudgetState::key);
  return Applied{.last = last,
                 .budgets = std::move(work.sum.budgets),
                 .odd = std::move(work.sum.odd),
                 .crossed = std::move(work.sum.crossed),
                 .credits = std::move(work.sum.credits),
                 .overages = std::move(work.sum.overages)};
}

Result<store::Seq> SqliteStore::last_seq(store::EngineId engine) {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  return last_seq_in(*use, engine);
}

// Between two transactions of the apply lane, so that a log that no reader needs starts anew.
Status SqliteStore::checkpoint_when_long() {
  if (apply_lane_->connection->log_pages() < log_pages_max_) return {};
  // Busy readers leave a part for the next time; another failure is met again by the next commit.
  (void)apply_lane_->connection->checkpoint();
  break_off_after_failed_sync(*lock_, *apply_lane_->connection);
  return {};
}

}  // namespace aimeter::drivers::sqlite
