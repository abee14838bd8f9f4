// Package:       ledger
// Units:         keys as 16 bytes of SHA-256; contents as 64-bit digests.
// Errors:        conflict (same key, other content), unavailable (the store did not answer).
// Thread safety: any thread; one stripe's mutex at a time, never over the store's look-up.
// Ownership:     borrows the store's look-up and the Workers.
//
// A key is in flight here, or settled lately (its row may not be in the store yet), or in the
// store, or fresh. Whoever enters a key leaves it: with its row, or with 0 when nothing came of it.
// While no other engine can bring keys, a filter of all that the store has saves the look-up of
// fresh ones. A key that another engine settled a moment before it was heard of is found by the
// store: first wins.
#pragma once

#include <array>
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/workers.h"
#include "ledger/ledger.h"
#include "store/key_filter.h"

namespace aimeter::ledger {

class KeyBook {
 public:
  using Lookup = std::function<Result<std::optional<store::KeySeen>>(const base::Key16& key)>;
  using Walk = std::function<Result<store::KeyPage>(const store::KeyCursor& after)>;
  struct Source {  // the store's keys
    Lookup find = {};
    Walk walk = {};
  };
  KeyBook(Source source, base::Workers& workers, Duration wait_max);

  [[nodiscard]] Result<KeyEntry> enter(const store::KeyRef& key);
  void enter(const store::KeyRef& key, Ledger::KeyDone done);  // never waits; the look-up is inline
  void leave(const store::KeyRef& key, std::int64_t row);
  // The store has everything up to this seq of this engine: lately settled keys may be forgotten.
  void applied(store::Seq seq);

  // The store has it without a settlement of ours: the end of a detached hold.
  void know(const base::Key16& key) { filter_.add(key); }

  // ---- for the control lane, one thread
  // What a heartbeat says of others: with them every fresh key is looked up.
  void others(int open, store::EngineId newest);
  // Reads a part of the store's keys into the filter, if that is due; true: there is more to read.
  bool learn();

 private:
  struct Flight {
    base::Gate landed;
    std::vector<std::function<void()>> waiting;
  };
  struct KeyHash {
    std::size_t operator()(const base::Key16& key) const {
      std::uint64_t word = 0;
      std::memcpy(&word, key.data(), sizeof word);
      return word;
    }
  };
  struct Late {
    base::Key16 key = {};
    store::Seq seq = 0;
  };
  struct Stripe {
    base::Mutex mutex;
    boost::unordered_flat_map<base::Key16, std::shared_ptr<Flight>, KeyHash> in_flight
        AIMETER_GUARDED_BY(mutex);
    boost::unordered_flat_map<base::Key16, store::KeySeen, KeyHash> settled
        AIMETER_GUARDED_BY(mutex);
    std::deque<Late> order AIMETER_GUARDED_BY(mutex);
  };
  static constexpr std::size_t kStripes = 64;

  Stripe& stripe(const base::Key16& key) { return stripes_[key[15] % kStripes]; }
  // Takes the key into flight (null), or gives what it has to wait for.
  std::shared_ptr<Flight> board(const base::Key16& key);
  [[nodiscard]] Result<KeyEntry> look(const store::KeyRef& key);

  std::array<Stripe, kStripes> stripes_;
  Source source_;
  store::KeyFilter filter_;
  std::atomic<bool> knows_all_{false};  // the filter has every key of the store
  // The control lane's own.
  bool alone_ = false, walking_ = false;
  store::EngineId newest_ = 0, walked_ = 0;  // walked_: the newest engine when the walk began
  store::KeyCursor walk_at_ = {};

  base::Workers& workers_;
  Duration wait_max_;
  std::atomic<store::Seq> applied_{0};
};

}  // namespace aimeter::ledger
