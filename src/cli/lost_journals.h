// Package:       cli
// Units:         none
// Errors:        as ledger/lost_journal.h
// Thread safety: belongs to the command's thread.
// Ownership:     borrows the Reading.
//
// What the commands that read figures warn of.
#pragma once

#include <vector>

#include "cli/session.h"
#include "ledger/lost_journal.h"

namespace aimeter::cli {

[[nodiscard]] Result<std::vector<ledger::LostJournal>> lost_journals(const Reading& reading);

}  // namespace aimeter::cli
