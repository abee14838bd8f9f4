#include "budget/counter.h"

#include <algorithm>
#include <limits>

namespace aimeter::budget {

namespace {

__extension__ using Wide = __int128;

}  // namespace

void Counter::set_limit(std::optional<Amount> newest, std::int64_t hundredths) {
  constexpr std::int64_t kWhole = 10'000;
  limit = newest;
  approaching_at = std::numeric_limits<Amount>::min();  // a limit of 0 is reached
  if (!limit || *limit <= 0) return;
  approaching_at = static_cast<Amount>((Wide{*limit} * hundredths + kWhole - 1) / kWhole);
}

void Counter::detach(const HeldPart& part) {
  --running;
  ++undrained;
  if (!part.leased) {
    held -= part.held;
  } else if (part.epoch == epoch) {
    held_leased -= part.held;
    undrained_held += part.held;
  }
  check();
}

void Counter::hold_elsewhere(Amount amount) {
  held_elsewhere += amount;
  leased_elsewhere += amount;
}

void Counter::end_elsewhere(Amount amount) {
  held_elsewhere -= std::min(held_elsewhere, amount);
  leased_elsewhere -= std::min(leased_elsewhere, amount);
}

}  // namespace aimeter::budget
