// A guide that has an example of its name (docs/guides/a-b.md, examples/a_b.cpp) quotes it: every
// C++ block of the guide stands in the example, line by line.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace aimeter {
namespace {

using Lines = std::vector<std::string>;

// Without indentation and empty lines: a quote may stand at another depth.
Lines lines_of(std::istream& in) {
  Lines lines;
  for (std::string line; std::getline(in, line);) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos) lines.push_back(line.substr(begin));
  }
  return lines;
}

std::vector<Lines> blocks_of(const Lines& guide) {
  std::vector<Lines> blocks;
  bool inside = false;
  for (const std::string& line : guide) {
    if (!inside && line == "```cpp") {
      blocks.emplace_back();
      inside = true;
    } else if (inside && line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back().push_back(line);
    }
  }
  return blocks;
}

TEST(Guides, every_block_is_part_of_the_example_that_runs) {
  const std::filesystem::path root(AIMETER_SOURCE_DIR);
  int guides = 0, blocks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root / "docs/guides")) {
    std::string name = entry.path().stem().string();
    std::ranges::replace(name, '-', '_');
    std::ifstream example_file(root / "examples" / (name + ".cpp"));
    if (!example_file) continue;
    std::ifstream guide_file(entry.path());
    const Lines example = lines_of(example_file);
    ++guides;
    for (const Lines& block : blocks_of(lines_of(guide_file))) {
      ++blocks;
      ASSERT_FALSE(block.empty());
      EXPECT_FALSE(std::ranges::search(example, block).empty())
          << entry.path() << ": not in the example: " << block.front();
    }
  }
  EXPECT_GE(guides, 1);
  EXPECT_GE(blocks, 14);
}

}  // namespace
}  // namespace aimeter
