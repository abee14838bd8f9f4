#include <array>
#include <optional>

#include "aimeter/provider.h"
#include "base/json.h"

namespace aimeter {
namespace {

constexpr std::string_view kCountExpected = "a whole number from 0 to 9223372036854775807";
constexpr std::size_t kUnitsMax = 32;
constexpr std::size_t kUnitNameBytesMax = 64;

struct TokenField {
  const char* name;
  Tokens Usage::* tokens;
};
constexpr std::array kTokenFields = {
    TokenField{"input_tokens", &Usage::input_tokens},
    TokenField{"cached_input_tokens", &Usage::cached_input_tokens},
    TokenField{"cache_write_tokens", &Usage::cache_write_tokens},
    TokenField{"cache_write_5m_tokens", &Usage::cache_write_5m_tokens},
    TokenField{"cache_write_1h_tokens", &Usage::cache_write_1h_tokens},
    TokenField{"input_audio_tokens", &Usage::input_audio_tokens},
    TokenField{"cached_input_audio_tokens", &Usage::cached_input_audio_tokens},
    TokenField{"output_tokens", &Usage::output_tokens},
    TokenField{"reasoning_tokens", &Usage::reasoning_tokens},
    TokenField{"output_audio_tokens", &Usage::output_audio_tokens},
    TokenField{"total_tokens", &Usage::total_tokens},
};

struct PartOf {
  std::size_t part, whole;
};
constexpr std::size_t index_of(std::string_view name) {
  for (std::size_t i = 0; i < kTokenFields.size(); ++i)
    if (name == kTokenFields[i].name) return i;
  return kTokenFields.size();
}
constexpr PartOf part_of(std::string_view part, std::string_view whole) {
  return {index_of(part), index_of(whole)};
}
constexpr std::array kParts = {
    part_of("cached_input_tokens", "input_tokens"),
    part_of("cache_write_tokens", "input_tokens"),
    part_of("cache_write_5m_tokens", "cache_write_tokens"),
    part_of("cache_write_1h_tokens", "cache_write_tokens"),
    part_of("input_audio_tokens", "input_tokens"),
    part_of("cached_input_audio_tokens", "cached_input_tokens"),
    part_of("cached_input_audio_tokens", "input_audio_tokens"),
    part_of("reasoning_tokens", "output_tokens"),
    part_of("output_audio_tokens", "output_tokens"),
};
static_assert([] {
  for (const PartOf& x : kParts)
    if (x.part >= kTokenFields.size() || x.whole >= kTokenFields.size()) return false;
  return true;
}());

std::unexpected<Error> above(std::string_view part, std::int64_t count, std::string_view whole,
                             std::int64_t limit) {
  return bad_input(part, std::to_string(count),
                   "at most " + std::string(whole) + ", which is " + std::to_string(limit));
}

bool is_unit_name(std::string_view name) {
  if (name.empty() || name.size() > kUnitNameBytesMax) return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

bool is_tier(std::string_view text) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return text.size() <= 64 && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

Status read_units(const base::Json& value, Usage& usage) {
  if (value.is_null()) return {};
  if (value.kind() != base::Json::Kind::object)
    return bad_input("units", value.excerpt(), "an object of counts by name");
  if (value.members().size() > kUnitsMax)
    return bad_input("units", value.excerpt(), "at most 32 units");
  for (const auto& [name, count] : value.members()) {
    if (!is_unit_name(name))
      return bad_input("units", name, "names of [a-z0-9_], at most 64 bytes");
    AIMETER_TRY(const std::int64_t number, count.count("units." + name));
    usage.units[name] = number;
  }
  return {};
}

// Sums that the writer may leave out: the total, and the whole of the cache writes by term.
Status fill_in(std::uint64_t given, Usage& usage) {
  const auto gave = [&](std::string_view name) { return (given >> index_of(name) & 1) != 0; };
  if (!gave("cache_write_tokens") &&
      __builtin_add_overflow(usage.cache_write_5m_tokens.count, usage.cache_write_1h_tokens.count,
                             &usage.cache_write_tokens.count))
    return bad_input("cache_write_tokens", "a sum above int64", kCountExpected);
  if (!gave("total_tokens") &&
      __builtin_add_overflow(usage.input_tokens.count, usage.output_tokens.count,
                             &usage.total_tokens.count))
    return bad_input("total_tokens", "a sum above int64", kCountExpected);
  if (gave("total_tokens") && !gave("input_tokens") && !gave("output_tokens"))
    usage.total_only = usage.total_tokens.count > 0;
  return {};
}

Result<Usage> read_usage(base::JsonFields& fields) {
  Usage usage = {};
  usage.source = UsageSource::manual;
  std::uint64_t given = 0;
  for (std::size_t i = 0; i < kTokenFields.size(); ++i) {
    AIMETER_TRY(const std::optional<std::int64_t> count,
                fields.optional_count(kTokenFields[i].name));
    if (!count) continue;
    (usage.*kTokenFields[i].tokens).count = *count;
    given |= std::uint64_t{1} << i;
  }
  if (const base::Json* units = fields.take("units")) AIMETER_CHECK_OK(read_units(*units, usage));
  AIMETER_TRY(const std::optional<bool> total_only, fields.optional_boolean("total_only"));
  AIMETER_TRY(const std::optional<std::string> tier, fields.optional_string("service_tier"));
  if (tier && !is_tier(*tier))
    return bad_input("service_tier", *tier, "at most 64 letters, digits, '_', '-', '.'");
  usage.service_tier = tier.value_or("");
  AIMETER_CHECK_OK(fields.refuse_others());
  AIMETER_CHECK_OK(fill_in(given, usage));
  if (total_only) usage.total_only = *total_only;
  AIMETER_CHECK_OK(usage.check());
  return usage;
}

}  // namespace

std::string Usage::to_json() const {
  std::string text = "{";
  for (const TokenField& field : kTokenFields) {
    text.append(text.size() > 1 ? ", \"" : "\"").append(field.name).append("\": ");
    text.append(std::to_string((this->*field.tokens).count));
  }
  if (!units.empty()) {
    std::string inner;
    for (const auto& [name, count] : units)
      inner.append(inner.empty() ? "\"" : ", \"")
          .append(name)
          .append("\": ")
          .append(std::to_string(count));
    text.append(", \"units\": {").append(inner).append("}");
  }
  if (total_only) text.append(", \"total_only\": true");
  if (!service_tier.empty() && is_tier(service_tier))
    text.append(", \"service_tier\": \"").append(service_tier).append("\"");
  return text.append("}");
}

Result<Usage> Usage::from_json(std::string_view text) {
  AIMETER_TRY(const base::Json root, base::Json::parse("usage", text));
  AIMETER_TRY(base::JsonFields fields, base::JsonFields::of(root, ""));
  return read_usage(fields);
}

Status Usage::check() const {
  for (const TokenField& field : kTokenFields)
    if ((this->*field.tokens).count < 0)
      return bad_input(field.name, std::to_string((this->*field.tokens).count), kCountExpected);
  for (const auto& [name, count] : units)
    if (count < 0) return bad_input("units." + name, std::to_string(count), kCountExpected);
  for (const PartOf& x : kParts) {
    const std::int64_t part = (this->*kTokenFields[x.part].tokens).count;
    const std::int64_t whole = (this->*kTokenFields[x.whole].tokens).count;
    if (part > whole)
      return above(kTokenFields[x.part].name, part, kTokenFields[x.whole].name, whole);
  }
  if (cache_write_5m_tokens.count > cache_write_tokens.count - cache_write_1h_tokens.count)
    return above("cache_write_5m_tokens", cache_write_5m_tokens.count,
                 "cache_write_tokens without cache_write_1h_tokens",
                 cache_write_tokens.count - cache_write_1h_tokens.count);
  std::int64_t sum = 0;
  if (__builtin_add_overflow(input_tokens.count, output_tokens.count, &sum))
    return bad_input("total_tokens", "a sum above int64", kCountExpected);
  if (total_only && sum != 0 && total_tokens.count != sum)
    return bad_input("total_only", "true",
                     "no input_tokens and no output_tokens beside it, or the halves of the total");
  if (!total_only && total_tokens.count != sum)
    return bad_input("total_tokens", std::to_string(total_tokens.count),
                     "input_tokens + output_tokens, which is " + std::to_string(sum));
  return {};
}

}  // namespace aimeter
