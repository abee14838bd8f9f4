// Package:       store
// Units:         amounts in minor units and nano-units of the currency; Instants of the store.
// Errors:        failed_precondition (somebody else sends it, it is done), invalid_argument.
// Thread safety: values, pure functions.
// Ownership:     none.
//
// Overage batches: frozen with their lines, then claimed by one sender at a time, then ended. What
// is sent is committed before it is sent. All batches of a cell (account, period, currency)
// together are the rounded sum of the lines in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aimeter/billing.h"
#include "aimeter/decimal.h"
#include "base/hash.h"
#include "store/overages.h"

namespace aimeter::store {

// Stored: numbers keep their meaning.
enum class BatchState : std::uint8_t {
  open = 0,     // frozen; the next sender may claim it
  sending = 1,  // claimed until `claimed_until`; sent, or about to be
  charged = 2,  // done; `receipt` says what it became
};
[[nodiscard]] std::string_view name_of(BatchState state);

struct BatchRow {
  OverageBatch batch = {};
  BatchState state = BatchState::open;
  std::int64_t lines_nanos = 0;  // sum of its lines
  std::string sender = {};
  std::optional<Instant> claimed_until = {};
  std::string receipt = {}, error = {};  // error: of the last attempt that did not charge
  std::optional<Instant> charged_at = {};
  friend bool operator==(const BatchRow&, const BatchRow&) = default;
};

// Freezes the open lines of every cell whose rounded sum has moved, one batch a cell.
struct FreezeOverages {
  std::optional<TenantId> tenant = {};
  enum class By { money, quantity } by = By::money;  // quantity: also where the money rounds to 0
  std::size_t limit = 1'000;                         // cells; then `more`
};
// Makes `sender` the only one to send it until `lease` is over, and writes down that it is sent
// from now on. `ids` are those of the account at the billing service; once an attempt was sent they
// stay.
struct ClaimBatch {
  std::int64_t id = 0;
  std::string sender = {};
  Meta ids = {};
  Duration lease = std::chrono::minutes(10);
};
struct EndBatch {
  std::int64_t id = 0;
  std::string sender = {};
  int attempt = 1;
  enum class How {
    charged,   // `text` is the receipt
    refused,   // this attempt charged nothing and never will: the next one is another attempt
    doubtful,  // it may have charged: the same attempt again
    untouched  // nothing was sent: as it was before the claim
  } how = How::charged;
  std::string text = {};
};

struct BatchFilter {
  std::optional<TenantId> tenant = {};
  std::optional<Billable> billable = {};
  bool to_send_only = false;  // open, or claimed by a sender whose time is over
  std::int64_t after = 0;     // ids above it
};
[[nodiscard]] bool matches(const BatchFilter& filter, const BatchRow& row, Instant now);

struct Cell {
  Account account = {};
  Period::Span period = {};
  std::string currency = {};
  friend auto operator<=>(const Cell&, const Cell&) = default;
};
struct CellSums {
  Int128 open_nanos = 0, batched_nanos = 0, open_quantity = 0;
  std::int64_t open_lines = 0, batched_units = 0, batches = 0;
};
[[nodiscard]] Cell cell_of(const OverageLine& line);
[[nodiscard]] Cell cell_of(const BatchRow& row);
void add(CellSums& sums, const OverageLine& open);
void add(CellSums& sums, const BatchRow& before);
// The next batch of a cell (without its id), or nothing to send. Its key is made of what it says,
// so that a store that went back in time and freezes the same again names it the same.
[[nodiscard]] Result<std::optional<BatchRow>> next_batch(const Cell& cell, const CellSums& sums,
                                                         FreezeOverages::By by,
                                                         const base::Key16& store);
// The row is untouched by an error. claim: gives the batch as it is to be sent (`sent_at` of an
// earlier sending of this attempt).
[[nodiscard]] Result<OverageBatch> claim(BatchRow& row, const ClaimBatch& change, Instant now);
[[nodiscard]] Status end(BatchRow& row, const EndBatch& change, Instant now);

}  // namespace aimeter::store
