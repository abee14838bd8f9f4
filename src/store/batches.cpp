#include "store/batches.h"

#include <fmt/format.h>

#include <limits>

#include "billing/rounding.h"

namespace aimeter::store {
namespace {

constexpr std::size_t kErrorBytesMax = 500;

bool in_range(Int128 value) {
  return std::numeric_limits<std::int64_t>::min() <= value &&
         value <= std::numeric_limits<std::int64_t>::max();
}

std::string day_of(Instant at) { return aimeter::text_of(at).substr(0, 10); }

std::string key_of(const Cell& cell, const CellSums& sums, std::int64_t units,
                   const base::Key16& store) {
  std::string text(store.begin(), store.end());
  for (const std::string& part : {cell.account.tenant.text, cell.account.billable.type,
                                  cell.account.billable.id, cell.currency}) {
    text.append(part).push_back('\0');
  }
  text += fmt::format("{}|{}|{}|{}|{}", cell.period.start.time_since_epoch().count(),
                      cell.period.end.time_since_epoch().count(), sums.batches, sums.batched_units,
                      units);
  const base::Key16 key = base::first16(base::sha256(text));
  return base::hex({reinterpret_cast<const char*>(key.data()), key.size()});
}

std::string shortened(std::string text) {
  if (text.size() <= kErrorBytesMax) return text;
  std::size_t end = kErrorBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text.resize(end);
  return text;
}

std::unexpected<Error> not_now(const BatchRow& row, const std::string& why) {
  return fail(Code::failed_precondition, fmt::format("batch {}: {}", row.batch.id, why));
}

bool is_claimed(const BatchRow& row, Instant now) {
  return row.state == BatchState::sending && row.claimed_until && now < *row.claimed_until;
}

}  // namespace

std::string_view name_of(BatchState state) {
  switch (state) {
    case BatchState::open:
      return "open";
    case BatchState::sending:
      return "sending";
    case BatchState::charged:
      return "charged";
  }
  return "";
}

bool matches(const BatchFilter& filter, const BatchRow& row, Instant now) {
  const Account& account = row.batch.account;
  return row.batch.id > filter.after && (!filter.tenant || account.tenant == *filter.tenant) &&
         (!filter.billable || account.billable == *filter.billable) &&
         (!filter.to_send_only || (row.state != BatchState::charged && !is_claimed(row, now)));
}

Cell cell_of(const OverageLine& line) {
  return {line.budget.account, line.budget.span, line.price.currency};
}
Cell cell_of(const BatchRow& row) {
  return {row.batch.account, row.batch.period, row.batch.amount.currency};
}

void add(CellSums& sums, const OverageLine& open) {
  sums.open_nanos += open.cost_nanos;
  sums.open_quantity += open.amount;
  sums.open_lines += 1;
}
void add(CellSums& sums, const BatchRow& before) {
  sums.batched_nanos += before.lines_nanos;
  sums.batched_units += before.batch.units;
  sums.batches += 1;
}

Result<std::optional<BatchRow>> next_batch(const Cell& cell, const CellSums& sums,
                                           FreezeOverages::By by, const base::Key16& store) {
  AIMETER_TRY(const std::int64_t units,
              billing::next_batch_units(sums.batched_nanos + sums.open_nanos, sums.batched_units,
                                        cell.currency));
  const bool counts = by == FreezeOverages::By::quantity && sums.open_quantity != 0;
  if (sums.open_lines == 0 || (units == 0 && !counts)) return std::optional<BatchRow>();
  if (!in_range(sums.open_nanos) || !in_range(sums.open_quantity))
    return bad_input("overage", Decimal(sums.open_nanos, 9).text(), "a sum within int64");
  BatchRow row{.lines_nanos = static_cast<std::int64_t>(sums.open_nanos)};
  OverageBatch& batch = row.batch;
  batch.key = key_of(cell, sums, units, store);
  batch.account = cell.account;
  batch.period = cell.period;
  AIMETER_TRY(batch.amount, money_of_units(units, cell.currency));
  batch.units = units;
  batch.quantity = static_cast<std::int64_t>(sums.open_quantity);
  batch.lines = sums.open_lines;
  batch.description = fmt::format("AI usage above the plan, {} to {}", day_of(cell.period.start),
                                  day_of(cell.period.end));
  return std::optional(std::move(row));
}

Result<OverageBatch> claim(BatchRow& row, const ClaimBatch& change, Instant now) {
  if (row.state == BatchState::charged) return not_now(row, "it is charged already");
  if (is_claimed(row, now) && row.sender != change.sender) {
    return not_now(
        row, fmt::format("{} sends it until {}", row.sender, aimeter::text_of(*row.claimed_until)));
  }
  if (change.sender.empty() || change.lease <= Duration(0))
    return bad_input("sender", change.sender, "a name, and a time that is more than 0");
  if (!row.batch.sent_at) row.batch.ids = change.ids;
  OverageBatch batch = row.batch;
  if (!row.batch.sent_at) row.batch.sent_at = now;
  row.state = BatchState::sending;
  row.sender = change.sender;
  row.claimed_until = now + change.lease;
  return batch;
}

// A receipt is a receipt, whoever brings it; all else is the claimer's to say.
Status end(BatchRow& row, const EndBatch& change, Instant now) {
  if (row.state == BatchState::charged) {
    if (change.how == EndBatch::How::charged && row.receipt == change.text) return {};
    return not_now(row, "it is charged already: " + row.receipt);
  }
  if (change.how == EndBatch::How::charged) {
    row.state = BatchState::charged;
    row.receipt = change.text;
    row.charged_at = now;
    row.error.clear();
  } else {
    const bool own = row.state == BatchState::sending && row.sender == change.sender &&
                     row.batch.attempt == change.attempt;
    if (!own) return not_now(row, "somebody else sends it now");
    row.state = BatchState::open;
    row.error = shortened(change.text);
    if (change.how == EndBatch::How::refused) row.batch.attempt += 1;
    if (change.how != EndBatch::How::doubtful) row.batch.sent_at.reset();
  }
  row.sender.clear();
  row.claimed_until.reset();
  return {};
}

}  // namespace aimeter::store
