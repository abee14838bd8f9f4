#include "provider/figures.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace aimeter::provider {
namespace {

__extension__ typedef __int128 Wide;  // products of a price and a power of ten

constexpr std::string_view kCountExpected = "a whole number from 0 to 9223372036854775807";

bool add_checked(std::int64_t& sum, std::int64_t more) {
  return !__builtin_add_overflow(sum, more, &sum);
}

std::string field_name(const FieldRule& rule) {
  std::string name = "usage";
  if (!rule.object.empty()) name.append(".").append(rule.object);
  return name.append(".").append(rule.key);
}

// Seconds are billed whole, and OpenAI rounds whisper to the nearest one: a begun second is never
// free.
std::optional<std::int64_t> whole_seconds(const Json& value) {
  if (value.is(Json::Kind::whole)) return value.count();
  const Result<Money> exact = money_of(value.number_text());
  if (!exact || exact->nanos < 0) return std::nullopt;
  constexpr std::int64_t kNano = 1'000'000'000;
  return exact->nanos / kNano + (exact->nanos % kNano != 0 ? 1 : 0);
}

std::optional<std::int64_t> count_of(const Json& value, Slot slot) {
  return slot == Slot::seconds ? whole_seconds(value) : value.whole();
}

class Collector {
 public:
  Collector(const RuleSet& rules, Figures& into) : rules_(rules), into_(into) {
    order_.fill(kRulesMax);
  }

  Status read(const Json& object, RuleSet::Group group) {
    for (Fields at = object.fields(); at.next();) {
      const std::size_t rule = rules_.find(group, at.key());
      if (rule != RuleSet::kNone) AIMETER_CHECK_OK(take(rule, at.value()));
      if (!at.value().is(Json::Kind::object)) continue;
      if (const std::optional<RuleSet::Group> inner = rules_.group_of(at.key()))
        AIMETER_CHECK_OK(read(at.value(), *inner));
    }
    return {};
  }

 private:
  Status take(std::size_t i, const Json& value) {
    const FieldRule& rule = rules_.rule(i);
    if ((seen_ >> i & 1) != 0) return bad_input(field_name(rule), value.brief(64), "each key once");
    seen_ |= std::uint64_t{1} << i;
    if (!value.has_value() || value.is(Json::Kind::object)) return {};
    const std::optional<std::int64_t> count = count_of(value, rule.slot);
    if (!count) return bad_input(field_name(rule), value.brief(64), kCountExpected);
    std::uint8_t& order = order_[static_cast<std::size_t>(rule.slot)];
    if (order < i) return {};
    order = static_cast<std::uint8_t>(i);
    into_.set(rule.slot, *count);
    return {};
  }

