// Corrections: the only way to correct anything. A signed settlement in the period and the
// budgets of its usage; nothing is ever taken twice.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/hash.h"
#include "base/ids.h"
#include "meter/core.h"
#include "meter/meta.h"
#include "store/record.h"

namespace aimeter::meter {

struct Core::Difference {
  Usage usage = {};  // signed
  Money input_cost = {}, output_cost = {}, total_cost = {};
  std::string reason = {}, kind = {}, key = {};  // kind and key of its idempotency key
  std::string price_version = {}, price_model = {};
  bool prices_it = false;  // takes the provisional mark of its usage away
};

struct Core::Repriced {
  enum class What : unsigned char { same, changed, unpriced } what = What::same;
  Money before = {}, after = {};
};

namespace {

struct Count {
  std::string_view name;
  Tokens Usage::* member;
};
constexpr Count kCounts[] = {{"input_tokens", &Usage::input_tokens},
                             {"cached_input_tokens", &Usage::cached_input_tokens},
                             {"output_tokens", &Usage::output_tokens},
                             {"total_tokens", &Usage::total_tokens}};

// What was used after all: the usage with what its adjustments changed.
Usage corrected(Usage usage, std::span<const UsageRecord> adjustments) {
  constexpr Tokens Usage::* kAll[] = {&Usage::input_tokens,
                                      &Usage::cached_input_tokens,
                                      &Usage::cache_write_tokens,
                                      &Usage::cache_write_5m_tokens,
                                      &Usage::cache_write_1h_tokens,
                                      &Usage::input_audio_tokens,
                                      &Usage::cached_input_audio_tokens,
                                      &Usage::output_tokens,
                                      &Usage::reasoning_tokens,
                                      &Usage::output_audio_tokens,
                                      &Usage::total_tokens};
  for (const UsageRecord& one : adjustments) {
    for (const auto member : kAll) (usage.*member).count += (one.usage.*member).count;
    for (const auto& [unit, count] : one.usage.units) usage.units[unit] += count;
    const bool split = one.usage.input_tokens.count != 0 || one.usage.output_tokens.count != 0;
    if (split) usage.total_only = false;  // now it is known which tokens they were
  }
  return usage;
}

Status check_left(const UsageRecord& usage, std::span<const UsageRecord> before,
                  const Usage& difference, const Money& cost) {
  for (const Count& count : kCounts) {
    std::int64_t left = (usage.usage.*count.member).count;
    for (const UsageRecord& one : before) left += (one.usage.*count.member).count;
    std::int64_t after = 0;
    if (__builtin_add_overflow(left, (difference.*count.member).count, &after) || after < 0) {
      return bad_input(count.name, std::to_string((difference.*count.member).count),
                       fmt::format("at most what is left of the usage, {}", left));
    }
  }
  Money left = usage.total_cost;
  for (const UsageRecord& one : before) left.nanos += one.total_cost.nanos;
  std::int64_t after = 0;
  if (__builtin_add_overflow(left.nanos, cost.nanos, &after) || after < 0) {
    return bad_input("cost", cost.text(),
                     fmt::format("at most what is left of the usage, {}", left.text()));
  }
  return {};
}

std::uint64_t content_of(std::int64_t row, const Usage& usage, const Money& cost) {
  const base::Digest digest =
      base::sha256(fmt::format("{}\n{}\n{}\n{} {}", row, usage.input_tokens.count,
                               usage.output_tokens.count, cost.nanos, cost.currency));
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < 8; ++i) first = first << 8U | digest[i];
  return first;
}

bool is_money(const store::BudgetPart& part) {
  return part.key.kind == BudgetKind::cost || part.key.kind == BudgetKind::credits;
}

// So much of a budget's part was counted by a usage and its adjustments.
std::int64_t counted_in(std::span<const store::Settlement> settlements,
                        const store::BudgetKey& key) {
  std::int64_t sum = 0;
  for (const store::Settlement& one : settlements) {
    for (const store::BudgetPart& part : one.budgets) sum += part.key == key ? part.actual : 0;
  }
  return sum;
}

store::BudgetPart counted(const store::BudgetPart& of_usage, const Usage& usage,
                          const Money& cost) {
  store::BudgetPart part = of_usage;
  part.held = 0;
  part.actual = 0;
  part.would_refuse = false;
  if (part.key.kind == BudgetKind::tokens) part.actual = usage.total_tokens.count;
  if (is_money(part) && part.key.currency == cost.currency) {
    part.actual = cost.nanos;
  }
  return part;
}

}  // namespace

