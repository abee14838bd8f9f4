// Package:       provider
// Units:         tokens and further counts, as the answer gives them.
// Errors:        invalid_argument, naming the field, its value and what would be accepted.
// Thread safety: values.
// Ownership:     rules are static tables with string literals.
//
// The figures of one answer before they are normalised: what a provider's usage object says, slot
// by slot. Absent is not zero; a field that is there must be a whole number from 0 to the largest
// int64.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "aimeter/provider.h"
#include "provider/json.h"

namespace aimeter::provider {

enum class Slot : std::uint8_t {
  input,
  cached,
  cache_write,
  cache_write_5m,
  cache_write_1h,
  input_audio,
  cached_audio,
  output,
  reasoning,
  output_audio,
  total,
  tool_prompt,
  citation,
  input_image,
  input_video,
  input_document,
  output_image,
  model_input,
  model_output,
  model_cached,
  searches,
  web_fetches,
  images,
  seconds,  // a broken one counts as begun
  characters,
  pages,
  classifications,
  requests,
  end
};

class Figures {
 public:
  static constexpr std::size_t kSlots = static_cast<std::size_t>(Slot::end);
  [[nodiscard]] bool has(Slot slot) const { return (present_ >> index(slot) & 1) != 0; }
  [[nodiscard]] std::int64_t get(Slot slot) const { return counts_[index(slot)]; }  // absent: 0
  [[nodiscard]] bool empty() const { return present_ == 0; }
  void set(Slot slot, std::int64_t count);
  // False when the sum would leave int64; then nothing was added.
  [[nodiscard]] bool add(Slot slot, std::int64_t count);
  void clear(Slot slot);
  // Takes over each slot that `newer` has.
  void override_with(const Figures& newer);

 private:
  static std::size_t index(Slot slot) { return static_cast<std::size_t>(slot); }
  std::array<std::int64_t, kSlots> counts_ = {};
  std::uint64_t present_ = 0;
};
static_assert(Figures::kSlots <= 64);

// `key` inside the object `object` ("" = the usage object itself) fills `slot`. Of two rules for
// one slot the earlier one counts.
struct FieldRule {
  std::string_view object = {}, key = {};
  Slot slot = Slot::end;
};
constexpr std::size_t kRulesMax = 64;

// A table of rules, indexed when it is compiled.
class RuleSet {
 public:
  using Group = std::size_t;  // an object that a rule names; 0 is the usage object itself
  static constexpr std::size_t kNone = kRulesMax;

  template <std::size_t N>
  explicit constexpr RuleSet(const FieldRule (&rules)[N]) : rules_(rules) {
    static_assert(N <= kRulesMax);
    for (std::size_t i = 0; i < N; ++i) {
      std::size_t at = place_of(group_or_new(rules[i].object), rules[i].key);
      while (table_[at] != kNone) at = (at + 1) % table_.size();
      table_[at] = static_cast<std::uint8_t>(i);
    }
  }
  [[nodiscard]] const FieldRule& rule(std::size_t i) const { return rules_[i]; }
  // The rule of `key` in an object of that group, or kNone.
  [[nodiscard]] std::size_t find(Group group, std::string_view key) const {
    if (key.empty()) return kNone;
    for (std::size_t at = place_of(group, key); table_[at] != kNone;
         at = (at + 1) % table_.size()) {
      const FieldRule& rule = rules_[table_[at]];
      if (rule.key == key && rule.object == objects_[group]) return table_[at];
    }
    return kNone;
  }
  [[nodiscard]] std::optional<Group> group_of(std::string_view object) const {
    for (Group group = 1; group < groups_; ++group)
      if (objects_[group] == object) return group;
    return std::nullopt;
  }

 private:
  static constexpr std::size_t place_of(Group group, std::string_view key) {
    const auto first = static_cast<unsigned char>(key.front());
    const auto middle = static_cast<unsigned char>(key[key.size() / 2]);
    return (group * 37 + key.size() * 7 + first * 3U + middle * 11U) % 128;
  }
  constexpr Group group_or_new(std::string_view object) {
    for (Group group = 0; group < groups_; ++group)
      if (objects_[group] == object) return group;
    objects_.at(groups_) = object;
    return groups_++;
  }
  static constexpr std::array<std::uint8_t, 128> empty_table() {
    std::array<std::uint8_t, 128> table = {};
    for (std::uint8_t& entry : table) entry = kNone;
    return table;
  }

  std::span<const FieldRule> rules_;
  std::array<std::string_view, 24> objects_ = {};  // the first is ""
  Group groups_ = 1;
  std::array<std::uint8_t, 128> table_ = empty_table();
};

// Reads `usage` by `rules`; objects named in the rules are entered. Fields that no rule names are
// ignored, and so is null. Errors: invalid_argument (no count, or a named key twice); `into` is
// then not to be used.
[[nodiscard]] Status collect(const Json& usage, const RuleSet& rules, Figures& into);
// One count. Errors: invalid_argument.
[[nodiscard]] Status collect_count(std::string_view field, const Json& value, Slot slot,
                                   Figures& into);

enum class InputMeans { everything, without_cache };       // what the input figure holds
enum class OutputMeans { everything, without_reasoning };  // what the output figure holds
struct Meaning {
  InputMeans input = InputMeans::everything;
  OutputMeans output = OutputMeans::everything;
};

// The normal form, checked. Errors: invalid_argument (a part above its whole, a sum beyond int64).
[[nodiscard]] Result<Usage> normalise(const Figures& figures, const Meaning& meaning);
// What the answer says beyond its normal form.
[[nodiscard]] std::vector<NamedCount> further_counts(const Figures& figures,
                                                     const Meaning& meaning);

// A decimal with optional exponent, rounded half-even to nano-units. Errors: invalid_argument.
[[nodiscard]] Result<Money> money_of(std::string_view number);

}  // namespace aimeter::provider
