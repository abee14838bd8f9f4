#include "store/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "store/bytes.h"

namespace aimeter::store {
namespace {

constexpr std::size_t kNumberBytesMax = 10;  // a varint of 64 bits
constexpr std::size_t kTokenBytes = 16;
constexpr std::size_t kRateBytesMax = 80;  // two currencies and a decimal

// Token counts of a Usage in the order of their bits. Stored: append only.
constexpr std::array kCounts = {
    &Usage::input_tokens,
    &Usage::cached_input_tokens,
    &Usage::cache_write_tokens,
    &Usage::cache_write_5m_tokens,
    &Usage::cache_write_1h_tokens,
    &Usage::input_audio_tokens,
    &Usage::cached_input_audio_tokens,
    &Usage::output_tokens,
    &Usage::reasoning_tokens,
    &Usage::output_audio_tokens,
    &Usage::total_tokens,
};
constexpr std::array kCosts = {&Usage::input_cost, &Usage::output_cost, &Usage::total_cost};
constexpr unsigned kCostBits = kCounts.size();
constexpr unsigned kTotalOnlyBit = kCostBits + kCosts.size();
constexpr unsigned kUnitsBit = kTotalOnlyBit + 1;
constexpr unsigned kUsageBits = kUnitsBit + 1;

// Bits of one budget part.
constexpr std::uint8_t kOwnAccount = 1, kHasLimit = 2, kBlocking = 4, kShadow = 8,
                       kWouldRefuseHere = 16, kCounted = 32, kHasAllowance = 64, kPartBitsAll = 127;
// Bits of a settlement's optional ends.
constexpr std::uint8_t kHasKey = 1, kCapped = 2, kHasRates = 4, kHasOverage = 8, kHasTermsAt = 16,
                       kOptionalAll = 31;

static_assert(static_cast<int>(UsageSource::missing) == 0 &&
                  static_cast<int>(UsageSource::estimated) == 3,
              "the number of a usage source is stored");

std::int64_t count_of(Instant at) { return at.time_since_epoch().count(); }
Instant instant(std::int64_t microseconds) { return Instant(Duration(microseconds)); }

// ---- Writing.

void put_span(ByteWriter& out, const Period::Span& span) {
  out.put_signed(count_of(span.start));
  out.put_signed(count_of(span.end));
}

void put_money(ByteWriter& out, const Money& money) {
  out.put_signed(money.nanos);
  out.put_text(money.currency);
}

void put_account(ByteWriter& out, const Account& account) {
  out.put_text(account.tenant.text);
  out.put_text(account.billable.type);
  out.put_text(account.billable.id);
}

void put_part(ByteWriter& out, const BudgetPart& part, const Account& account) {
  const bool own = part.key.account != account;
  std::uint8_t bits = own ? kOwnAccount : 0;
  if (part.limit) bits |= kHasLimit;
  if (part.blocking) bits |= kBlocking;
  if (part.shadow) bits |= kShadow;
  if (part.would_refuse) bits |= kWouldRefuseHere;
  if (part.counted) bits |= kCounted;
  if (part.allowance) bits |= kHasAllowance;
  out.put_byte(bits);
  if (own) put_account(out, part.key.account);
  out.put_byte(static_cast<std::uint8_t>(part.key.kind));
  out.put_byte(static_cast<std::uint8_t>(part.key.scope));
  out.put_text(part.key.name);
  put_span(out, part.key.span);
  out.put_signed(part.key.plan);
  out.put_text(part.key.currency);
  out.put_signed(part.held);
  out.put_signed(part.actual);
  if (part.limit) out.put_signed(*part.limit);
  if (part.allowance) out.put_signed(*part.allowance);
}

void put_parts(ByteWriter& out, const std::vector<BudgetPart>& parts, const Account& account) {
  out.put_unsigned(parts.size());
  for (const BudgetPart& part : parts) put_part(out, part, account);
}

void put_pins(ByteWriter& out, const Pins& pins) {
  put_span(out, pins.period);
  out.put_signed(pins.subscription);
  out.put_signed(pins.plan);
  out.put_signed(pins.plan_version);
  out.put_text(pins.plan_slug);
  out.put_byte(static_cast<std::uint8_t>(pins.mode));
  out.put_text(pins.price_version);
  out.put_text(pins.price_model);
  out.put_text(pins.tenant_found_by);
  out.put_text(pins.estimate_source);
  out.put_signed(pins.estimate_tokens);
  out.put_signed(pins.estimate_cost_nanos);
  out.put_unsigned(pins.catalogue);
}

void put_rates(ByteWriter& out, const std::vector<currency::PinnedRate>& rates) {
  if (rates.empty()) return;
  out.put_unsigned(rates.size());
  for (const currency::PinnedRate& rate : rates) {
    out.put_text(rate.from);
    out.put_text(rate.to);
    out.put_text(rate.rate.text());
  }
}

std::uint8_t optional_bits(const Settlement& s) {
  std::uint8_t bits = 0;
  if (s.key) bits |= kHasKey;
  if (s.pins.capped) bits |= kCapped;
  if (!s.pins.rates.empty()) bits |= kHasRates;
  if (s.pins.overage) bits |= kHasOverage;
  if (s.pins.terms_at) bits |= kHasTermsAt;
  return bits;
}

void put_charge(ByteWriter& out, const Pins& pins) {
  if (pins.overage) {
    out.put_signed(pins.overage->nanos_per_million);
    out.put_text(pins.overage->currency);
  }
  if (pins.terms_at) out.put_signed(count_of(*pins.terms_at));
}

void put_usage(ByteWriter& out, const Usage& usage) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < kCounts.size(); ++i) {
    if ((usage.*kCounts[i]).count != 0) bits |= 1U << i;
  }
  for (std::size_t i = 0; i < kCosts.size(); ++i) {
    if (usage.*kCosts[i]) bits |= 1U << (kCostBits + i);
  }
  if (usage.total_only) bits |= 1U << kTotalOnlyBit;
  if (!usage.units.empty()) bits |= 1U << kUnitsBit;
  out.put_unsigned(bits);
  for (const auto count : kCounts) {
    if ((usage.*count).count != 0) out.put_signed((usage.*count).count);
  }
  for (const auto cost : kCosts) {
    if (usage.*cost) put_money(out, *(usage.*cost));
  }
  if (!usage.units.empty()) {
    out.put_unsigned(usage.units.size());
    for (const auto& [name, count] : usage.units) {
      out.put_text(name);
      out.put_signed(count);
    }
  }
  out.put_byte(static_cast<std::uint8_t>(usage.source));
  out.put_text(usage.service_tier);
}

