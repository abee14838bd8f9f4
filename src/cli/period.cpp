// aimeter period: the span of a period, for one instant or for a file of them.
#include "aimeter/period.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <fstream>
#include <memory>
#include <ostream>

#include "cli/csv.h"
#include "cli/frame.h"

namespace aimeter::cli {
namespace {

struct Options {
  std::string batch, type, alignment, anchor, at;
  std::string timezone = "UTC", week_start = "monday";
  int days = 30;
};

const std::vector<std::string> kColumns = {"id",         "type",       "alignment",    "timezone",
                                           "anchor_utc", "week_start", "reference_utc"};

Result<int> parse_week_start(std::string_view text) {
  if (text.empty() || text == "monday" || text == "1") return 1;
  if (text == "sunday" || text == "0") return 0;
  return bad_input("week_start", text, "monday or sunday");
}

// What is the same for a row and for the command line.
struct Given {
  std::string_view type, alignment, timezone, anchor, week_start;
  std::string_view anchor_field;
  int days = 30;
};

Result<Period::Options> options_of(const Given& given) {
  Period::Options options{.timezone = std::string(given.timezone), .days = given.days};
  // fixed30d and anchor: the words that others use for our rolling.
  const bool fixed = given.type == "fixed30d";
  AIMETER_TRY(options.type, parse_period_type("type", fixed ? "rolling" : given.type));
  const std::string_view alignment = given.alignment == "anchor" ? "rolling" : given.alignment;
  AIMETER_TRY(options.alignment, parse_alignment("alignment", alignment));
  AIMETER_TRY(options.week_start, parse_week_start(given.week_start));
  const bool anchored =
      options.alignment == Period::Alignment::rolling || options.type == Period::Type::rolling;
  if (anchored && given.anchor.empty()) {
    return bad_input(given.anchor_field, "", "the time at which a period begins");
  }
  if (!given.anchor.empty()) {
    AIMETER_TRY(options.anchor, parse_instant(given.anchor_field, given.anchor));
  }
  AIMETER_CHECK_OK(Period::check(options));
  return options;
}

struct Span {
  std::string id, start, end;
};

// The year 10000 cannot be written, so a period that reaches it is none that we can tell.
Result<Period::Span> told_span(const Period::Options& options, std::string_view field, Instant at) {
  const Period::Span span = Period(options).at(at);
  constexpr Instant kEnd = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);
  if (span.end <= kEnd) return span;
  return bad_input(field, text_of(at), "a time whose period ends by 9999-12-31");
}

Result<Span> span_of(const CsvReader& reader, const CsvReader::Row& row) {
  const auto field = [&](std::string_view column) -> std::string_view {
    return row.fields.at(*reader.find(column));
  };
  AIMETER_TRY(const Period::Options options, options_of({.type = field("type"),
                                                         .alignment = field("alignment"),
                                                         .timezone = field("timezone"),
                                                         .anchor = field("anchor_utc"),
                                                         .week_start = field("week_start"),
                                                         .anchor_field = "anchor_utc"}));
  AIMETER_TRY(const Instant reference, parse_instant("reference_utc", field("reference_utc")));
  AIMETER_TRY(const Period::Span span, told_span(options, "reference_utc", reference));
  return Span{std::string(field("id")), text_of(span.start), text_of(span.end)};
}

Result<Exit> run_batch(Frame& frame, const Options& options) {
  Console& console = frame.console();
  std::ifstream file;
  if (options.batch != "-") {
    file.open(options.batch, std::ios::binary);
    if (!file) return bad_input("--batch", options.batch, "a file that can be read");
  }
  AIMETER_TRY(CsvReader reader,
              CsvReader::open(options.batch == "-" ? console.in() : file, kColumns));
  if (!frame.json()) console.out() << "id,start_utc,end_utc\n";
  Exit exit = Exit::done;
  while (!console.interrupted()) {
    const auto row = reader.next();
    if (row && !*row) return exit;
    const auto span = row ? span_of(reader, **row) : std::unexpected(row.error());
    if (!span) {
      const std::string where = row ? fmt::format("line {}: ", (*row)->line) : "";
      console.warn(where + span.error().message);
      exit = Exit::partly;
    } else if (frame.json()) {
      console.out() << boost::json::serialize(boost::json::object{
                           {"id", span->id}, {"start_utc", span->start}, {"end_utc", span->end}})
                    << '\n';
    } else {
      console.out() << fmt::format("{},{},{}\n", csv_field(span->id), span->start, span->end);
    }
  }
  return Exit::partly;
}

Result<Exit> run_single(Frame& frame, const Options& given) {
  const std::string alignment = !given.alignment.empty() ? given.alignment
                                : given.anchor.empty()   ? "calendar"
                                                         : "rolling";
  if (given.type.empty()) {
    return bad_input("TYPE", "", "hourly, daily, weekly, monthly, yearly, rolling, or --batch");
  }
  AIMETER_TRY(const Period::Options options, options_of({.type = given.type,
                                                         .alignment = alignment,
                                                         .timezone = given.timezone,
                                                         .anchor = given.anchor,
                                                         .week_start = given.week_start,
                                                         .anchor_field = "--anchor",
                                                         .days = given.days}));
  Instant at = system_clock().now();
  if (!given.at.empty()) {
    AIMETER_TRY(at, parse_instant("--at", given.at, given.timezone));
  }
  AIMETER_TRY(const Period::Span span, told_span(options, "--at", at));
  std::ostream& out = frame.console().out();
  if (frame.json()) {
    out << boost::json::serialize(boost::json::object{{"type", name_of(options.type)},
                                                      {"alignment", name_of(options.alignment)},
                                                      {"timezone", options.timezone},
                                                      {"at", text_of(at)},
                                                      {"start_utc", text_of(span.start)},
                                                      {"end_utc", text_of(span.end)}})
        << '\n';
  } else {
    out << fmt::format("start  {}\nend    {}\n", text_of(span.start), text_of(span.end));
  }
  return Exit::done;
}

}  // namespace

void add_period(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add(
      {"period",
       "Shows the period that holds an instant",
       {"aimeter period monthly --timezone Europe/London --at 2026-03-15",
        "aimeter period monthly --anchor 2026-01-31T10:00:00Z  # Jan 31, Feb 28, Mar 31",
        "aimeter period --batch periods.csv  # id,type,alignment,timezone,anchor_utc,..."}},
      [&frame, options]() -> Result<Exit> {
        return options->batch.empty() ? run_single(frame, *options) : run_batch(frame, *options);
      });
  app.add_option("TYPE", options->type, "hourly, daily, weekly, monthly, yearly, rolling");
  app.add_option("--batch", options->batch, "CSV of periods; - or nothing: standard input")
      ->expected(0, 1)
      ->default_str("-");
  app.add_option("--at", options->at, "Time, in --timezone if it has no offset (default: now)");
  app.add_option("--timezone", options->timezone, "IANA name (default: UTC)");
  app.add_option("--alignment", options->alignment, "calendar, or rolling from --anchor");
  app.add_option("--anchor", options->anchor, "UTC time at which a period begins");
  app.add_option("--week-start", options->week_start, "monday (default) or sunday");
  app.add_option("--days", options->days, "Length of type rolling (default: 30)");
}

}  // namespace aimeter::cli
