// Package:       tests
// Units:         none
// Errors:        a property that does not hold ends the process (AIMETER_ASSERT).
// Thread safety: none
// Ownership:     values.
//
// What holds for every answer of a provider, whatever its bytes: it reads the same however it is
// cut, and what is found is in normal form.
#pragma once

#include <string_view>

#include "aimeter/provider.h"

namespace aimeter::fuzz {

// Reads the answer whole and in pieces, checks what was found, gives it back.
Extracted read_answer(std::string_view provider, const AnswerHints& hints, std::string_view body);
void expect_same(const Extracted& a, const Extracted& b);

}  // namespace aimeter::fuzz
