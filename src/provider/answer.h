// Package:       provider
// Units:         none
// Errors:        those of Extracted.
// Thread safety: an extractor is stateless and shared; a reader belongs to one answer.
// Ownership:     borrows the card, which is static.
//
// The extractor of every built-in provider: the format is told by content, each JSON document of
// the answer goes to the dialects of the card in order, the first that knows it takes its figures.
#pragma once

#include <memory>

#include "aimeter/provider.h"
#include "provider/document.h"

namespace aimeter::provider {

[[nodiscard]] std::unique_ptr<Extractor> make_extractor(const ProviderCard& card);

}  // namespace aimeter::provider
