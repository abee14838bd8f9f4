// Package:       ledger
// Units:         settlements
// Errors:        corrupt (a journal is damaged before its end), unavailable (the store does not
//                answer): what was applied so far stays applied, nothing is applied twice.
// Thread safety: one call at a time per store and process; a journal in use is left alone (its
//                lock).
// Ownership:     borrows everything.
//
// What dead engines left: their tail goes into the store under their own number, their orphans are
// listed, their leases go back, in this order. A store that was restored from an older backup is
// healed by the segments that are kept, also of engines that it does not know; where they do not
// reach back far enough nothing is opened and the missing seqs are named (failed_precondition).
#pragma once

#include <functional>
#include <string>

#include "base/files.h"
#include "store/store.h"

namespace aimeter::ledger {

struct RecoveredEngines {
  int engines = 0;
  std::uint64_t settlements = 0, orphans = 0;
};
struct RecoveryOptions {
  std::string journal_dir = {};
  Duration keep = std::chrono::hours(1);  // drained folders stay that long
};
[[nodiscard]] Result<RecoveredEngines> recover_engines(
    store::Store& store, base::Files& files, const RecoveryOptions& options,
    const std::function<void(const store::Orphan&)>& on_orphan);

// Marks a folder as carried into the store up to `seq`: it is not read again unless the store is
// behind that.
[[nodiscard]] Status write_drained(base::Files& files, const std::string& folder, store::Seq seq,
                                   const base::Key16& store_id);

}  // namespace aimeter::ledger
