// Layers, header cards, drivers, dead files, papers.
#include <algorithm>
#include <array>
#include <filesystem>

#include "tests/tidy/checks.h"

namespace aimeter::tidy {
namespace {

constexpr std::size_t kReadmeLinesMax = 60;
constexpr std::size_t kDecisionLinesMax = 30;

struct Include {
  std::size_t line = 0;  // from 1
  std::string path;      // as written between the quotes
};

std::vector<Include> includes_of(const File& file) {
  std::vector<Include> found;
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string line = trimmed(file.lines()[i]);
    if (!line.starts_with("#include \"")) continue;
    found.push_back({i + 1, line.substr(10, line.find('"', 10) - 10)});
  }
  return found;
}

// Path in the tree of what is included; empty when no such file is there.
std::string target_of(const Tree& tree, const File& file, const std::string& include) {
  const std::string folder = file.path().substr(0, file.path().rfind('/') + 1);
  for (const std::string& root :
       {std::string("include/"), std::string("src/"), std::string(), folder}) {
    if (tree.find(root + include) != nullptr) return root + include;
  }
  return "";
}

void check_include(const Tree& tree, const File& file, const Include& include, Breaches& breaches) {
  if (include.path.find("..") != std::string::npos) {
    breaches.push_back({file.path(), include.line, "include by way of \"..\": " + include.path});
    return;
  }
  const std::string target = target_of(tree, file, include.path);
  if (target.empty()) {
    breaches.push_back({file.path(), include.line, "no such file: " + include.path});
    return;
  }
  const std::string from = file.package();
  if (from.empty()) return;  // programs, tests of the whole, examples
  const std::string to = tree.find(target)->package();
  if (file.is_public() && !target.starts_with("include/")) {
    breaches.push_back(
        {file.path(), include.line, "a public header includes an internal one: " + include.path});
  } else if (to.empty() || !tree.may_include(from, to)) {
    breaches.push_back({file.path(), include.line,
                        from + " may not include " + include.path + " of " +
                            (to.empty() ? "no package" : to) + " (layers.txt)"});
  }
}

void check_layer_order(const Tree& tree, Breaches& breaches) {
  const auto& packages = tree.packages();
  for (std::size_t i = 0; i < packages.size(); ++i) {
    for (std::size_t j = i + 1; j < packages.size(); ++j) {
      if (!tree.may_include(packages[i], packages[j])) continue;
      breaches.push_back({"layers.txt", 0, packages[i] + " includes upward: " + packages[j]});
    }
  }
}

bool is_line_of(const File& list, const std::string& name) {
  return std::ranges::any_of(list.code(), [&](const std::string& line) {
    const std::size_t open = line.find('(');
    return line.starts_with("AIMETER_") && open != std::string::npos &&
           trimmed(line.substr(open + 1, line.find_first_of(",)", open) - open - 1)) == name;
  });
}

// "sqlite" of src/drivers/stores/sqlite.cpp and of src/drivers/stores/sqlite/read.cpp.
std::string driver_name(const File& file) {
  const std::string inside = file.path().substr(std::string("src/drivers/").size());
  const std::size_t kind = inside.find('/');
  if (kind == std::string::npos) return "";
  const std::string rest = inside.substr(kind + 1);
  return rest.substr(0, rest.find_first_of("/."));
}

void check_commands(const Tree& tree, Breaches& breaches) {
  const File* list = tree.find("src/cli/commands.inc");
  for (const File& file : tree.files()) {
    if (!file.path().starts_with("src/cli/") || file.is_test() || !file.ends_with(".cpp")) continue;
    for (std::size_t i = 0; i < file.code().size(); ++i) {
      const std::string& line = file.code()[i];
      const std::size_t open = line.find("(Frame& frame) {");
      if (!line.starts_with("void add_") || open == std::string::npos) continue;
      const std::string name = line.substr(9, open - 9);
      if (list != nullptr && is_line_of(*list, name)) continue;
      breaches.push_back({file.path(), i + 1, "no line in src/cli/commands.inc for " + name});
    }
  }
}

void check_card(const Tree& tree, const File& file, Breaches& breaches) {
  static constexpr std::array<std::string_view, 5> kLabels = {
      "// Package:", "// Units:", "// Errors:", "// Thread safety:", "// Ownership:"};
  std::size_t line = 0;
  for (const std::string_view label : kLabels) {
    // A long entry goes on in lines that are indented to its text.
    while (line > 0 && line < file.lines().size() && file.lines()[line].starts_with("//      "))
      ++line;
    const bool there = line < file.lines().size() && file.lines()[line].starts_with(label);
    if (!there || trimmed(file.lines()[line].substr(label.size())).empty()) {
      breaches.push_back(
          {file.path(), line + 1, "the card has no \"" + std::string(label) + "\" here"});
      return;
    }
    ++line;
  }
  while (line < file.lines().size() && file.lines()[line].starts_with("//      ")) ++line;
  const bool invariant = line + 1 < file.lines().size() && file.lines()[line] == "//" &&
                         file.lines()[line + 1].size() > 10 &&
                         file.lines()[line + 1].starts_with("// ");
  if (!invariant) {
    breaches.push_back(
        {file.path(), line + 1, "behind the card: a line \"//\", then the invariant"});
  }
  const std::string named = trimmed(file.lines()[0].substr(kLabels[0].size()));
  if (std::ranges::find(tree.packages(), named) == tree.packages().end()) {
    breaches.push_back({file.path(), 1, "the card names no package of layers.txt: " + named});
  } else if (named != file.package()) {
    breaches.push_back({file.path(), 1, "the card names another package: " + named});
  }
}

void check_links(const Tree& tree, const File& file, Breaches& breaches) {
  const std::filesystem::path folder = std::filesystem::path(file.path()).parent_path();
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string& line = file.lines()[i];
    for (std::size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 2)) {
      std::string link = line.substr(at + 2, line.find(')', at) - at - 2);
      link = link.substr(0, link.find('#'));
      if (link.empty() || link.find(':') != std::string::npos) continue;
      std::string target = (folder / link).lexically_normal().string();
      if (target.ends_with('/')) target.pop_back();
      const bool there = std::ranges::any_of(tree.files(), [&](const File& other) {
        return other.path() == target || other.path().starts_with(target + "/");
      });
      if (!there) breaches.push_back({file.path(), i + 1, "the link leads nowhere: " + link});
    }
  }
}

