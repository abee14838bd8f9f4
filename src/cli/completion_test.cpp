// Completion scripts: made of the tree, and bash really completes with its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "cli/run.h"

namespace aimeter::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Seen {
  int exit = 0;
  std::string out, err;
};

Seen run_with(const std::vector<std::string>& arguments) {
  std::istringstream in;
  std::ostringstream out, err;
  Console console({.in = &in, .out = &out, .err = &err});
  const int exit = run(arguments, console);
  return {exit, out.str(), err.str()};
}

// What bash offers after `line`, whose last word is being typed.
std::string offered(const std::string& line) {
  const std::string script = testing::TempDir() + "aimeter_completion.bash";
  std::ofstream(script) << run_with({"completion", "bash"}).out << "COMP_WORDS=(" << line << ")\n"
                        << "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_aimeter\n"
                        << "echo \" ${COMPREPLY[*]} \"\n";
  std::string text;
  std::FILE* pipe = popen(("bash " + script + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "bash did not start";
  std::array<char, 4096> bytes{};
  while (std::fgets(bytes.data(), bytes.size(), pipe) != nullptr) text += bytes.data();
  pclose(pipe);
  return text;
}

TEST(Completion, BashOffersCommandsAndOptions) {
  EXPECT_THAT(offered("aimeter comp"), HasSubstr(" completion "));
  EXPECT_THAT(offered("aimeter ''"), HasSubstr(" period "));
  EXPECT_THAT(offered("aimeter --no"), HasSubstr(" --no-progress "));
  EXPECT_THAT(offered("aimeter period --"), HasSubstr(" --timezone "));
  EXPECT_THAT(offered("aimeter period --js"), HasSubstr(" --json "));
  EXPECT_THAT(offered("aimeter --json period --time"), HasSubstr(" --timezone "));
  EXPECT_THAT(offered("aimeter --time"), Not(HasSubstr("timezone")));
}

TEST(Completion, EveryShellKnowsCommandsAndOptions) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    SCOPED_TRACE(shell);
    const Seen seen = run_with({"completion", shell});
    EXPECT_EQ(seen.exit, 0);
    EXPECT_THAT(seen.out, HasSubstr("completion"));
    EXPECT_THAT(seen.out, HasSubstr("period"));
    EXPECT_THAT(seen.out, HasSubstr("timezone"));
    EXPECT_THAT(seen.out, HasSubstr("no-progress"));
    EXPECT_THAT(seen.err, IsEmpty());
  }
}

TEST(Completion, AnUnknownShellIsRefusedByName) {
  const Seen seen = run_with({"completion", "tcsh"});
  EXPECT_EQ(seen.exit, 2);
  EXPECT_EQ(seen.err,
            "aimeter: SHELL: \"tcsh\" is not accepted; expected one of bash, zsh, fish\n");
}

TEST(Completion, UnderJsonTheScriptIsOneDocument) {
  EXPECT_THAT(run_with({"completion", "fish", "--json"}).out,
              testing::StartsWith("{\"shell\":\"fish\",\"script\":\"# fish completion"));
}

// Holds for every command that is ever added.
TEST(Completion, EveryCommandOfTheListHasHelpWithExamples) {
  std::istringstream script(run_with({"completion", "fish"}).out);
  std::size_t commands = 0;
  for (std::string line; std::getline(script, line);) {
    const std::string mark = "-n '__fish_use_subcommand' -a ";
    const std::size_t at = line.find(mark);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + mark.size();
    const std::string name = line.substr(begin, line.find(' ', begin) - begin);
    SCOPED_TRACE(name);
    const Seen seen = run_with({name, "--help"});
    EXPECT_EQ(seen.exit, 0);
    EXPECT_THAT(seen.out, HasSubstr("Examples:\n  aimeter " + name));
    ++commands;
  }
  EXPECT_GE(commands, 3U);
}

}  // namespace
}  // namespace aimeter::cli
