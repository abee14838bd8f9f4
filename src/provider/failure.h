// Package:       provider
// Units:         none
// Errors:        builds them; see Extracted.
// Thread safety: pure functions.
// Ownership:     none.
//
// What an answer says about its own failure. Only words that look like identifiers are kept: the
// message of a provider may quote the prompt or a key, so it never leaves this file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "aimeter/result.h"
#include "provider/document.h"

namespace aimeter::provider {

struct Failure {
  std::string type = {}, code = {};
};

enum class Certain { no, yes };  // yes: the status or the event already says that it failed

[[nodiscard]] std::optional<Failure> failure_of(const Document& document, Certain certain);
// `text` if it is at most 64 letters, digits and "_.:#-", else "".
[[nodiscard]] std::string safe_word(std::string_view text);
// provider_failed. `http_status` 0: the status was a good one.
[[nodiscard]] Error error_of(std::string_view provider, int http_status, const Failure& failure);
// invalid_argument: the answer cannot be read.
[[nodiscard]] Error unreadable(std::string_view provider, std::string_view why);
// The model as the document names it, or "".
[[nodiscard]] std::string_view model_of(const Document& document);

}  // namespace aimeter::provider
