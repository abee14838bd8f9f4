// Package:       cli
// Units:         none
// Errors:        none
// Thread safety: belongs to the thread of run().
// Ownership:     the frame owns the command.
//
// The part of `import` that has a file, and a format, of its own.
#pragma once

#include "cli/frame.h"

namespace aimeter::cli {

void add_import_laravel(Frame& frame, CLI::App& import);

}  // namespace aimeter::cli
