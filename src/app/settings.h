// Package:       app
// Units:         as in aimeter/engine.h.
// Errors:        invalid_argument naming the option; failed_precondition for what this version
//                lacks.
// Thread safety: pure functions.
// Ownership:     none.
//
// The options of an engine as the packages take theirs.
#pragma once

#include <string_view>

#include "aimeter/engine.h"
#include "ledger/ledger.h"
#include "meter/options.h"
#include "tenancy/resolve.h"

namespace aimeter::app {

constexpr std::string_view kMemoryDsn = "memory:";

// What can be said without opening anything.
[[nodiscard]] Status check_options(const OpenOptions& options);
[[nodiscard]] Result<tenancy::ResolverOptions> resolver_options(const OpenOptions& options);
[[nodiscard]] Result<ledger::Options> ledger_options(std::string_view dsn,
                                                     const OpenOptions& options);
[[nodiscard]] Result<meter::Options> meter_options(const OpenOptions& options);

}  // namespace aimeter::app
