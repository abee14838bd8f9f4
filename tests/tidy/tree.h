// The tree as the tidy checks see it: paths relative to the root, text, and code without comments.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace aimeter::tidy {

struct Breach {
  std::string path;
  std::size_t line = 0;  // from 1; 0: the file as a whole
  std::string what;
};
std::string text_of(const Breach& breach);  // "path:line: what"

class File {
 public:
  File(std::string path, const std::string& text);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  // As lines(), but comments, string literals and preprocessor lines are blanks.
  [[nodiscard]] const std::vector<std::string>& code() const { return code_; }

  [[nodiscard]] std::string name() const;  // "ledger.h"
  [[nodiscard]] std::string stem() const;  // "ledger"
  [[nodiscard]] bool ends_with(std::string_view suffix) const { return path_.ends_with(suffix); }
  [[nodiscard]] bool is_header() const { return ends_with(".h"); }
  [[nodiscard]] bool is_cpp() const;     // .h, .cpp, .inc
  [[nodiscard]] bool is_test() const;    // *_test.cpp and everything under tests/
  [[nodiscard]] bool is_public() const;  // include/aimeter/*.h
  // Folder under src/, or the one that a public header's card names; empty elsewhere.
  [[nodiscard]] std::string package() const;
  // "// tidy: REASON" on the line (index from 0) or on the one above allows what a word check
  // refuses.
  [[nodiscard]] bool allows(std::size_t line) const;

 private:
  std::string path_;
  std::vector<std::string> lines_, code_;
};

class Tree {
 public:
  explicit Tree(const std::map<std::string, std::string>& texts);
  // Every text file of the project under `root`; build folders and .git are left out.
  static Tree of_folder(const std::string& root);

  [[nodiscard]] const std::vector<File>& files() const { return files_; }
  [[nodiscard]] const File* find(std::string_view path) const;
  // From layers.txt, in its order.
  [[nodiscard]] const std::vector<std::string>& packages() const { return packages_; }
  [[nodiscard]] bool may_include(const std::string& package, const std::string& other) const;

 private:
  void read_layers();
  std::vector<File> files_;
  std::vector<std::string> packages_;
  std::map<std::string, std::set<std::string>> above_;
};

// A function definition, or a declaration in a header.
struct Function {
  std::string name;
  std::size_t first_line = 0, last_line = 0;  // from 1; the same for a declaration on one line
  std::size_t parameters = 0;
};
std::vector<Function> functions_of(const File& file);

bool has_word(std::string_view text, std::string_view word);
std::size_t characters_in(std::string_view text);  // UTF-8 code points
std::string trimmed(std::string_view text);

}  // namespace aimeter::tidy