// ---- Reading.

Period::Span take_span(ByteReader& in, std::string_view field) {
  Period::Span span;
  span.start = instant(in.signed_number(field));
  span.end = instant(in.signed_number(field));
  return span;
}

Money take_money(ByteReader& in, std::string_view field) {
  Money money;
  money.nanos = in.signed_number(field);
  money.currency = in.text(field);
  return money;
}

Account take_account(ByteReader& in, std::string_view field) {
  Account account;
  account.tenant.text = in.text(field);
  account.billable.type = in.text(field);
  account.billable.id = in.text(field);
  return account;
}

BudgetPart take_part(ByteReader& in, const Account& account) {
  BudgetPart part;
  const std::uint8_t bits = in.choice(kPartBitsAll, "budget bits");
  const bool own = (bits & kOwnAccount) != 0;
  part.key.account = own ? take_account(in, "budget account") : account;
  if (own && part.key.account == account) in.fail("budget account", "is written twice");
  const std::uint8_t kind =
      in.choice(static_cast<std::uint8_t>(BudgetKind::credits), "budget kind");
  if (kind == 0) in.fail("budget kind", "is 0");
  part.key.kind = static_cast<BudgetKind>(kind);
  part.key.scope = static_cast<BudgetScope>(
      in.choice(static_cast<std::uint8_t>(BudgetScope::session), "budget scope"));
  part.key.name = in.text("budget name");
  part.key.span = take_span(in, "budget period");
  part.key.plan = in.signed_number("budget plan");
  part.key.currency = in.text("budget currency");
  part.held = in.signed_number("budget held");
  part.actual = in.signed_number("budget actual");
  if ((bits & kHasLimit) != 0) part.limit = in.signed_number("budget limit");
  if ((bits & kHasAllowance) != 0) part.allowance = in.signed_number("budget allowance");
  part.blocking = (bits & kBlocking) != 0;
  part.shadow = (bits & kShadow) != 0;
  part.would_refuse = (bits & kWouldRefuseHere) != 0;
  part.counted = (bits & kCounted) != 0;
  return part;
}

