// Finds functions by their braces: no parser, but enough for code that clang-format has laid out.
#include <algorithm>
#include <array>

#include "tests/tidy/tree.h"

namespace aimeter::tidy {
namespace {

bool is_identifier(char c) {
  const bool letter = ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z');
  return letter || ('0' <= c && c <= '9') || c == '_';
}

// The text between two places at which a declaration can begin.
struct Head {
  std::string text;
  std::size_t open = std::string::npos;   // of the parameter list
  std::size_t close = std::string::npos;  // its end
};

// True when the '<' at `at` opens template arguments.
bool opens_angle(const std::string& text, std::size_t at) {
  if (at == 0) return false;
  const std::size_t word = text.rfind("operator", at);
  if (word != std::string::npos && text.find_first_not_of("<>=", word + 8) >= at) return false;
  return is_identifier(text[at - 1]) || text.substr(0, at).ends_with("template ");
}

struct Depth {
  int round = 0, angle = 0, other = 0;
  void read(const std::string& text, std::size_t at) {
    const char c = text[at];
    if (c == '(') ++round;
    if (c == ')') --round;
    if (c == '<' && opens_angle(text, at)) ++angle;
    if (c == '>' && angle > 0 && text[at - 1] != '-' && text[at - 1] != '=') --angle;
    if (c == '[' || c == '{') ++other;
    if (c == ']' || c == '}') --other;
  }
};

std::string last_word(std::string text) {
  text = trimmed(text);
  std::size_t begin = text.size();
  while (begin > 0 && is_identifier(text[begin - 1])) --begin;
  return text.substr(begin);
}

// Finds the parameter list; false when `head` is no function.
bool find_parameters(Head& head) {
  const std::string& text = head.text;
  Depth depth;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool top = depth.round == 0 && depth.angle == 0 && depth.other == 0;
    const bool named_operator = text.substr(0, i).find("operator") != std::string::npos;
    if (top && text[i] == '=' && !named_operator && head.open == std::string::npos) return false;
    const bool attribute = last_word(text.substr(0, i)).starts_with("AIMETER_");
    if (top && text[i] == '(' && i > 0 && !attribute && head.open == std::string::npos) {
      head.open = i;
    }
    depth.read(text, i);
    if (head.open != std::string::npos && head.close == std::string::npos && depth.round == 0) {
      head.close = i;
    }
  }
  return head.close != std::string::npos;
}

std::size_t count_parameters(const Head& head) {
  const std::string list = head.text.substr(head.open + 1, head.close - head.open - 1);
  if (trimmed(list).empty() || trimmed(list) == "void") return 0;
  std::size_t count = 1;
  Depth depth;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const bool top = depth.round == 0 && depth.angle == 0 && depth.other == 0;
    if (top && list[i] == ',') ++count;
    depth.read(list, i);
  }
  return count;
}

bool is_type_or_scope(const std::string& head) {
  static constexpr std::array<std::string_view, 6> kWords = {"namespace", "class", "struct",
                                                             "union",     "enum",  "extern"};
  std::string text = head;
  if (text.starts_with("template")) {
    Depth depth;
    std::size_t i = text.find('<');
    for (; i < text.size(); ++i) {
      depth.read(text, i);
      if (depth.angle == 0) break;
    }
    text = trimmed(text.substr(std::min(text.size(), i + 1)));
  }
  return std::ranges::any_of(kWords, [&](std::string_view word) {
    return text.starts_with(std::string(word) + " ") || text == word;
  });
}

// A constructor's member before its brace: "X::X(int a) : a_(a), b_" of "b_{1}".
bool is_member_brace(const Head& head) {
  const std::string rest = trimmed(head.text.substr(head.close + 1));
  const std::string text = trimmed(head.text);
  return rest.starts_with(":") && text.back() != ')' && text.back() != '}';
}

class Scanner {
 public:
  explicit Scanner(const File& file) : header_(file.is_header()) {
    for (const std::string& line : file.code()) text_ += line + "\n";
  }

  std::vector<Function> run() {
    for (at_ = 0; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '(') ++round_;
      if (c == ')') --round_;
      if (c == '\n') ++line_;
      if (c == '{') open();
      if (c == '}') close();
      if (c == ';' && round_ == 0 && in_scope()) end_statement();
    }
    return std::move(found_);
  }

 private:
  enum class Kind { scope, function, inner };

  [[nodiscard]] bool in_scope() const {
    return std::ranges::all_of(open_, [](Kind kind) { return kind == Kind::scope; });
  }
  void restart() { start_ = at_ + 1; }
  // The statement so far, without access specifiers; first_ becomes its line.
  Head head() {
    std::size_t begin = text_.find_first_not_of(" \t\r\n", start_);
    for (const std::string_view word : {"public:", "private:", "protected:"}) {
      if (begin < at_ && std::string_view(text_).substr(begin).starts_with(word)) {
        begin = text_.find_first_not_of(" \t\r\n", begin + word.size());
      }
    }
    begin = std::min(begin, at_);
    first_ =
        line_ - static_cast<std::size_t>(std::count(text_.begin() + static_cast<long>(begin),
                                                    text_.begin() + static_cast<long>(at_), '\n'));
    return {trimmed(text_.substr(begin, at_ - begin)), std::string::npos, std::string::npos};
  }
  void open() {
    if (!in_scope()) return open_.push_back(Kind::inner);
    Head head = this->head();
    if (is_type_or_scope(head.text)) {
      open_.push_back(Kind::scope);
      return restart();
    }
    if (round_ > 0 || !find_parameters(head) || is_member_brace(head)) {
      return open_.push_back(Kind::inner);
    }
    found_.push_back(
        {last_word(head.text.substr(0, head.open)), first_, 0, count_parameters(head)});
    open_.push_back(Kind::function);
  }
  void close() {
    if (open_.empty()) return;
    const Kind kind = open_.back();
    open_.pop_back();
    if (kind == Kind::function) found_.back().last_line = line_;
    if (kind != Kind::inner) restart();
  }
  void end_statement() {
    Head head = this->head();
    restart();
    const bool other = head.text.starts_with("using ") || head.text.starts_with("static_assert") ||
                       head.text.starts_with("typedef ");
    if (!header_ || other || !find_parameters(head)) return;
    found_.push_back(
        {last_word(head.text.substr(0, head.open)), first_, line_, count_parameters(head)});
  }

  bool header_;
  std::string text_;
  std::size_t at_ = 0, start_ = 0, line_ = 1, first_ = 1;
  int round_ = 0;
  std::vector<Kind> open_;
  std::vector<Function> found_;
};

}  // namespace

std::vector<Function> functions_of(const File& file) { return Scanner(file).run(); }

}  // namespace aimeter::tidy
