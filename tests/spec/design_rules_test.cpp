// docs/internals/design-rules.md names a test for every rule: each of them is there.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace aimeter {
namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> names_of_tests(const std::filesystem::path& root) {
  const std::regex head(R"(TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\))");
  std::set<std::string> names;
  for (const char* folder : {"src", "tests"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (!entry.path().string().ends_with("_test.cpp")) continue;
      const std::string text = text_of(entry.path());
      for (std::sregex_iterator at(text.begin(), text.end(), head), end; at != end; ++at) {
        names.insert((*at)[1].str() + "." + (*at)[2].str());
        names.insert((*at)[1].str() + ".*");
      }
    }
  }
  return names;
}

TEST(DesignRules, every_rule_names_tests_that_are_there) {
  const std::filesystem::path root = AIMETER_SOURCE_DIR;
  const std::set<std::string> tests = names_of_tests(root);
  std::istringstream page(text_of(root / "docs/internals/design-rules.md"));
  const std::regex quoted(R"(`(\w+\.[\w*]+)`)");
  int rules = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| ") || line.starts_with("| ---") || line.starts_with("| the mistake"))
      continue;
    SCOPED_TRACE(line);
    ++rules;
    int named = 0;
    for (std::sregex_iterator at(line.begin(), line.end(), quoted), end; at != end; ++at) {
      ++named;
      EXPECT_TRUE(tests.contains((*at)[1].str())) << (*at)[1].str() << " is no test";
    }
    EXPECT_GT(named, 0) << "a rule without a test";
  }
  EXPECT_GE(rules, 37) << "the page has lost rules";
}

}  // namespace
}  // namespace aimeter
