#include "ledger/frames.h"

#include <gtest/gtest.h>

namespace aimeter::ledger {
namespace {

Release back(const std::string& reason) {
  const Result<Release> release = decode_release(encode_release({.hold = 7, .reason = reason}));
  EXPECT_TRUE(release.has_value());
  EXPECT_EQ(release->hold, 7U);
  return *release;
}

TEST(ReleaseFrame, AReasonIsCutBetweenCharacters) {
  const std::string e = "\xc3\xa9";
  EXPECT_EQ(back("the provider failed").reason, "the provider failed");
  EXPECT_EQ(back(std::string(200, 'r')).reason, std::string(200, 'r'));
  EXPECT_EQ(back(std::string(201, 'r')).reason, std::string(200, 'r'));
  EXPECT_EQ(back(std::string(198, 'r') + e + "r").reason, std::string(198, 'r') + e);
  EXPECT_EQ(back(std::string(199, 'r') + e).reason, std::string(199, 'r'));
  EXPECT_EQ(back(std::string(300, '\x80')).reason, "") << "no character at all";
}

TEST(ReleaseFrame, BytesThatAreNoneAreCorrupt) {
  EXPECT_EQ(decode_release("1234567").error().code, Code::corrupt);
  EXPECT_EQ(decode_release("1234567").error().message, "a release frame without its hold");
  EXPECT_TRUE(decode_release("12345678").value().reason.empty());
  EXPECT_TRUE(decode_release(std::string(208, 'r')).has_value());
  const Result<Release> longer = decode_release(std::string(209, 'r'));
  ASSERT_FALSE(longer.has_value());
  EXPECT_EQ(longer.error().code, Code::corrupt);
  EXPECT_EQ(longer.error().message, "a release frame with a reason of 201 bytes; at most 200");
}

}  // namespace
}  // namespace aimeter::ledger
