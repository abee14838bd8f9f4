// Package:       drivers
// Units:         none
// Errors:        extractors: none, an unknown name gives nothing; open_store says.
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
#include "store/store.h"

namespace aimeter::drivers {

#define AIMETER_PROVIDER(name) std::unique_ptr<Extractor> make_provider_##name();
#define AIMETER_STORE(name)                                                      \
  Result<std::unique_ptr<store::Store>> open_store_##name(std::string_view rest, \
                                                          const store::StoreOptions& options);
#include "drivers/builtin.inc"

// The extractor of a provider ("openai"), or null.
[[nodiscard]] const Extractor* find_extractor(std::string_view name);
[[nodiscard]] std::vector<std::string_view> extractor_names();  // sorted

// Opens the store of a DSN: "sqlite:PATH" or "memory:". Errors: invalid_argument (no such scheme),
// and what the driver says, naming the file: unavailable, corrupt, failed_precondition.
[[nodiscard]] Result<std::unique_ptr<store::Store>> open_store(std::string_view dsn,
                                                               const store::StoreOptions& options);

}  // namespace aimeter::drivers
