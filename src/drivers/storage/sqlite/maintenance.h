// Package:       drivers
// Units:         times in Instant by the store's clock; limits in rows.
// Errors:        invalid_argument, not_found, failed_precondition: the caller rolls back.
// Thread safety: as the lane's and the connection's.
// Ownership:     values are returned by value.
//
// Changes that are no catalogue: orphans, detached holds that end, erasing of people, pruning of
// whole periods under a seal. A slice is chosen on a read snapshot, so that the writer's lock is
// only held for the rows that change.
#pragma once

#include <vector>

#include "drivers/storage/sqlite/lane.h"
#include "store/store.h"

namespace aimeter::drivers::sqlite {

struct Slice {
  std::vector<std::int64_t> rows = {}, dead = {};
  std::vector<store::Orphan> orphans = {};
  bool more = false;
  [[nodiscard]] std::size_t size() const { return rows.size() + dead.size() + orphans.size(); }
};
[[nodiscard]] Result<Slice> slice_of(Connection& connection, const store::Erase& change);
[[nodiscard]] Result<Slice> slice_of(Connection& connection, const store::Prune& change);
struct AccountPeriod {
  std::int64_t tenant = 0, account = 0, start = 0, end = 0;
  friend auto operator<=>(const AccountPeriod&, const AccountPeriod&) = default;
};
// It has overage that the next batch would charge.
[[nodiscard]] Result<bool> is_unbilled(Connection& connection, const AccountPeriod& period);

[[nodiscard]] Result<store::Changed> erase(Lane& lane, const store::Erase& change,
                                           const Slice& slice);
[[nodiscard]] Result<store::Changed> prune(Lane& lane, const Slice& slice, Instant now);

[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::PutOrphans& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::DropOrphan& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::ReleaseHold& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::ExpireHolds& change, Instant now);
[[nodiscard]] Result<store::Changed> put(Lane& lane, const store::RotateHoldKeys& change,
                                         Instant now);
[[nodiscard]] Result<std::vector<store::HoldKey>> read_hold_keys(Connection& connection);

}  // namespace aimeter::drivers::sqlite
