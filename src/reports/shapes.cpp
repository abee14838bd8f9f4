// A report as JSON and as CSV.
#include <boost/json.hpp>

#include "aimeter/decimal.h"
#include "reports/report.h"

namespace aimeter::reports {
namespace {

constexpr int kNanoPlaces = 9;

boost::json::object object_of(const Sums& sums) {
  return {{"calls", sums.calls},
          {"input_tokens", sums.input_tokens},
          {"cached_input_tokens", sums.cached_input_tokens},
          {"output_tokens", sums.output_tokens},
          {"total_tokens", sums.total_tokens()},
          {"cost", cost_text(sums.cost_nanos)},
          {"currency", sums.currency},
          {"provisional_calls", sums.provisional_calls},
          {"estimated_calls", sums.estimated_calls},
          {"tenants", sums.tenants}};
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

std::string cost_text(Nanos128 nanos) { return Decimal(nanos, kNanoPlaces).text(); }

std::string to_json(const Report& report) {
  boost::json::object all{{"from", text_of(report.from)}, {"to", text_of(report.to)}};
  if (report.totals.size() == 1) {
    all["totals"] = object_of(report.totals[0]);
  } else {
    boost::json::array totals;
    for (const Sums& sums : report.totals) totals.push_back(object_of(sums));
    all["totals_by_currency"] = std::move(totals);
  }
  all["as_of"] = text_of(report.as_of);
  boost::json::array groups;
  for (const Group& group : report.groups) {
    boost::json::object one;
    for (std::size_t i = 0; i < report.group_by.size(); ++i) {
      one[name_of(report.group_by[i])] = group.names[i];
    }
    for (auto& [name, value] : object_of(group.sums)) one.emplace(name, std::move(value));
    groups.push_back(std::move(one));
  }
  all["groups"] = std::move(groups);
  return boost::json::serialize(all);
}

std::string to_csv(const Report& report) {
  std::string csv;
  for (const GroupBy group : report.group_by) csv += std::string(name_of(group)) + ",";
  csv +=
      "calls,input_tokens,cached_input_tokens,output_tokens,total_tokens,cost,currency,"
      "provisional_calls,estimated_calls\n";
  const auto add = [&](const std::vector<std::string>& names, const Sums& sums) {
    for (const std::string& name : names) csv += csv_field(name) + ",";
    for (const std::int64_t count : {sums.calls, sums.input_tokens, sums.cached_input_tokens,
                                     sums.output_tokens, sums.total_tokens()}) {
      csv += std::to_string(count) + ",";
    }
    csv += cost_text(sums.cost_nanos) + "," + sums.currency + "," +
           std::to_string(sums.provisional_calls) + "," + std::to_string(sums.estimated_calls) +
           "\n";
  };
  for (const Group& group : report.groups) add(group.names, group.sums);
  if (report.group_by.empty()) {
    for (const Sums& sums : report.totals) add({}, sums);
  }
  return csv;
}

}  // namespace aimeter::reports
