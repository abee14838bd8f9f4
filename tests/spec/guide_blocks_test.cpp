// Every guide and the README have an example of their name (docs/guides/a-b.md, examples/a_b.cpp),
// which ctest runs: every C++ block of the page stands in the example, line by line.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
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
  std::vector<std::filesystem::path> pages = {root / "README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(root / "docs/guides")) {
    pages.push_back(entry.path());
  }
  std::size_t blocks = 0;
  for (const std::filesystem::path& page : pages) {
    std::string name = page.stem().string();
    std::ranges::transform(name, name.begin(), [](unsigned char c) {
      return c == '-' ? '_' : static_cast<char>(std::tolower(c));
    });
    std::ifstream page_file(page);
    const std::vector<Lines> quoted = blocks_of(lines_of(page_file));
    EXPECT_FALSE(quoted.empty()) << page << " shows no code";
    std::ifstream example_file(root / "examples" / (name + ".cpp"));
    ASSERT_TRUE(example_file) << page << " has no examples/" << name << ".cpp";
    const Lines example = lines_of(example_file);
    for (const Lines& block : quoted) {
      ++blocks;
      ASSERT_FALSE(block.empty());
      EXPECT_FALSE(std::ranges::search(example, block).empty())
          << page << ": not in the example: " << block.front();
    }
  }
  EXPECT_GE(pages.size(), 3U);
  EXPECT_GE(blocks, 18U);
}

}  // namespace
}  // namespace aimeter
