// Limits of size, words and names.
#include <algorithm>
#include <array>

#include "tests/tidy/checks.h"

namespace aimeter::tidy {
namespace {

constexpr std::size_t kLineCharactersMax = 100;
constexpr std::size_t kFunctionLinesMax = 60;
constexpr std::size_t kTestFunctionLinesMax = 120;  // its rows are data: decision 0010
constexpr std::size_t kParametersMax = 4;
constexpr std::size_t kSourceLinesMax = 600;
constexpr std::size_t kTestLinesMax = 1500;
constexpr std::size_t kPublicLinesMax = 300;
constexpr std::size_t kPublicHeadersMax = 22;

std::string more_than(const char* what, std::size_t limit, std::size_t count) {
  return std::string(what) + " " + std::to_string(count) + ", at most " + std::to_string(limit);
}

void check_functions(const File& file, Breaches& breaches) {
  const std::size_t limit = file.is_test() ? kTestFunctionLinesMax : kFunctionLinesMax;
  for (const Function& function : functions_of(file)) {
    const std::size_t lines = function.last_line - function.first_line + 1;
    if (lines > limit) {
      breaches.push_back({file.path(), function.first_line,
                          function.name + ": " + more_than("lines", limit, lines)});
    }
    if (function.parameters > kParametersMax) {
      breaches.push_back(
          {file.path(), function.first_line,
           function.name + ": " + more_than("parameters", kParametersMax, function.parameters)});
    }
  }
}

// A word that must not occur, and where.
struct Rule {
  std::string word;
  const char* why;
  bool (*applies)(const File&);
  bool in_comments = false;
};

bool is_exact(const File& file) {
  static const std::set<std::string> kExact = {"money",    "budget", "plans", "pricing", "usage",
                                               "provider", "wallet", "store", "ledger",  "meter"};
  return kExact.contains(file.package());
}
bool is_any_cpp(const File& file) { return file.is_cpp(); }
bool is_outside_time(const File& file) { return file.is_cpp() && file.package() != "time"; }
bool is_product(const File& file) {
  return file.path().starts_with("src/") && !file.is_test() && file.package() != "time";
}
bool is_any_test(const File& file) { return file.is_cpp() && file.is_test(); }
bool is_any_header(const File& file) { return file.is_header(); }
bool is_written(const File& file) {
  return file.is_cpp() || file.ends_with(".md") || file.ends_with(".cmake") ||
         file.path().starts_with("script/");
}
bool is_any(const File&) { return true; }

// Words are put together from pieces where this file would otherwise breach its own rule.
const std::vector<Rule>& rules() {
  static const std::vector<Rule> kRules = {
      {"double", "money, tokens and limits are exact", is_exact},
      {"float", "money, tokens and limits are exact", is_exact},
      {"strtod", "money, tokens and limits are exact", is_exact},
      {"stod", "money, tokens and limits are exact", is_exact},
      {"system_clock::now", "time comes from a Clock that was handed in", is_outside_time},
      {"steady_clock::now", "time comes from a Clock that was handed in", is_product},
      {"clock_gettime", "time comes from a Clock that was handed in", is_outside_time},
      {"gettimeofday", "time comes from a Clock that was handed in", is_outside_time},
      {"std::time", "time comes from a Clock that was handed in", is_outside_time},
      {"using namespace", "not in a header", is_any_header},
      {"GTEST_SKIP", "a test does not skip itself: it says what it left out and passes",
       is_any_test},
      {"sleep_for", "a test does not sleep", is_any_test},
      {"sleep_until", "a test does not sleep", is_any_test},
      {"usleep", "a test does not sleep", is_any_test},
      {"nanosleep", "a test does not sleep", is_any_test},
      {"sleep(", "a test does not sleep", is_any_test},
      {"gets", "has no bound", is_any_cpp},
      {"strcpy", "has no bound", is_any_cpp},
      {"sprintf", "has no bound: use fmt", is_any_cpp},
      {std::string("FIX") + "ME", "do it, or write an issue", is_written, true},
      {std::string("TO") + "DO", "do it, or write an issue", is_written, true},
      {std::string("XX") + "X", "do it, or write an issue", is_written, true},
      {std::string("/wo") + "rk/", "a path of one machine", is_any, true},
      {std::string("/ro") + "ot/", "a path of one machine", is_any, true},
  };
  return kRules;
}

void check_rule(const File& file, const Rule& rule, Breaches& breaches) {
  const auto& lines = rule.in_comments ? file.lines() : file.code();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!has_word(lines[i], rule.word) || file.allows(i)) continue;
    breaches.push_back({file.path(), i + 1, rule.word + ": " + rule.why});
  }
}

// "x_part2", "x_impl2" anywhere in the code.
void check_identifiers(const File& file, Breaches& breaches) {
  for (std::size_t i = 0; i < file.code().size(); ++i) {
    for (const std::string_view ending : {"_part2", "_impl2", "_part_2", "_impl_2"}) {
      if (file.code()[i].find(ending) == std::string::npos) continue;
      breaches.push_back({file.path(), i + 1, "find a noun instead of " + std::string(ending)});
    }
  }
}

}  // namespace

void check_limits(const Tree& tree, Breaches& breaches) {
  std::size_t public_headers = 0;
  for (const File& file : tree.files()) {
    if (!file.is_cpp()) continue;
    for (std::size_t i = 0; i < file.lines().size(); ++i) {
      const std::size_t count = characters_in(file.lines()[i]);
      if (count <= kLineCharactersMax || file.lines()[i].starts_with("#include")) continue;
      breaches.push_back({file.path(), i + 1, more_than("characters", kLineCharactersMax, count)});
    }
    const std::size_t limit = file.is_public() ? kPublicLinesMax
                              : file.is_test() ? kTestLinesMax
                                               : kSourceLinesMax;
    if (file.lines().size() > limit) {
      breaches.push_back({file.path(), 0, more_than("lines", limit, file.lines().size())});
    }
    public_headers += file.is_public() ? 1 : 0;
    check_functions(file, breaches);
  }
  if (public_headers > kPublicHeadersMax) {
    breaches.push_back(
        {"include/aimeter", 0, more_than("public headers", kPublicHeadersMax, public_headers)});
  }
}

void check_words(const Tree& tree, Breaches& breaches) {
  for (const File& file : tree.files()) {
    for (const Rule& rule : rules()) {
      if (rule.applies(file)) check_rule(file, rule, breaches);
    }
    const bool own = file.path().starts_with("tests/tidy/");
    if (file.is_cpp() && !own) check_identifiers(file, breaches);
  }
}

void check_names(const Tree& tree, Breaches& breaches) {
  static constexpr std::array<std::string_view, 7> kFolders = {
      "common", "utils", "util", "helpers", "helper", "misc", "shared"};
  for (const File& file : tree.files()) {
    const std::string path = "/" + file.path();
    for (const std::string_view folder : kFolders) {
      const bool in_folder = path.find("/" + std::string(folder) + "/") != std::string::npos;
      if (in_folder || (file.is_cpp() && file.stem() == folder)) {
        breaches.push_back({file.path(), 0, "a thing without a noun: " + std::string(folder)});
      }
    }
    for (const std::string_view ending : {"_part2", "_impl2", "_more"}) {
      if (!file.is_cpp() || !file.stem().ends_with(ending)) continue;
      breaches.push_back({file.path(), 0, "find a noun instead of " + std::string(ending)});
    }
  }
}

}  // namespace aimeter::tidy
