#include "drivers/storage/sqlite/row.h"

#include <array>

#include "drivers/storage/sqlite/bytes.h"

namespace aimeter::drivers::sqlite {
namespace {

using store::Settlement;

// A bit beside the mode in pins: rates follow. Stored.
constexpr std::uint64_t kWithRates = 1U << 8;

// Bits of the first number of `extra`. Stored: they keep their meaning.
enum Has : std::uint64_t {
  kHold = 1U << 0,
  kParts = 1U << 1,
  kUsageParts = 1U << 2,
  kTotal = 1U << 3,
  kSplit = 1U << 4,
  kSplitCurrencies = 1U << 5,
  kGivenCosts = 1U << 6,
  kTier = 1U << 7,
  kUnits = 1U << 8,
  kNames = 1U << 9,
  kMeta = 1U << 10,
  kContent = 1U << 11,
  kToken = 1U << 12,
  kEstimates = 1U << 13,
  kWouldRefuseParts = 1U << 14,
  kOnlyTotal = 1U << 15,
  kTermsAt = 1U << 20,
};

// Parts of the usage that have no column, in the order of their bits.
constexpr std::array kUsageParts7 = {
    &Usage::cache_write_tokens,  &Usage::cache_write_5m_tokens,     &Usage::cache_write_1h_tokens,
    &Usage::input_audio_tokens,  &Usage::cached_input_audio_tokens, &Usage::reasoning_tokens,
    &Usage::output_audio_tokens,
};
constexpr std::array kGiven = {&Usage::input_cost, &Usage::output_cost, &Usage::total_cost};

std::uint64_t usage_bits(const Usage& usage) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < kUsageParts7.size(); ++i) {
    if ((usage.*kUsageParts7[i]).count != 0) bits |= 1ULL << i;
  }
  return bits;
}

// Wraps instead of overflowing: only compared with what was stored.
std::int64_t sum_of(const Usage& usage) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(usage.input_tokens.count, usage.output_tokens.count, &sum) ? 0
                                                                                           : sum;
}

bool any_would_refuse(const Settlement& settlement) {
  for (const auto& part : settlement.budgets) {
    if (part.would_refuse) return true;
  }
  return false;
}

bool has_estimates(const store::Pins& pins) {
  return pins.estimate_tokens != 0 || pins.estimate_cost_nanos != 0 || pins.capped ||
         pins.catalogue != 0;
}

std::uint64_t bits_of(const Settlement& settlement, const ExtraIds& ids, std::uint64_t parts) {
  const Usage& usage = settlement.usage;
  std::uint64_t has = 0;
  const auto set = [&has](bool there, Has bit) {
    if (there) has |= bit;
  };
  set(settlement.hold != 0 || settlement.hold_engine != 0 || settlement.epoch != 0, kHold);
  set(!settlement.budgets.empty(), kParts);
  set(parts != 0, kUsageParts);
  set(usage.total_tokens.count != sum_of(usage), kTotal);
  set(settlement.input_cost.nanos != 0 || settlement.output_cost.nanos != 0, kSplit);
  set(settlement.input_cost.currency != settlement.total_cost.currency ||
          settlement.output_cost.currency != settlement.total_cost.currency,
      kSplitCurrencies);
  set(usage.input_cost || usage.output_cost || usage.total_cost, kGivenCosts);
  set(!usage.service_tier.empty(), kTier);
  set(!usage.units.empty(), kUnits);
  set(ids.api_key != 0 || ids.session != 0, kNames);
  set(!settlement.meta.empty(), kMeta);
  set(settlement.key.has_value(), kContent);
  set(!settlement.token.empty(), kToken);
  set(has_estimates(settlement.pins), kEstimates);
  set(any_would_refuse(settlement), kWouldRefuseParts);
  set(usage.total_only, kOnlyTotal);
  set(settlement.pins.terms_at.has_value(), kTermsAt);
  return has;
}

void write_given(ByteWriter& out, const Usage& usage) {
  for (const auto member : kGiven) {
    const std::optional<Money>& given = usage.*member;
    out.number(given ? 1 : 0);
    if (!given) continue;
    out.integer(given->nanos);
    out.text(given->currency);
  }
}

void read_given(ByteReader& in, Usage& usage) {
  for (const auto member : kGiven) {
    if (in.number() == 0) continue;
    Money given;
    given.nanos = in.integer();
    given.currency = in.text();
    usage.*member = given;
  }
}

void read_costs(ByteReader& in, std::uint64_t has, Settlement& settlement) {
  settlement.input_cost.currency = settlement.total_cost.currency;
  settlement.output_cost.currency = settlement.total_cost.currency;
  if ((has & kSplit) != 0) {
    settlement.input_cost.nanos = in.integer();
    settlement.output_cost.nanos = in.integer();
  }
  if ((has & kSplitCurrencies) != 0) {
    settlement.input_cost.currency = in.text();
    settlement.output_cost.currency = in.text();
  }
  if ((has & kGivenCosts) != 0) read_given(in, settlement.usage);
}

