// aimeter config: a starter file, what is in force, and whether it is right.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <ostream>

#include "cli/session.h"
#include "cli/table.h"

namespace aimeter::cli {
namespace {

Result<Exit> init(Frame& frame, const std::string& file) {
  if (file.empty() || file == "-") {
    frame.console().out() << config::starter_file();
    return Exit::done;
  }
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    return fail(Code::conflict, fmt::format("{}: it is there already; nothing was written", file));
  }
  std::ofstream out(file, std::ios::binary);
  out << config::starter_file();
  out.close();
  if (!out) return fail(Code::unavailable, file + ": it cannot be written");
  frame.console().note("wrote " + file);
  return Exit::done;
}

Result<Exit> show(Frame& frame) {
  AIMETER_TRY(const ConfigText text, read_config(frame));
  const auto shown = config::show(text.toml, text.file, config::process_environment());
  if (!shown) return frame.report(shown.error(), Exit::configuration);
  if (frame.json()) {
    boost::json::array rows;
    for (const config::Shown& row : *shown) {
      rows.push_back(
          boost::json::object{{"key", row.key}, {"value", row.value}, {"source", row.source}});
    }
    print_json(frame, boost::json::serialize(rows));
    return Exit::done;
  }
  Table table(
      {{"key", Table::Align::left}, {"value", Table::Align::left}, {"source", Table::Align::left}});
  for (const config::Shown& row : *shown) table.add({row.key, row.value, row.source});
  frame.console().out() << table.text(frame.console().options().columns);
  return Exit::done;
}

Result<Exit> check(Frame& frame) {
  const Result<config::Settings> settings = settings_of(frame);
  if (!settings) return frame.report(settings.error(), Exit::configuration);
  for (const std::string& warning : settings->warnings) frame.console().warn("note: " + warning);
  if (frame.json()) {
    boost::json::array warnings;
    for (const std::string& warning : settings->warnings) warnings.emplace_back(warning);
    print_json(frame, boost::json::serialize(
                          boost::json::object{{"ok", true}, {"warnings", std::move(warnings)}}));
  } else {
    frame.console().out() << "the configuration is right\n";
  }
  return Exit::done;
}

}  // namespace

void add_config(Frame& frame) {
  CLI::App& group = frame.add_group({.name = "config",
                                     .about = "The configuration: starter file, values in force",
                                     .examples = {"aimeter config show"}});
  auto file = std::make_shared<std::string>();
  CLI::App& made =
      frame.add_under(group,
                      {.name = "init",
                       .about = "Prints or writes a file with every key at its default",
                       .examples = {"aimeter config init aimeter.toml"}},
                      [&frame, file] { return init(frame, *file); });
  made.add_option("FILE", *file, "Where to write it (standard output without it)");
  frame.add_under(group,
                  {.name = "show",
                   .about = "Every value in force and where it came from",
                   .examples = {"aimeter config show --json"}},
                  [&frame] { return show(frame); });
  frame.add_under(group,
                  {.name = "check",
                   .about = "Names every bad key; exit 3 if there is one",
                   .examples = {"aimeter config check --config /etc/aimeter.toml"}},
                  [&frame] { return check(frame); });
}

}  // namespace aimeter::cli
