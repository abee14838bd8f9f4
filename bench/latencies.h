// Package:       bench
// Units:         noted in seconds, told in milliseconds.
// Errors:        none
// Thread safety: none: one per thread, added up afterwards.
// Ownership:     values.
//
// How long calls took, in 24 KB whatever their number: a memory of each call would grow for ever.
// A place is at most 0.4 % wide; the longest is kept exactly.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace aimeter::bench {

class Latencies {
 public:
  void note(double seconds) {
    longest_s_ = std::max(longest_s_, seconds);
    ++counts_[place_of(static_cast<std::uint64_t>(seconds / kUnit_s))];
    ++count_;
  }
  void add(const Latencies& other) {
    for (std::size_t i = 0; i < kPlaces; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    longest_s_ = std::max(longest_s_, other.longest_s_);
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double longest_ms() const { return longest_s_ * 1e3; }
  // What `part` of the calls (0.99) did not exceed.
  [[nodiscard]] double at_ms(double part) const {
    const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kPlaces; ++i) {
      seen += counts_[i];
      if (seen > wanted) return std::min(end_of(i) * kUnit_s * 1e3, longest_ms());
    }
    return longest_ms();
  }

 private:
  static constexpr double kUnit_s = 1e-7;
  static constexpr int kBits = 8;  // places in each power of two: 256
  static constexpr std::uint64_t kFine = std::uint64_t{1} << kBits;
  static constexpr std::size_t kPlaces = kFine * 24;

  static std::size_t place_of(std::uint64_t units) {
    if (units < 2 * kFine) return units;
    const int shift = static_cast<int>(std::bit_width(units)) - kBits - 1;
    return std::min(kPlaces - 1, static_cast<std::size_t>(shift) * kFine + (units >> shift));
  }
  static double end_of(std::size_t place) {
    if (place < 2 * kFine) return static_cast<double>(place + 1);
    const std::size_t shift = place / kFine - 1;
    return static_cast<double>((place - shift * kFine + 1) << shift);
  }

  std::array<std::uint32_t, kPlaces> counts_ = {};
  std::uint64_t count_ = 0;
  double longest_s_ = 0;
};

}  // namespace aimeter::bench
