// Package:       drivers
// Units:         none
// Errors:        invalid_argument (an unknown name, bad settings), failed_precondition (a port is
//                missing). All at start-up, none later.
// Thread safety: pure functions.
// Ownership:     a resolver borrows the ports of its setup.
//
// The built-in tenant resolvers by name: each is a file in resolvers/ and a line in builtin.inc.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tenancy/resolve.h"

namespace aimeter::drivers {

[[nodiscard]] std::vector<std::string_view> resolver_names();
// setup.make empty: a chain is made of built-in ones.
[[nodiscard]] Result<std::unique_ptr<TenantResolver>> make_resolver(
    std::string_view name, const tenancy::ResolverSetup& setup);

}  // namespace aimeter::drivers
