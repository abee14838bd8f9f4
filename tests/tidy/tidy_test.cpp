// The tree holds the house rules; and each check finds the snippet that breaks its rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "tests/tidy/checks.h"

namespace aimeter::tidy {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Check = void (*)(const Tree&, Breaches&);

std::vector<std::string> found_by(Check check, const std::map<std::string, std::string>& texts) {
  Breaches breaches;
  check(Tree(texts), breaches);
  std::vector<std::string> lines;
  for (const Breach& breach : breaches) lines.push_back(text_of(breach));
  return lines;
}

std::string card(const std::string& package) {
  return "// Package:       " + package +
         "\n// Units:         none\n// Errors:        none\n// Thread safety: values.\n"
         "// Ownership:     none.\n//\n// What always holds is said here.\n#pragma once\n";
}

const std::string kLayers = "# words\nbase:\nmoney: base\nstore: base money\n";

void check_tree(Check check) {
  static const Tree kTree = Tree::of_folder(AIMETER_SOURCE_DIR);
  ASSERT_GT(kTree.files().size(), 50U) << "not the project's tree: " << AIMETER_SOURCE_DIR;
  Breaches breaches;
  check(kTree, breaches);
  for (const Breach& breach : breaches) ADD_FAILURE() << text_of(breach);
}

TEST(TidyTree, Layers) { check_tree(check_layers); }
TEST(TidyTree, HeaderCards) { check_tree(check_cards); }
TEST(TidyTree, Limits) { check_tree(check_limits); }
TEST(TidyTree, Words) { check_tree(check_words); }
TEST(TidyTree, Names) { check_tree(check_names); }
TEST(TidyTree, DriversAndCommandsAreListed) { check_tree(check_drivers); }
TEST(TidyTree, NoDeadHeaders) { check_tree(check_dead); }
TEST(TidyTree, Papers) { check_tree(check_papers); }

TEST(TidyChecks, AnIncludeMustBeOnThePackagesLine) {
  const std::map<std::string, std::string> tree = {
      {"layers.txt", kLayers},
      {"src/base/a.h", "#include \"store/x.h\"\n"},
      {"src/store/x.h", "\n#include \"base/a.h\"\n#include \"store/y.h\"\n"},
      {"src/store/y.h", "#include \"aimeter/money.h\"\n"},
      {"src/money/m.cpp", "#include \"aimeter/store.h\"\n"},
      {"include/aimeter/money.h", card("money")},
      {"include/aimeter/store.h", card("store") + "#include \"store/y.h\"\n"},
      {"apps/aimeter/main.cpp", "#include \"store/x.h\"\n"},
  };
  EXPECT_THAT(
      found_by(check_layers, tree),
      ElementsAre(
          "include/aimeter/store.h:9: a public header includes an internal one: store/y.h",
          "src/base/a.h:1: base may not include store/x.h of store (layers.txt)",
          "src/money/m.cpp:1: money may not include aimeter/store.h of store (layers.txt)"));
}

TEST(TidyChecks, LayersGoOneWayAndFoldersHaveALine) {
  EXPECT_THAT(found_by(check_layers, {{"layers.txt", "base: money\nmoney: base\n"}}),
              ElementsAre("layers.txt: base includes upward: money"));
  EXPECT_THAT(found_by(check_layers, {{"layers.txt", kLayers}, {"src/odd/a.cpp", ""}}),
              ElementsAre("src/odd/a.cpp: its folder has no line in layers.txt"));
}

TEST(TidyChecks, AnIncludeLeadsSomewhereAndNotUpward) {
  EXPECT_THAT(found_by(check_layers, {{"layers.txt", kLayers},
                                      {"src/base/a.cpp",
                                       "#include \"base/gone.h\"\n"
                                       "#include \"../money/m.h\"\n"}}),
              ElementsAre("src/base/a.cpp:1: no such file: base/gone.h",
                          "src/base/a.cpp:2: include by way of \"..\": ../money/m.h"));
}

TEST(TidyChecks, AHeaderOpensWithItsCard) {
  struct Row {
    const char* sentence;
    std::string text;
    std::vector<std::string> found;
  };
  const std::string good = card("base");
  std::string long_entry = good, no_units = good, no_invariant = good, empty_entry = good;
  long_entry.replace(good.find("none\n// Thread"), 4,
                     "many, more than\n//                one line holds");
  no_units.erase(good.find("// Units"), good.find("// Errors") - good.find("// Units"));
  no_invariant.erase(good.find("//\n// What"));
  empty_entry.replace(good.find("// Errors:        none"), 22, "// Errors:");
  const Row rows[] = {
      {"a whole card", good, {}},
      {"an entry of two lines", long_entry, {}},
      {"no card", "#pragma once\n", {"src/base/a.h:1: the card has no \"// Package:\" here"}},
      {"a line is missing", no_units, {"src/base/a.h:2: the card has no \"// Units:\" here"}},
      {"an entry is empty", empty_entry, {"src/base/a.h:3: the card has no \"// Errors:\" here"}},
      {"nothing behind the card",
       no_invariant,
       {"src/base/a.h:6: behind the card: a line \"//\", then the invariant"}},
      {"another package", card("money"), {"src/base/a.h:1: the card names another package: money"}},
      {"no package", card("odd"), {"src/base/a.h:1: the card names no package of layers.txt: odd"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(found_by(check_cards, {{"layers.txt", kLayers}, {"src/base/a.h", row.text}}),
              row.found);
  }
}

TEST(TidyChecks, ALineHasAtMost100Characters) {
  const std::string hundred(100, 'x');
  EXPECT_THAT(found_by(check_limits, {{"src/base/a.cpp", hundred + "\n"}}), IsEmpty());
  EXPECT_THAT(found_by(check_limits, {{"src/base/a.cpp", "\n" + hundred + "x\n"}}),
              ElementsAre("src/base/a.cpp:2: characters 101, at most 100"));
  std::string wide = "// ";
  for (int i = 0; i < 97; ++i) wide += "\xc3\xa9";
  EXPECT_THAT(found_by(check_limits, {{"src/base/a.cpp", wide + "\n"}}), IsEmpty());
}

std::string function_of(std::size_t lines) {
  std::string text = "namespace a {\nint f(int x) {\n";
  for (std::size_t i = 2; i < lines; ++i) text += "  ++x;\n";
  return text + "}\n}\n";
}

TEST(TidyChecks, AFunctionHasAtMost60LinesAndInTests120) {
  EXPECT_THAT(found_by(check_limits, {{"src/base/a.cpp", function_of(60)}}), IsEmpty());
  EXPECT_THAT(found_by(check_limits, {{"src/base/a.cpp", function_of(61)}}),
              ElementsAre("src/base/a.cpp:2: f: lines 61, at most 60"));
  EXPECT_THAT(found_by(check_limits, {{"src/base/a_test.cpp", function_of(120)}}), IsEmpty());
  EXPECT_THAT(found_by(check_limits, {{"src/base/a_test.cpp", function_of(121)}}), SizeIs(1));
}

TEST(TidyChecks, AFunctionHasAtMost4Parameters) {
  struct Row {
    const char* text;
    std::size_t breaches;
  };
  constexpr Row kRows[] = {
      {"void f(int a, int b, int c, int d);", 0},
      {"void f(int a, int b, int c, int d, int e);", 1},
      {"int f(int a, int b, int c, int d, int e) { return a; }", 1},
      {"void f(std::map<int, int> a, std::pair<int, int> b, int c, int d);", 0},
      {"void f(std::function<void(int, int, int)> a, int b = g(1, 2, 3), int c, int d);", 0},
      {"X(int a, int b, int c, int d, int e) : a_(a), b_{b} { g(); }", 1},
      {"class X {\n public:\n  X(int a, int b, int c, int d, int e);\n};", 1},
      {"template <class A, class B, class C, class D, class E>\nvoid f(A a);", 0},
      {"using F = std::function<void(int, int, int, int, int)>;", 0},
      {"const int x = g(1, 2, 3, 4, 5);", 0},
      {"bool operator<(int a, int b);", 0},
      {"void f() { g(1, 2, 3, 4, 5); }", 0},
      {"// void f(int a, int b, int c, int d, int e);", 0},
      {"auto f(int a, int b, int c, int d,\n       int e) -> int;", 1},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.text);
    EXPECT_THAT(found_by(check_limits, {{"src/base/a.h", row.text}}), SizeIs(row.breaches));
  }
}

TEST(TidyChecks, FunctionsAreFoundBehindInitializersAndLambdas) {
  const File file(
      "src/base/a.cpp",
      "namespace a {\nconst std::map<int, int> kMap = {{1, 2}, {3, 4}};\n"
      "X::X(int a)\n    : a_(a), b_{1} {\n  if (a) {\n    g([&] { return 1; });\n  }\n}\n"
      "template <class T>\nT only(T x) {\n  return x;\n}\n"
      "TEST(A, B) {\n  f();\n}\n}\n");
  std::vector<std::string> seen;
  for (const Function& function : functions_of(file)) {
    seen.push_back(function.name + " " + std::to_string(function.first_line) + "-" +
                   std::to_string(function.last_line));
  }
  EXPECT_THAT(seen, ElementsAre("X 3-8", "only 9-12", "TEST 13-15"));
}

std::string lines_of(std::size_t count) { return std::string(count, '\n'); }

TEST(TidyChecks, FilesHaveTheirLimits) {
  struct Row {
    const char* path;
    std::size_t limit;
  };
  constexpr Row kRows[] = {{"src/base/a.cpp", 600},
                           {"src/base/a.h", 600},
                           {"include/aimeter/a.h", 300},
                           {"src/base/a_test.cpp", 1500},
                           {"tests/flow/a_test.cpp", 1500}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.path);
    EXPECT_THAT(found_by(check_limits, {{row.path, lines_of(row.limit)}}), IsEmpty());
    EXPECT_THAT(found_by(check_limits, {{row.path, lines_of(row.limit + 1)}}), SizeIs(1));
  }
}

TEST(TidyChecks, ThereAreAtMost22PublicHeaders) {
  std::map<std::string, std::string> tree;
  for (int i = 0; i < 22; ++i) tree["include/aimeter/h" + std::to_string(i) + ".h"] = "";
  EXPECT_THAT(found_by(check_limits, tree), IsEmpty());
  tree["include/aimeter/one_too_many.h"] = "";
  EXPECT_THAT(found_by(check_limits, tree),
              ElementsAre("include/aimeter: public headers 23, at most 22"));
}

TEST(TidyChecks, WordsThatMustNotOccur) {
  struct Row {
    const char* sentence;
    const char* path;
    std::string text;
    std::size_t breaches;
  };
  const std::string later = std::string("FIX") + "ME";
  const Row rows[] = {
      {"double in money", "src/money/a.cpp", "double x = 0;", 1},
      {"float in the store", "src/store/a.h", "float x();", 1},
      {"double in a test of money", "src/money/a_test.cpp", "double x = 0;", 1},
      {"double in money's public header", "include/aimeter/money.h", card("money") + "double x();",
       1},
      {"the word in a comment", "src/money/a.cpp", "// no double here", 0},
      {"the word in a string", "src/money/a.cpp", "f(\"double\");", 0},
      {"the word inside another", "src/money/a.cpp", "int doubled = redouble;", 0},
      {"double in base", "src/base/a.cpp", "double x = 0;", 0},
      {"allowed with a reason", "src/money/a.cpp", "double x = 0;  // tidy: the API of libm", 0},
      {"allowed with a reason above", "src/money/a.cpp", "// tidy: the API of libm\ndouble x = 0;",
       0},
      {"a reason two lines above", "src/money/a.cpp", "// tidy: the API of libm\n\ndouble x = 0;",
       1},
      {"allowed without a reason", "src/money/a.cpp", "double x = 0;  // tidy: ", 1},
      {"the system's clock", "src/store/a.cpp", "auto t = std::chrono::system_clock::now();", 1},
      {"the system's clock in time", "src/time/a.cpp", "auto t = std::chrono::system_clock::now();",
       0},
      {"the steady clock in the product", "src/store/a.cpp", "steady_clock::now();", 1},
      {"the steady clock in a benchmark", "bench/a.cpp", "steady_clock::now();", 0},
      {"using namespace in a header", "src/base/a.h", "using namespace std;", 1},
      {"using namespace in a source", "src/base/a.cpp", "using namespace std::literals;", 0},
      {"a test that skips itself", "tests/flow/a_test.cpp", "GTEST_SKIP();", 1},
      {"a test that sleeps", "src/base/a_test.cpp", "std::this_thread::sleep_for(1s);", 1},
      {"a test that sleeps in C", "tests/flow/a_test.cpp", "sleep(1);", 1},
      {"work put off", "src/base/a.cpp", "// " + later + ": later", 1},
      {"work put off in a paper", "docs/a.md", later, 1},
      {"a path of one machine", "docs/a.md", std::string("see /wo") + "rk/main", 1},
      {"a numbered part", "src/base/a.cpp", "void read_part2();", 1},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_THAT(found_by(check_words, {{"layers.txt", kLayers}, {row.path, row.text}}),
                SizeIs(row.breaches));
  }
}

TEST(TidyChecks, EveryBreachIsReportedWithItsLine) {
  EXPECT_THAT(found_by(check_words, {{"src/money/a.cpp", "double a;\n\nfloat b;\n"},
                                     {"src/money/b.cpp", "\ndouble c;\n"}}),
              ElementsAre("src/money/a.cpp:1: double: money, tokens and limits are exact",
                          "src/money/a.cpp:3: float: money, tokens and limits are exact",
                          "src/money/b.cpp:2: double: money, tokens and limits are exact"));
}

TEST(TidyChecks, NamesAreNouns) {
  for (const char* path : {"src/common/a.h", "src/base/utils/a.cpp", "tests/helpers/a.cpp",
                           "src/base/misc.cpp", "src/base/helpers.h", "src/base/read_part2.cpp",
                           "src/base/ledger_more.cpp", "src/base/x_impl2.h"}) {
    SCOPED_TRACE(path);
    EXPECT_THAT(found_by(check_names, {{path, ""}}), SizeIs(1));
  }
  EXPECT_THAT(found_by(check_names, {{"src/base/crc32.cpp", ""}, {"src/base/commons.h", ""}}),
              IsEmpty());
}

TEST(TidyChecks, ADriverHasALineAndNoHeader) {
  const std::map<std::string, std::string> tree = {
      {"src/drivers/builtin.inc", "AIMETER_PROVIDER(openai)\n// AIMETER_PROVIDER(xai)\n"},
      {"src/drivers/providers/openai.cpp", ""},
      {"src/drivers/providers/openai_test.cpp", ""},
      {"src/drivers/providers/xai.cpp", ""},
      {"src/drivers/stores/sqlite/read.cpp", ""},
      {"src/drivers/providers/openai.h", ""}};
  EXPECT_THAT(
      found_by(check_drivers, tree),
      ElementsAre("src/drivers/providers/openai.h: a driver has no header",
                  "src/drivers/providers/xai.cpp: no line in src/drivers/builtin.inc for xai",
                  "src/drivers/stores/sqlite/read.cpp: no line in src/drivers/builtin.inc "
                  "for sqlite"));
}

TEST(TidyChecks, ACommandHasALine) {
  EXPECT_THAT(
      found_by(check_drivers,
               {{"src/cli/commands.inc", "AIMETER_COMMAND(report)\n"},
                {"src/cli/report.cpp", "void add_report(Frame& frame) {}\n"},
                {"src/cli/prices.cpp", "void add_list(Frame& frame, CLI::App& group) {}\n"},
                {"src/cli/migrate_plan.cpp", "\nvoid add_migrate_plan(Frame& frame) {}\n"}}),
      ElementsAre("src/cli/migrate_plan.cpp:2: no line in src/cli/commands.inc for migrate_plan"));
}

TEST(TidyChecks, AHeaderThatNobodyIncludesIsDead) {
  const std::map<std::string, std::string> tree = {
      {"src/base/used.h", ""},
      {"src/base/dead.h", ""},
      {"include/aimeter/used.h", ""},
      {"src/base/a.cpp", "#include \"base/used.h\"\n// #include \"base/dead.h\"\n"},
      {"examples/a.cpp", "#include <aimeter/used.h>\n"}};
  EXPECT_THAT(found_by(check_dead, tree), ElementsAre("src/base/dead.h: nobody includes it"));
}

TEST(TidyChecks, PapersHaveTheirPlaceAndLimits) {
  const std::string decisions = "docs/internals/decisions/";
  const std::map<std::string, std::string> tree = {
      {"src/base/a.cpp", ""},
      {"src/base/README.md", lines_of(60)},
      {"src/money/a.cpp", ""},
      {"src/store/a.cpp", ""},
      {"src/store/README.md", lines_of(61)},
      {decisions + "0001-records.md", lines_of(30)},
      {decisions + "0002-long.md", lines_of(31)},
      {decisions + "0002-same-number.md", ""},
      {decisions + "title.md", ""},
      {"README.md", "[there](src/base/README.md#x) [web](https://a.b/c)\n[gone](docs/gone.md)\n"}};
  EXPECT_THAT(
      found_by(check_papers, tree),
      ElementsAre(
          "README.md:2: the link leads nowhere: docs/gone.md",
          decisions + "0002-long.md: a decision has at most 30 lines, this one 31",
          decisions + "0002-same-number.md: the number is taken by " + decisions + "0002-long.md",
          decisions + "title.md: a decision is named NNNN-title.md",
          "src/money/README.md: each package has a README",
          "src/store/README.md: a package README has at most 60 lines, this one 61"));
}

TEST(TidyChecks, CodeIsSeenWithoutCommentsAndLiterals) {
  const File file(
      "a.cpp",
      "int a = 1'000; // b\n/* c\n d */ int e;\nauto f = R\"x(g\n)\" h)x\"; int i;\n"
      "char j = '\"'; int k;\n#define L \\\n  m\nint n;\nauto o = \"p\\\"q\"; int r;\n");
  std::vector<std::string> code;
  for (const std::string& line : file.code()) code.push_back(trimmed(line));
  EXPECT_THAT(code,
              ElementsAre("int a = 1'000;", "", "int e;", "auto f =", "; int i;",
                          "char j =    ; int k;", "", "", "int n;", "auto o =       ; int r;"));
}

}  // namespace
}  // namespace aimeter::tidy
