// What the tables of planted faults say must be there: code moves, and a fault that cannot be
// planted proves nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace aimeter::tidy {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = AIMETER_SOURCE_DIR;

std::string text_of_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// As script/mutate reads them.
std::string unescaped(std::string text) {
  for (const auto& [word, letter] : {std::pair{"\\n", '\n'}, std::pair{"\\t", '\t'}}) {
    for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) {
      text.replace(at, 2, 1, letter);
    }
  }
  return text;
}

std::size_t count_of(const std::string& text, const std::string& wanted) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(wanted, at)) != std::string::npos; ++at) ++count;
  return count;
}

using Fault = std::map<std::string, std::string>;
std::vector<Fault> faults_of(const fs::path& table) {
  std::vector<Fault> faults;
  Fault fault;
  std::ifstream in(table);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    if (line.empty() && !fault.empty()) faults.push_back(std::exchange(fault, {}));
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) fault[line.substr(0, colon)] = line.substr(colon + 2);
  }
  if (!fault.empty()) faults.push_back(std::move(fault));
  return faults;
}

TEST(FaultTables, each_fault_can_be_planted_at_exactly_one_place) {
  std::set<std::string> names;
  std::map<std::string, std::string> files;
  for (const auto& table : fs::directory_iterator(kRoot / "tests" / "mutate")) {
    for (Fault& fault : faults_of(table.path())) {
      SCOPED_TRACE(table.path().filename().string() + ": " + fault["name"]);
      EXPECT_TRUE(names.insert(fault["name"]).second) << "the name is used twice";
      auto [file, fresh] = files.try_emplace(fault["file"]);
      if (fresh) file->second = text_of_file(kRoot / fault["file"]);
      const std::string find = unescaped(fault["find"]);
      ASSERT_FALSE(find.empty());
      EXPECT_EQ(count_of(file->second, find), 1U) << fault["file"];
      EXPECT_NE(find, unescaped(fault["with"]));
      EXPECT_NE(fault.contains("test"), fault.contains("fuzz")) << "one proof";
    }
  }
  EXPECT_GT(names.size(), 90U);
}

}  // namespace
}  // namespace aimeter::tidy
