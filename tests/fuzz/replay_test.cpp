// Every fuzz target over its corpus: what once was interesting stays right, in every build.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#define AIMETER_FUZZ_TARGET(name) \
  extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
#include <fuzz_targets.inc>
#undef AIMETER_FUZZ_TARGET

namespace aimeter::fuzz {
namespace {

struct Target {
  std::string name;
  int (*run)(const std::uint8_t*, std::size_t);
};
const Target kTargets[] = {
#define AIMETER_FUZZ_TARGET(name) {#name, fuzz_##name},
#include <fuzz_targets.inc>
#undef AIMETER_FUZZ_TARGET
};

const std::filesystem::path kCorpus =
    std::filesystem::path(AIMETER_SOURCE_DIR) / "tests" / "fuzz" / "corpus";

std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

class Fuzz : public ::testing::TestWithParam<Target> {};

TEST_P(Fuzz, CorpusHolds) {
  const std::vector<std::filesystem::path> files = files_of(kCorpus / GetParam().name);
  ASSERT_GE(files.size(), 4U);
  for (const std::filesystem::path& path : files) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    std::cerr << path.filename().string() << '\n';  // the last one named is the one that ends it
    EXPECT_EQ(GetParam().run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0);
  }
  EXPECT_EQ(GetParam().run(nullptr, 0), 0) << "the empty input";
}

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz, ::testing::ValuesIn(kTargets),
                         [](const auto& at) { return at.param.name; });

TEST(FuzzCorpus, HasAFolderForEachTargetAndNoOther) {
  std::set<std::string> targets, folders;
  for (const Target& target : kTargets) targets.insert(target.name);
  for (const auto& folder : files_of(kCorpus)) folders.insert(folder.filename().string());
  EXPECT_EQ(folders, targets);
}

}  // namespace
}  // namespace aimeter::fuzz