std::vector<BudgetPart> take_parts(ByteReader& in, const Account& account) {
  std::vector<BudgetPart> parts;  // grows with what is there, whatever the count says
  const std::uint64_t count = in.number("budgets");
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) parts.push_back(take_part(in, account));
  return parts;
}

Pins take_pins(ByteReader& in) {
  Pins pins;
  pins.period = take_span(in, "period");
  pins.subscription = in.signed_number("subscription");
  pins.plan = in.signed_number("plan");
  pins.plan_version = in.signed_number("plan version");
  pins.plan_slug = in.text("plan slug");
  pins.mode = static_cast<BillingMode>(
      in.choice(static_cast<std::uint8_t>(BillingMode::credits), "billing mode"));
  pins.price_version = in.text("price version");
  pins.price_model = in.text("price model");
  pins.tenant_found_by = in.text("tenant found by");
  pins.estimate_source = in.text("estimate source");
  pins.estimate_tokens = in.signed_number("estimate tokens");
  pins.estimate_cost_nanos = in.signed_number("estimate cost");
  pins.catalogue = in.number("catalogue");
  return pins;
}

std::vector<currency::PinnedRate> take_rates(ByteReader& in) {
  std::vector<currency::PinnedRate> rates;
  const std::uint64_t count = in.number("rates");
  if (count == 0) in.fail("rates", "is 0");
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    currency::PinnedRate rate{.from = in.text("rate from"), .to = in.text("rate to")};
    const std::string text = in.text("rate");
    const Result<Decimal> value = Decimal::parse("rate", text);
    if (!value || value->text() != text) {
      in.fail("rate", "is no number");
      break;
    }
    rate.rate = *value;
    rates.push_back(std::move(rate));
  }
  return rates;
}

void take_charge(ByteReader& in, std::uint8_t optional, Pins& pins) {
  if ((optional & kHasOverage) != 0) {
    pins.overage.emplace();
    pins.overage->nanos_per_million = in.signed_number("overage price");
    pins.overage->currency = in.text("overage currency");
  }
  if ((optional & kHasTermsAt) != 0) pins.terms_at = instant(in.signed_number("terms at"));
}

void take_units(ByteReader& in, std::map<std::string, std::int64_t>& units) {
  const std::uint64_t count = in.number("units");
  if (count == 0) in.fail("units", "is 0");
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    std::string name = in.text("unit name");
    const std::int64_t quantity = in.signed_number("unit count");
    if (!units.empty() && name <= units.rbegin()->first) in.fail("unit name", "is out of order");
    units.emplace_hint(units.end(), std::move(name), quantity);
  }
}

Usage take_usage(ByteReader& in) {
  Usage usage;
  const std::uint32_t bits = in.number32("usage bits");
  if (bits >> kUsageBits != 0) in.fail("usage bits", "has unknown bits");
  for (std::size_t i = 0; i < kCounts.size(); ++i) {
    if ((bits >> i & 1) == 0) continue;
    (usage.*kCounts[i]).count = in.signed_number("usage count");
    if ((usage.*kCounts[i]).count == 0) in.fail("usage count", "is 0");
  }
  for (std::size_t i = 0; i < kCosts.size(); ++i) {
    if ((bits >> (kCostBits + i) & 1) != 0) usage.*kCosts[i] = take_money(in, "usage cost");
  }
  usage.total_only = (bits >> kTotalOnlyBit & 1) != 0;
  if ((bits >> kUnitsBit & 1) != 0) take_units(in, usage.units);
  usage.source = static_cast<UsageSource>(
      in.choice(static_cast<std::uint8_t>(UsageSource::estimated), "usage source"));
  usage.service_tier = in.text("service tier");
  return usage;
}