  const RuleSet& rules_;
  Figures& into_;
  std::uint64_t seen_ = 0;
  std::array<std::uint8_t, Figures::kSlots> order_ = {};
};

std::unexpected<Error> too_large(std::string_view what) {
  return bad_input(what, "a sum above int64", kCountExpected);
}

// Input and output in full. False when a sum leaves int64.
bool add_up(const Figures& figures, const Meaning& meaning, Usage& usage) {
  std::int64_t& input = usage.input_tokens.count;
  std::int64_t& output = usage.output_tokens.count;
  input = figures.get(Slot::input);
  bool fits = add_checked(input, figures.get(Slot::tool_prompt)) &&
              add_checked(input, figures.get(Slot::citation));
  if (meaning.input == InputMeans::without_cache)
    fits = fits && add_checked(input, figures.get(Slot::cached)) &&
           add_checked(input, usage.cache_write_tokens.count);
  output = figures.get(Slot::output);
  if (meaning.output == OutputMeans::without_reasoning)
    fits = fits && add_checked(output, figures.get(Slot::reasoning));
  usage.total_tokens.count = input;
  return fits && add_checked(usage.total_tokens.count, output);
}

void add_units(const Figures& figures, Usage& usage) {
  constexpr std::pair<Slot, const char*> kUnits[] = {
      {Slot::searches, "searches"}, {Slot::images, "images"},
      {Slot::seconds, "seconds"},   {Slot::characters, "characters"},
      {Slot::pages, "pages"},       {Slot::classifications, "classifications"},
      {Slot::requests, "requests"}};
  for (const auto& [slot, name] : kUnits)
    if (figures.get(slot) > 0) usage.units[name] = figures.get(slot);
}

struct Decimal {
  Wide digits = 0;
  int exponent = 0;  // value = digits * 10^exponent
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// At most 30 digits and an exponent of at most 3 digits; more is no price.
std::optional<Decimal> decimal_of(std::string_view text) {
  Decimal value = {};
  std::size_t at = 0, digits = 0;
  bool after_point = false;
  for (; at < text.size() && (is_digit(text[at]) || (text[at] == '.' && !after_point)); ++at) {
    if (text[at] == '.') {
      after_point = true;
      continue;
    }
    if (++digits > 30) return std::nullopt;
    value.digits = value.digits * 10 + (text[at] - '0');
    value.exponent -= after_point ? 1 : 0;
  }
  if (digits == 0) return std::nullopt;
  if (at == text.size()) return value;
  if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
  const bool minus = text.substr(at + 1).starts_with('-');
  at += minus || text.substr(at + 1).starts_with('+') ? 2 : 1;
  int exponent = 0;
  if (at == text.size() || text.size() - at > 3) return std::nullopt;
  for (; at < text.size(); ++at) {
    if (!is_digit(text[at])) return std::nullopt;
    exponent = exponent * 10 + (text[at] - '0');
  }
  value.exponent += minus ? -exponent : exponent;
  return value;
}

Wide divide_half_even(Wide value, int powers) {
  for (; powers > 36; --powers) value /= 10;
  Wide divisor = 1;
  for (; powers > 0; --powers) divisor *= 10;
  const Wide quotient = value / divisor, twice = 2 * (value % divisor);
  if (twice > divisor || (twice == divisor && quotient % 2 != 0)) return quotient + 1;
  return quotient;
}

}  // namespace

void Figures::set(Slot slot, std::int64_t count) {
  counts_[index(slot)] = count;
  present_ |= std::uint64_t{1} << index(slot);
}

void Figures::clear(Slot slot) {
  counts_[index(slot)] = 0;
  present_ &= ~(std::uint64_t{1} << index(slot));
}

bool Figures::add(Slot slot, std::int64_t count) {
  std::int64_t sum = counts_[index(slot)];
  if (!add_checked(sum, count)) return false;
  set(slot, sum);
  return true;
}

void Figures::override_with(const Figures& newer) {
  for (std::size_t i = 0; i < kSlots; ++i)
    if (newer.has(static_cast<Slot>(i))) set(static_cast<Slot>(i), newer.counts_[i]);
}

Status collect(const Json& usage, const RuleSet& rules, Figures& into) {
  return Collector(rules, into).read(usage, 0);
}

Status collect_count(std::string_view field, const Json& value, Slot slot, Figures& into) {
  if (!value.has_value()) return {};
  const std::optional<std::int64_t> count = count_of(value, slot);
  if (!count) return bad_input(field, value.brief(64), kCountExpected);
  into.set(slot, *count);
  return {};
}

Result<Usage> normalise(const Figures& figures, const Meaning& meaning) {
  Usage usage = {};
  usage.source = UsageSource::provider;
  std::int64_t split = figures.get(Slot::cache_write_5m);
  if (!add_checked(split, figures.get(Slot::cache_write_1h)))
    return too_large("cache_write_tokens");
  usage.cache_write_tokens.count =
      figures.has(Slot::cache_write) ? figures.get(Slot::cache_write) : split;
  usage.cache_write_5m_tokens.count = figures.get(Slot::cache_write_5m);
  usage.cache_write_1h_tokens.count = figures.get(Slot::cache_write_1h);
  usage.cached_input_tokens.count = figures.get(Slot::cached);
  usage.input_audio_tokens.count = figures.get(Slot::input_audio);
  usage.cached_input_audio_tokens.count = figures.get(Slot::cached_audio);
  if (!figures.has(Slot::input_audio))  // told by the cache only
    usage.input_audio_tokens = usage.cached_input_audio_tokens;
  usage.reasoning_tokens.count = figures.get(Slot::reasoning);
  usage.output_audio_tokens.count = figures.get(Slot::output_audio);
  if (!add_up(figures, meaning, usage)) return too_large("total_tokens");
  add_units(figures, usage);
  const bool parts_only = !figures.has(Slot::input) && !figures.has(Slot::output);
  if (parts_only && figures.has(Slot::total) && usage.total_tokens.count == 0) {
    usage.total_only = figures.get(Slot::total) > 0;
    usage.total_tokens.count = figures.get(Slot::total);
  }
  AIMETER_CHECK_OK(usage.check());
  return usage;
}

std::vector<NamedCount> further_counts(const Figures& figures, const Meaning& meaning) {
  constexpr std::pair<Slot, const char*> kNames[] = {
      {Slot::tool_prompt, "tool_prompt_tokens"},       {Slot::citation, "citation_tokens"},
      {Slot::input_image, "input_image_tokens"},       {Slot::input_video, "input_video_tokens"},
      {Slot::input_document, "input_document_tokens"}, {Slot::output_image, "output_image_tokens"},
      {Slot::model_input, "model_input_tokens"},       {Slot::model_output, "model_output_tokens"},
      {Slot::model_cached, "model_cached_tokens"},     {Slot::web_fetches, "web_fetches"}};
  std::vector<NamedCount> found;
  if (meaning.input == InputMeans::without_cache && figures.has(Slot::input))
    found.push_back({"uncached_input_tokens", figures.get(Slot::input)});
  for (const auto& [slot, name] : kNames)
    if (figures.get(slot) > 0) found.push_back({name, figures.get(slot)});
  return found;
}

Result<Money> money_of(std::string_view number) {
  const std::string_view given = number;
  const bool minus = number.starts_with('-');
  if (minus) number.remove_prefix(1);
  const std::optional<Decimal> decimal = decimal_of(number);
  constexpr int kNanoPlaces = 9;
  Wide nanos = decimal ? decimal->digits : 0;
  int powers = decimal ? decimal->exponent + kNanoPlaces : 0;
  if (powers < 0) nanos = divide_half_even(nanos, -powers);
  constexpr Wide kMost = std::numeric_limits<std::int64_t>::max();
  for (; powers > 0 && nanos != 0 && nanos <= kMost; --powers) nanos *= 10;
  if (!decimal || nanos > kMost)
    return bad_input("cost", given, "a decimal below 9223372036 units of the currency");
  return Money{.nanos = static_cast<std::int64_t>(minus ? -nanos : nanos)};
}

}  // namespace aimeter::provider
