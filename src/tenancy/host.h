// Package:       tenancy
// Units:         none
// Errors:        invalid_argument, naming the field.
// Thread safety: pure functions.
// Ownership:     none.
//
// One spelling for each host: lower case, without port and trailing dot; IPv6 without brackets in
// its shortest form (RFC 5952). Names are ASCII: an international one is given as "xn--...".
#pragma once

#include <string>
#include <string_view>

#include "aimeter/result.h"

namespace aimeter::tenancy {

constexpr std::size_t kHostBytesMax = 253;  // RFC 1035 section 2.3.4, without the final dot

[[nodiscard]] Result<std::string> parse_host(std::string_view field, std::string_view text);
// Of a parsed host.
[[nodiscard]] bool is_address(std::string_view host);

}  // namespace aimeter::tenancy
