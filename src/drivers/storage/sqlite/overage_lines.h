// Package:       drivers
// Units:         amounts as in store/overages.h.
// Errors:        the connection's; invalid_argument (an overage is out of range).
// Thread safety: inside the lane's transaction.
// Ownership:     none.
//
// Lines of overage: written as they come, so that the next one sees what remains of them. Whatever
// fails later takes them back with the transaction.
#pragma once

#include <vector>

#include "drivers/storage/sqlite/lane.h"
#include "store/overages.h"

namespace aimeter::drivers::sqlite {

struct LinesOf {  // whose lines
  std::int64_t tenant = 0, account = 0, budget = 0, usage = 0;
  Instant now = {};
};
// Writes the lines of a step, and says them without their budget's key. `price` is that of the
// usage, null where it is not charged.
[[nodiscard]] Result<std::vector<store::OverageLine>> write_lines(
    Lane& lane, const LinesOf& of, billing::OverageStep& step, const billing::OveragePrice* price);
[[nodiscard]] Status write_overage_state(Connection& connection, const LinesOf& of,
                                         const billing::OverageState& overage);

}  // namespace aimeter::drivers::sqlite
