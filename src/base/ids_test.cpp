// The one rule for ids and keys, at both sides of each border.
#include "base/ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace aimeter::base {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Row {
  const char* sentence;
  std::string id;
};

TEST(Ids, AcceptsAnyPrintableTextOf1To191Bytes) {
  const Row rows[] = {
      {"one byte", "a"},
      {"191 bytes", std::string(191, 'x')},
      {"191 bytes that end in a whole character", std::string(189, 'x') + "\xc3\xa9"},
      {"a path is only text", "../../etc/passwd"},
      {"quotes are only text", R"(a'b"c`d)"},
      {"SQL is only text", "'; DROP TABLE ai_usages; --"},
      {"blanks count and are kept", " acme "},
      {"one blank is an id", " "},
      {"percent and underscore", "%_"},
      {"Greek", "\xce\xb1\xce\xb2"},
      {"the first character behind C1", "\xc2\xa0"},
      {"four bytes", "\xf0\x9f\x98\x80"},
      {"the last code point", "\xf4\x8f\xbf\xbf"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_TRUE(check_id("tenant", row.id));
  }
}

TEST(Ids, RefusesWhatIsNoId) {
  const Row rows[] = {
      {"empty", ""},
      {"192 bytes", std::string(192, 'x')},
      {"96 characters of two bytes are 192 bytes",
       [] {
         std::string text;
         for (int i = 0; i < 96; ++i) text += "\xc3\xa9";
         return text;
       }()},
      {"NUL inside", std::string("a\0b", 3)},
      {"NUL at the end", std::string("a\0", 2)},
      {"line break", "a\nb"},
      {"tab", "a\tb"},
      {"the last C0 control", "a\x1f"},
      {"DEL", "a\x7f"},
      {"the first C1 control", "a\xc2\x80"},
      {"the last C1 control", "a\xc2\x9f"},
      {"a lone continuation byte", "a\x80"},
      {"a sequence that is cut off", "a\xe2\x82"},
      {"an overlong slash", "\xc0\xaf"},
      {"an overlong NUL", "\xc0\x80"},
      {"an overlong sequence of three bytes", "\xe0\x80\xaf"},
      {"an overlong sequence of four bytes", "\xf0\x80\x80\xaf"},
      {"a surrogate", "\xed\xa0\x80"},
      {"above the last code point", "\xf4\x90\x80\x80"},
      {"a byte that UTF-8 never has", "\xff"},
      {"Latin-1", "caf\xe9"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Status status = check_id("tenant", row.id);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::invalid_argument);
    EXPECT_THAT(status.error().message, StartsWith("tenant: \""));
    EXPECT_THAT(status.error().message,
                HasSubstr("expected 1 to 191 bytes of UTF-8 without control characters"));
  }
}

TEST(Ids, LookAlikesStayDifferentIds) {
  const std::string latin = "acme", cyrillic =
                                        "\xd0\xb0"
                                        "cme";
  const std::string composed = "caf\xc3\xa9", decomposed = "cafe\xcc\x81";
  for (const auto& [a, b] : {std::pair{latin, cyrillic},
                             {composed, decomposed},
                             {std::string("Acme"), latin},
                             {std::string("acme "), latin}}) {
    EXPECT_TRUE(check_id("tenant", a));
    EXPECT_TRUE(check_id("tenant", b));
    EXPECT_NE(a, b);
  }
}

TEST(Ids, AnErrorShowsTheValueWithoutItsControls) {
  EXPECT_THAT(check_id("user", "a\x1b[2J").error().message, StartsWith("user: \"a\\x1b[2J\""));
  EXPECT_THAT(check_id("user", std::string(500, 'x')).error().message,
              StartsWith("user: \"" + std::string(64, 'x') + "...\""));
}

}  // namespace
}  // namespace aimeter::base
