#include "cli/price_file.h"

#include <fstream>
#include <sstream>

namespace aimeter::cli {

void add_price_options(CLI::App& app, PriceFileOptions& options) {
  app.add_option("--prices", options.file, "A price book instead of the one in use");
  app.add_option("--format", options.format,
                 "genai-prices, litellm or aimeter (default: told by content)");
}

Result<std::string> read_whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::not_found, "file \"" + path + "\" cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

Result<ImportedBook> read_price_file(const PriceFileOptions& options) {
  AIMETER_TRY(const std::string text, read_whole_file(options.file));
  ImportOptions import{.version = options.version};
  import.format = guess_format(text);
  if (!options.format.empty()) {
    AIMETER_TRY(import.format, parse_book_format("--format", options.format));
  }
  if (!options.effective_from.empty()) {
    AIMETER_TRY(import.effective_from, parse_instant("--effective-from", options.effective_from));
  }
  Result<ImportedBook> book = PriceBook::import(text, import);
  if (!book) return fail(book.error().code, options.file + ": " + book.error().message);
  return book;
}

Status install_book(Frame& frame, const PriceBook& book) {
  return fail(Code::failed_precondition, "store " +
                                             frame.globals().store.value_or("sqlite:aimeter.db") +
                                             ": this program opens no store; version " +
                                             book.version() + " was checked and not installed");
}

Result<std::shared_ptr<const Prices>> prices_of(const PriceFileOptions& options) {
  if (options.file.empty()) return std::make_shared<const Prices>(Prices::Options{});
  AIMETER_TRY(const ImportedBook imported, read_price_file(options));
  return std::make_shared<const Prices>(Prices::Options{.books = {imported.book}});
}

}  // namespace aimeter::cli
