// Package:       ledger
// Units:         settlements; frames and seqs.
// Errors:        none
// Thread safety: any thread; one small mutex.
// Ownership:     owns the settlements until the projector takes them.
//
// What was settled and is not in the store yet, in the order of seq. Past `max` it keeps nothing
// more: the projector reads the journal again from `spilled_from` on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "store/settlement.h"

namespace aimeter::ledger {

struct TailItem {
  store::Settlement settlement = {};
  std::uint64_t frame = 0;
};

class Tail {
 public:
  explicit Tail(std::size_t max) : max_(max) {}

  void push(store::Settlement&& settlement, std::uint64_t frame) {
    const base::Lock lock(mutex_);
    newest_ = settlement.seq;
    if (spilled_from_ || items_.size() >= max_) {
      if (!spilled_from_) spilled_from_ = frame;
      return;
    }
    items_.emplace_back(std::move(settlement), frame);
  }
  // Adds up to `count` items whose frame is written (<= `written`); true: there may be more. Takes
  // few at a time: who settles waits for the mutex.
  bool take(std::vector<store::Settlement>& into, std::size_t count, std::uint64_t written) {
    const base::Lock lock(mutex_);
    for (count = std::min(count, kTakenAtOnce); count > 0; --count) {
      if (items_.empty() || items_.front().frame > written) return false;
      into.push_back(std::move(items_.front().settlement));
      items_.pop_front();
    }
    return true;
  }
  // From where the journal is to be read, once all that is here was taken.
  [[nodiscard]] std::optional<std::uint64_t> spilled_from() const {
    const base::Lock lock(mutex_);
    return items_.empty() ? spilled_from_ : std::nullopt;
  }
  // The journal was read up to `seq`. False: more was settled meanwhile, read on from `next_frame`.
  bool caught_up(store::Seq seq, std::uint64_t next_frame) {
    const base::Lock lock(mutex_);
    spilled_from_ = next_frame;
    if (seq != newest_) return false;
    spilled_from_.reset();
    return true;
  }
  [[nodiscard]] store::Seq newest() const {
    const base::Lock lock(mutex_);
    return newest_;
  }

 private:
  static constexpr std::size_t kTakenAtOnce = 64;

  mutable base::Mutex mutex_;
  std::deque<TailItem> items_ AIMETER_GUARDED_BY(mutex_);
  std::optional<std::uint64_t> spilled_from_ AIMETER_GUARDED_BY(mutex_);
  store::Seq newest_ AIMETER_GUARDED_BY(mutex_) = 0;
  const std::size_t max_;
};

}  // namespace aimeter::ledger
