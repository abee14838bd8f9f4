// Package:       meter
// Units:         tokens, and nano-units of the price's currency.
// Errors:        none: an estimate is a guess, correctness never depends on it.
// Thread safety: any thread; each function takes one shard's lock.
// Ownership:     owns what it learned; bounded by kKeysMax.
//
// What the next call of a tenant, model and feature will take: the 95th percentile of the last
// ones. In memory only; nothing before kCallsMin calls.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/mutex.h"

namespace aimeter::meter {

class Estimates {
 public:
  static constexpr std::uint32_t kCallsMin = 20;
  static constexpr std::size_t kWindow = 64;  // calls that count
  static constexpr std::size_t kKeysMax = 65'536;

  struct Key {
    std::string_view tenant = {}, provider = {}, model = {}, feature = {};
  };
  struct Amounts {
    std::int64_t tokens = 0, cost_nanos = 0;
  };

  [[nodiscard]] std::optional<Amounts> of(const Key& key) const;
  void learn(const Key& key, const Amounts& used);

 private:
  struct Entry {
    std::array<std::int64_t, kWindow> tokens = {}, cost_nanos = {};
    std::uint32_t calls = 0;  // all, also those that fell out of the window
    Amounts p95 = {};
    void relearn();
  };
  static constexpr std::size_t kShards = 16;
  struct Shard {
    mutable base::Mutex mutex;
    boost::unordered_flat_map<std::uint64_t, Entry> entries AIMETER_GUARDED_BY(mutex);
  };
  std::array<Shard, kShards> shards_;
};

}  // namespace aimeter::meter
