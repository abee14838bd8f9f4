// aimeter cleanup: removes the rows of whole periods that are long over. Counters, roll-ups and
// seals stay.
#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "cli/maintenance.h"

namespace aimeter::cli {
namespace {

struct Options {
  TenantOption tenant = {};
  std::optional<std::int64_t> days = {};
  bool dry_run = false;
};

// Younger usage may still be corrected or come late.
constexpr std::int64_t kDaysMost = 36'500;

// What a run would take at most: rows older than `before`. Periods that are not over yet are kept.
Result<std::int64_t> count_older(const store::Store& store, const std::optional<TenantId>& tenant,
                                 Instant before) {
  std::int64_t rows = 0;
  std::string cursor;
  UsageFilter filter{.tenant = tenant, .to = before};
  filter.with_duplicates = true;
  do {
    AIMETER_TRY(const UsagePage page, store.usages(filter, cursor, kPageMax));
    rows += static_cast<std::int64_t>(page.records.size());
    cursor = page.next;
  } while (!cursor.empty());
  return rows;
}

Result<Exit> run(Frame& frame, const Options& options) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(reading.settings));
    const std::int64_t days = options.days.value_or(reading.settings.storage.prune_after_days);
    const std::int64_t least = reading.settings.storage.max_lateness_days;
    if (days < least || days > kDaysMost) {
      return bad_input("--days", std::to_string(days),
                       fmt::format("{} (storage.max_lateness_days) to {}", least, kDaysMost));
    }
    const Instant before = reading.store->now() - std::chrono::days(days);
    if (options.dry_run) {
      AIMETER_TRY(const std::int64_t rows, count_older(*reading.store, tenant, before));
      return finish_slices(frame, "would remove at most", {.rows = rows});
    }
    AIMETER_CHECK_OK(frame.console().confirm(
        fmt::format("Remove usage rows of whole periods that ended before {} of {}?",
                    text_of(before), tenant ? "tenant \"" + tenant->text + "\"" : "all tenants")));
    using Unbilled = store::Prune::Unbilled;
    const Unbilled unbilled =
        reading.settings.billing.driver == "null" ? Unbilled::drop : Unbilled::keep;
    AIMETER_TRY(const Sliced sliced, in_slices(frame, *reading.store, "rows", [&] {
                  return store::ChangeBody(
                      store::Prune{.tenant = tenant, .before = before, .unbilled = unbilled});
                }));
    return finish_slices(frame, "removed", sliced);
  });
}

}  // namespace

void add_cleanup(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add(
      {.name = "cleanup",
       .about = "Removes rows of whole periods that are long over; sums stay",
       .examples = {"aimeter cleanup --days 400 --dry-run", "aimeter cleanup --all-tenants --yes"}},
      [&frame, options] { return run(frame, *options); });
  options->tenant.add_changing_to(app);
  app.add_option("--days", options->days, "Older than this (storage.prune_after_days without it)")
      ->type_name("N");
  app.add_flag("--dry-run", options->dry_run, "Says how many rows at most and changes nothing");
}

}  // namespace aimeter::cli
