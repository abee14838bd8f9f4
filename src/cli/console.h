// Package:       cli
// Units:         columns of a terminal
// Errors:        failed_precondition when a question was answered with no or cannot be asked.
// Thread safety: belongs to the thread that runs the command; interrupted() may be read from any.
// Ownership:     borrows the streams, the flag and the clock.
//
// Where a command reads and writes. Results go to out(), everything else to err().
#pragma once

#include <atomic>
#include <iosfwd>
#include <string>
#include <string_view>

#include "aimeter/result.h"
#include "aimeter/time.h"

namespace aimeter::cli {

enum class Style { bold, dim, red, green, yellow };

class Console {
 public:
  struct Options {
    std::istream* in = nullptr;
    std::ostream* out = nullptr;
    std::ostream* err = nullptr;
    bool in_terminal = false;
    bool out_terminal = false;
    bool err_terminal = false;
    int columns = 0;     // of the terminal; 0: unlimited, nothing is cut
    bool color = false;  // NO_COLOR unset and out a terminal
    const std::atomic<bool>* interrupted = nullptr;
    const Clock* clock = nullptr;  // none: no progress line
  };
  // Set from the global options before a command runs.
  struct Manners {
    bool json = false;
    bool quiet = false;
    bool progress = true;
    bool yes = false;
  };

  explicit Console(const Options& options);

  [[nodiscard]] std::istream& in() { return *options_.in; }
  [[nodiscard]] std::ostream& out() { return *options_.out; }
  [[nodiscard]] std::ostream& err() { return *options_.err; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const Manners& manners() const { return manners_; }
  void set_manners(const Manners& manners) { manners_ = manners; }

  // Ctrl-C was pressed: stop after the current row or batch, say where to go on.
  [[nodiscard]] bool interrupted() const;
  // A line to standard error; nothing under --quiet.
  void note(std::string_view text);
  // A line to standard error, also under --quiet: what the user must see though the command goes
  // on.
  void warn(std::string_view text);
  // `text` in a style where colours are wanted, else as it is.
  [[nodiscard]] std::string paint(Style style, std::string_view text) const;
  [[nodiscard]] bool shows_progress() const;
  // Asks "QUESTION [y/N]" unless --yes. Only "y" and "yes" are a yes.
  // Errors: failed_precondition (answered no; or no terminal to ask on and no --yes).
  [[nodiscard]] Status confirm(std::string_view question);

 private:
  Options options_;
  Manners manners_ = {};
};

// Console of this process: standard streams, width of the terminal, NO_COLOR, Ctrl-C.
[[nodiscard]] Console system_console();
// From now on Ctrl-C (and SIGTERM) sets the flag of system_console(); a second one ends the
// process.
void catch_interrupts();

}  // namespace aimeter::cli
