#include "ledger/silence.h"

#include <utility>

namespace aimeter::ledger {

std::vector<store::Lessee> Silence::look(std::span<const store::Lessee> lessees, Look at) {
  std::map<store::EngineId, Seen> seen;
  std::vector<store::Lessee> silent;
  for (const store::Lessee& one : lessees) {
    const auto known = seen_.find(one.engine);
    const bool same = known != seen_.end() && known->second.renewed_at == one.renewed_at;
    // It may have renewed until the store answered, and has not since it is known not to have.
    const Duration since = same ? known->second.since : at.heard;
    seen[one.engine] = {one.renewed_at, since};
    if (at.asked - since >= longest_) silent.push_back(one);
  }
  seen_ = std::move(seen);
  return silent;
}

}  // namespace aimeter::ledger
