#include <algorithm>

#include "pricing/book.h"

namespace aimeter::pricing {
namespace {

constexpr int kUnboundedMax = 2;
constexpr int kRepeatsMax = 64;  // of all braces together

// Without back references libstdc++ then walks all ways at once, in time that is a product of name
// and pattern; its usual walk tries them one by one, and "a?a?a?...aaa" has 2^n of them.
constexpr auto kSyntax = std::regex::ECMAScript | std::regex::nosubs | std::regex::optimize |
                         std::regex_constants::__polynomial;

// Walks over one pattern and refuses what could make matching slow.
class PatternCheck {
 public:
  explicit PatternCheck(std::string_view pattern) : rest_(pattern) {}

  [[nodiscard]] bool safe() {
    while (!rest_.empty()) {
      if (!step()) return false;
    }
    return open_.empty() && unbounded_ <= kUnboundedMax && repeats_ <= kRepeatsMax;
  }

 private:
  bool step() {
    const char c = take();
    if (c == '\\') return escape();
    if (c == '[') return set();
    if (c == '(') return group();
    if (c == ')') return close();
    if (c == '*' || c == '+' || c == '?' || c == '{') return quantifier(c);
    last_was_group_ = false;
    return true;
  }
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  bool escape() {
    last_was_group_ = false;
    return !rest_.empty() && !('1' <= rest_.front() && rest_.front() <= '9') && (take(), true);
  }
  bool set() {
    const std::size_t end = rest_.find(']', 1);
    if (end == std::string_view::npos) return false;
    rest_.remove_prefix(end + 1);
    last_was_group_ = false;
    return true;
  }
  bool group() {
    if (rest_.starts_with("?:")) {
      rest_.remove_prefix(2);
    } else if (rest_.starts_with("?")) {
      return false;  // look-around
    }
    open_.push_back(false);
    return true;
  }
  bool close() {
    if (open_.empty()) return false;
    inner_has_quantifier_ = open_.back();
    open_.pop_back();
    if (inner_has_quantifier_ && !open_.empty()) open_.back() = true;
    last_was_group_ = true;
    return true;
  }
  bool quantifier(char c) {
    if (last_was_group_ && inner_has_quantifier_) return false;
    last_was_group_ = false;
    if (c == '*' || c == '+') ++unbounded_;
    if (c == '{') {
      const std::size_t end = rest_.find('}');
      if (end == std::string_view::npos || end > 5) return false;
      if (rest_.substr(0, end).ends_with(',')) ++unbounded_;
      repeats_ += largest_in(rest_.substr(0, end));
      rest_.remove_prefix(end + 1);
    }
    if (rest_.starts_with("?")) rest_.remove_prefix(1);  // lazy
    for (auto&& has : open_) has = true;
    return true;
  }

  // Of "2,5"; whether it is well formed is the compiler's business.
  static int largest_in(std::string_view counts) {
    int largest = 0, count = 0;
    for (const char c : counts) {
      count = '0' <= c && c <= '9' ? count * 10 + (c - '0') : 0;
      largest = std::max(largest, count);
    }
    return largest;
  }

  std::string_view rest_;
  std::vector<bool> open_;  // per open group: a quantifier was inside
  bool last_was_group_ = false, inner_has_quantifier_ = false;
  int unbounded_ = 0, repeats_ = 0;
};

}  // namespace

Result<Rule> regex_rule(std::string_view field, std::string_view pattern) {
  constexpr std::string_view kExpected =
      "a regular expression of at most 256 bytes without nested quantifiers, back references, "
      "look-around and more than 64 repeats";
  if (pattern.empty() || pattern.size() > kPatternBytesMax || !PatternCheck(pattern).safe()) {
    return bad_input(field, pattern, kExpected);
  }
  Rule rule{.op = Rule::Op::regex, .text = std::string(pattern)};
  try {
    rule.compiled = std::make_shared<const std::regex>(rule.text, kSyntax);
  } catch (const std::regex_error&) {
    return bad_input(field, pattern, kExpected);
  }
  return rule;
}

bool Rule::matches(std::string_view name) const {
  const auto member = [name](const Rule& rule) { return rule.matches(name); };
  switch (op) {
    case Op::equals:
      return name == text;
    case Op::starts_with:
      return name.starts_with(text);
    case Op::ends_with:
      return name.ends_with(text);
    case Op::contains:
      return name.find(text) != std::string_view::npos;
    case Op::regex:
      return name.size() <= kNameBytesMax && std::regex_search(name.begin(), name.end(), *compiled);
    case Op::any:
      return std::any_of(rules.begin(), rules.end(), member);
    case Op::all:
      return std::all_of(rules.begin(), rules.end(), member);
  }
  return false;
}

void PriceSet::set(Kind kind, const UnitPrice& price) {
  const std::uint64_t bit = bit_of(kind);
  const auto at = static_cast<std::ptrdiff_t>(std::popcount(mask_ & (bit - 1)));
  if ((mask_ & bit) != 0) {
    prices_[static_cast<std::size_t>(at)] = price;
    return;
  }
  prices_.insert(prices_.begin() + at, price);
  mask_ |= bit;
}

void PriceSet::erase(Kind kind) {
  const std::uint64_t bit = bit_of(kind);
  if ((mask_ & bit) == 0) return;
  prices_.erase(prices_.begin() + std::popcount(mask_ & (bit - 1)));
  mask_ &= ~bit;
}

bool Row::in_force(Instant at) const {
  if (from && at < *from) return false;
  if (!window) return true;
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const auto second = std::chrono::floor<std::chrono::seconds>(at - day).count();
  if (window->end_s < window->start_s) return second >= window->start_s || second < window->end_s;
  return window->start_s <= second && second < window->end_s;
}

}  // namespace aimeter::pricing