void read_usage(ByteReader& in, std::uint64_t has, Usage& usage) {
  const std::uint64_t parts = (has & kUsageParts) != 0 ? in.number() : 0;
  for (std::size_t i = 0; i < kUsageParts7.size(); ++i) {
    if ((parts >> i & 1) != 0) (usage.*kUsageParts7[i]).count = in.integer();
  }
  usage.total_only = (has & kOnlyTotal) != 0;
  usage.total_tokens.count = (has & kTotal) != 0 ? in.integer() : sum_of(usage);
}

void read_units(ByteReader& in, Usage& usage) {
  const std::uint64_t count = in.number();
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    std::string name(in.text());
    usage.units[std::move(name)] = in.integer();
  }
}

}  // namespace

void write_pins(std::string& out, const Settlement& settlement,
                std::span<const std::int64_t> budgets) {
  const store::Pins& pins = settlement.pins;
  ByteWriter writer(out);
  writer.integer(pins.period.start.time_since_epoch().count());
  writer.integer(pins.period.end.time_since_epoch().count());
  writer.integer(pins.subscription);
  writer.integer(pins.plan);
  writer.integer(pins.plan_version);
  writer.number(static_cast<std::uint64_t>(pins.mode) | (pins.rates.empty() ? 0U : kWithRates));
  if (!pins.rates.empty()) {
    writer.number(pins.rates.size());
    for (const currency::PinnedRate& rate : pins.rates) {
      writer.text(rate.from);
      writer.text(rate.to);
      writer.text(rate.rate.text());
    }
  }
  for (const std::string* text : {&pins.plan_slug, &pins.price_version, &pins.price_model,
                                  &pins.tenant_found_by, &pins.estimate_source}) {
    writer.text(*text);
  }
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    const store::BudgetPart& part = settlement.budgets[i];
    writer.integer(budgets[i]);
    const bool priced = part.allowance && pins.overage;
    writer.number((part.limit ? 1U : 0U) | (part.blocking ? 2U : 0U) | (part.shadow ? 4U : 0U) |
                  (part.allowance ? 8U : 0U) | (priced ? 16U : 0U));
    if (part.limit) writer.integer(*part.limit);
    if (part.allowance) writer.integer(*part.allowance);
    if (!priced) continue;
    writer.integer(pins.overage->nanos_per_million);
    writer.text(pins.overage->currency);
  }
}

bool read_pins(std::string_view bytes, store::Pins& pins, std::vector<PinnedBudget>& budgets) {
  ByteReader reader(bytes);
  pins.period.start = Instant(Duration(reader.integer()));
  pins.period.end = Instant(Duration(reader.integer()));
  pins.subscription = reader.integer();
  pins.plan = reader.integer();
  pins.plan_version = reader.integer();
  const std::uint64_t mode = reader.number();
  pins.mode = static_cast<BillingMode>(mode & (kWithRates - 1));
  pins.rates.clear();
  const std::uint64_t rates = (mode & kWithRates) != 0 ? reader.number() : 0;
  for (std::uint64_t i = 0; i < rates && !reader.failed(); ++i) {
    currency::PinnedRate& rate = pins.rates.emplace_back();
    rate.from = reader.text();
    rate.to = reader.text();
    const Result<Decimal> value = Decimal::parse("rate", reader.text());
    if (!value) return false;
    rate.rate = *value;
  }
  for (std::string* text : {&pins.plan_slug, &pins.price_version, &pins.price_model,
                            &pins.tenant_found_by, &pins.estimate_source}) {
    *text = reader.text();
  }
  budgets.clear();
  while (!reader.at_end() && !reader.failed()) {
    PinnedBudget budget{.budget = reader.integer()};
    const std::uint64_t bits = reader.number();
    budget.blocking = (bits & 2) != 0;
    budget.shadow = (bits & 4) != 0;
    if ((bits & 1) != 0) budget.limit = reader.integer();
    if ((bits & 8) != 0) budget.allowance = reader.integer();
    if ((bits & 16) != 0) {
      pins.overage.emplace();
      pins.overage->nanos_per_million = reader.integer();
      pins.overage->currency = reader.text();
    }
    budgets.push_back(budget);
  }
  return !reader.failed();
}

