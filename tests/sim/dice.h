// Package:       sim
// Units:         permille for chances
// Errors:        none
// Thread safety: none: one thread does everything.
// Ownership:     none: a value.
//
// The only source of chance of a simulation: the same seed gives the same numbers on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aimeter::sim {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {  // splitmix64
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // 0 .. end - 1; 0 for an empty range.
  std::size_t below(std::size_t end) { return end == 0 ? 0 : next() % end; }
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(below(static_cast<std::size_t>(most - least + 1)));
  }
  bool chance(std::size_t permille) { return below(1'000) < permille; }

 private:
  std::uint64_t state_;
};

}  // namespace aimeter::sim
