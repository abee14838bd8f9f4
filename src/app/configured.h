// Package:       app
// Units:         as in aimeter/engine.h.
// Errors:        invalid_argument naming the key (a price that is no decimal).
// Thread safety: pure functions.
// Ownership:     none.
//
// What a configuration says, as the options of an engine. The commands open their engines with it.
#pragma once

#include "aimeter/engine.h"
#include "config/settings.h"

namespace aimeter::app {

[[nodiscard]] Result<OpenOptions> options_of(const config::Settings& settings);

}  // namespace aimeter::app
