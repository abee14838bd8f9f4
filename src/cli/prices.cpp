#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "app/configured.h"
#include "cli/price_file.h"
#include "cli/session.h"
#include "cli/table.h"

namespace aimeter::cli {
namespace {

struct Options {
  PriceFileOptions prices;
  config::Settings settings = {};  // known once the command runs
  std::string provider, model, before, after;
  bool dry_run = false;
};
using Shared = std::shared_ptr<Options>;

boost::json::object line_json(const PriceLine& line) {
  return {{"provider", line.provider}, {"model", line.model},   {"service_tier", line.service_tier},
          {"when", line.when},         {"prices", line.prices}, {"source", line.source}};
}

void print_json(Frame& frame, const boost::json::value& value) {
  frame.console().out() << boost::json::serialize(value) << '\n';
}

// A file's book, or the one in force now.
Result<PriceBook::Ref> book_of(Frame& frame, const config::Settings& settings,
                               const PriceFileOptions& options) {
  if (!options.file.empty()) {
    AIMETER_TRY(const ImportedBook imported, read_price_file(options));
    return imported.book;
  }
  const Clock* clock = frame.console().options().clock;
  AIMETER_TRY(const auto prices, prices_of(settings, options));
  return prices->in_force((clock == nullptr ? system_clock() : *clock).now());
}

std::string from_text(const PriceBook& book) {
  return book.effective_from() == Instant{} ? "always" : text_of(book.effective_from());
}

// Oldest first: the shipped book, then the versions of the store; or a file's alone.
Result<std::vector<PriceBook::Ref>> books_of(const Options& options) {
  std::vector<PriceBook::Ref> books = {PriceBook::shipped()};
  if (!options.prices.file.empty()) {
    AIMETER_TRY(const ImportedBook imported, read_price_file(options.prices));
    books = {imported.book};
    return books;
  }
  AIMETER_TRY(const std::vector<PriceBook::Ref> installed, installed_books(options.settings));
  books.insert(books.end(), installed.begin(), installed.end());
  return books;
}

Result<Exit> list_books(Frame& frame, const Options& options) {
  AIMETER_TRY(const std::vector<PriceBook::Ref> books, books_of(options));
  boost::json::array json;
  Table table({{"version"},
               {"in force from"},
               {"models", Table::Align::right},
               {"rows", Table::Align::right}});
  for (const PriceBook::Ref& book : books) {
    const auto rows = static_cast<std::int64_t>(book->lines().size());
    const auto models = static_cast<std::int64_t>(book->models());
    json.push_back(boost::json::object{{"version", book->version()},
                                       {"effective_from", from_text(*book)},
                                       {"models", models},
                                       {"rows", rows}});
    table.add({book->version(), from_text(*book), std::to_string(models), std::to_string(rows)});
  }
  if (frame.json()) {
    print_json(frame, json);
  } else {
    frame.console().out() << table.text(frame.console().options().columns);
  }
  return Exit::done;
}

// The prices that the configuration sets, which win over every book.
Result<std::vector<PriceLine>> configured_lines(const Options& options) {
  std::vector<PriceLine> lines;
  if (!options.prices.file.empty()) return lines;
  AIMETER_TRY(const OpenOptions engine, app::options_of(options.settings));
  for (const ConfiguredPrice& price : engine.pricing.configured) {
    if (!options.provider.empty() && price.provider != options.provider) continue;
    if (!options.model.empty() && price.model != options.model) continue;
    lines.push_back({.provider = price.provider,
                     .model = price.model,
                     .prices = "input " + price.input_per_1k.text() + "/1000, output " +
                               price.output_per_1k.text() + "/1000",
                     .source = "configuration, before every book"});
  }
  return lines;
}

Result<std::vector<PriceLine>> lines_of(Frame& frame, const Options& options) {
  AIMETER_TRY(std::vector<PriceLine> lines, configured_lines(options));
  AIMETER_TRY(const PriceBook::Ref book, book_of(frame, options.settings, options.prices));
  Result<std::vector<PriceLine>> of_book = options.provider.empty()
                                               ? Result<std::vector<PriceLine>>(book->lines())
                                               : book->lines_of(options.provider, options.model);
  if (!of_book && lines.empty()) return of_book;
  if (of_book) lines.insert(lines.end(), of_book->begin(), of_book->end());
  return lines;
}

Result<Exit> show_rows(Frame& frame, const Options& options) {
  AIMETER_TRY(const std::vector<PriceLine> lines, lines_of(frame, options));
  if (frame.json()) {
    boost::json::array rows;
    for (const PriceLine& line : lines) rows.push_back(line_json(line));
    print_json(frame, rows);
    return Exit::done;
  }
  Table table({{"provider"}, {"model"}, {"tier"}, {"when"}, {"prices"}, {"source"}});
  for (const PriceLine& line : lines) {
    table.add({line.provider, line.model, line.service_tier, line.when, line.prices, line.source});
  }
  frame.console().out() << table.text(frame.console().options().columns);
  return Exit::done;
}

std::string_view change_name(PriceDifference::Change change) {
  if (change == PriceDifference::Change::added) return "added";
  return change == PriceDifference::Change::removed ? "removed" : "changed";
}

void print_differences(Frame& frame, const std::vector<PriceDifference>& differences) {
  if (frame.json()) {
    boost::json::array rows;
    for (const PriceDifference& one : differences) {
      boost::json::object row{{"change", std::string(change_name(one.change))}};
      if (!one.before.model.empty()) row["before"] = line_json(one.before);
      if (!one.after.model.empty()) row["after"] = line_json(one.after);
      rows.push_back(std::move(row));
    }
    print_json(frame, rows);
    return;
  }
  Table table({{"change"}, {"provider"}, {"model"}, {"tier"}, {"when"}, {"before"}, {"after"}});
  for (const PriceDifference& one : differences) {
    const PriceLine& line = one.after.model.empty() ? one.before : one.after;
    table.add({std::string(change_name(one.change)), line.provider, line.model, line.service_tier,
               line.when, one.before.prices, one.after.prices});
  }
  if (!differences.empty()) {
    frame.console().out() << table.text(frame.console().options().columns);
  }
  frame.console().out() << differences.size() << " differences\n";
}

Result<Exit> diff_books(Frame& frame, const Options& options) {
  const auto named = [&](const std::string& file) {
    if (file == "shipped") return Result<PriceBook::Ref>(PriceBook::shipped());
    PriceFileOptions from = options.prices;
    from.file = file;
    return book_of(frame, options.settings, from);
  };
  const bool one_file = options.after.empty();
  AIMETER_TRY(const PriceBook::Ref before, named(one_file ? "" : options.before));
  AIMETER_TRY(const PriceBook::Ref after, named(one_file ? options.before : options.after));
  print_differences(frame, before->diff(*after));
  return Exit::done;
}

Result<Exit> export_book(Frame& frame, const Options& options) {
  AIMETER_TRY(const PriceBook::Ref book, book_of(frame, options.settings, options.prices));
  frame.console().out() << book->to_document();
  return Exit::done;
}

boost::json::object import_json(const ImportedBook& imported, std::size_t differences) {
  boost::json::array skipped;
  for (const SkippedEntry& entry : imported.skipped) {
    skipped.push_back(boost::json::object{{"entry", entry.entry}, {"reason", entry.reason}});
  }
  return {{"version", imported.book->version()},
          {"effective_from", from_text(*imported.book)},
          {"entries", imported.entries},
          {"models", static_cast<std::int64_t>(imported.book->models())},
          {"differences", static_cast<std::int64_t>(differences)},
          {"skipped", std::move(skipped)}};
}

void print_import(Frame& frame, const ImportedBook& imported, std::size_t differences) {
  if (frame.json()) {
    print_json(frame, import_json(imported, differences));
    return;
  }
  for (const SkippedEntry& entry : imported.skipped) {
    frame.console().note(entry.entry + ": " + entry.reason);
  }
  frame.console().out() << imported.book->version() << ", in force from "
                        << from_text(*imported.book) << ": " << imported.entries
                        << " entries read, " << imported.book->models() << " models, "
                        << imported.skipped.size() << " listed above, " << differences
                        << " differences to the book in use\n";
}

// The whole document is read and checked before anything is written.
Result<Exit> import_book(Frame& frame, const Options& options) {
  AIMETER_TRY(const ImportedBook imported, read_price_file(options.prices));
  AIMETER_TRY(const PriceBook::Ref in_use, book_of(frame, options.settings, {}));
  print_import(frame, imported, in_use->diff(*imported.book).size());
  if (!options.dry_run) {
    AIMETER_CHECK_OK(install_book(options.settings, *imported.book));
  }
  return Exit::done;
}

using Work = Result<Exit> (*)(Frame&, const Options&);
Action acting(Frame& frame, const Shared& options, Work work) {
  return [&frame, options, work] {
    return with_settings(frame, [&](const config::Settings& settings) {
      options->settings = settings;
      return work(frame, *options);
    });
  };
}

void put_import_under(Frame& frame, CLI::App& group) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add_under(
      group,
      {"import",
       "Installs a price book as a new version",
       {"aimeter prices import data.json --format genai-prices --effective-from 2026-09-01",
        "aimeter prices import litellm.json --dry-run  # reads, lists, compares, writes nothing"}},
      acting(frame, options, import_book));
  app.add_option("FILE", options->prices.file, "The book")->required();
  app.add_option("--format", options->prices.format,
                 "genai-prices, litellm or aimeter (default: told by content)");
  app.add_option("--effective-from", options->prices.effective_from,
                 "Prices usages from this day on (default: the document's)");
  app.add_option("--version", options->prices.version, "Name of the version");
  app.add_flag("--dry-run", options->dry_run, "Write nothing");
}

void put_list_under(Frame& frame, CLI::App& group) {
  auto options = std::make_shared<Options>();
  CLI::App& app =
      frame.add_under(group, {"list", "The price books in use", {"aimeter prices list"}},
                      acting(frame, options, list_books));
  add_price_options(app, options->prices);
}

void put_show_under(Frame& frame, CLI::App& group) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add_under(group,
                                  {"show",
                                   "Price rows, with their source",
                                   {"aimeter prices show openai gpt-4o-mini",
                                    "aimeter prices show --prices litellm.json --json"}},
                                  acting(frame, options, show_rows));
  app.add_option("PROVIDER", options->provider, "Only this provider's");
  app.add_option("MODEL", options->model, "Only the model that this name stands for");
  add_price_options(app, options->prices);
}

