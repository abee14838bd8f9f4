// What the compiler has to refuse, and the words that it says to the host's programmer.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace aimeter {
namespace {

struct Compiled {
  bool good = false;
  std::string said = {};
};

Compiled compile(const std::string& mistake) {
  const char* compiler = std::getenv("CXX");
  const std::string source = AIMETER_SOURCE_DIR;
  std::string command = compiler != nullptr ? compiler : "c++";
  command += " -std=c++23 -fsyntax-only -I" + source + "/include ";
  if (!mistake.empty()) command += "-D" + mistake + " ";
  command += source + "/tests/flow/must_not_compile.cpp 2>&1";
  Compiled compiled;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> buffer = {};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    compiled.said.append(buffer.data(), count);
  }
  compiled.good = pclose(pipe) == 0;
  return compiled;
}

TEST(MustNotCompile, a_meter_is_used_once_and_unknown_answers_need_manual_usage) {
  const Compiled plain = compile("");
  ASSERT_TRUE(plain.good) << plain.said;
  const struct {
    const char* sentence;
    const char* mistake;
    const char* says;
  } rows[] = {
      {"call() on a meter that is not given up", "CALL_WITHOUT_GIVING_UP_THE_METER", "call"},
      {"a setter on a named meter", "SETTER_ON_A_NAMED_METER", "for_tenant"},
      {"a callback that returns nothing", "VOID_WITHOUT_USAGE",
       "aimeter: the callback's result has no usage_of(const T&, const CallInfo&)"},
      {"a callback that returns an unknown type", "UNKNOWN_TYPE_WITHOUT_USAGE",
       "say with_manual_usage(...)"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Compiled compiled = compile(row.mistake);
    EXPECT_FALSE(compiled.good);
    EXPECT_NE(compiled.said.find(row.says), std::string::npos) << compiled.said;
  }
}

}  // namespace
}  // namespace aimeter
