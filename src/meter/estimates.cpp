#include "meter/estimates.h"

#include <algorithm>

#include "base/hash.h"

namespace aimeter::meter {
namespace {

constexpr std::uint32_t kRelearnEvery = 8;
constexpr std::size_t kEntryKilobytes = sizeof(std::int64_t) * Estimates::kWindow * 2 / 1'024;
static_assert(kEntryKilobytes * Estimates::kKeysMax <= 96UL * 1'024, "at most 96 MB of guesses");

std::uint64_t hash_of(const Estimates::Key& key) {
  std::uint64_t hash = base::mix64(key.tenant);
  for (const std::string_view part : {key.provider, key.model, key.feature}) {
    hash = (hash ^ base::mix64(part)) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29U;
  }
  return hash;
}

// The smallest value that at least 95 % of the calls do not exceed.
std::int64_t percentile(std::array<std::int64_t, Estimates::kWindow> values, std::size_t count) {
  const std::size_t at = (count * 95 + 99) / 100 - 1;
  std::ranges::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at),
                           values.begin() + static_cast<std::ptrdiff_t>(count));
  return values[at];
}

}  // namespace

void Estimates::Entry::relearn() {
  const std::size_t count = std::min<std::size_t>(calls, kWindow);
  p95 = {.tokens = percentile(tokens, count), .cost_nanos = percentile(cost_nanos, count)};
}

std::optional<Estimates::Amounts> Estimates::of(const Key& key) const {
  const std::uint64_t hash = hash_of(key);
  const Shard& shard = shards_[hash % kShards];
  const base::Lock lock(shard.mutex);
  const auto found = shard.entries.find(hash);
  if (found == shard.entries.end() || found->second.calls < kCallsMin) return std::nullopt;
  return found->second.p95;
}

void Estimates::learn(const Key& key, const Amounts& used) {
  const std::uint64_t hash = hash_of(key);
  Shard& shard = shards_[hash % kShards];
  const base::Lock lock(shard.mutex);
  if (shard.entries.size() >= kKeysMax / kShards && !shard.entries.contains(hash)) {
    shard.entries.clear();  // guesses are cheap to learn again
  }
  Entry& entry = shard.entries[hash];
  const std::size_t at = entry.calls % kWindow;
  entry.tokens[at] = used.tokens;
  entry.cost_nanos[at] = used.cost_nanos;
  ++entry.calls;
  if (entry.calls >= kCallsMin && (entry.calls - kCallsMin) % kRelearnEvery == 0) entry.relearn();
}

}  // namespace aimeter::meter
