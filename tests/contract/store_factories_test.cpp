#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

template <class Make>
Opened open_with(Make make) {
  Opened opened{.clock = std::make_unique<time::ManualClock>(fixture::kNoon)};
  opened.store = make(*opened.clock);
  return opened;
}

}  // namespace

std::vector<Factory> factories() {
  return {
      {"memory", [] { return open_with(make_memory_store); }},
  };
}

}  // namespace aimeter::store::contract
