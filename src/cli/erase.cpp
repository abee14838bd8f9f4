// aimeter erase and anonymize: take people out of the rows. Counters, roll-ups and money stay.
#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "base/ids.h"
#include "cli/maintenance.h"

namespace aimeter::cli {
namespace {

struct Options {
  TenantOption tenant = {};
  BillableOption billable = {};
  std::optional<std::string> user = {};
  std::string older_than = {};
};

// One tenant, or each of them.
Result<std::vector<TenantId>> chosen(const Reading& reading, const TenantOption& option) {
  AIMETER_TRY(const std::optional<TenantId> one, option.changing(reading.settings));
  if (one) return std::vector<TenantId>{*one};
  return reading.store->tenants();
}

Result<Exit> slices(Frame& frame, Reading& reading, const std::vector<TenantId>& tenants,
                    store::Erase erase) {
  Sliced all;
  for (const TenantId& tenant : tenants) {
    erase.tenant = tenant;
    AIMETER_TRY(const Sliced sliced,
                in_slices(frame, *reading.store, "rows", [&] { return store::ChangeBody(erase); }));
    all.rows += sliced.rows;
    all.interrupted = sliced.interrupted;
    if (all.interrupted) break;
  }
  return finish_slices(frame, "cleared", all);
}

Result<Exit> erase(Frame& frame, const Options& options) {
  store::Erase what{.user = options.user};
  AIMETER_TRY(what.billable, options.billable.get());
  if (what.user) AIMETER_CHECK_OK(base::check_id("--user", *what.user));
  if (!what.user && !what.billable) {
    return bad_input("--user", "", "--user ID, or --billable-type TYPE --billable ID");
  }
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::vector<TenantId> tenants, chosen(reading, options.tenant));
    AIMETER_CHECK_OK(
        frame.console().confirm("Clear user and metadata of these rows? This cannot be undone."));
    return slices(frame, reading, tenants, what);
  });
}

// "400" or "400d": days; else a time.
Result<Instant> age_of(const std::string& text, Instant now) {
  std::string digits = text;
  if (digits.ends_with('d')) digits.pop_back();
  constexpr std::size_t kDigitsMost = 5;
  const bool days = !digits.empty() && digits.size() <= kDigitsMost &&
                    digits.find_first_not_of("0123456789") == std::string::npos;
  if (days) return now - std::chrono::days(std::stoi(digits));
  const Result<Instant> at = parse_instant("--older-than", text);
  if (!at) return bad_input("--older-than", text, "a number of days, or a time (RFC 3339)");
  return at;
}

Result<Exit> anonymize(Frame& frame, const Options& options) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::vector<TenantId> tenants, chosen(reading, options.tenant));
    AIMETER_TRY(const Instant before, age_of(options.older_than, reading.store->now()));
    AIMETER_CHECK_OK(frame.console().confirm(fmt::format(
        "Clear user and metadata of rows before {}? This cannot be undone.", text_of(before))));
    return slices(frame, reading, tenants, store::Erase{.older_than = before});
  });
}

}  // namespace

void add_erase(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& erasing =
      frame.add({.name = "erase",
                 .about = "Takes a user or an account's metadata out of the rows; sums stay",
                 .examples = {"aimeter erase --tenant acme --user 42 --yes",
                              "aimeter erase --tenant acme --billable-type user --billable 42"}},
                [&frame, options] { return erase(frame, *options); });
  options->tenant.add_changing_to(erasing);
  options->billable.add_to(erasing);
  erasing.add_option("--user", options->user, "Whose calls")->type_name("USER");
  auto aging = std::make_shared<Options>();
  CLI::App& anonymizing =
      frame.add({.name = "anonymize",
                 .about = "Takes users and metadata out of old rows; sums stay",
                 .examples = {"aimeter anonymize --all-tenants --older-than 400d --yes"}},
                [&frame, aging] { return anonymize(frame, *aging); });
  aging->tenant.add_changing_to(anonymizing);
  anonymizing.add_option("--older-than", aging->older_than, "Days, or a time")
      ->required()
      ->type_name("DAYS|TIME");
}

}  // namespace aimeter::cli
