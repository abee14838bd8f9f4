// Package:       cli
// Units:         none
// Errors:        an action's error is printed by the frame and becomes the exit code of its Code.
// Thread safety: belongs to the thread of run().
// Ownership:     Frame owns the commands and their actions; borrows the console.
//
// What a command sees: the global options, the console, and add() to put itself into the tree.
// One file per command, src/cli/NAME.cpp, with `void add_NAME(Frame&)` and a line in commands.inc.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/result.h"
#include "cli/console.h"

namespace aimeter::cli {

enum class Exit { done = 0, refused = 1, usage = 2, configuration = 3, store = 4, partly = 5 };

struct Globals {
  std::optional<std::string> config = {};  // absent: ./aimeter.toml if it is there
  std::optional<std::string> store = {};   // absent: as configured, else sqlite:aimeter.db
};

struct CommandCard {
  std::string name = {};   // as typed: "migrate-plan"
  std::string about = {};  // one line
  // Complete command lines, at least one: "aimeter report --month 2026-07". An "  # why" may
  // follow.
  std::vector<std::string> examples = {};
};

// Exit::partly for "the rest went in"; an Error for everything that failed.
using Action = std::function<Result<Exit>()>;

class Frame {
 public:
  explicit Frame(Console& console);
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  // Adds a command; options are then added to the CLI::App that is returned, which lives as long as
  // the frame. An action keeps its options in a shared_ptr that it captures.
  CLI::App& add(const CommandCard& card, Action action);
  // A command with sub-commands only ("prices"), and one of those ("list").
  CLI::App& add_group(const CommandCard& card);
  CLI::App& add_under(CLI::App& group, const CommandCard& card, Action action);

  [[nodiscard]] Console& console() { return console_; }
  [[nodiscard]] const Globals& globals() const { return globals_; }
  [[nodiscard]] bool json() const { return console_.manners().json; }
  [[nodiscard]] const CLI::App& root() const { return root_; }

  // Prints the error (text, or JSON under --json) and gives `exit` back: for exits that the error's
  // code does not tell, such as Exit::configuration.
  Exit report(const Error& error, Exit exit);
  // Parses and runs. Prints what goes wrong.
  Exit run(const std::vector<std::string>& arguments);

 private:
  Exit dispatch();
  Exit refuse_usage(const CLI::ParseError& error);
  [[nodiscard]] std::string suggestion_for(const std::string& word) const;
  [[nodiscard]] const CLI::App& selected() const;

  Console& console_;
  Globals globals_ = {};
  Console::Manners manners_ = {};
  bool no_progress_ = false;
  CLI::App root_;
  std::map<const CLI::App*, Action> actions_;
};

}  // namespace aimeter::cli
