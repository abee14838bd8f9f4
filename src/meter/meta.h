// Package:       meter
// Units:         bytes of UTF-8; depth of JSON nesting.
// Errors:        invalid_argument naming the key.
// Thread safety: pure functions.
// Ownership:     none.
//
// What of a caller's metadata is stored: valid UTF-8 without control characters, at most
// kMetaBytesMax bytes and kMetaDepthMax levels (of values that are JSON), and "[redacted]" in
// place of what a key like "authorization" or "prompt" names.
#pragma once

#include <string>

#include "aimeter/plan.h"
#include "meter/options.h"

namespace aimeter::meter {

constexpr std::size_t kMetaBytesMax = 16U << 10U;
constexpr std::size_t kMetaDepthMax = 8;

// The metadata as it is stored.
[[nodiscard]] Result<Meta> kept_meta(const Meta& meta, Metadata how);
// As a JSON object, "" for none.
[[nodiscard]] Result<std::string> json_of(const Meta& kept);
[[nodiscard]] bool is_secret_key(std::string_view key);

}  // namespace aimeter::meter
