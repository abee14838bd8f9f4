// Package:       base
// Units:         bytes of UTF-8
// Errors:        invalid_argument, naming field and value.
// Thread safety: pure functions.
// Ownership:     none.
//
// The one rule for every id and key: 1..191 bytes of valid UTF-8 without control characters,
// compared byte by byte, never trimmed, folded or normalised.
#pragma once

#include <cstddef>
#include <string_view>

#include "aimeter/result.h"

namespace aimeter::base {

// The reference stores ids in varchar(191) columns; the limit keeps its data importable.
constexpr std::size_t kIdBytesMax = 191;

// Bytes of the well-formed character that begins `text`; 0: none does.
[[nodiscard]] std::size_t character_bytes(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);
// No C0, DEL or C1 control character (U+0000..1F, 7F, 80..9F). Requires valid UTF-8.
[[nodiscard]] bool has_control(std::string_view text);
[[nodiscard]] Status check_id(std::string_view field, std::string_view value);

}  // namespace aimeter::base
