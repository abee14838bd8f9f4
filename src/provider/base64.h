// Package:       provider
// Units:         bytes
// Errors:        none: text that is no base64 gives nothing.
// Thread safety: pure function.
// Ownership:     none.
//
// Standard base64 (RFC 4648 section 4) with padding, as AWS wraps the chunks of a stream.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aimeter::provider {

[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace aimeter::provider
