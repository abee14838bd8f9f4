// Package:       store
// Units:         Instants; a bucket is kBucketMinutes long and begins at a multiple of that in UTC.
// Errors:        invalid_argument, naming the field.
// Thread safety: pure functions.
// Ownership:     none.
//
// A settlement as the usage record that readers see, and how reads filter, page and group: the
// same for every store. Pages are sorted by (occurred_at, id).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace aimeter::store {

[[nodiscard]] UsageRecord record_of(const Settlement& settlement, std::int64_t id);
// The fields of a JSON object; values that are no strings in their JSON form; "" and bad JSON:
// none.
[[nodiscard]] Meta meta_of(std::string_view json);
[[nodiscard]] bool matches(const UsageFilter& filter, const Settlement& settlement);

struct Cursor {  // the last row that was given
  Instant occurred_at = {};
  std::int64_t id = 0;
  auto operator<=>(const Cursor&) const = default;
};
[[nodiscard]] std::string text_of(const Cursor& cursor);
[[nodiscard]] Result<std::optional<Cursor>> parse_cursor(std::string_view text);  // "": the start
[[nodiscard]] Status check_page(std::size_t limit);                               // 1..kPageMax

[[nodiscard]] Instant bucket_of(Instant at);
// No user and meta, from and to on bucket borders.
[[nodiscard]] Status check(const RollupFilter& filter);
[[nodiscard]] bool matches(const RollupFilter& filter, const RollupRow& cell);
// What a row adds to the number of provisional calls. An adjustment with the mark is the price of a
// call that had none: it takes the call out of them again.
[[nodiscard]] constexpr std::int64_t provisional_of(std::uint32_t flags) {
  if ((flags & kProvisional) == 0) return 0;
  return (flags & kAdjustment) != 0 ? -1 : 1;
}
[[nodiscard]] inline std::int64_t provisional_of(const UsageRecord& record) {
  return provisional_of((record.unpriced ? kProvisional : 0U) |
                        (record.adjustment ? kAdjustment : 0U));
}
// The cell that a settlement adds to the roll-ups, with account, names, currency and bucket. An
// adjustment is no call.
[[nodiscard]] RollupRow cell_of(const Settlement& settlement);
// False and unchanged: a sum is out of range.
[[nodiscard]] bool add_to(RollupRow& sum, const RollupRow& cell);
// Cells of full keys that match, grouped as asked, sorted by account, provider, model, feature,
// currency, bucket. Errors: corrupt (a sum is out of range).
[[nodiscard]] Result<std::vector<RollupRow>> group(const RollupFilter& filter,
                                                   std::span<const RollupRow> cells);

}  // namespace aimeter::store