Result<std::vector<UsageRecord>> Core::adjustments_of(const Account& account, Instant occurred_at,
                                                      std::int64_t row) {
  const UsageFilter filter{.tenant = account.tenant,
                           .billable = account.billable,
                           .from = occurred_at,
                           .to = occurred_at + Duration(1)};
  std::vector<UsageRecord> found;
  std::string cursor;
  do {
    AIMETER_TRY(UsagePage page, deps_.store.usages(filter, cursor, kPageMax));
    for (UsageRecord& record : page.records) {
      if (record.adjustment && record.adjusts == row) found.push_back(std::move(record));
    }
    cursor = std::move(page.next);
  } while (!cursor.empty());
  return found;
}

// In another currency than the price's a correction counts what the corrected cost comes to, less
// what was counted so far: all of them together are rounded once. A rate that nobody had before
// counts the whole cost.
Status Core::count_converted(const store::Settlement& original, store::Settlement& adjustment) {
  const std::string& from = adjustment.total_cost.currency;
  const auto foreign = [&](const store::BudgetPart& part) {
    return is_money(part) && part.key.currency != from;
  };
  if (std::ranges::none_of(adjustment.budgets, foreign)) return {};
  AIMETER_TRY(const std::vector<UsageRecord> before,
              adjustments_of(original.account, original.occurred_at, adjustment.adjusts));
  Money total{original.total_cost.nanos + adjustment.total_cost.nanos, from};
  std::vector<store::Settlement> earlier{original};
  for (const UsageRecord& one : before) {
    total.nanos += one.total_cost.nanos;
    AIMETER_TRY(store::Settlement found, settlement(original.account.tenant, one.id));
    earlier.push_back(std::move(found));
  }
  std::vector<currency::PinnedRate>& pinned = adjustment.pins.rates;
  for (store::BudgetPart& part : adjustment.budgets) {
    if (!foreign(part)) continue;
    const std::string& to = part.key.currency;
    const auto same = [&](const currency::PinnedRate& one) {
      return one.from == from && one.to == to;
    };
    if (std::ranges::none_of(pinned, same)) {
      const auto rate =
          options_.rates ? options_.rates->find(from, to, original.occurred_at) : std::nullopt;
      if (!rate) continue;
      pinned.push_back({from, to, *rate});
    }
    const auto after = currency::convert_pinned(total, to, pinned, Rounding::half_even);
    if (after) part.actual = *after - counted_in(earlier, part.key);
  }
  return {};
}

Result<Settled> Core::adjust_by(const store::Settlement& original, std::int64_t row,
                                Difference difference) {
  store::Settlement settlement = original;
  settlement.flags = store::kAdjustment;
  if (difference.prices_it) settlement.flags |= store::kProvisional;
  settlement.adjusts = row;
  settlement.usage = std::move(difference.usage);
  settlement.input_cost = std::move(difference.input_cost);
  settlement.output_cost = std::move(difference.output_cost);
  settlement.total_cost = std::move(difference.total_cost);
  if (!difference.price_version.empty()) {
    settlement.pins.price_version = std::move(difference.price_version);
    settlement.pins.price_model = std::move(difference.price_model);
  }
  AIMETER_TRY(const Meta meta, kept_meta({{"reason", difference.reason}}, options_.metadata));
  AIMETER_TRY(settlement.meta, json_of(meta));
  settlement.token.clear();
  settlement.key.reset();
  for (store::BudgetPart& part : settlement.budgets) {
    part = counted(part, settlement.usage, settlement.total_cost);
  }
  AIMETER_CHECK_OK(count_converted(original, settlement));
  if (!difference.key.empty()) {
    settlement.key = store::KeyRef{
        .key = store::key_of(original.account.tenant.text, difference.kind, difference.key),
        .content = content_of(row, settlement.usage, settlement.total_cost)};
  }
  const std::optional<store::KeyRef> key = settlement.key;
  Settled settled{.record = store::record_of(settlement, 0)};
  settled.record.idempotency_key = difference.key;
  Result<ledger::Ledger::Recorded> written = deps_.ledger.adjust(std::move(settlement));
  if (key) deps_.ledger.leave_key(*key, written ? written->outcome.row : 0);
  if (!written) return std::unexpected(std::move(written).error());
  AIMETER_CHECK_OK(deps_.ledger.wait(written->ticket));
  settled.record.id = written->outcome.row;
  settled.limit = written->outcome.check;
  deps_.facts.settled(settled, written->outcome, {});
  return settled;
}

