#include "cli/run.h"

#include <exception>
#include <ostream>

#include "cli/frame.h"

namespace aimeter::cli {

#define AIMETER_COMMAND(name) void add_##name(Frame& frame);
#include "cli/commands.inc"
#undef AIMETER_COMMAND

int run(const std::vector<std::string>& arguments, Console& console) {
  try {
    Frame frame(console);
#define AIMETER_COMMAND(name) add_##name(frame);
#include "cli/commands.inc"
#undef AIMETER_COMMAND
    const Exit exit = frame.run(arguments);
    console.out().flush();
    return static_cast<int>(exit);
  } catch (const std::exception& error) {
    console.err() << "aimeter: internal error: " << error.what() << '\n';
    if (console.manners().json) {
      console.out() << R"({"error":{"code":"internal","message":"see standard error"}})" << '\n';
    }
    return static_cast<int>(Exit::refused);
  }
}

int run(int argc, char** argv) {
  Console console = system_console();
  catch_interrupts();
  return run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc), console);
}

}  // namespace aimeter::cli
