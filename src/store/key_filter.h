// Package:       store
// Units:         keys
// Errors:        none
// Thread safety: any thread.
// Ownership:     owns its layers; they live as long as the filter.
//
// A Bloom filter of idempotency keys that grows by layers: whatever was added may be there, and
// what may not be there was never added. About 12 bits a key; one key in about 300 that was never
// added is taken for one that may be there.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/hash.h"
#include "base/mutex.h"

namespace aimeter::store {

class KeyFilter {
 public:
  KeyFilter() = default;
  KeyFilter(const KeyFilter&) = delete;
  KeyFilter& operator=(const KeyFilter&) = delete;

  void add(const base::Key16& key);  // again: nothing more
  [[nodiscard]] bool may_hold(const base::Key16& key) const;

 private:
  struct Layer {
    explicit Layer(std::size_t keys);
    [[nodiscard]] bool may_hold(const base::Key16& key) const;
    void add(const base::Key16& key);

    std::size_t room;
    std::atomic<std::size_t> added{0};
    std::uint64_t bits;
    std::unique_ptr<std::atomic<std::uint64_t>[]> words;
  };
  static constexpr std::size_t kLayers = 24;  // each twice the one before
  static constexpr std::size_t kFirstKeys = std::size_t{1} << 16;

  Layer& newest();

  base::Mutex growing_;
  std::array<std::unique_ptr<Layer>, kLayers> layers_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace aimeter::store