Result<Settled> Core::adjust(const std::optional<TenantId>& tenant, const Adjustment& adjustment) {
  const base::Lock lock(adjusting_);
  AIMETER_TRY(const store::Settlement original, settlement(tenant, adjustment.of));
  const UsageRecord usage = store::record_of(original, adjustment.of);
  if (usage.adjustment || usage.duplicate) {
    return bad_input("of", std::to_string(adjustment.of),
                     "the id of a counted usage, no adjustment and no duplicate");
  }
  Difference difference{.usage = adjustment.usage, .total_cost = adjustment.cost};
  std::int64_t& total = difference.usage.total_tokens.count;
  if (total == 0 && __builtin_add_overflow(difference.usage.input_tokens.count,
                                           difference.usage.output_tokens.count, &total)) {
    return bad_input("usage", "a sum above int64", "counts that can be added");
  }
  Money& cost = difference.total_cost;
  if (cost.nanos == 0) cost.currency = usage.total_cost.currency;
  if (cost.currency != usage.total_cost.currency) {
    return bad_input("cost", cost.currency,
                     "the currency of the usage, " + usage.total_cost.currency);
  }
  difference.input_cost = difference.output_cost = Money{0, cost.currency};
  difference.reason = adjustment.reason;
  difference.kind = "adjustment";
  difference.key = adjustment.idempotency_key;
  if (!difference.key.empty()) {
    AIMETER_CHECK_OK(base::check_id("idempotency_key", difference.key));
    const store::KeyRef key{
        .key = store::key_of(original.account.tenant.text, difference.kind, difference.key),
        .content = content_of(adjustment.of, difference.usage, cost)};
    AIMETER_TRY(const ledger::KeyEntry entry, deps_.ledger.enter_key(key));
    if (entry.what == ledger::KeyEntry::What::seen) {
      UsageRecord repeat{.account = original.account, .usage = difference.usage};
      repeat.total_cost = cost;
      repeat.adjustment = true;
      repeat.adjusts = adjustment.of;
      return this->original(std::move(repeat), entry.seen.row);
    }
    Result<std::vector<UsageRecord>> before =
        adjustments_of(original.account, original.occurred_at, adjustment.of);
    Status good = before ? check_left(usage, *before, difference.usage, cost)
                         : Status(std::unexpected(before.error()));
    if (!good) {
      deps_.ledger.leave_key(key, 0);
      return std::unexpected(std::move(good).error());
    }
  } else {
    AIMETER_TRY(const std::vector<UsageRecord> before,
                adjustments_of(original.account, original.occurred_at, adjustment.of));
    AIMETER_CHECK_OK(check_left(usage, before, difference.usage, cost));
  }
  return adjust_by(original, adjustment.of, std::move(difference));
}

// ---- reprice

