#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

namespace aimeter::cli {
namespace {

std::atomic<bool> caught = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

void on_signal(int /*signal*/) { caught = true; }

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

// Columns of the terminal on standard output: COLUMNS where set, else asked from the terminal.
int terminal_columns() {
  constexpr int kFallback = 80;
  constexpr int kColumnsMax = 1000;
  if (const char* text = std::getenv("COLUMNS"); text != nullptr) {
    const int columns = std::atoi(text);
    if (columns > 0 && columns <= kColumnsMax) return columns;
  }
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kFallback;
}

std::string_view code_of(Style style) {
  switch (style) {
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::red:
      return "\x1b[31m";
    case Style::green:
      return "\x1b[32m";
    case Style::yellow:
      return "\x1b[33m";
  }
  return "";
}

}  // namespace

Console::Console(const Options& options) : options_(options) {
  AIMETER_ASSERT(options.in != nullptr);
  AIMETER_ASSERT(options.out != nullptr);
  AIMETER_ASSERT(options.err != nullptr);
}

bool Console::interrupted() const {
  return options_.interrupted != nullptr && options_.interrupted->load();
}

void Console::note(std::string_view text) {
  if (!manners_.quiet) err() << text << '\n';
}

void Console::warn(std::string_view text) { err() << "warning: " << text << '\n'; }

std::string Console::paint(Style style, std::string_view text) const {
  if (!options_.color) return std::string(text);
  return std::string(code_of(style)).append(text).append("\x1b[0m");
}

bool Console::shows_progress() const {
  const bool wanted = manners_.progress && !manners_.quiet && !manners_.json;
  return wanted && options_.err_terminal && options_.clock != nullptr;
}

Status Console::confirm(std::string_view question) {
  if (manners_.yes) return {};
  if (!options_.in_terminal) {
    return fail(Code::failed_precondition,
                std::string(question) + " Nobody to ask here: add --yes. Nothing was done");
  }
  err() << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(in(), answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return fail(Code::failed_precondition, "answered no; nothing was done");
}

Console system_console() {
  const bool out_terminal = isatty(STDOUT_FILENO) == 1;
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return Console({.in = &std::cin,
                  .out = &std::cout,
                  .err = &std::cerr,
                  .in_terminal = isatty(STDIN_FILENO) == 1,
                  .out_terminal = out_terminal,
                  .err_terminal = isatty(STDERR_FILENO) == 1,
                  .columns = out_terminal ? terminal_columns() : 0,
                  .color = out_terminal && !dumb && !is_set("NO_COLOR"),
                  .interrupted = &caught,
                  .clock = &system_clock()});
}

void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace aimeter::cli
