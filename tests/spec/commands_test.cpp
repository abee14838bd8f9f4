// docs/reference/commands.md and the program name the same commands, and each explains itself.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <string>

#include "tests/flow/program.h"

namespace aimeter {
namespace {

// The first column of the table: `name`, `name` ...
std::set<std::string> documented() {
  std::ifstream page(AIMETER_SOURCE_DIR "/docs/reference/commands.md");
  const std::regex quoted("`([a-z-]+)`");
  std::set<std::string> names;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string first = line.substr(0, line.find(" |", 2));
    for (std::sregex_iterator at(first.begin(), first.end(), quoted), end; at != end; ++at) {
      names.insert((*at)[1].str());
    }
  }
  return names;
}

TEST(Commands, the_page_and_the_program_know_the_same_and_each_helps_with_examples) {
  const flow::Folder folder;
  const flow::Ran all = flow::run(folder, {"--help"});
  ASSERT_EQ(all.exit, 0) << all.err;
  const std::regex row("^  ([a-z-]+)  +[A-Z]");
  std::set<std::string> known;
  std::istringstream lines(all.out.substr(all.out.find("Subcommands:")));
  for (std::string line; std::getline(lines, line);) {
    std::smatch name;
    if (std::regex_search(line, name, row)) known.insert(name[1].str());
  }
  EXPECT_EQ(known, documented());
  EXPECT_GE(known.size(), 27U);
  for (const std::string& name : known) {
    const flow::Ran help = flow::run(folder, {name, "--help"});
    EXPECT_EQ(help.exit, 0) << name << ": " << help.err;
    EXPECT_NE(help.out.find("Examples:\n  aimeter " + name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace aimeter
