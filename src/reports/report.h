// Package:       reports
// Units:         counts of calls and tokens; costs in nano-units, 128 bits, one sum a currency.
// Errors:        invalid_argument naming the field (grouping, range), what the store says.
// Thread safety: pure but for the store's reads.
// Ownership:     borrows the store for the call.
//
// Usage of a range, in total and by group: the one definition for the command line, the API and
// dashboards. From roll-ups where they suffice; by user and by minute from rows, which end where
// rows were pruned.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/decimal.h"
#include "store/store.h"

namespace aimeter::reports {

enum class GroupBy : std::uint8_t {
  tenant,
  billable,
  user,
  provider,
  model,
  feature,
  minute,
  hour,
  day,
  month
};
[[nodiscard]] std::string_view name_of(GroupBy group);
// "tenant,day": each at most once. Errors: invalid_argument naming --group-by.
[[nodiscard]] Result<std::vector<GroupBy>> parse_group_by(std::string_view text);

struct Query {
  UsageFilter filter = {};  // from and to must be set
  std::vector<GroupBy> group_by = {};
  std::string timezone = "UTC";  // of hours, days and months
};

using Nanos128 = Int128;

struct Sums {
  std::int64_t calls = 0, input_tokens = 0, cached_input_tokens = 0, output_tokens = 0;
  std::int64_t provisional_calls = 0, estimated_calls = 0, tenants = 0;
  Nanos128 cost_nanos = 0;
  std::string currency = {};
  [[nodiscard]] std::int64_t total_tokens() const { return input_tokens + output_tokens; }
};

struct Group {
  std::vector<std::string> names = {};  // in the order of Query::group_by
  Sums sums = {};
};

struct Report {
  Instant from = {}, to = {}, as_of = {};
  std::vector<GroupBy> group_by = {};
  std::vector<Sums> totals =
      {};  // one a currency, ordered by it; one of zeros when there was nothing
  std::vector<Group> groups = {};  // ordered by names, then currency
};

[[nodiscard]] Result<Report> report(const store::Store& store, const Query& query);

// The store is complete up to this instant: now when no engine lives, else the oldest heartbeat of
// those that do.
[[nodiscard]] Result<Instant> as_of(const store::Store& store);

// [start of the month, start of the next) in a zone; "2026-07". Errors: invalid_argument naming
// `field`.
[[nodiscard]] Result<Period::Span> month_of(std::string_view field, std::string_view text,
                                            std::string_view timezone);

// Exact decimal of nano-units: "23.9011225".
[[nodiscard]] std::string cost_text(Nanos128 nanos);
[[nodiscard]] std::string to_json(const Report& report);  // the object of INTERFACES.md
[[nodiscard]] std::string to_csv(const Report& report);   // the groups, with a header line

}  // namespace aimeter::reports
