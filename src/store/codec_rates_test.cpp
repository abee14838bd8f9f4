// Frames and tokens of settlements that were converted, and of those that were not.
#include <gtest/gtest.h>

#include "store/codec.h"
#include "store/store_fixture.h"

namespace aimeter::store {
namespace {

constexpr std::size_t kVersionAt = 8;  // behind the seq

Settlement converted() {
  Settlement settlement = fixture::call_of(fixture::account_of("acme"), 10);
  settlement.pins.mode = BillingMode::credits;
  settlement.pins.rates = {{"usd", "eur", Decimal::parse_or_die("0.92")},
                           {"usd", "jpy", Decimal::parse_or_die("163.043478260869564")}};
  return settlement;
}

TEST(CodecRates, ASettlementWithRatesIsOfVersionTwoAndReadsBackWhole) {
  const Settlement settlement = converted();
  const std::string bytes = encode(settlement);
  EXPECT_EQ(bytes[kVersionAt], 2);
  const auto read = decode_settlement(bytes);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, settlement);
  EXPECT_EQ(encode(*read), bytes);
}

TEST(CodecRates, ASettlementWithoutRatesIsAsVersionOneWroteIt) {
  Settlement settlement = converted();
  settlement.pins.rates.clear();
  const std::string bytes = encode(settlement);
  EXPECT_EQ(bytes[kVersionAt], 1);
  EXPECT_EQ(*decode_settlement(bytes), settlement);
}

TEST(CodecRates, TheVersionMustBeThatOfTheContent) {
  for (const bool with_rates : {true, false}) {
    SCOPED_TRACE(with_rates);
    Settlement settlement = converted();
    if (!with_rates) settlement.pins.rates.clear();
    std::string bytes = encode(settlement);
    bytes[kVersionAt] = with_rates ? 1 : 2;
    const auto read = decode_settlement(bytes);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Code::corrupt);
    EXPECT_NE(read.error().message.find("these bytes are of version"), std::string::npos);
  }
  std::string newer = encode(converted());
  newer[kVersionAt] = 3;
  const auto read = decode_settlement(newer);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("written by a newer one"), std::string::npos);
}

TEST(CodecRates, ARateThatIsNoNumberIsDamage) {
  std::string bytes = encode(converted());
  const std::size_t at = bytes.find("0.92");
  ASSERT_NE(at, std::string::npos);
  for (const char* text : {"0,92", "0.90", "00.9"}) {
    SCOPED_TRACE(text);
    const auto read = decode_settlement(std::string(bytes).replace(at, 4, text));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Code::corrupt);
    EXPECT_NE(read.error().message.find("rate"), std::string::npos);
  }
}

TEST(CodecRates, RoomIsSetAsideForARateOfEachBudget) {
  Settlement before = converted();
  before.budgets.resize(2, before.budgets[0]);
  Settlement after = before;
  before.pins.rates.clear();
  after.pins.rates[1].rate = Decimal::parse_or_die("0.000000000000000123456789012345678");
  EXPECT_LE(encode(after).size(), encoded_bytes_max(before));
}

}  // namespace
}  // namespace aimeter::store
