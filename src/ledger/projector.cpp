// The projector: carries settlements from the tail to the store, one batch and one transaction at a
// time, and tells the book what the store has counted.
#include <fmt/format.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

#include "base/hash.h"
#include "ledger/engine_ledger.h"
#include "store/bound.h"
#include "store/codec.h"

namespace aimeter::ledger {
namespace {

constexpr std::uint64_t kAllFrames = ~std::uint64_t{0};
// A transaction that took longer makes the next batch smaller: others wait for the writer lock.
// While no other engine lives, nobody does but a command now and then, and a large batch costs less
// a call: neighbours in a tree are written together, each counter once.
constexpr Duration kTransactionLongest = std::chrono::milliseconds(20);
constexpr Duration kTransactionAlone = std::chrono::milliseconds(60);
constexpr Duration kTransactionBehind = std::chrono::milliseconds(400);
constexpr std::size_t kBatchLeast = 64;
constexpr std::size_t kBatchYielding = 1'024;
constexpr store::Seq kBacklogMax = 32'768;
constexpr Duration kRetryAfter = std::chrono::milliseconds(200);

struct SumKey {
  const store::BudgetKey* key = nullptr;  // of the batch
  std::uint32_t epoch = 0;
};
struct HashSum {
  std::size_t operator()(const SumKey& sum) const {
    const store::BudgetKey& key = *sum.key;
    return base::mix64(key.account.billable.id) + 3 * base::mix64(key.account.tenant.text) +
           5 * base::mix64(key.name) + 7 * static_cast<std::size_t>(key.kind) +
           static_cast<std::size_t>(key.span.start.time_since_epoch().count());
  }
};
struct SameSum {
  bool operator()(const SumKey& a, const SumKey& b) const {
    return a.epoch == b.epoch && *a.key == *b.key;
  }
};

constexpr std::uint32_t kNoEpoch = 0;  // epochs begin with 1

bool is_odd(const store::Applied& applied, store::Seq seq) {
  return std::ranges::any_of(applied.odd,
                             [seq](const store::Outcome& outcome) { return outcome.seq == seq; });
}

}  // namespace

void EngineLedger::fetch_batch() {
  // Not the gate: after a failure it lets everybody pass, and what was not synced stays out.
  const bool only_written = journal_ != nullptr && options_.durability == Durability::journal;
  const std::uint64_t written = only_written ? journal_->last_written() : kAllFrames;
  const std::size_t most = yields() ? std::min(batch_now_, kBatchYielding) : batch_now_;
  bool more = true;
  while (more && batch_.size() < most) more = tail_.take(batch_, most - batch_.size(), written);
  if (batch_.empty() && tail_.spilled_from()) read_spilled(*tail_.spilled_from());
}

void EngineLedger::read_spilled(std::uint64_t from_frame) {
  std::uint64_t next_frame = from_frame;
  const Status read = journal_->read(from_frame, [&](const journal::Frame& frame) {
    if (batch_.size() >= batch_now_) return false;
    next_frame = frame.number + 1;
    if (!journal::is_numbered(frame.type)) return true;
    Result<store::Settlement> settlement = store::decode_settlement(frame.payload);
    AIMETER_ASSERT(settlement.has_value());  // its checksum was right: we wrote it
    if (settlement->seq > store_seq_) batch_.push_back(*std::move(settlement));
    return true;
  });
  if (!read) {
    const base::Lock lock(trouble_mutex_);
    store_trouble_ = read.error();
    batch_.clear();
    return;
  }
  tail_.caught_up(batch_.empty() ? store_seq_ : batch_.back().seq, next_frame);
}

// Calls that wait for a lease go first, unless the store falls too far behind.
bool EngineLedger::yields() const { return control_serves_.load() && backlog() < kBacklogMax; }

bool EngineLedger::project() {
  if (!batch_.empty() && deps_.clock.boot() < retry_at_) return false;
  if (batch_.empty()) fetch_batch();
  if (batch_.empty()) return false;
  const Duration began = deps_.clock.boot();
  const std::size_t applied_now = batch_.size();
  const Status applied = apply_batch();
  store_refuses_.store(!applied);
  if (!applied) {
    retry_at_ = deps_.clock.boot() + kRetryAfter;
    const base::Lock lock(trouble_mutex_);
    store_trouble_ = applied.error();
    return false;
  }
  const Duration took = deps_.clock.boot() - began;
  // A part of a batch waits for company: one transaction of many rows costs less than many.
  const bool was_full = applied_now >= batch_now_;
  const bool behind = backlog() >= options_.far_behind / 2;
  const Duration alone = behind ? kTransactionBehind : kTransactionAlone;
  if (took > (alone_.load() ? alone : kTransactionLongest)) {
    batch_now_ = std::max(kBatchLeast, batch_now_ / 2);
  } else if (journal_ != nullptr) {
    batch_now_ = std::min(options_.batch_size, batch_now_ * 2);
  }
  return was_full && !yields();
}

Status EngineLedger::apply_batch() {
  const auto sync =
      options_.durability == Durability::store ? store::Sync::full : store::Sync::relaxed;
  store::Applied applied;
  {
    const std::scoped_lock lock(lane_);
    const store::EngineRef ref{engine_, epoch_.load()};
    Result<store::Applied> answer = deps_.store.apply(ref, store_seq_, batch_, sync);
    if (answer) {
      applied = *std::move(answer);
    } else {
      // Committed after all (a doubtful commit, a lost answer)? Then the store's seq says so.
      AIMETER_TRY(const store::Seq last, deps_.store.last_seq(engine_));
      if (last < batch_.back().seq) return std::unexpected(std::move(answer).error());
      applied.last = last;
      std::vector<store::BudgetKey> keys;
      for (const store::Settlement& settlement : batch_) {
        for (const store::BudgetPart& part : settlement.budgets) keys.push_back(part.key);
      }
      AIMETER_TRY(applied.budgets, deps_.store.budget_states(keys));
    }
    count_applied(batch_, applied);
  }
  store_seq_ = applied.last;
  keys_.applied(applied.last);
  applied_.advance(applied.last);
  if (options_.durability == Durability::store) run_done(applied.last);
  tell_odd(batch_, applied);
  tell_credits(applied.credits);
  if (sinks_.charged) {
    for (const store::OverageLine& line : applied.overages) sinks_.charged(line);
  }
  batch_.clear();
  const base::Lock lock(trouble_mutex_);
  store_trouble_.reset();
  return {};
}

void EngineLedger::count_applied(std::span<const store::Settlement> batch,
                                 const store::Applied& applied) {
  boost::unordered_flat_map<SumKey, budget::AppliedPart, HashSum, SameSum> sums;
  for (const store::Settlement& settlement : batch) {
    const bool detaches = (settlement.flags & store::kDetach) != 0;
    const bool of_detached = !detaches && !settlement.token.empty();
    const bool ended = of_detached && !is_odd(applied, settlement.seq);
    for (const store::BudgetPart& part : settlement.budgets) {
      if (!part.counted) continue;
      // A detached hold is in no lease: its settlement gives up nothing of this engine's.
      budget::AppliedPart& sum = sums[{&part.key, of_detached ? kNoEpoch : settlement.epoch}];
      sum.held += of_detached ? 0 : part.held;
      sum.actual += part.actual;
      sum.detached += detaches ? part.held : 0;
      sum.ended += ended ? part.held : 0;
      ++sum.settlements;
    }
  }
  std::vector<budget::AppliedPart> parts;
  parts.reserve(sums.size());
  for (auto& [key, sum] : sums) {
    sum.key = *key.key;
    sum.epoch = key.epoch;
    parts.push_back(std::move(sum));
  }
  std::vector<budget::StoreWord> words;
  words.reserve(applied.budgets.size());
  for (const store::BudgetState& state : applied.budgets) {
#if defined(AIMETER_FAULTS)
    AIMETER_ASSERT(store::in_bound(state));
#endif
    words.push_back(word_of(state));
  }
  book_.applied(parts, words);
}

void EngineLedger::tell_odd(std::span<const store::Settlement> batch,
                            const store::Applied& applied) {
  if (!sinks_.odd) return;
  for (const store::Outcome& outcome : applied.odd) {
    const auto at = std::ranges::lower_bound(batch, outcome.seq, {}, &store::Settlement::seq);
    if (at != batch.end() && at->seq == outcome.seq) sinks_.odd(*at, outcome);
  }
}

}  // namespace aimeter::ledger
