#include "store/key_filter.h"

#include <cstring>

namespace aimeter::store {
namespace {

constexpr std::size_t kBitsPerKey = 12;
constexpr int kProbes = 6;
__extension__ using Wide = unsigned __int128;

// The bits of a key, one after the other; a key is a digest, so its halves are hashes.
class Probe {
 public:
  Probe(const base::Key16& key, std::uint64_t bits) : bits_(bits) {
    std::memcpy(&at_, key.data(), sizeof at_);
    std::memcpy(&step_, key.data() + sizeof at_, sizeof step_);
    step_ |= 1;
  }
  std::uint64_t next() {
    at_ += step_;
    return static_cast<std::uint64_t>((static_cast<Wide>(at_) * bits_) >> 64);
  }

 private:
  std::uint64_t bits_, at_ = 0, step_ = 0;
};

}  // namespace

KeyFilter::Layer::Layer(std::size_t keys)
    : room(keys),
      bits(keys * kBitsPerKey),
      words(std::make_unique<std::atomic<std::uint64_t>[]>(keys * kBitsPerKey / 64 + 1)) {}

bool KeyFilter::Layer::may_hold(const base::Key16& key) const {
  Probe probe(key, bits);
  for (int i = 0; i < kProbes; ++i) {
    const std::uint64_t bit = probe.next();
    if ((words[bit / 64].load(std::memory_order_relaxed) >> (bit % 64) & 1) == 0) return false;
  }
  return true;
}

void KeyFilter::Layer::add(const base::Key16& key) {
  Probe probe(key, bits);
  for (int i = 0; i < kProbes; ++i) {
    const std::uint64_t bit = probe.next();
    words[bit / 64].fetch_or(std::uint64_t{1} << (bit % 64), std::memory_order_release);
  }
  added.fetch_add(1, std::memory_order_relaxed);
}

KeyFilter::Layer& KeyFilter::newest() {
  const std::size_t count = count_.load(std::memory_order_acquire);
  if (count > 0) {
    Layer& last = *layers_[count - 1];
    const bool full = last.added.load(std::memory_order_relaxed) >= last.room;
    if (!full || count == kLayers) return last;
  }
  const base::Lock lock(growing_);
  if (count_.load() == count) {
    layers_[count] = std::make_unique<Layer>(kFirstKeys << count);
    count_.store(count + 1, std::memory_order_release);
  }
  return *layers_[count_.load() - 1];
}

void KeyFilter::add(const base::Key16& key) {
  if (!may_hold(key)) newest().add(key);
}

bool KeyFilter::may_hold(const base::Key16& key) const {
  const std::size_t count = count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    if (layers_[i]->may_hold(key)) return true;
  }
  return false;
}

}  // namespace aimeter::store
