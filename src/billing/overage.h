// Package:       billing
// Units:         amounts in tokens or nano-units of cost, as the budget counts; prices in
//                nano-units per million of these.
// Errors:        none; a line whose money is out of range is empty.
// Thread safety: pure functions; OpenLines as its maker says.
// Ownership:     none.
//
// What of a budget is overage: B = max(0, used - T), after every settlement. T is the limit of the
// newest pins that counted; where nobody has charged yet there is none. What is uncharged above T
// moves T along, so that it is never billed later.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "aimeter/result.h"
#include "aimeter/time.h"

namespace aimeter::billing {

using Amount = std::int64_t;

struct OveragePrice {
  Amount nanos_per_million = 0;
  std::string currency = {};
  friend bool operator==(const OveragePrice&, const OveragePrice&) = default;
};

// How new pins are: the catalogue that they were taken from, and when their terms were in force.
// 0: the period was over when they were taken, so no terms of later days move its T.
struct PinsAge {
  std::uint64_t catalogue = 0;
  Instant at = {};
  friend bool operator==(const PinsAge&, const PinsAge&) = default;
};
// By both, or by one and the other alike.
[[nodiscard]] bool is_newer(const PinsAge& age, const PinsAge& than);

constexpr Amount kUnlimited = std::numeric_limits<Amount>::max();  // as T
constexpr Amount kMillion = 1'000'000;

struct OverageState {            // of one budget
  std::optional<Amount> t = {};  // empty: nobody has charged
  Amount b = 0;                  // max(0, used - t)
  PinsAge age = {};              // of t
  Amount cost_nanos = 0;         // of the lines together
  Amount rest = kMillion / 2;    // of the lines' exact money, in millionths of a nano-unit
  friend bool operator==(const OverageState&, const OverageState&) = default;
};

enum class Charges : std::uint8_t { no, yes };
enum class Moves : std::uint8_t { limit, nothing };  // an adjustment moves no limit

struct CountedUsage {  // what one settlement does in the budget
  Amount used_before = 0, used_after = 0;
  std::optional<Amount> limit = {};  // of its pins; empty = unlimited
  Charges charges = Charges::no;
  Moves moves = Moves::limit;
  PinsAge age = {};
};
struct OverageStep {
  OverageState after = {};
  Amount covered = 0;  // overage that a risen limit covers now: to be credited, newest line first
  Amount change = 0;   // of B by the usage itself
};
// Requires: used is not negative.
[[nodiscard]] OverageStep step_of(const OverageState& before, const CountedUsage& usage);

// ---- Lines: what is charged, append only. `left` of a line is what later ones have not taken.
struct LineDraft {
  Amount amount = 0;  // signed
  OveragePrice price = {};
  Amount cost_nanos = 0;  // signed; all of a budget together are its exact money, rounded once
};
struct OpenLine {
  std::int64_t id = 0;
  Amount left = 0;
  OveragePrice price = {};
};
class OpenLines {  // of one budget
 public:
  virtual ~OpenLines() = default;
  // The newest line of which something is left; with a price: the newest of that price.
  [[nodiscard]] virtual Result<std::optional<OpenLine>> newest(const OveragePrice* price) = 0;
  [[nodiscard]] virtual Status take(std::int64_t line, Amount amount) = 0;
};
// Money of one line. Empty: out of range. `rest` is the budget's and moves along.
[[nodiscard]] std::optional<Amount> cost_of(Amount amount, const OveragePrice& price, Amount& rest);
// The lines of one settlement: first what is covered, then B's change: a growth at `price`, a fall
// at `price` as far as something of that price is left, then newest first at its own. Lines of the
// same price in a row are one. Empty: the money of one is out of range; nothing may be kept then.
[[nodiscard]] Result<std::optional<std::vector<LineDraft>>> lines_of(OverageStep& step,
                                                                     const OveragePrice* price,
                                                                     OpenLines& open);

}  // namespace aimeter::billing
