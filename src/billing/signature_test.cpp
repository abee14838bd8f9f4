// The signature of webhooks: what proves, what does not, and what the answer names.
#include "billing/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"

namespace aimeter::billing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kSecret = "whsec_of_this_test";
constexpr std::string_view kBody = R"({"id":"evt_1","type":"invoice.paid"})";
constexpr std::int64_t kSeconds = 1'790'000'000;

Instant at(std::int64_t seconds) { return Instant(std::chrono::seconds(seconds)); }

std::string v1_of(std::string_view text, std::string_view secret = kSecret) {
  return base::hex(base::view_of(base::hmac_sha256(secret, text)));
}

TEST(Signature, WhatIsAcceptedAndWhatIsNot) {
  const std::string good = v1_of("1790000000." + std::string(kBody));
  std::string upper = good;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  struct Row {
    const char* sentence;
    std::string header;
    std::int64_t received;
    const char* says;  // empty: accepted
  };
  const Row rows[] = {
      {"at once", "t=1790000000,v1=" + good, kSeconds, ""},
      {"at the end of the tolerance", "t=1790000000,v1=" + good, kSeconds + 300, ""},
      {"a second later", "t=1790000000,v1=" + good, kSeconds + 301,
       "its timestamp is 301 s old, at most 300 s are accepted"},
      {"from the future", "t=1790000000,v1=" + good, kSeconds - 3'600, ""},
      {"the second of two", "t=1790000000,v1=" + std::string(64, '0') + ",v1=" + good, kSeconds,
       ""},
      {"the first of two", "t=1790000000,v1=" + good + ",v1=" + std::string(64, '0'), kSeconds, ""},
      {"beside another scheme", "t=1790000000,v0=abc,v1=" + good, kSeconds, ""},
      {"another scheme alone", "t=1790000000,v0=" + good, kSeconds, "no signature of scheme v1"},
      {"no timestamp", "v1=" + good, kSeconds, "no timestamp"},
      {"an empty timestamp", "t=,v1=" + good, kSeconds, "no timestamp"},
      {"a timestamp that is no number", "t=1790000000x,v1=" + good, kSeconds, "no timestamp"},
      {"a negative timestamp", "t=-1,v1=" + good, kSeconds, "no timestamp"},
      {"a timestamp beyond all", "t=99999999999999999999,v1=" + good, kSeconds, "no timestamp"},
      {"no header", "", kSeconds, "no header Stripe-Signature"},
      {"no header at all", "hello", kSeconds, "no timestamp"},
      {"spaces behind the comma", "t=1790000000, v1=" + good, kSeconds, "scheme v1"},
      {"capital letters", "t=1790000000,v1=" + upper, kSeconds, "none of the 1 v1 fits"},
      {"cut short", "t=1790000000,v1=" + good.substr(0, 62), kSeconds, "none of the 1 v1 fits"},
      {"longer", "t=1790000000,v1=" + good + "00", kSeconds, "none of the 1 v1 fits"},
      {"another time", "t=1790000001,v1=" + good, kSeconds, "none of the 1 v1 fits"},
      {"late and wrong is wrong first", "t=1790000000,v1=00", kSeconds + 9'999, "none of the 1"},
      {"a header without end", "t=1790000000,v1=" + good + std::string(5'000, ','), kSeconds,
       "too long"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Status proved =
        verify_signature({kBody, row.header}, {.secret = kSecret, .received_at = at(row.received)});
    if (*row.says == '\0') {
      EXPECT_TRUE(proved) << proved.error().message;
      continue;
    }
    ASSERT_FALSE(proved);
    EXPECT_EQ(proved.error().code, Code::unauthenticated);
    EXPECT_THAT(proved.error().message, HasSubstr(row.says));
    EXPECT_THAT(proved.error().message, Not(HasSubstr(good))) << "the expected one stays hidden";
    EXPECT_THAT(proved.error().message, Not(HasSubstr(kSecret)));
  }
}

TEST(Signature, AnotherBodyOrSecretProvesNothing) {
  const std::string header = signature_header(kBody, kSecret, at(kSeconds));
  EXPECT_EQ(header, "t=1790000000,v1=" + v1_of("1790000000." + std::string(kBody)));
  const SignatureRule rule{.secret = kSecret, .received_at = at(kSeconds)};
  EXPECT_TRUE(verify_signature({kBody, header}, rule));
  EXPECT_FALSE(verify_signature({std::string(kBody) + " ", header}, rule));
  EXPECT_FALSE(
      verify_signature({kBody, header}, {.secret = "whsec_", .received_at = at(kSeconds)}));
  const std::string zero("\0", 1);
  const std::string binary = signature_header(zero + "\xff", kSecret, at(kSeconds));
  EXPECT_TRUE(verify_signature({zero + "\xff", binary}, rule)) << "any bytes may be signed";
}

TEST(Signature, WithoutASecretNothingIsBelieved) {
  const std::string header = signature_header(kBody, "", at(kSeconds));
  const Status proved = verify_signature({kBody, header}, {.received_at = at(kSeconds)});
  ASSERT_FALSE(proved);
  EXPECT_EQ(proved.error().code, Code::failed_precondition);
  EXPECT_THAT(proved.error().message, HasSubstr("stripe.webhook_secret"));
}

}  // namespace
}  // namespace aimeter::billing
