#include "bench/sweep.h"

#include "bench/engine_load.h"
#include "bench/filled_store.h"
#include "bench/folder.h"

namespace aimeter::bench {
namespace {

constexpr int kCallersMax = 256;
constexpr std::int64_t kSteps = 5;

LoadPlan plan_of(int callers) {
  return {.name = "sweep",
          .callers = Callers::coroutines,
          .count = callers,
          .keys = Keys::fresh,
          .seconds = seconds_to_run() / 4};
}

void give_point(const std::function<void(const Point&)>& give, Point point,
                const LoadResult& load) {
  point.calls_per_second = load.calls_per_second();
  point.further = load.further();
  give(point);
}

}  // namespace

Status sweep(const std::function<void(const Point&)>& give) {
  for (int callers = 1; callers <= kCallersMax; callers *= 2) {
    const Folder folder;
    AIMETER_TRY(const LoadResult load, run_load(folder.file("ours.db"), plan_of(callers)));
    give_point(give, {.sweep = "callers", .at = callers}, load);
  }
  const Folder folder;
  const std::string file = folder.file("ours.db");
  std::int64_t filled = 0;
  for (std::int64_t step = 0; step <= kSteps; ++step) {
    const std::int64_t wanted = rows_to_fill() * step / kSteps;
    // Each load leaves rows: what is missing is filled.
    if (wanted > filled) {
      AIMETER_CHECK_OK(fill_store(file, recent_past(wanted - filled, Keys::fresh)));
      filled = wanted;
    }
    AIMETER_TRY(const LoadResult load, run_load(file, plan_of(kCallersMax)));
    give_point(give, {.sweep = "rows", .at = filled}, load);
    filled += static_cast<std::int64_t>(load.calls);
  }
  return {};
}

}  // namespace aimeter::bench
