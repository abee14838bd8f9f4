#include "tests/sim/history.h"

#include <algorithm>
#include <array>
#include <span>

#include "aimeter/result.h"
#include "tests/sim/dice.h"

namespace aimeter::sim {
namespace {

struct Weighed {
  Deed deed = Deed::work;
  std::string_view name = {};
  std::size_t weight = 0;
};
constexpr std::array<Weighed, kDeeds> kWeighed = {{
    {Deed::work, "work", 420},    {Deed::call, "call", 160},    {Deed::finish, "finish", 170},
    {Deed::record, "record", 30}, {Deed::adjust, "adjust", 20}, {Deed::detach, "detach", 20},
    {Deed::token, "token", 22},   {Deed::retry, "retry", 30},   {Deed::tick, "tick", 100},
    {Deed::open, "open", 25},     {Deed::close, "close", 3},    {Deed::kill, "kill", 4},
    {Deed::power, "power", 2},    {Deed::pause, "pause", 3},    {Deed::cut, "cut", 5},
    {Deed::wall, "wall", 4},      {Deed::limit, "limit", 12},   {Deed::terms_change, "terms", 8},
    {Deed::disk, "disk", 3},      {Deed::money, "money", 45},
}};

Deed draw(Dice& dice, std::span<const Weighed> among) {
  std::size_t whole = 0;
  for (const Weighed& weighed : among) whole += weighed.weight;
  std::size_t at = dice.below(whole);
  for (const Weighed& weighed : among) {
    if (at < weighed.weight) return weighed.deed;
    at -= weighed.weight;
  }
  return Deed::work;
}

class Shrinking {
 public:
  Shrinking(const std::function<bool(const History&)>& fails, int trials)
      : fails_(fails), trials_(trials) {}

  void without_chunks(History& history) {
    for (std::size_t chunk = history.size() / 2; chunk > 0 && trials_ > 0; chunk /= 2) {
      bool again = true;
      while (again && trials_ > 0) again = without_chunks_of(chunk, history) && chunk == 1;
    }
  }
  void calmer(History& history) {
    for (std::size_t i = 0; i < history.size() && trials_ > 0; ++i) {
      if (history[i].calm) continue;
      history[i].calm = true;
      if (!fails(history)) history[i].calm = false;
    }
  }

 private:
  bool fails(const History& history) {
    --trials_;
    return fails_(history);
  }
  bool without_chunks_of(std::size_t chunk, History& history) {
    bool shorter = false;
    for (std::size_t end = history.size(); end > 0 && trials_ > 0;) {
      const std::size_t begin = end > chunk ? end - chunk : 0;
      History rest(history.begin(), history.begin() + static_cast<std::ptrdiff_t>(begin));
      rest.insert(rest.end(), history.begin() + static_cast<std::ptrdiff_t>(end), history.end());
      if (fails(rest)) {
        history = std::move(rest);
        shorter = true;
      }
      end = begin;
    }
    return shorter;
  }

  const std::function<bool(const History&)>& fails_;
  int trials_;
};

}  // namespace

std::string_view name_of(Deed deed) {
  const auto at = std::ranges::find(kWeighed, deed, &Weighed::deed);
  return at == kWeighed.end() ? "" : at->name;
}

std::string_view name_of(Wallets wallets) {
  constexpr std::string_view kNames[] = {"none", "strict", "debts", "overdraft"};
  return kNames[static_cast<std::size_t>(wallets)];
}

Wallets wallets_of(std::uint64_t seed) {
  constexpr std::uint64_t kOther = 0x77616C6C657473;  // than what the world draws
  const std::size_t at = Dice(seed ^ kOther).below(100);
  if (at < 40) return Wallets::none;
  if (at < 60) return Wallets::strict;
  return at < 85 ? Wallets::debts : Wallets::overdraft;
}

History make_history(std::uint64_t seed, std::size_t steps, Wallets wallets) {
  const std::span<const Weighed> all(kWeighed);
  const auto among = wallets == Wallets::none ? all.first(kWeighed.size() - 1) : all;
  AIMETER_ASSERT(all.back().deed == Deed::money);
  Dice dice(seed);
  History history;
  history.reserve(steps);
  for (std::size_t i = 0; i < steps; ++i) {
    const Deed deed = draw(dice, among);
    history.push_back({.deed = deed, .seed = dice.next()});
  }
  return history;
}

History shrink(History history, const std::function<bool(const History&)>& fails, int trials) {
  Shrinking shrinking(fails, trials);
  shrinking.without_chunks(history);
  shrinking.calmer(history);
  shrinking.without_chunks(history);
  return history;
}

}  // namespace aimeter::sim