Result<Core::Repriced> Core::reprice_row(const UsageRecord& row, Run run) {
  const base::Lock lock(adjusting_);
  AIMETER_CHECK_OK(deps_.ledger.drain());
  const PriceShelf::Ref prices = deps_.prices.now();
  AIMETER_TRY(const std::vector<UsageRecord> before,
              adjustments_of(row.account, row.occurred_at, row.id));
  Usage usage = corrected(row.usage, before);
  usage.input_cost = usage.output_cost = usage.total_cost = std::nullopt;
  const Result<CostResult> cost =
      prices->cost({.provider = row.provider, .model = row.model, .at = row.occurred_at}, usage);
  if (!cost || cost->provisional() || cost->currency != row.total_cost.currency)
    return Repriced{.what = Repriced::What::unpriced};
  Money input = row.input_cost, output = row.output_cost, total = row.total_cost;
  for (const UsageRecord& one : before) {
    input.nanos += one.input_cost.nanos;
    output.nanos += one.output_cost.nanos;
    total.nanos += one.total_cost.nanos;
  }
  const bool marked = row.unpriced && std::ranges::none_of(before, &UsageRecord::unpriced);
  const bool same = total.nanos == cost->total_cost.nanos;
  if (same && !marked) return Repriced{};
  Repriced repriced{.what = same ? Repriced::What::same : Repriced::What::changed,
                    .before = total,
                    .after = cost->total_cost};
  if (run == Run::dry) return repriced;
  Difference difference;
  difference.input_cost = {cost->input_cost.nanos - input.nanos, total.currency};
  difference.output_cost = {cost->output_cost.nanos - output.nanos, total.currency};
  difference.total_cost = {cost->total_cost.nanos - total.nanos, total.currency};
  difference.reason = "reprice";
  difference.price_version = cost->price_version;
  difference.price_model = cost->model;
  difference.prices_it = marked;
  difference.kind = "reprice";
  difference.key = fmt::format("{}:{}", row.id, before.size());
  AIMETER_TRY(const store::Settlement original, settlement(row.account.tenant, row.id));
  const store::KeyRef key{
      .key = store::key_of(row.account.tenant.text, difference.kind, difference.key),
      .content = content_of(row.id, difference.usage, difference.total_cost)};
  AIMETER_TRY(const ledger::KeyEntry entry, deps_.ledger.enter_key(key));
  if (entry.what == ledger::KeyEntry::What::seen) return Repriced{};  // another run did it
  AIMETER_TRY(const Settled settled, adjust_by(original, row.id, std::move(difference)));
  return repriced;
}

Result<RepriceReport> Core::reprice(const RepriceOptions& options) {
  AIMETER_CHECK_OK(usable());
  AIMETER_CHECK_OK(deps_.ledger.drain());
  RepriceReport report;
  std::map<std::pair<Account, std::string>, RepriceReport::Line> lines;
  std::string cursor;
  do {
    AIMETER_TRY(UsagePage page, deps_.store.usages(options.filter, cursor, 1'000));
    for (const UsageRecord& row : page.records) {
      const bool given =
          row.cost_source == CostSource::caller || row.cost_source == CostSource::provider;
      if (row.adjustment || row.duplicate || given) continue;
      if (options.which == Which::provisional_or_estimated && !row.unpriced && !row.estimated)
        continue;
      ++report.seen;
      AIMETER_TRY(const Repriced one, reprice_row(row, options.run));
      if (one.what == Repriced::What::unpriced) ++report.unpriced;
      if (one.what == Repriced::What::changed) {
        ++report.changed;
        auto [line, fresh] = lines.try_emplace({row.account, one.before.currency});
        if (fresh) {
          line->second = {.account = row.account,
                          .before = {0, one.before.currency},
                          .after = {0, one.before.currency}};
        }
        ++line->second.rows;
        line->second.before.nanos += one.before.nanos;
        line->second.after.nanos += one.after.nanos;
      }
      if (options.progress && !options.progress(report.seen)) {
        report.interrupted = true;
        break;
      }
    }
    cursor = std::move(page.next);
  } while (!cursor.empty() && !report.interrupted);
  for (auto& [key, line] : lines) report.accounts.push_back(std::move(line));
  return report;
}

}  // namespace aimeter::meter
