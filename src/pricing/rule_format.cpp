#include <fmt/format.h>

#include <array>

#include "pricing/format.h"

namespace aimeter::pricing {
namespace {

struct OpName {
  Rule::Op op;
  std::string_view name;
};
constexpr std::array kOps = {
    OpName{Rule::Op::equals, "equals"},
    OpName{Rule::Op::starts_with, "starts_with"},
    OpName{Rule::Op::ends_with, "ends_with"},
    OpName{Rule::Op::contains, "contains"},
    OpName{Rule::Op::regex, "regex"},
    OpName{Rule::Op::any, "or"},
    OpName{Rule::Op::all, "and"},
};

bool is_group(Rule::Op op) { return op == Rule::Op::any || op == Rule::Op::all; }

Result<Rule> read_rule_within(const Place& place, int depth) {
  constexpr std::string_view kExpected =
      "one of equals, starts_with, ends_with, contains, regex, or, and; at most 8 deep";
  if (!place.is(Json::Kind::object) || place.json().members().size() != 1 || depth == 0) {
    return place.refuse(kExpected);
  }
  const std::string& name = place.json().members().front().first;
  const auto op = std::find_if(kOps.begin(), kOps.end(),
                               [&](const OpName& known) { return known.name == name; });
  if (op == kOps.end()) return place.refuse(kExpected);
  AIMETER_TRY(const Place value, place.member(name));
  if (op->op == Rule::Op::regex) {
    AIMETER_TRY(const std::string pattern, value.string());
    return regex_rule(value.where(), pattern);
  }
  Rule rule{.op = op->op};
  if (!is_group(op->op)) {
    AIMETER_TRY(rule.text, value.string());
    if (rule.text.empty()) return value.refuse("a text of at least one byte");
    return rule;
  }
  AIMETER_TRY(const std::vector<Place> members, value.array());
  if (members.empty()) return value.refuse("at least one rule");
  for (const Place& member : members) {
    AIMETER_TRY(Rule read, read_rule_within(member, depth - 1));
    rule.rules.push_back(std::move(read));
  }
  return rule;
}

// "00:30:00Z" or "00:30:00".
Result<std::int32_t> seconds_of_day(const Place& place) {
  constexpr std::string_view kExpected = "a time of day in UTC, like 00:30:00Z";
  AIMETER_TRY(std::string text, place.string());
  if (text.ends_with('Z')) text.pop_back();
  const auto two = [&](std::size_t at) {
    const char tens = text[at];
    const char ones = text[at + 1];
    const bool digits = '0' <= tens && tens <= '9' && '0' <= ones && ones <= '9';
    return digits ? (tens - '0') * 10 + (ones - '0') : 99;
  };
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return place.refuse(kExpected);
  const int hours = two(0);
  const int minutes = two(3);
  const int seconds = two(6);
  if (hours > 23 || minutes > 59 || seconds > 59) return place.refuse(kExpected);
  return hours * 3600 + minutes * 60 + seconds;
}

std::string time_text(std::int32_t second) {
  return fmt::format("{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
}

}  // namespace

Result<Rule> read_rule(const Place& place) { return read_rule_within(place, kRuleDepthMax); }

std::string rule_text(const Rule& rule) {
  const auto op = std::find_if(kOps.begin(), kOps.end(),
                               [&](const OpName& known) { return known.op == rule.op; });
  if (!is_group(rule.op)) return fmt::format("{{\"{}\": {}}}", op->name, quoted(rule.text));
  std::string members;
  for (const Rule& member : rule.rules) {
    members += (members.empty() ? "" : ", ") + rule_text(member);
  }
  return fmt::format("{{\"{}\": [{}]}}", op->name, members);
}

Rule equals_rule(std::string_view name) {
  return Rule{.op = Rule::Op::equals, .text = std::string(name)};
}

std::string price_text(const UnitPrice& price) {
  return price.per == 1 ? price.amount.text()
                        : price.amount.text() + "/" + std::to_string(price.per);
}

std::string when_text(const Row& row) {
  std::string text;
  if (row.from) text = "from " + text_of(*row.from);
  if (row.window) {
    text += (text.empty() ? "" : ", ") + time_text(row.window->start_s) + "-" +
            time_text(row.window->end_s);
  }
  return text;
}

Result<DayWindow> parse_window(const Place& start, const Place& end) {
  DayWindow window;
  AIMETER_TRY(window.start_s, seconds_of_day(start));
  AIMETER_TRY(window.end_s, seconds_of_day(end));
  return window;
}

}  // namespace aimeter::pricing
