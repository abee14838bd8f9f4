// What the journal's frames carry: a settlement, a begin or a release, by the first byte.
// Package: ledger
// Parser: src/store/codec.cpp src/store/bytes.cpp src/ledger/frames.cpp
#include <string>

#include "ledger/frames.h"
#include "store/codec.h"
#include "store/record.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

bool within_reserve(const Usage& usage) {
  if (usage.units.size() > store::kUnitsReserved) return false;
  if (usage.service_tier.size() > store::kServiceTierBytesReserved) return false;
  for (const auto& [name, count] : usage.units)
    if (name.size() > store::kUnitNameBytesReserved) return false;
  for (const std::optional<Money>& cost : {usage.input_cost, usage.output_cost, usage.total_cost})
    if (cost && cost->currency.size() > store::kCurrencyBytesReserved) return false;
  return true;
}

bool within_reserve(const store::Settlement& settlement) {
  for (const Money& cost : {settlement.input_cost, settlement.output_cost, settlement.total_cost})
    if (cost.currency.size() > store::kCurrencyBytesReserved) return false;
  return within_reserve(settlement.usage);
}

void read_settlement(std::string_view bytes) {
  const Result<store::Settlement> settlement = store::decode_settlement(bytes);
  if (!settlement) {
    AIMETER_ASSERT(settlement.error().code == Code::corrupt);
    AIMETER_ASSERT(settlement.error().message.starts_with("settlement: "));
    return;
  }
  const std::string again = store::encode(*settlement);
  AIMETER_ASSERT(again == bytes);  // a value has exactly one byte form
  if (within_reserve(*settlement))
    AIMETER_ASSERT(again.size() <= store::encoded_bytes_max(*settlement));
  const UsageRecord record = store::record_of(*settlement, 1);
  AIMETER_ASSERT(record.provider == settlement->provider);
  AIMETER_ASSERT(text_of(record.occurred_at).ends_with('Z'));
  AIMETER_ASSERT(store::cell_of(*settlement).model == settlement->model);
}

void read_begin(std::string_view bytes) {
  const Result<store::Begin> begin = store::decode_begin(bytes);
  if (!begin) {
    AIMETER_ASSERT(begin.error().code == Code::corrupt);
    return;
  }
  AIMETER_ASSERT(store::encode(*begin) == bytes);
}

void read_release(std::string_view bytes) {
  const Result<ledger::Release> release = ledger::decode_release(bytes);
  if (!release) {
    AIMETER_ASSERT(release.error().code == Code::corrupt);
    return;
  }
  AIMETER_ASSERT(ledger::encode_release(*release) == bytes);
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  switch (input.byte() % 4) {
    case 1:
      fuzz::read_begin(input.rest());
      break;
    case 2:
      fuzz::read_release(input.rest());
      break;
    default:
      fuzz::read_settlement(input.rest());
      break;
  }
  return 0;
}