void check_decision(const File& file, Breaches& breaches) {
  const std::string name = file.name();
  const bool numbered = name.size() > 8 && name[4] == '-' &&
                        name.substr(0, 4).find_first_not_of("0123456789") == std::string::npos;
  if (!numbered) breaches.push_back({file.path(), 0, "a decision is named NNNN-title.md"});
  if (file.lines().size() > kDecisionLinesMax) {
    breaches.push_back(
        {file.path(), 0,
         "a decision has at most 30 lines, this one " + std::to_string(file.lines().size())});
  }
}

}  // namespace

void check_layers(const Tree& tree, Breaches& breaches) {
  check_layer_order(tree, breaches);
  for (const File& file : tree.files()) {
    if (!file.is_cpp()) continue;
    if (file.path().starts_with("src/") &&
        std::ranges::find(tree.packages(), file.package()) == tree.packages().end()) {
      breaches.push_back({file.path(), 0, "its folder has no line in layers.txt"});
      continue;
    }
    for (const Include& include : includes_of(file)) check_include(tree, file, include, breaches);
  }
}

void check_cards(const Tree& tree, Breaches& breaches) {
  for (const File& file : tree.files()) {
    const bool wanted = file.is_public() || (file.is_header() && file.path().starts_with("src/"));
    if (wanted) check_card(tree, file, breaches);
  }
}

void check_drivers(const Tree& tree, Breaches& breaches) {
  const File* list = tree.find("src/drivers/builtin.inc");
  for (const File& file : tree.files()) {
    const bool inside = file.path().starts_with("src/drivers/");
    if (!inside || file.is_test() || !file.is_cpp() || driver_name(file).empty()) continue;
    const bool folder = std::ranges::count(file.path(), '/') > 3;
    if (file.is_header() && !folder) breaches.push_back({file.path(), 0, "a driver has no header"});
    if (!file.ends_with(".cpp")) continue;
    if (list == nullptr || !is_line_of(*list, driver_name(file))) {
      breaches.push_back(
          {file.path(), 0, "no line in src/drivers/builtin.inc for " + driver_name(file)});
    }
  }
  check_commands(tree, breaches);
}

void check_dead(const Tree& tree, Breaches& breaches) {
  std::set<std::string> used;
  for (const File& file : tree.files()) {
    if (!file.is_cpp()) continue;
    for (const Include& include : includes_of(file)) {
      used.insert(target_of(tree, file, include.path));
    }
    for (const std::string& line : file.lines()) {  // <aimeter/x.h>, as hosts write it
      if (!line.starts_with("#include <aimeter/")) continue;
      used.insert("include/" + line.substr(10, line.find('>') - 10));
    }
  }
  for (const File& file : tree.files()) {
    const bool listed = file.ends_with(".inc") && file.path().starts_with("src/");
    if (!file.is_header() && !listed) continue;
    if (!used.contains(file.path())) breaches.push_back({file.path(), 0, "nobody includes it"});
  }
}

void check_papers(const Tree& tree, Breaches& breaches) {
  std::set<std::string> present;
  std::map<std::string, std::string> decisions;
  for (const File& file : tree.files()) {
    if (file.path().starts_with("src/") && file.is_cpp()) present.insert(file.package());
    if (!file.ends_with(".md")) continue;
    check_links(tree, file, breaches);
    if (!file.path().starts_with("docs/internals/decisions/") || file.name() == "README.md")
      continue;
    check_decision(file, breaches);
    const auto [other, first] = decisions.emplace(file.name().substr(0, 4), file.path());
    if (!first) breaches.push_back({file.path(), 0, "the number is taken by " + other->second});
  }
  for (const std::string& package : present) {
    const std::string path = "src/" + package + "/README.md";
    const File* readme = tree.find(path);
    if (readme == nullptr) {
      breaches.push_back({path, 0, "each package has a README"});
    } else if (readme->lines().size() > kReadmeLinesMax) {
      breaches.push_back({path, 0,
                          "a package README has at most 60 lines, this one " +
                              std::to_string(readme->lines().size())});
    }
  }
}

Breaches check_all(const Tree& tree) {
  Breaches breaches;
  for (const auto check : {check_layers, check_cards, check_limits, check_words, check_names,
                           check_drivers, check_dead, check_papers}) {
    check(tree, breaches);
  }
  return breaches;
}

}  // namespace aimeter::tidy