bool charges(const std::vector<BudgetPart>& parts) {
  return std::ranges::any_of(parts,
                             [](const BudgetPart& part) { return part.allowance.has_value(); });
}

std::uint8_t version_of(const Settlement& s) {
  return s.pins.overage || s.pins.terms_at || !s.pins.rates.empty() || charges(s.budgets) ? 2 : 1;
}
std::uint8_t version_of(const Begin& begin) { return charges(begin.budgets) ? 2 : 1; }

// One value has one form: a version above the lowest that can say it is none.
void check_lowest(ByteReader& in, std::uint8_t version, std::uint8_t lowest) {
  if (version != lowest && !in.failed()) {
    in.fail("version", fmt::format("is {}, these bytes are of version {}", version, lowest));
  }
}

std::uint8_t take_version(ByteReader& in) {
  const std::uint8_t version = in.byte("version");
  if ((version == 0 || version > kCodecVersion) && !in.failed()) {
    in.fail("version", fmt::format("is {}, this program knows version {}{}", version, kCodecVersion,
                                   version > kCodecVersion ? ": written by a newer one" : ""));
  }
  return version;
}

std::unexpected<Error> damaged(std::string_view what, const ByteReader& in) {
  return fail(Code::corrupt, fmt::format("{}: {}", what, in.problem()));
}

std::size_t text_bytes(std::string_view text) { return text.size() + kNumberBytesMax; }

std::size_t account_bytes(const Account& account) {
  return text_bytes(account.tenant.text) + text_bytes(account.billable.type) +
         text_bytes(account.billable.id);
}

std::size_t usage_bytes_max(const Usage& usage) {
  const std::size_t currency = kCurrencyBytesReserved + kNumberBytesMax;
  std::size_t units = kUnitsReserved * (kUnitNameBytesReserved + 2 * kNumberBytesMax);
  for (const auto& [name, count] : usage.units) units += text_bytes(name) + kNumberBytesMax;
  return (2 + kCounts.size()) * kNumberBytesMax + kCosts.size() * (kNumberBytesMax + currency) +
         units + 1 + std::max(usage.service_tier.size(), kServiceTierBytesReserved) +
         kNumberBytesMax;
}

}  // namespace

std::string encode(const Settlement& s) {
  ByteWriter out(encoded_bytes_max(s));
  out.put_fixed64(s.seq);
  out.put_byte(version_of(s));
  out.put_unsigned(s.hold);
  out.put_unsigned(s.hold_engine);
  out.put_unsigned(s.epoch);
  out.put_unsigned(s.flags);
  out.put_signed(count_of(s.occurred_at));
  put_account(out, s.account);
  for (const auto* text : {&s.user, &s.provider, &s.model, &s.feature, &s.api_key, &s.session}) {
    out.put_text(*text);
  }
  out.put_byte(optional_bits(s));
  put_pins(out, s.pins);
  put_rates(out, s.pins.rates);
  put_parts(out, s.budgets, s.account);
  put_usage(out, s.usage);
  for (const Money* cost : {&s.input_cost, &s.output_cost, &s.total_cost}) put_money(out, *cost);
  if (s.key) {
    for (const std::uint8_t byte : s.key->key) out.put_byte(byte);
    out.put_fixed64(s.key->content);
  }
  out.put_signed(s.adjusts);
  out.put_text(s.meta);
  out.put_text(s.token);
  out.put_signed(count_of(s.expires_at));
  put_charge(out, s.pins);
  return std::move(out).take();
}

