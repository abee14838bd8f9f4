#include "tests/tidy/tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace aimeter::tidy {
namespace {

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool is_identifier(char c) {
  const bool letter = ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z');
  return letter || ('0' <= c && c <= '9') || c == '_';
}

// Blanks comments and literals out, keeping line breaks and positions.
class Blanker {
 public:
  explicit Blanker(std::string text) : text_(std::move(text)) {}

  std::string run() {
    while (at_ < text_.size()) step();
    return text_;
  }

 private:
  [[nodiscard]] bool starts(std::string_view word) const {
    return std::string_view(text_).substr(at_).starts_with(word);
  }
  void blank_to(std::size_t end) {
    for (end = std::min(end, text_.size()); at_ < end; ++at_) {
      if (text_[at_] != '\n') text_[at_] = ' ';
    }
  }
  void step() {
    if (starts("//")) return blank_to(text_.find('\n', at_));
    if (starts("/*")) return blank_to(after(text_.find("*/", at_ + 2), 2));
    if (starts("R\"") && (at_ == 0 || !is_identifier(text_[at_ - 1]))) return raw_string();
    if (text_[at_] == '"') return quoted('"');
    if (text_[at_] == '\'' && (at_ == 0 || !is_identifier(text_[at_ - 1]))) return quoted('\'');
    const bool line_start = at_ == 0 || text_[at_ - 1] == '\n';
    if (line_start && first_of_line() == '#') {
      return preprocessor();
    }
    ++at_;
  }
  [[nodiscard]] char first_of_line() const {
    const std::size_t first = text_.find_first_not_of(" \t", at_);
    return first == std::string::npos ? '\0' : text_[first];
  }
  static std::size_t after(std::size_t found, std::size_t length) {
    return found == std::string::npos ? found : found + length;
  }
  void raw_string() {
    const std::size_t open = text_.find('(', at_);
    const std::string close = ")" + text_.substr(at_ + 2, open - at_ - 2) + "\"";
    blank_to(after(text_.find(close, open), close.size()));
  }
  void quoted(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') {
      end += text_[end] == '\\' ? 2 : 1;
    }
    blank_to(end + 1);
  }
  void preprocessor() {
    std::size_t end = text_.find('\n', at_);
    while (end != std::string::npos && end > 0 && text_[end - 1] == '\\') {
      end = text_.find('\n', end + 1);
    }
    blank_to(end);
  }

  std::string text_;
  std::size_t at_ = 0;
};

bool is_text_file(const std::filesystem::path& path) {
  static const std::set<std::string> kEndings = {".h",     ".cpp", ".inc", ".txt",  ".md",  ".svg",
                                                 ".cmake", ".in",  ".py",  ".json", ".lua", ".sh",
                                                 ".toml",  ".yml", ".sql", ".csv",  ""};
  return kEndings.contains(path.extension().string());
}

}  // namespace

std::string text_of(const Breach& breach) {
  const std::string place = breach.line == 0 ? "" : ":" + std::to_string(breach.line);
  return breach.path + place + ": " + breach.what;
}

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !is_identifier(word[0]) || !is_identifier(text[at - 1]);
    const bool ends =
        end >= text.size() || !is_identifier(word.back()) || !is_identifier(text[end]);
    if (begins && ends) return true;
  }
  return false;
}

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

File::File(std::string path, const std::string& text)
    : path_(std::move(path)), lines_(split_lines(text)) {
  code_ = is_cpp() ? split_lines(Blanker(text).run()) : lines_;
  code_.resize(lines_.size());
}

std::string File::name() const { return path_.substr(path_.rfind('/') + 1); }
std::string File::stem() const { return name().substr(0, name().find('.')); }
bool File::is_cpp() const { return is_header() || ends_with(".cpp") || ends_with(".inc"); }
bool File::is_test() const { return ends_with("_test.cpp") || path_.starts_with("tests/"); }
bool File::is_public() const { return is_header() && path_.starts_with("include/aimeter/"); }

std::string File::package() const {
  if (path_.starts_with("src/")) return path_.substr(4, path_.find('/', 4) - 4);
  constexpr std::string_view kLabel = "// Package:";
  if (!is_public() || lines_.empty() || !lines_[0].starts_with(kLabel)) return "";
  return trimmed(lines_[0].substr(kLabel.size()));
}

bool File::allows(std::size_t line) const {
  constexpr std::string_view kMark = "// tidy: ";
  const auto reasoned = [&](std::size_t index) {
    const std::size_t at = lines_[index].find(kMark);
    return at != std::string::npos && trimmed(lines_[index].substr(at + kMark.size())).size() > 3;
  };
  return reasoned(line) || (line > 0 && trimmed(code_[line - 1]).empty() && reasoned(line - 1));
}

Tree::Tree(const std::map<std::string, std::string>& texts) {
  for (const auto& [path, text] : texts) files_.emplace_back(path, text);
  read_layers();
}

Tree Tree::of_folder(const std::string& root) {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> texts;
  const auto take = [&](const fs::path& path) {
    if (!is_text_file(path)) return;
    std::ifstream in(path, std::ios::binary);
    texts[fs::relative(path, root).string()] =
        std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  };
  for (const auto& top : fs::directory_iterator(root)) {
    const std::string name = top.path().filename().string();
    if (name == "build" || name == ".git" || name == ".cache") continue;
    if (top.is_regular_file()) take(top.path());
    if (!top.is_directory()) continue;
    for (const auto& entry : fs::recursive_directory_iterator(top.path())) {
      const bool cache = entry.path().string().find("__pycache__") != std::string::npos;
      if (entry.is_regular_file() && !cache) take(entry.path());
    }
  }
  return Tree(texts);
}

const File* Tree::find(std::string_view path) const {
  const auto found = std::ranges::find(files_, path, &File::path);
  return found == files_.end() ? nullptr : &*found;
}

void Tree::read_layers() {
  const File* layers = find("layers.txt");
  if (layers == nullptr) return;
  for (const std::string& line : layers->lines()) {
    const std::size_t colon = line.find(':');
    if (line.starts_with("#") || colon == std::string::npos) continue;
    const std::string package = line.substr(0, colon);
    packages_.push_back(package);
    std::istringstream others(line.substr(colon + 1));
    for (std::string other; others >> other;) above_[package].insert(other);
  }
}

bool Tree::may_include(const std::string& package, const std::string& other) const {
  if (package == other) return true;
  const auto found = above_.find(package);
  return found != above_.end() && found->second.contains(other);
}

}  // namespace aimeter::tidy