void put_diff_under(Frame& frame, CLI::App& group) {
  auto options = std::make_shared<Options>();
  CLI::App& app =
      frame.add_under(group,
                      {"diff",
                       "What another book would change",
                       {"aimeter prices diff genai-prices.json  # against the one in use",
                        "aimeter prices diff old.json new.json"}},
                      acting(frame, options, diff_books));
  app.add_option("BEFORE", options->before, "A file, or shipped")->required();
  app.add_option("AFTER", options->after, "A file, or shipped");
  app.add_option("--format", options->prices.format, "genai-prices, litellm or aimeter");
}

void put_export_under(Frame& frame, CLI::App& group) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add_under(
      group,
      {"export",
       "A book in the format aimeter",
       {"aimeter prices export > prices.json",
        "aimeter prices export --prices litellm.json --format litellm > prices.json"}},
      acting(frame, options, export_book));
  add_price_options(app, options->prices);
  app.add_option("--version", options->prices.version, "Name of the version");
}

}  // namespace

void add_prices(Frame& frame) {
  CLI::App& group = frame.add_group(
      {"prices", "Price books", {"aimeter prices list", "aimeter prices show openai"}});
  put_import_under(frame, group);
  put_list_under(frame, group);
  put_show_under(frame, group);
  put_diff_under(frame, group);
  put_export_under(frame, group);
}

}  // namespace aimeter::cli
