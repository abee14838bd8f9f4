// Package:       cli
// Units:         edits of one byte
// Errors:        none
// Thread safety: pure functions.
// Ownership:     none.
//
// "Did you mean ...": the known word that is nearest to a mistyped one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aimeter::cli {

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);
// The nearest of `known`, or the one that `word` begins; empty when nothing is near (at most a
// third of the word may be wrong).
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 const std::vector<std::string>& known);

}  // namespace aimeter::cli
