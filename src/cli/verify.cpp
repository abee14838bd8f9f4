// aimeter verify: does everything that is stored agree with itself?
#include <fmt/format.h>

#include <boost/json.hpp>
#include <ostream>

#include "cli/progress.h"
#include "cli/session.h"
#include "cli/table.h"

namespace aimeter::cli {
namespace {

void print_findings(Frame& frame, const store::Verified& verified) {
  Console& console = frame.console();
  for (const store::Finding& finding : verified.findings) {
    console.out() << fmt::format("{} {}: {}\n", console.paint(Style::red, finding.check),
                                 finding.where, finding.message);
  }
  console.out() << fmt::format(
      "{} rows, {} budgets, {} engines: {}\n", verified.rows, verified.budgets, verified.engines,
      verified.findings.empty() ? "clean" : fmt::format("{} findings", verified.findings.size()));
}

std::string json_of(const store::Verified& verified) {
  boost::json::array findings;
  for (const store::Finding& finding : verified.findings) {
    findings.push_back(boost::json::object{
        {"check", finding.check}, {"where", finding.where}, {"message", finding.message}});
  }
  return boost::json::serialize(boost::json::object{{"clean", verified.findings.empty()},
                                                    {"rows", verified.rows},
                                                    {"budgets", verified.budgets},
                                                    {"engines", verified.engines},
                                                    {"findings", std::move(findings)}});
}

Result<Exit> run(Frame& frame) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    Progress progress(frame.console(), "rows", std::nullopt);
    AIMETER_TRY(const store::Verified verified,
                reading.store->verify([&](std::int64_t done, std::int64_t) {
                  progress.at(done);
                  return !frame.console().interrupted();
                }));
    if (frame.json()) {
      print_json(frame, json_of(verified));
    } else {
      print_findings(frame, verified);
    }
    return verified.findings.empty() ? Exit::done : Exit::refused;
  });
}

}  // namespace

void add_verify(Frame& frame) {
  frame.add({.name = "verify",
             .about = "Checks rows, counters, roll-ups, keys, leases and seals against each other",
             .examples = {"aimeter verify", "aimeter verify --store sqlite:copy.db --json"}},
            [&frame] { return run(frame); });
}

}  // namespace aimeter::cli
