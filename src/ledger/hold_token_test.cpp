#include "ledger/hold_token.h"

#include <gtest/gtest.h>

#include "store/codec.h"
#include "store/store_fixture.h"

namespace aimeter::ledger {
namespace {

using namespace store::fixture;

const Account kAcme = account_of("acme");

HoldClaim claim_of(std::int64_t held) {
  HoldClaim claim = held_call_of(kAcme, 0, {{.engine = 7, .epoch = 2}, held, 100});
  claim.hold = 12;
  claim.token = "0123456789abcdef";
  claim.expires_at = kNoon + std::chrono::minutes(10);
  claim.meta = R"({"team":"red"})";
  claim.key = store::KeyRef{store::key_of("acme", "call", "k1"), 7};
  claim.pins.price_version = "shipped-2026";
  return claim;
}

const store::HoldKey kKey = store::new_hold_key(3, kNoon);

std::string reason_of(std::string_view text) {
  const auto parsed = parse_hold_token(text);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, Code::invalid_argument);
  return parsed.error().message;
}

// Signed by us, whatever it says.
std::string token_of_bytes(std::string body) {
  body += base::view_of(base::hmac_sha256(base::view_of(kKey.secret), body));
  return std::string(kHoldTokenPrefix) + base::base64url(body);
}
std::string token_of(const HoldClaim& claim) {
  return token_of_bytes(std::string("\3\0\0\0", 4) + store::encode(claim));
}

TEST(HoldToken, SaysAllThatASettlementNeeds) {
  const HoldClaim claim = claim_of(40);
  const std::string text = make_hold_token(claim, kKey);
  EXPECT_EQ(text, token_of(claim)) << "its form is fixed";
  const auto parsed = parse_hold_token(text);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->key, 3U);
  EXPECT_EQ(parsed->claim, claim);
  EXPECT_EQ(check_signature(*parsed, std::vector{kKey}), Signature::good);
}

TEST(HoldToken, IsBelievedOnlyWithTheRightSignature) {
  const auto token = parse_hold_token(make_hold_token(claim_of(40), kKey)).value();
  const store::HoldKey other = store::new_hold_key(3, kNoon);
  EXPECT_EQ(check_signature(token, std::vector{other}), Signature::wrong);
  EXPECT_EQ(check_signature(token, {}), Signature::unknown_key);
  const store::HoldKey newer = store::new_hold_key(4, kNoon);
  EXPECT_EQ(check_signature(token, std::vector{newer, kKey}), Signature::good) << "keys overlap";
  EXPECT_EQ(check_signature(token, std::vector{newer}), Signature::unknown_key);
  ParsedHoldToken more = token;
  more.body.back() = static_cast<char>(more.body.back() ^ 1);
  EXPECT_EQ(check_signature(more, std::vector{kKey}), Signature::wrong);
}

TEST(HoldToken, EveryCutAndEveryFlippedBitIsRefusedOrUnproven) {
  const std::string text = make_hold_token(claim_of(40), kKey);
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto cut = parse_hold_token(std::string_view(text).substr(0, size));
    const bool proven = cut && check_signature(*cut, std::vector{kKey}) == Signature::good;
    EXPECT_FALSE(proven) << size;
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      const auto parsed = parse_hold_token(changed);
      const bool proven = parsed && check_signature(*parsed, std::vector{kKey}) == Signature::good;
      EXPECT_FALSE(proven) << at << " bit " << bit;
    }
  }
}

TEST(HoldToken, WhatIsNoTokenIsRefusedWithoutBeingRepeated) {
  const std::string good = make_hold_token(claim_of(40), kKey);
  EXPECT_NE(reason_of("").find("begins"), std::string::npos);
  EXPECT_NE(reason_of("secret-text").find("begins"), std::string::npos);
  EXPECT_EQ(reason_of("secret-text").find("secret"), std::string::npos);
  EXPECT_NE(reason_of("ah1_").find("too short"), std::string::npos);
  EXPECT_NE(reason_of("ah1_" + std::string(48, 'A')).find("too short"), std::string::npos);
  EXPECT_NE(reason_of("ah1_+/==").find("characters"), std::string::npos);
  EXPECT_NE(reason_of(good + " ").find("characters"), std::string::npos);
  EXPECT_NE(reason_of("ah1_" + std::string(100, 'A')).find("damaged"), std::string::npos);
  EXPECT_NE(reason_of("ah1_" + std::string(kHoldTokenBytesMax, 'A')).find("too long"),
            std::string::npos);
}

TEST(HoldToken, ASettlementThatIsNoHoldIsRefusedEvenIfWeSignedIt) {
  HoldClaim nameless = claim_of(40);
  nameless.token = "short";
  EXPECT_NE(reason_of(token_of(nameless)).find("names no hold"), std::string::npos);
  HoldClaim corrects = claim_of(40);
  corrects.adjusts = 5;
  EXPECT_NE(reason_of(token_of(corrects)).find("corrects"), std::string::npos);
  for (const store::Flag flag : {store::kAdjustment, store::kDetach, store::kDuplicate}) {
    HoldClaim flagged = claim_of(40);
    flagged.flags |= flag;
    EXPECT_NE(reason_of(token_of(flagged)).find("no hold"), std::string::npos);
  }
  EXPECT_NE(reason_of(token_of(claim_of(-1))).find("amounts"), std::string::npos);
  HoldClaim counted = claim_of(40);
  counted.budgets[0].actual = 1;
  EXPECT_NE(reason_of(token_of(counted)).find("amounts"), std::string::npos);
  HoldClaim foreign = claim_of(40);
  foreign.budgets[0].key.account = account_of("zeta");
  EXPECT_NE(reason_of(token_of(foreign)).find("another account"), std::string::npos);
}

}  // namespace
}  // namespace aimeter::ledger
