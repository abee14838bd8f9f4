#include "meter/meta.h"

#include <gtest/gtest.h>

namespace aimeter::meter {
namespace {

TEST(Meta, keys_that_name_secrets_and_conversations_are_told) {
  const struct {
    std::string_view key;
    bool secret;
  } rows[] = {
      {"Authorization", true},
      {"password", true},
      {"user_password", true},
      {"client-secret", true},
      {"apiKey", true},
      {"api_key", true},
      {"X-Api-Key", true},
      {"prompt", true},
      {"system_prompt", true},
      {"messages", true},
      {"access_token", true},
      {"Cookie", true},
      {"ticket_id", false},
      {"tokens", false},
      {"prompt_version", false},
      {"message_count", false},
      {"secretary_id", true},  // better one word too many
      {"key", false},
      {"", false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.key);
    EXPECT_EQ(is_secret_key(row.key), row.secret);
  }
}

TEST(Meta, what_is_kept_is_text_of_bounded_size_and_depth) {
  std::string deep_7, deep_8;
  for (int i = 0; i < 7; ++i) deep_7 += "[";
  deep_8 = deep_7 + "[";
  for (int i = 0; i < 7; ++i) deep_7 += "]";
  for (int i = 0; i < 8; ++i) deep_8 += "]";
  const struct {
    std::string_view sentence;
    Meta meta;
    std::string_view names;  // "" = kept
  } rows[] = {
      {"plain text", {{"ticket", "9"}}, ""},
      {"text that only looks like JSON", {{"note", "{not json"}}, ""},
      {"8 levels with the metadata's own", {{"tree", deep_7}}, ""},
      {"9 levels", {{"tree", deep_8}}, "meta.tree"},
      {"a value that is no UTF-8", {{"a", "\xff"}}, "meta.a"},
      {"a key that is no UTF-8", {{"\xff", "a"}}, "meta key"},
      {"a control character", {{"a", "x\ny"}}, "meta.a"},
      {"16 KiB and a bit", {{"a", std::string(16'380, 'x')}}, "meta"},
      {"just below 16 KiB", {{"a", std::string(16'370, 'x')}}, ""},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto kept = kept_meta(row.meta, Metadata::sanitized);
    EXPECT_EQ(kept.has_value(), row.names.empty());
    if (!kept) {
      EXPECT_EQ(kept.error().code, Code::invalid_argument);
      EXPECT_EQ(kept.error().message.find(row.names), 0U) << kept.error().message;
    } else {
      EXPECT_EQ(*kept, row.meta);
    }
  }
}

TEST(Meta, is_stored_as_one_json_object) {
  EXPECT_EQ(*json_of({}), "");
  EXPECT_EQ(*json_of({{"a", "1"}, {"b", "\"q\""}}), R"({"a":"1","b":"\"q\""})");
  EXPECT_FALSE(json_of({{"a", "\xff"}})) << "also when the operator wants it as given";
}

TEST(Meta, as_given_means_as_given) {
  const Meta meta{{"password", "p"}};
  EXPECT_EQ(*kept_meta(meta, Metadata::as_given), meta);
  EXPECT_EQ(kept_meta(meta, Metadata::sanitized)->at("password"), "[redacted]");
}

}  // namespace
}  // namespace aimeter::meter
