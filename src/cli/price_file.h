// Package:       cli
// Units:         none
// Errors:        not_found (no such file), invalid_argument (what is wrong in it).
// Thread safety: belongs to the thread that runs the command.
// Ownership:     books are shared.
//
// Where commands get a price book from: a file of any format, or what an engine with the same
// configuration, environment and store would use.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aimeter/pricing.h"
#include "cli/frame.h"
#include "config/settings.h"

namespace aimeter::cli {

struct PriceFileOptions {
  std::string file = {};    // empty: the books in use
  std::string format = {};  // empty: told by content
  std::string version = {};
  std::string effective_from = {};
};
// Adds --prices and --format.
void add_price_options(CLI::App& app, PriceFileOptions& options);

[[nodiscard]] Result<std::string> read_whole_file(const std::string& path);
[[nodiscard]] Result<ImportedBook> read_price_file(const PriceFileOptions& options);
// The versions in the store, oldest first; none where there is no store file yet.
[[nodiscard]] Result<std::vector<PriceBook::Ref>> installed_books(const config::Settings& settings);
// Writes the book into the store as a version of its own. Errors: conflict (the version is there
// with other prices), unavailable, failed_precondition.
[[nodiscard]] Status install_book(const config::Settings& settings, const PriceBook& book);
// The file's book alone, whatever its day; or what an engine would price with: the books in use,
// under the prices of the configuration.
[[nodiscard]] Result<std::shared_ptr<const Prices>> prices_of(const config::Settings& settings,
                                                              const PriceFileOptions& options);

}  // namespace aimeter::cli
