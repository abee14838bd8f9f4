// Package:       ledger
// Units:         settlements; times by the store's clock
// Errors:        as the store's and the disk's: nothing was changed.
// Thread safety: any thread.
// Ownership:     borrows everything.
//
// Journals that are gone: an engine that never closed, and no segment of it where it was kept. The
// store stands on its own with what was applied; what was only acknowledged since is in doubt, and
// nobody but the operator can say whether that is to be borne.
#pragma once

#include <string>
#include <vector>

#include "base/files.h"
#include "store/store.h"

namespace aimeter::ledger {

struct LostJournal {
  store::EngineState engine = {};
  std::string folder = {};  // where its segments should be
  bool running = false;     // heard of within lease_ttl: it goes on without its journal
};
struct LostOptions {
  std::string journal_dir = {};
  Duration lease_ttl = {};
};
// After recover_engines(), in the order of the engines. One that opens just now is none.
[[nodiscard]] Result<std::vector<LostJournal>> lost_journals(const store::Store& store,
                                                             base::Files& files,
                                                             const LostOptions& options);

// Which engine, what the store has of it, and since when there may be more.
[[nodiscard]] std::string words_of(const LostJournal& lost);

}  // namespace aimeter::ledger
