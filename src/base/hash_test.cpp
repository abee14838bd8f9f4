// Known vectors of every hash and encoding, with their sources.
#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>

namespace aimeter::base {
namespace {

TEST(Hash, Sha256OfKnownTexts) {
  struct Row {
    std::string text;
    const char* digest;
  };
  // Source: FIPS 180-4 examples of NIST (empty, "abc", two blocks, a million "a").
  const Row rows[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
                      {std::string(1'000'000, 'a'),
                       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};
  for (const Row& row : rows) EXPECT_EQ(hex(view_of(sha256(row.text))), row.digest);
}

TEST(Hash, HmacSha256OfKnownTexts) {
  // Source: RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
  EXPECT_EQ(hex(view_of(hmac_sha256(std::string(20, '\x0b'), "Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(view_of(hmac_sha256("Jefe", "what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(view_of(hmac_sha256(std::string(131, '\xaa'),
                                    "Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hash, Crc32cOfKnownTexts) {
  // Source: RFC 3720 B.4 (32 zeros, 32 ones, 0..31, 31..0), and the check value of the catalogue.
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i);
  down.assign(up.rbegin(), up.rend());
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c(up), 0x46dd794eU);
  EXPECT_EQ(crc32c(down), 0x113fdb5cU);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Hash, Crc32OfKnownTexts) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926U);  // check value of the CRC catalogue (reveng)
  EXPECT_EQ(crc32("The quick brown fox jumps over the lazy dog"), 0x414fa339U);
}

TEST(Hash, ACrcGoesOnWhereAnEarlierOneEnded) {
  const std::string text = "The quick brown fox jumps over the lazy dog, twice over.";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    SCOPED_TRACE(cut);
    EXPECT_EQ(crc32c(text.substr(cut), crc32c(text.substr(0, cut))), crc32c(text));
    EXPECT_EQ(crc32(text.substr(cut), crc32(text.substr(0, cut))), crc32(text));
  }
}

TEST(Hash, HexGoesThereAndBack) {
  EXPECT_EQ(hex(std::string("\x00\x7f\xff", 3)), "007fff");
  EXPECT_EQ(from_hex("007FfF"), std::string("\x00\x7f\xff", 3));
  EXPECT_EQ(from_hex(""), "");
  for (const char* bad : {"0", "0g", "zz", " 0", "0x"}) {
    SCOPED_TRACE(bad);
    EXPECT_EQ(from_hex(bad), std::nullopt);
  }
}

TEST(Hash, Base64UrlGoesThereAndBack) {
  struct Row {
    const char* bytes;
    const char* text;
  };
  // Source: RFC 4648 section 10, without padding.
  constexpr Row kRows[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.text);
    EXPECT_EQ(base64url(row.bytes), row.text);
    EXPECT_EQ(from_base64url(row.text), row.bytes);
  }
  EXPECT_EQ(base64url("\xfb\xff\xfe"), "-__-");
}

TEST(Hash, Base64UrlHasOneTextPerValue) {
  for (const char* bad : {"Zh", "Zm9", "Z", "Zg==", "Zm9v+", "Zm9v/", "Zm 9", "Zg\n"}) {
    SCOPED_TRACE(bad);
    EXPECT_EQ(from_base64url(bad), std::nullopt);
  }
}

TEST(Hash, RandomBytesDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random_bytes(16));
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_EQ(random_bytes(0), "");
  EXPECT_EQ(random_bytes(33).size(), 33U);
}

TEST(Hash, ConstantTimeComparisonIsEquality) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time(std::string("a\0b", 3), std::string("a\0b", 3)));
  EXPECT_FALSE(equal_in_constant_time(std::string("a\0b", 3), std::string("a\0c", 3)));
  EXPECT_FALSE(equal_in_constant_time("a", "ab"));
  EXPECT_FALSE(equal_in_constant_time("a", "b"));
}

TEST(Hash, MixTellsLengthsAndNeighboursApart) {
  std::set<std::uint64_t> seen;
  std::size_t count = 0;
  for (std::size_t length = 0; length < 40; ++length, ++count)
    seen.insert(mix64(std::string(length, '\0')));
  for (int i = 0; i < 1000; ++i, ++count) seen.insert(mix64("tenant-" + std::to_string(i)));
  EXPECT_EQ(seen.size(), count);
  EXPECT_EQ(mix64("acme"), mix64(std::string("acme")));
}

TEST(Hash, TheKeyIsTheHeadOfTheDigest) {
  const Digest digest = sha256("abc");
  const Key16 key = first16(digest);
  EXPECT_TRUE(std::equal(key.begin(), key.end(), digest.begin()));
}

TEST(Hash, Sha256InPiecesIsTheSameAsWhole) {
  Sha256 pieces;
  for (const char* piece : {"a", "", "bc"}) pieces.add(piece);
  EXPECT_EQ(pieces.digest(), sha256("abc"));
}

}  // namespace
}  // namespace aimeter::base
