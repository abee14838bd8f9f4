// Whole meter calls on one SQLite file, acknowledged when they are durable.
#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "bench/engine_load.h"
#include "bench/folder.h"
#include "bench/median.h"
#include "bench/raw_inserts.h"
#include "bench/scenario.h"

namespace aimeter::bench {
namespace {

Figure figure_of(const LoadResult& load) {
  return {.ours = load.calls_per_second(),
          .unit = "calls per second",
          .further = load.further(),
          .invalid = load.invalid()};
}

Result<Figure> beside_raw(const LoadPlan& plan) {
  const Folder folder;
  AIMETER_TRY(const LoadResult load, run_load(folder.file("ours.db"), plan));
  Figure figure = figure_of(load);
  AIMETER_TRY(figure.baseline_value, raw_rows_per_second({.like = folder.file("ours.db"),
                                                          .file = folder.file("raw.db"),
                                                          .rows_per_transaction = load.group(),
                                                          .rows = load.calls,
                                                          .keys = plan.keys}));
  figure.baseline = fmt::format(
      "RAW: as many of the same rows inserted by one thread, {} a transaction, synchronous=FULL",
      load.group());
  return figure;
}

// As many records of `bytes` as go into `seconds`, one sync each, into files that were allocated
// before as the journal allocates its own.
Result<double> syncs_per_second(const Folder& folder, std::size_t bytes, double seconds) {
  constexpr std::uint64_t kFileBytes = 64ULL << 20;
  const std::string record(bytes, 'r');
  std::uint64_t syncs = 0, number = 0, at = kFileBytes;
  std::unique_ptr<base::File> file;
  const Stopwatch watch;
  while (watch.seconds() < seconds) {
    if (at + bytes > kFileBytes) {
      at = 0;
      AIMETER_TRY(file, base::system_files().open(folder.file(fmt::format("loop-{}", number++)),
                                                  base::OpenMode::create));
      AIMETER_CHECK_OK(file->allocate(kFileBytes));
      AIMETER_CHECK_OK(file->sync());
    }
    AIMETER_CHECK_OK(file->write_at(at, record));
    AIMETER_CHECK_OK(file->sync());
    at += bytes;
    ++syncs;
  }
  return static_cast<double>(syncs) / watch.seconds();
}

// Half of the loop before and half after: the disk's speed changes by the minute.
Result<Figure> beside_sync_loop(const LoadPlan& plan) {
  const Folder folder;
  constexpr std::size_t kBytesGuess = 500;
  AIMETER_TRY(const double before, syncs_per_second(folder, kBytesGuess, plan.seconds / 2));
  AIMETER_TRY(const LoadResult load, run_load(folder.file("ours.db"), plan));
  const std::uint64_t bytes = load.journal_bytes / load.syncs;
  AIMETER_TRY(const double after, syncs_per_second(folder, bytes, plan.seconds / 2));
  Figure figure = figure_of(load);
  figure.baseline_value = (before + after) / 2;
  figure.baseline = fmt::format(
      "a loop of one fdatasync a record of {} bytes into a preallocated file; half of it before, "
      "half after",
      bytes);
  return figure;
}

}  // namespace

Result<Figure> durable_64t_keys() {
  return median_of_runs(
      [] { return beside_raw({.name = "durable_64t_keys", .count = 64, .keys = Keys::fresh}); });
}

Result<Figure> durable_256c_keys() {
  return median_of_runs([] {
    return beside_raw({.name = "durable_256c_keys",
                       .callers = Callers::coroutines,
                       .count = 256,
                       .keys = Keys::fresh});
  });
}

Result<Figure> durable_256c() {
  return median_of_runs([] {
    return beside_raw({.name = "durable_256c", .callers = Callers::coroutines, .count = 256});
  });
}

Result<Figure> durable_1() {
  return median_of_runs([] { return beside_sync_loop({.name = "durable_1"}); });
}

// At full speed for a minute (three times the time of the others): what is acknowledged must reach
// the store as fast, and memory must not grow.
Result<Figure> keep_up() {
  const Folder folder;
  AIMETER_TRY(const LoadResult load,
              run_load(folder.file("ours.db"), {.name = "keep_up",
                                                .callers = Callers::coroutines,
                                                .count = 256,
                                                .keys = Keys::fresh,
                                                .seconds = 3 * seconds_to_run()}));
  if (load.moments.size() < 3) return fail(Code::unavailable, "too short to see memory grow");
  const std::int64_t third = load.moments[load.moments.size() / 3].own_bytes;
  const std::int64_t end = load.moments.back().own_bytes;
  Figure figure = figure_of(load);
  figure.ours = static_cast<double>(load.calls - load.backlog) / load.seconds;
  figure.unit = "calls per second that the store has when the callers stop";
  figure.baseline_value = load.calls_per_second();
  figure.baseline = "calls per second that were acknowledged";
  constexpr double kMiB = 1 << 20;
  figure.further.push_back({"seconds", load.seconds});
  figure.further.push_back({"own_mib_at_a_third", static_cast<double>(third) / kMiB});
  figure.further.push_back({"own_mib_at_the_end", static_cast<double>(end) / kMiB});
  figure.further.push_back(
      {"memory_growth", static_cast<double>(end) / static_cast<double>(third)});
  return figure;
}

}  // namespace aimeter::bench
