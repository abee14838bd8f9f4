// Package:       cli
// Units:         none
// Errors:        none: what fails is printed and becomes an exit code.
// Thread safety: one run at a time in a process (it owns the signal handlers while it lasts).
// Ownership:     borrows the console.
//
// The program. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 configuration, 4 store
// unavailable, 5 partly done. No exception leaves run().
#pragma once

#include <string>
#include <vector>

#include "cli/console.h"

namespace aimeter::cli {

int run(int argc, char** argv);
// As the above with streams of the caller's: `arguments` without the program's name. For tests.
int run(const std::vector<std::string>& arguments, Console& console);

}  // namespace aimeter::cli
