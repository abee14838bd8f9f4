#include "budget/counter.h"

#include <algorithm>

namespace aimeter::budget {

// How much history a lease follows. DESIGN 8: about ten seconds of the account's recent use.
constexpr Duration kDemandWindow = std::chrono::seconds(10);

void Counter::note_demand(Amount taken, Instant now) {
  if (now - window >= kDemandWindow || now < window) {
    taken_before = now - window < 2 * kDemandWindow && now >= window ? taken_now : 0;
    taken_now = 0;
    window = now;
  }
  taken_now += taken;
  last_use = now;
}

HeldPart Counter::take(Amount amount, Instant now) {
  HeldPart part{
      .epoch = epoch, .held = amount, .limit = limit, .leased = blocking, .shadow = shadow};
  part.would_refuse = shadow && !fits_limit(amount);
  if (blocking) {
    free -= amount;
    held_leased += amount;
  }
  held += amount;
  ++running;
  note_demand(amount, now);
  check();
  return part;
}

void Counter::put_back(const HeldPart& part) {
  held -= part.held;
  --running;
  if (part.leased && part.epoch == epoch) {
    held_leased -= part.held;
    free += part.held;
  }
  check();
}

Amount Counter::settle(const HeldPart& part, Amount actual) {
  held -= part.held;
  --running;
  const Amount counted = std::max<Amount>(actual, 0);
  Amount gives = part.leased ? std::min(part.held, counted) : 0;
  if (part.epoch == epoch) {
    if (part.leased) {
      held_leased -= part.held;
      free += part.held - gives;
    }
    const Amount more = blocking ? std::min(free, counted - gives) : 0;
    free -= more;
    gives += more;
    undrained_held += gives;
  }
  undrained_actual += actual;
  ++undrained;
  check();
  return gives;
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

void Counter::check() const {
  AIMETER_ASSERT(free >= 0);
  AIMETER_ASSERT(held >= 0);
  AIMETER_ASSERT(held_leased >= 0);
  AIMETER_ASSERT(held_leased <= held);
  AIMETER_ASSERT(undrained_held >= 0);
}

}  // namespace aimeter::budget
