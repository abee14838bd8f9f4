// Every vector of the shared data/periods/periods.csv, made by two other programs (its README).
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "aimeter/period.h"

namespace aimeter {
namespace {

std::string shared_dir() {
  const char* given = std::getenv("AIMETER_SHARED");
  return given != nullptr ? given : AIMETER_SOURCE_DIR "/../shared";
}

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::stringstream in(line);
  for (std::string field; std::getline(in, field, ',');) fields.push_back(field);
  return fields;
}

Period::Options options_of(const std::vector<std::string>& row) {
  const bool anchored = row[2] == "anchor";
  Period::Options options{
      .alignment = anchored ? Period::Alignment::rolling : Period::Alignment::calendar,
      .timezone = row[3]};
  options.type =
      row[1] == "fixed30d" ? Period::Type::rolling : parse_period_type("type", row[1]).value();
  if (anchored) options.anchor = parse_instant("anchor", row[4]).value();
  if (row[5] == "sunday") options.week_start = 0;
  return options;
}

// The vectors were made with tzdata 2025b. In 2026 Morocco left its summer time for good
// (2026-09-20) and Cuba kept its until 2027-11-07; a machine that knows this rightly answers
// otherwise from then on. Source: zdump of tzdata 2026f, 2026-11-24.
bool changed_after_2025b(const std::vector<std::string>& row) {
  if (row[9] < "2026-09-20") return false;
  const auto local_hour = [](std::string_view zone, std::string_view wall) {
    return text_of(parse_instant("probe", wall, zone).value());
  };
  if (row[3] == "Africa/Casablanca") {
    return local_hour(row[3], "2027-07-01T12:00:00") == "2027-07-01T12:00:00Z";
  }
  return row[3] == "America/Havana" &&
         local_hour(row[3], "2027-01-01T12:00:00") == "2027-01-01T16:00:00Z";
}

TEST(PeriodVectors, all_equal) {
  std::ifstream file(shared_dir() + "/data/periods/periods.csv");
  if (!file) {
    std::cout << "left out: data/periods/periods.csv is not here\n";
    return;
  }
  std::string line;
  std::getline(file, line);
  int rows = 0, by_newer_rules = 0;
  while (std::getline(file, line)) {
    const auto row = fields_of(line);
    ASSERT_GE(row.size(), 10u) << line;
    const Period::Span span =
        Period(options_of(row)).at(parse_instant("reference", row[6]).value());
    ++rows;
    if (text_of(span.start) == row[8] && text_of(span.end) == row[9]) continue;
    if (changed_after_2025b(row)) {
      ++by_newer_rules;
      continue;
    }
    ADD_FAILURE() << line << "\n ours: " << text_of(span.start) << "," << text_of(span.end);
  }
  EXPECT_EQ(rows, 1500);
  EXPECT_LE(by_newer_rules, 20);
  if (by_newer_rules > 0) {
    std::cout << by_newer_rules << " vectors differ by zone rules that are newer than 2025b\n";
  }
}

}  // namespace
}  // namespace aimeter