void write_extra(std::string& out, const Settlement& settlement, const ExtraIds& ids) {
  const Usage& usage = settlement.usage;
  const std::uint64_t parts = usage_bits(usage);
  const std::uint64_t has = bits_of(settlement, ids, parts);
  ByteWriter writer(out);
  writer.number(has);
  writer.number(static_cast<std::uint64_t>(usage.source));
  if ((has & kHold) != 0) {
    writer.number(settlement.hold);
    writer.number(settlement.hold_engine);
    writer.number(settlement.epoch);
  }
  for (const store::BudgetPart& part : settlement.budgets) {
    writer.integer(part.held);
    writer.integer(part.actual);
    if ((has & kWouldRefuseParts) != 0) writer.number(part.would_refuse ? 1 : 0);
  }
  if ((has & kUsageParts) != 0) writer.number(parts);
  for (std::size_t i = 0; i < kUsageParts7.size(); ++i) {
    if ((parts >> i & 1) != 0) writer.integer((usage.*kUsageParts7[i]).count);
  }
  if ((has & kTotal) != 0) writer.integer(usage.total_tokens.count);
  if ((has & kSplit) != 0) {
    writer.integer(settlement.input_cost.nanos);
    writer.integer(settlement.output_cost.nanos);
  }
  if ((has & kSplitCurrencies) != 0) {
    writer.text(settlement.input_cost.currency);
    writer.text(settlement.output_cost.currency);
  }
  if ((has & kGivenCosts) != 0) write_given(writer, usage);
  if ((has & kTier) != 0) writer.text(usage.service_tier);
  if ((has & kUnits) != 0) {
    writer.number(usage.units.size());
    for (const auto& [name, count] : usage.units) {
      writer.text(name);
      writer.integer(count);
    }
  }
  if ((has & kNames) != 0) {
    writer.integer(ids.api_key);
    writer.integer(ids.session);
  }
  if ((has & kMeta) != 0) writer.text(settlement.meta);
  if ((has & kContent) != 0) writer.number(settlement.key->content);
  if ((has & kToken) != 0) {
    writer.text(settlement.token);
    writer.integer(settlement.expires_at.time_since_epoch().count());
  }
  if ((has & kEstimates) != 0) {
    writer.integer(settlement.pins.estimate_tokens);
    writer.integer(settlement.pins.estimate_cost_nanos);
    writer.number(settlement.pins.capped ? 1 : 0);
    writer.number(settlement.pins.catalogue);
  }
  if ((has & kTermsAt) != 0) writer.integer(settlement.pins.terms_at->time_since_epoch().count());
}

bool read_extra(std::string_view bytes, Settlement& settlement, ExtraIds& ids) {
  ByteReader reader(bytes);
  const std::uint64_t has = reader.number();
  settlement.usage.source = static_cast<UsageSource>(reader.number());
  if ((has & kHold) != 0) {
    settlement.hold = reader.number();
    settlement.hold_engine = reader.number();
    settlement.epoch = static_cast<std::uint32_t>(reader.number());
  }
  for (store::BudgetPart& part : settlement.budgets) {
    part.held = reader.integer();
    part.actual = reader.integer();
    if ((has & kWouldRefuseParts) != 0) part.would_refuse = reader.number() != 0;
  }
  read_usage(reader, has, settlement.usage);
  read_costs(reader, has, settlement);
  if ((has & kTier) != 0) settlement.usage.service_tier = reader.text();
  if ((has & kUnits) != 0) read_units(reader, settlement.usage);
  if ((has & kNames) != 0) {
    ids.api_key = reader.integer();
    ids.session = reader.integer();
  }
  if ((has & kMeta) != 0) settlement.meta = reader.text();
  if ((has & kContent) != 0) {
    if (!settlement.key) settlement.key.emplace();
    settlement.key->content = reader.number();
  }
  if ((has & kToken) != 0) {
    settlement.token = reader.text();
    settlement.expires_at = Instant(Duration(reader.integer()));
  }
  if ((has & kEstimates) != 0) {
    settlement.pins.estimate_tokens = reader.integer();
    settlement.pins.estimate_cost_nanos = reader.integer();
    settlement.pins.capped = reader.number() != 0;
    settlement.pins.catalogue = reader.number();
  }
  if ((has & kTermsAt) != 0) settlement.pins.terms_at = Instant(Duration(reader.integer()));
  return !reader.failed() && reader.at_end();
}

std::string write_amounts(std::span<const BudgetAmount> amounts) {
  std::string out;
  ByteWriter writer(out);
  for (const BudgetAmount& amount : amounts) {
    writer.integer(amount.budget);
    writer.integer(amount.amount);
  }
  return out;
}

namespace {

bool take_amounts(ByteReader& reader, std::vector<BudgetAmount>& amounts) {
  amounts.clear();
  while (!reader.at_end() && !reader.failed()) {
    BudgetAmount amount{.budget = reader.integer()};
    amount.amount = reader.integer();
    amounts.push_back(amount);
  }
  return !reader.failed();
}

}  // namespace

bool read_amounts(std::string_view bytes, std::vector<BudgetAmount>& amounts) {
  ByteReader reader(bytes);
  return take_amounts(reader, amounts);
}

std::string write_hold(const HoldParts& hold) {
  std::string out;
  ByteWriter(out).integer(hold.account);
  return out + write_amounts(hold.amounts);
}

bool read_hold(std::string_view bytes, HoldParts& hold) {
  ByteReader reader(bytes);
  hold.account = reader.integer();
  return take_amounts(reader, hold.amounts);
}

}  // namespace aimeter::drivers::sqlite
