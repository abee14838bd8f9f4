#include "store/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>

namespace aimeter::store {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

Instant at(std::int64_t microseconds) { return Instant(Duration(microseconds)); }

BudgetPart part_of(const Account& account) {
  BudgetPart part;
  part.key = {account, BudgetKind::cost, BudgetScope::user, "u-1", {at(-5), at(7)}, 3, "eur"};
  part.held = 10;
  part.actual = -4;
  part.limit = 1'000;
  part.blocking = true;
  return part;
}

// Every field differs from its default, so that a field that is forgotten is seen.
Settlement full() {
  Settlement s;
  s.seq = 0x0102030405060708;
  s.hold = 77;
  s.hold_engine = 5;
  s.epoch = 9;
  s.flags = kEstimated | kLate | kUsageManual;
  s.occurred_at = at(1'753'790'400'000'001);
  s.account = {{"acme"}, {"team", "t-1"}};
  s.user = "u-1";
  s.provider = "openai";
  s.model = "gpt-4o";
  s.feature = "chat";
  s.api_key = "key-1";
  s.session = "s-1";
  s.pins.period = {at(1), at(2)};
  s.pins.subscription = 11;
  s.pins.plan = 12;
  s.pins.plan_version = 13;
  s.pins.plan_slug = "pro";
  s.pins.mode = BillingMode::credits;
  s.pins.price_version = "2026-07-01";
  s.pins.price_model = "gpt-4o-2024-08-06";
  s.pins.tenant_found_by = "explicit";
  s.pins.estimate_source = "learned";
  s.pins.estimate_tokens = 4'096;
  s.pins.estimate_cost_nanos = 123'456;
  s.pins.capped = true;
  s.pins.catalogue = 14;
  s.budgets = {part_of(s.account), part_of({{"other"}, {"user", "x"}})};
  s.budgets[1].limit.reset();
  s.budgets[1].blocking = false;
  s.budgets[1].shadow = s.budgets[1].would_refuse = true;
  s.usage.input_tokens = {1};
  s.usage.cached_input_tokens = {2};
  s.usage.cache_write_tokens = {3};
  s.usage.cache_write_5m_tokens = {4};
  s.usage.cache_write_1h_tokens = {5};
  s.usage.input_audio_tokens = {6};
  s.usage.cached_input_audio_tokens = {7};
  s.usage.output_tokens = {8};
  s.usage.reasoning_tokens = {9};
  s.usage.output_audio_tokens = {10};
  s.usage.total_tokens = {11};
  s.usage.units = {{"images", 2}, {"seconds", -3}};
  s.usage.total_only = true;
  s.usage.input_cost = Money{1, "eur"};
  s.usage.output_cost = Money{2, "eur"};
  s.usage.total_cost = Money{3, "eur"};
  s.usage.source = UsageSource::manual;
  s.usage.service_tier = "batch";
  s.input_cost = {21, "eur"};
  s.output_cost = {22, "gbp"};
  s.total_cost = {-43, "jpy"};
  s.key = KeyRef{key_of("acme", "record", "k"), 0xfedcba9876543210};
  s.adjusts = row_id(5, 3);
  s.meta = R"({"a":"b"})";
  s.token = std::string("0123456789abcde\0", 16);
  s.expires_at = at(99);
  return s;
}

Begin full_begin() {
  Begin begin;
  begin.hold = 77;
  begin.epoch = 9;
  begin.opened_at = at(42);
  begin.account = {{"acme"}, {"team", "t-1"}};
  begin.user = "u";
  begin.provider = "p";
  begin.model = "m";
  begin.feature = "f";
  begin.estimate_source = "given";
  begin.budgets = {part_of(begin.account)};
  return begin;
}

struct Row {
  std::string_view says;
  std::function<void(Settlement&)> change;
};

const Row kRows[] = {
    {"every field set", [](Settlement&) {}},
    {"nothing set at all", [](Settlement& s) { s = Settlement(); }},
    {"seq at its most", [](Settlement& s) { s.seq = ~Seq{0}; }},
    {"hold at its most", [](Settlement& s) { s.hold = ~std::uint64_t{0}; }},
    {"hold engine at its most", [](Settlement& s) { s.hold_engine = ~EngineId{0}; }},
    {"epoch at its most", [](Settlement& s) { s.epoch = ~std::uint32_t{0}; }},
    {"flags at their most", [](Settlement& s) { s.flags = ~std::uint32_t{0}; }},
    {"a time before 1970", [](Settlement& s) { s.occurred_at = at(kLeast); }},
    {"the last time", [](Settlement& s) { s.expires_at = at(kMost); }},
    {"single-tenant use", [](Settlement& s) { s.account.tenant.text.clear(); }},
    {"names with NUL and high bytes", [](Settlement& s) { s.user = std::string("\0\xff", 2); }},
    {"no budgets", [](Settlement& s) { s.budgets.clear(); }},
    {"a limit of 0 is not no limit", [](Settlement& s) { s.budgets[0].limit = 0; }},
    {"amounts at both ends",
     [](Settlement& s) { s.budgets[0].held = kMost, s.budgets[0].actual = kLeast; }},
    {"negative counts of an adjustment", [](Settlement& s) { s.usage.input_tokens = {kLeast}; }},
    {"a cost of 0 is not no cost", [](Settlement& s) { s.usage.total_cost = Money{0, "usd"}; }},
    {"no units", [](Settlement& s) { s.usage.units.clear(); }},
    {"a unit that counts 0", [](Settlement& s) { s.usage.units["pages"] = 0; }},
    {"not total only", [](Settlement& s) { s.usage.total_only = false; }},
    {"not capped", [](Settlement& s) { s.pins.capped = false; }},
    {"no key", [](Settlement& s) { s.key.reset(); }},
    {"no meta", [](Settlement& s) { s.meta.clear(); }},
    {"meta of 16 KiB", [](Settlement& s) { s.meta.assign(16'384, 'm'); }},
    {"no token", [](Settlement& s) { s.token.clear(); }},
    {"an account without billable", [](Settlement& s) { s.account.billable = {}; }},
};

TEST(Codec, ASettlementComesBackAsItWas) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    Settlement given = full();
    row.change(given);
    const std::string bytes = encode(given);
    const auto back = decode_settlement(bytes);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(*back == given);
    EXPECT_EQ(encode(*back), bytes);
    EXPECT_LE(bytes.size(), encoded_bytes_max(given));
  }
}

TEST(Codec, EveryBudgetKindAndScopeComesBack) {
  for (int kind = 1; kind <= 4; ++kind) {
    for (int scope = 0; scope <= 5; ++scope) {
      Settlement given = full();
      given.budgets[0].key.kind = static_cast<BudgetKind>(kind);
      given.budgets[0].key.scope = static_cast<BudgetScope>(scope);
      EXPECT_TRUE(decode_settlement(encode(given)).value() == given);
    }
  }
}

TEST(Codec, ABeginComesBackAsItWas) {
  for (const Begin& given : {full_begin(), Begin()}) {
    const auto back = decode_begin(encode(given));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(*back == given);
  }
}

TEST(Codec, ASettlementBeginsWithItsSeqLittleEndian) {
  EXPECT_EQ(encode(full()).substr(0, 9), std::string("\x08\x07\x06\x05\x04\x03\x02\x01\x01"));
}

// What is written stays readable: the bytes of version 1 never change.
TEST(Codec, TheBytesOfVersionOneAreFixed) {
  EXPECT_EQ(base::hex(base::view_of(base::sha256(encode(full())))).substr(0, 32),
            "6259e1106061c68dba28691999ef0cde");
  EXPECT_EQ(base::hex(base::view_of(base::sha256(encode(full_begin())))).substr(0, 32),
            "c968032ed1425fc7cb99dd30c5e9d6cc");
}

Settlement charged() {
  Settlement s = full();
  s.budgets[0].allowance = 1'000;
  s.pins.overage = billing::OveragePrice{2'500'000'000, "usd"};
  s.pins.terms_at = Instant(Duration(77));
  return s;
}

TEST(Codec, WhatIsChargedIsOfVersionTwoAndComesBack) {
  const std::string bytes = encode(charged());
  EXPECT_EQ(bytes[8], 2);
  const auto back = decode_settlement(bytes);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, charged());
  EXPECT_LE(bytes.size(), encoded_bytes_max(charged()));
}

TEST(Codec, TheBoundHoldsWhenUsageAndCostsGrowToTheirLargest) {
  Settlement held = full();
  held.usage = {};
  held.seq = held.flags = 0;
  held.input_cost = held.output_cost = held.total_cost = {};
  held.key.reset();
  held.expires_at = {};
  held.token.clear();
  held.budgets[0].held = held.budgets[0].actual = 0;
  const std::size_t bound = encoded_bytes_max(held);

  Settlement settled = full();
  settled.usage.units.clear();
  for (std::size_t i = 0; i < kUnitsReserved; ++i) {
    settled.usage.units[std::string(kUnitNameBytesReserved - 1, 'u') + static_cast<char>('a' + i)] =
        kLeast;
  }
  settled.usage.service_tier.assign(kServiceTierBytesReserved, 't');
  const Money largest{kLeast, std::string(kCurrencyBytesReserved, 'c')};
  for (auto* tokens : {&settled.usage.input_tokens, &settled.usage.cached_input_tokens,
                       &settled.usage.cache_write_tokens, &settled.usage.cache_write_5m_tokens,
                       &settled.usage.cache_write_1h_tokens, &settled.usage.input_audio_tokens,
                       &settled.usage.cached_input_audio_tokens, &settled.usage.output_tokens,
                       &settled.usage.reasoning_tokens, &settled.usage.output_audio_tokens,
                       &settled.usage.total_tokens}) {
    tokens->count = kLeast;
  }
  settled.usage.input_cost = settled.usage.output_cost = settled.usage.total_cost = largest;
  settled.input_cost = settled.output_cost = settled.total_cost = largest;
  settled.hold = settled.hold_engine = settled.pins.catalogue = ~std::uint64_t{0};
  settled.epoch = settled.flags = ~std::uint32_t{0};
  settled.occurred_at = settled.expires_at = at(kLeast);
  settled.pins.period = {at(kLeast), at(kLeast)};
  settled.pins.subscription = settled.pins.plan = settled.pins.plan_version = kLeast;
  settled.pins.estimate_tokens = settled.pins.estimate_cost_nanos = kLeast;
  settled.adjusts = kLeast;
  for (BudgetPart& part : settled.budgets) {
    part.held = part.actual = part.key.plan = kLeast;
    part.limit = kLeast;
    part.key.span = {at(kLeast), at(kLeast)};
  }
  EXPECT_LE(encode(settled).size(), bound);
}

TEST(Codec, EveryTruncationIsCorrupt) {
  const std::string settlement = encode(full());
  for (std::size_t size = 0; size < settlement.size(); ++size) {
    const auto back = decode_settlement(std::string_view(settlement).substr(0, size));
    ASSERT_FALSE(back) << size;
    EXPECT_EQ(back.error().code, Code::corrupt);
    EXPECT_THAT(back.error().message, HasSubstr("settlement: "));
  }
  const std::string begin = encode(full_begin());
  for (std::size_t size = 0; size < begin.size(); ++size) {
    const auto back = decode_begin(std::string_view(begin).substr(0, size));
    ASSERT_FALSE(back) << size;
    EXPECT_EQ(back.error().code, Code::corrupt);
    EXPECT_THAT(back.error().message, HasSubstr("begin: "));
  }
}

struct Hostile {
  std::string_view says;
  std::string begin_bytes;  // of a Begin
  std::string_view message;
};

TEST(Codec, HostileBytesAreCorruptAndNamed) {
  const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
  const std::string empty_begin = encode(Begin());
  const std::string to_texts = empty_begin.substr(0, 4);  // version, hold, epoch, opened_at
  const std::string to_budgets = empty_begin.substr(0, empty_begin.size() - 1);
  const Hostile rows[] = {
      {"a newer version is named", "\x03" + empty_begin.substr(1),
       "begin: version at byte 1: is 3, this program knows version 2: written by a newer one"},
      {"a version that says no more than an older one", "\x02" + empty_begin.substr(1),
       "begin: version at byte 13: is 2, these bytes are of version 1"},
      {"a version 0 never was", std::string(1, '\0') + empty_begin.substr(1),
       "begin: version at byte 1: is 0, this program knows version 2"},
      {"a text longer than what is left", to_texts + "\x7fxy",
       "begin: account at byte 5: says 127 bytes, 2 are left"},
      {"a text longer than memory", to_texts + huge,
       "begin: account at byte 14: says 18446744073709551615 bytes, 0 are left"},
      {"more budgets than there can be", to_budgets + huge,
       "budget bits at byte 22: the bytes end"},
      {"a number of 11 bytes", std::string("\x01\xff") + huge, "hold at byte 10: is no number"},
      {"a number above 64 bits", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
       "hold at byte 10: is no number"},
      {"a number that is not the shortest", std::string("\x01\x80\x00", 3),
       "hold at byte 2: is no"},
      {"an epoch above 32 bits", std::string("\x01\x00", 2) + huge,
       "epoch at byte 12: is above 32"},
      {"bytes behind the end", empty_begin + "x", "end at byte 13: 1 bytes too many"},
      {"nothing at all", "", "begin: version at byte 0: the bytes end here"},
  };
  for (const Hostile& row : rows) {
    SCOPED_TRACE(row.says);
    const auto back = decode_begin(row.begin_bytes);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, Code::corrupt);
    EXPECT_THAT(back.error().message, HasSubstr(row.message));
  }
}

TEST(Codec, ASettlementOfANewerVersionIsNamed) {
  std::string bytes = encode(full());
  bytes[8] = 9;
  EXPECT_THAT(decode_settlement(bytes).error().message,
              HasSubstr("settlement: version at byte 9: is 9, this program knows version 2"));
}

template <class Value>
int survives(const Result<Value>& back, const std::string& bytes) {
  if (!back) {
    EXPECT_EQ(back.error().code, Code::corrupt);
    return 0;
  }
  EXPECT_EQ(encode(*back), bytes);
  return 1;
}

// Under the sanitizers this is where a read beyond the bytes would show.
TEST(Codec, RandomMutationsNeverCrashAndHaveOneByteForm) {
  std::mt19937_64 random(20'260'729);
  const std::string settlement = encode(full());
  const std::string begin = encode(full_begin());
  int survivors = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = round % 2 == 0 ? settlement : begin;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes && !bytes.empty(); ++i) {
      const std::size_t where = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[where] = static_cast<char>(random());
          break;
        case 1:
          bytes[where] = static_cast<char>(bytes[where] ^ (1 << random() % 8));
          break;
        case 2:
          bytes.erase(where, 1 + random() % 8);
          break;
        default:
          bytes.insert(where, 1 + random() % 3, static_cast<char>(random()));
          break;
      }
    }
    survivors += round % 2 == 0 ? survives(decode_settlement(bytes), bytes)
                                : survives(decode_begin(bytes), bytes);
  }
  EXPECT_GT(survivors, 100) << "some changes only change a value";
}

TEST(KeyOf, PartsCannotRunIntoEachOther) {
  EXPECT_EQ(base::hex(std::string_view(
                reinterpret_cast<const char*>(key_of("a", "record", "k").data()), 16)),
            base::hex(base::view_of(base::sha256(std::string("a\0record\0k", 10)))).substr(0, 32));
  EXPECT_NE(key_of("a", "b", "c"), key_of("ab", "", "c"));
  EXPECT_NE(key_of("a", "record", "k"), key_of("b", "record", "k"));
  EXPECT_NE(key_of("a", "record", "k"), key_of("a", "call", "k"));
}

}  // namespace
}  // namespace aimeter::store
