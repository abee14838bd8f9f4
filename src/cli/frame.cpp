#include "cli/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <ostream>

#include "cli/suggest.h"

namespace aimeter::cli {
namespace {

constexpr std::string_view kAbout =
    "Meters and limits the AI usage of many tenants. It does not route, retry or cache calls.";
constexpr std::string_view kRootFooter =
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 configuration, 4 store "
    "unavailable,\n"
    "5 partly done.\n\n"
    "Examples:\n"
    "  aimeter demo                        # see it work, on a store of its own\n"
    "  aimeter report --month 2026-07 --group-by tenant\n"
    "  aimeter report --json --store sqlite:/var/lib/aimeter/aimeter.db\n"
    "  aimeter COMMAND --help";
constexpr std::string_view kGlobalLine =
    "Global options, before or after the command: --config --store --json --quiet --no-progress "
    "--yes";

std::string footer_of(const CommandCard& card) {
  AIMETER_ASSERT(!card.examples.empty());
  std::string text = "Examples:\n";
  for (const std::string& example : card.examples) text += "  " + example + "\n";
  return text + "\n" + std::string(kGlobalLine);
}

std::vector<std::string> names_of_commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

void append_option_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
}

bool is_whole_number(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.size() > 1 && digits.starts_with('0')) return false;
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

// The library reads 010 as eight, 0x10 as sixteen and what is above int64 as its maximum.
void read_numbers_strictly(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    if (type != "INT" && type != "UINT" && type != "N") continue;
    option->check([name = option->get_name()](const std::string& text) -> std::string {
      if (is_whole_number(text)) return {};
      return bad_input(name, text,
                       "a whole number from -9223372036854775808 to 9223372036854775807")
          .error()
          .message;
    });
  }
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    read_numbers_strictly(*command);
  }
}

// CLI11 puts the option's name before what a check says; ours begins with it.
std::string words_of(const CLI::ParseError& error) {
  std::string words = error.what();
  if (dynamic_cast<const CLI::ValidationError*>(&error) == nullptr) return words;
  const std::size_t colon = words.find(": ");
  if (colon == std::string::npos) return words;
  const std::string twice = words.substr(0, colon + 2);
  return words.compare(colon + 2, twice.size(), twice) == 0 ? words.substr(colon + 2) : words;
}

}  // namespace

Frame::Frame(Console& console) : console_(console), root_(std::string(kAbout), "aimeter") {
  root_.set_help_flag("-h,--help", "Prints this help and ends");
  root_.set_version_flag("--version", "aimeter " AIMETER_VERSION, "Prints the version and ends");
  root_.fallthrough();             // global options also after the command
  root_.require_subcommand(0, 1);  // a value that is spelled like a command stays a value
  root_.get_formatter()->column_width(32);
  root_
      .add_option("--config", globals_.config, "Configuration file (./aimeter.toml if it is there)")
      ->type_name("FILE");
  root_
      .add_option("--store", globals_.store, "Store (sqlite:aimeter.db), before the configured one")
      ->type_name("DSN");
  root_.add_flag("--json", manners_.json, "One JSON document on standard output, errors too");
  root_.add_flag("--quiet", manners_.quiet, "No notes and no progress on standard error");
  root_.add_flag("--no-progress", no_progress_, "No progress line");
  root_.add_flag("--yes", manners_.yes, "Answers every question with yes");
  root_.footer(std::string(kRootFooter));
}

CLI::App& Frame::add(const CommandCard& card, Action action) {
  return add_under(root_, card, std::move(action));
}

CLI::App& Frame::add_group(const CommandCard& card) {
  CLI::App* app = root_.add_subcommand(card.name, card.about);
  app->footer(footer_of(card));
  return *app;
}

CLI::App& Frame::add_under(CLI::App& group, const CommandCard& card, Action action) {
  CLI::App* app = group.add_subcommand(card.name, card.about);
  app->footer(footer_of(card));
  actions_[app] = std::move(action);
  return *app;
}

const CLI::App& Frame::selected() const {
  const CLI::App* app = &root_;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().back();
  return *app;
}

Exit Frame::report(const Error& error, Exit exit) {
  if (json()) {
    boost::json::object body{{"code", name_of(error.code)}, {"message", error.message}};
    const boost::json::object document{{"error", std::move(body)}};
    console_.out() << boost::json::serialize(document) << '\n';
  } else {
    console_.err() << "aimeter: " << error.message << '\n';
  }
  return exit;
}

std::string Frame::suggestion_for(const std::string& word) const {
  const CLI::App& command = selected();
  std::vector<std::string> known;
  if (word.starts_with("-")) {
    for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
      append_option_names(*app, known);
    }
  } else {
    known = names_of_commands(command);
  }
  const auto best = nearest(word.substr(0, word.find('=')), known);
  return best ? fmt::format("; did you mean \"{}\"?", *best) : "";
}

Exit Frame::refuse_usage(const CLI::ParseError& error) {
  const CLI::App& command = selected();
  std::string message = words_of(error);
  const std::vector<std::string> extras = root_.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !extras.empty()) {
    const std::string& word = extras.front();
    const bool is_command = !word.starts_with("-") && !names_of_commands(command).empty();
    const char* kind = word.starts_with("-") ? "option" : is_command ? "command" : "argument";
    message = std::string(bad_input(kind, word, "one that the help lists").error().message) +
              suggestion_for(word);
  }
  std::string name = command.get_display_name();
  for (const CLI::App* app = command.get_parent(); app != nullptr; app = app->get_parent()) {
    name = app->get_display_name() + " " + name;
  }
  message += fmt::format(" (see: {} --help)", name);
  return report(Error{Code::invalid_argument, message, nullptr}, Exit::usage);
}

Exit Frame::dispatch() {
  const CLI::App& command = selected();
  const auto action = actions_.find(&command);
  if (action == actions_.end()) {
    if (json()) {
      return report(Error{Code::invalid_argument, "command: none was given", nullptr}, Exit::usage);
    }
    console_.err() << command.help();
    return Exit::usage;
  }
  const Result<Exit> result = action->second();
  if (result) return *result;
  return report(result.error(), static_cast<Exit>(exit_code(result.error())));
}

Exit Frame::run(const std::vector<std::string>& arguments) {
  // A command line that cannot be parsed must still be answered as the caller asked.
  const auto end = std::ranges::find(arguments, "--");
  console_.set_manners({.json = std::find(arguments.begin(), end, "--json") != end});
  read_numbers_strictly(root_);
  try {
    root_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    console_.out() << selected().help();
    return Exit::done;
  } catch (const CLI::CallForVersion& version) {
    console_.out() << version.what() << '\n';
    return Exit::done;
  } catch (const CLI::ParseError& error) {
    return refuse_usage(error);
  }
  manners_.progress = !no_progress_;
  console_.set_manners(manners_);
  return dispatch();
}

}  // namespace aimeter::cli
