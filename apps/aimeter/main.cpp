#include "cli/run.h"

// Everything testable lives in the library.
int main(int argc, char** argv) { return aimeter::cli::run(argc, argv); }