Result<Settlement> decode_settlement(std::string_view bytes) {
  ByteReader in(bytes);
  Settlement s;
  s.seq = in.fixed64("seq");
  const std::uint8_t version = take_version(in);
  s.hold = in.number("hold");
  s.hold_engine = in.number("hold engine");
  s.epoch = in.number32("epoch");
  s.flags = in.number32("flags");
  s.occurred_at = instant(in.signed_number("occurred at"));
  s.account = take_account(in, "account");
  for (auto* text : {&s.user, &s.provider, &s.model, &s.feature, &s.api_key, &s.session}) {
    *text = in.text("name");
  }
  const std::uint8_t optional = in.choice(kOptionalAll, "optional bits");
  s.pins = take_pins(in);
  s.pins.capped = (optional & kCapped) != 0;
  if ((optional & kHasRates) != 0) s.pins.rates = take_rates(in);
  s.budgets = take_parts(in, s.account);
  s.usage = take_usage(in);
  for (Money* cost : {&s.input_cost, &s.output_cost, &s.total_cost}) *cost = take_money(in, "cost");
  if ((optional & kHasKey) != 0) {
    s.key.emplace();
    std::ranges::copy(in.take(s.key->key.size(), "key"), s.key->key.begin());
    s.key->content = in.fixed64("content");
  }
  s.adjusts = in.signed_number("adjusts");
  s.meta = in.text("meta");
  s.token = in.text("token");
  s.expires_at = instant(in.signed_number("expires at"));
  take_charge(in, optional, s.pins);
  check_lowest(in, version, version_of(s));
  in.end();
  if (in.failed()) return damaged("settlement", in);
  return s;
}

std::string encode(const Begin& begin) {
  ByteWriter out(256);
  out.put_byte(version_of(begin));
  out.put_unsigned(begin.hold);
  out.put_unsigned(begin.epoch);
  out.put_signed(count_of(begin.opened_at));
  put_account(out, begin.account);
  for (const auto* text :
       {&begin.user, &begin.provider, &begin.model, &begin.feature, &begin.estimate_source}) {
    out.put_text(*text);
  }
  put_parts(out, begin.budgets, begin.account);
  return std::move(out).take();
}

Result<Begin> decode_begin(std::string_view bytes) {
  ByteReader in(bytes);
  Begin begin;
  const std::uint8_t version = take_version(in);
  begin.hold = in.number("hold");
  begin.epoch = in.number32("epoch");
  begin.opened_at = instant(in.signed_number("opened at"));
  begin.account = take_account(in, "account");
  for (auto* text :
       {&begin.user, &begin.provider, &begin.model, &begin.feature, &begin.estimate_source}) {
    *text = in.text("name");
  }
  begin.budgets = take_parts(in, begin.account);
  check_lowest(in, version, version_of(begin));
  in.end();
  if (in.failed()) return damaged("begin", in);
  return begin;
}

std::size_t encoded_bytes_max(const Settlement& s) { return encoded_bytes_max(s, s.budgets); }

std::size_t encoded_bytes_max(const Settlement& s, std::span<const BudgetPart> budgets) {
  constexpr std::size_t kNumbers = 26;  // single numbers of settlement and pins, rounded up
  const std::size_t money = 2 * kNumberBytesMax + kCurrencyBytesReserved;
  std::size_t size = kNumbers * kNumberBytesMax + account_bytes(s.account) + 4 * money +
                     sizeof(KeyRef) + std::max(s.token.size(), kTokenBytes) + kNumberBytesMax;
  for (const auto* text : {&s.user, &s.provider, &s.model, &s.feature, &s.api_key, &s.session,
                           &s.meta, &s.pins.plan_slug, &s.pins.price_version, &s.pins.price_model,
                           &s.pins.tenant_found_by, &s.pins.estimate_source}) {
    size += text_bytes(*text);
  }
  for (const BudgetPart& part : budgets) {
    size += 3 + account_bytes(part.key.account) + text_bytes(part.key.name) +
            text_bytes(part.key.currency) + 7 * kNumberBytesMax;
  }
  // At a hold nobody knows how many of its budgets' currencies will need a rate.
  const std::size_t rates = std::max(s.pins.rates.size(), budgets.size());
  return size + rates * kRateBytesMax + usage_bytes_max(s.usage);
}

}  // namespace aimeter::store
