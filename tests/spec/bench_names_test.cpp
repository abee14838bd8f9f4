// Scenarios, their README and the page of figures name the same.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace aimeter {
namespace {

std::string text_of_file(const std::string& path) {
  std::ifstream in(std::string(AIMETER_SOURCE_DIR) + "/" + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// `{"hold_hot", hold_hot, ...}`, on one line or more.
std::set<std::string> scenarios() {
  const std::string text = text_of_file("bench/scenarios.cpp");
  std::set<std::string> names;
  for (std::size_t at = text.find("{\""); at != text.npos; at = text.find("{\"", at + 1)) {
    const std::string name = text.substr(at + 2, text.find('"', at + 2) - at - 2);
    const std::size_t next = text.find_first_not_of(", \n", at + 2 + name.size() + 1);
    if (next != text.npos && text.compare(next, name.size(), name) == 0) names.insert(name);
  }
  return names;
}

// Every `name` in the first column of a table.
std::set<std::string> first_column(const std::string& path) {
  std::istringstream lines(text_of_file(path));
  std::set<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string cell = line.substr(1, line.find('|', 1) - 1);
    for (std::size_t at = cell.find('`'); at != cell.npos;) {
      const std::size_t end = cell.find('`', at + 1);
      names.insert(cell.substr(at + 1, end - at - 1));
      at = cell.find('`', end + 1);
    }
  }
  return names;
}

TEST(BenchNames, EveryScenarioStandsInItsReadmeAndOnThePageOfFigures) {
  const std::set<std::string> names = scenarios();
  EXPECT_EQ(names.size(), 15U);
  EXPECT_TRUE(names.contains("durable_64t_keys"));
  EXPECT_EQ(first_column("bench/README.md"), names);
  EXPECT_EQ(first_column("docs/internals/performance.md"), names);
}

}  // namespace
}  // namespace aimeter
