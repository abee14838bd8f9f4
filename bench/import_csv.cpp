// `aimeter import` of a CSV file, every row with its key, until the store has everything.
#include <fmt/format.h>

#include <fstream>
#include <random>
#include <sstream>

#include "bench/callers.h"
#include "bench/folder.h"
#include "bench/raw_inserts.h"
#include "bench/scenario.h"
#include "cli/run.h"

namespace aimeter::bench {
namespace {

constexpr double kRowsPerSecond = 100'000;  // so many that it takes about the time of the others

Status write_csv(const std::string& file, std::uint64_t rows) {
  std::ofstream out(file, std::ios::binary);
  out << "occurred_at,tenant,user,feature,input_tokens,cached_input_tokens,output_tokens\n";
  std::mt19937_64 random(1);
  const Instant now = system_clock().now();
  const Duration step =
      std::chrono::duration_cast<Duration>(std::chrono::days(1)) / static_cast<std::int64_t>(rows);
  for (std::uint64_t i = 0; i < rows; ++i) {
    const Instant at = now - std::chrono::days(1) + step * static_cast<std::int64_t>(i);
    out << fmt::format("{},{},u{},chat,{},{},{}\n", text_of(at), account_name(random()),
                       random() % 50, 500 + random() % 1'000, random() % 500, random() % 400);
  }
  if (out.flush()) return {};
  return fail(Code::unavailable, "cannot write " + file);
}

struct Ended {
  int exit = 0;
  std::string out = {}, err = {};
};
Ended aimeter(const std::vector<std::string>& arguments) {
  std::istringstream in;
  std::ostringstream out, err;
  cli::Console console({.in = &in, .out = &out, .err = &err});
  const int exit = cli::run(arguments, console);
  return {exit, out.str(), err.str()};
}

}  // namespace

Result<Figure> import_csv() {
  const Folder folder;
  const auto rows = static_cast<std::uint64_t>(kRowsPerSecond * seconds_to_run());
  const std::string csv = folder.file("usage.csv"), file = folder.file("ours.db");
  AIMETER_CHECK_OK(write_csv(csv, rows));
  const Stopwatch watch;
  const Ended ended = aimeter({"--store", "sqlite:" + file, "import", csv, "--provider", "openai",
                               "--model", "gpt-4o-mini"});
  const double seconds = watch.seconds();
  if (ended.exit != 0) {
    return fail(Code::unavailable, fmt::format("import: exit {}: {}", ended.exit, ended.err));
  }
  AIMETER_TRY(const std::int64_t counted, count_rows(file));
  if (static_cast<std::uint64_t>(counted) != rows) {
    return fail(Code::corrupt, fmt::format("{} rows of {} in the file", counted, rows));
  }
  say(fmt::format("import_csv: {} rows in {:.1f} s, {} counted", rows, seconds, counted));
  constexpr std::uint64_t kBatch = 16'384;  // settlements in a transaction of the store, at most
  AIMETER_TRY(const double raw, raw_rows_per_second({.like = file,
                                                     .file = folder.file("raw.db"),
                                                     .rows_per_transaction = kBatch,
                                                     .rows = rows,
                                                     .keys = Keys::fresh}));
  return Figure{
      .ours = static_cast<double>(rows) / seconds,
      .baseline_value = raw,
      .unit = "rows per second",
      .baseline = fmt::format("RAW: as many of the same rows inserted by one thread, {} a "
                              "transaction, synchronous=FULL",
                              kBatch)};
}

}  // namespace aimeter::bench
