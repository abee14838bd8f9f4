#include "cli/price_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/configured.h"
#include "drivers/builtin.h"
#include "store/store.h"

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

Result<std::vector<PriceBook::Ref>> installed_books(const config::Settings& settings) {
  constexpr std::string_view kFile = "sqlite:";
  const std::string& dsn = settings.storage.url;
  std::vector<PriceBook::Ref> books;
  if (dsn.starts_with(kFile) && !std::filesystem::exists(dsn.substr(kFile.size()))) return books;
  using Migrate = store::StoreOptions::Migrate;
  AIMETER_TRY(const auto store, drivers::open_store(dsn, {.migrate = Migrate::refuse}));
  AIMETER_TRY(std::vector<store::PriceBookRow> rows, store->price_books());
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.effective_from < b.effective_from; });
  for (const store::PriceBookRow& row : rows) {
    AIMETER_TRY(const ImportedBook imported,
                PriceBook::import(row.document,
                                  {.version = row.version, .effective_from = row.effective_from}));
    books.push_back(imported.book);
  }
  return books;
}

Status install_book(const config::Settings& settings, const PriceBook& book) {
  AIMETER_TRY(const auto store, drivers::open_store(settings.storage.url, {}));
  const store::PriceBookRow row{book.version(), book.effective_from(), book.to_document()};
  AIMETER_CHECK_OK(store->change({.body = store::PutPrices{row}, .actor = "cli"}));
  return {};
}

Result<std::shared_ptr<const Prices>> prices_of(const config::Settings& settings,
                                                const PriceFileOptions& options) {
  Prices::Options prices;
  if (options.file.empty()) {
    AIMETER_TRY(OpenOptions engine, app::options_of(settings));
    prices.configured = std::move(engine.pricing.configured);
    prices.default_price = std::move(engine.pricing.default_price);
    prices.currency = engine.currency;
    AIMETER_TRY(prices.books, installed_books(settings));
  } else {
    PriceFileOptions whole = options;
    AIMETER_TRY(const std::string text, read_whole_file(options.file));
    if (guess_format(text) == BookFormat::aimeter) whole.effective_from = "1970-01-01";
    AIMETER_TRY(const ImportedBook imported, read_price_file(whole));
    prices.books = {imported.book};
  }
  return std::make_shared<const Prices>(std::move(prices));
}

}  // namespace aimeter::cli
