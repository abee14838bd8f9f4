// Package:       drivers
// Units:         none
// Errors:        none: an unknown name gives nothing.
// Thread safety: any thread; extractors are stateless and live for the whole process.
// Ownership:     this file owns the built-in extractors.
//
// The built-in drivers by name, from the list in builtin.inc. A driver has no header: it ends with
// the function that is declared here.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "aimeter/provider.h"

namespace aimeter::drivers {

#define AIMETER_PROVIDER(name) std::unique_ptr<Extractor> make_provider_##name();
#include "drivers/builtin.inc"

// The extractor of a provider ("openai"), or null.
[[nodiscard]] const Extractor* find_extractor(std::string_view name);
[[nodiscard]] std::vector<std::string_view> extractor_names();  // sorted

}  // namespace aimeter::drivers
