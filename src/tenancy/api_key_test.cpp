#include "tenancy/api_key.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace aimeter::tenancy {
namespace {

constexpr Instant kNow = std::chrono::sys_days(std::chrono::year(2026) / 3 / 15);
constexpr Duration kTick = Duration(1);

class Keys final : public ApiKeyLookup {
 public:
  [[nodiscard]] Result<std::optional<ApiKeyRecord>> find(std::string_view id) const override {
    if (down) return fail(Code::unavailable, "store down");
    const auto found = records.find(std::string(id));
    return found == records.end() ? std::nullopt : std::optional(found->second);
  }
  ApiKeyRecord& add(const NewApiKey& key) {
    return records[key.id] = {.id = key.id,
                              .tenant = {"acme"},
                              .secret_sha256 = key.secret_sha256,
                              .scopes = {ApiScope::meter}};
  }
  std::map<std::string, ApiKeyRecord> records;
  bool down = false;
};

TEST(ApiKey, a_new_key_has_the_documented_form_and_256_random_bits) {
  std::set<std::string> texts;
  for (int i = 0; i < 100; ++i) {
    const NewApiKey key = make_api_key();
    EXPECT_EQ(key.text.size(), 4u + 16 + 1 + 64);
    EXPECT_TRUE(key.text.starts_with("aim_" + key.id + "_"));
    const ApiKeyText parts = parse_api_key(key.text).value();
    EXPECT_EQ(parts.id, key.id);
    EXPECT_EQ(base::sha256(parts.secret), key.secret_sha256);
    texts.insert(key.text);
  }
  EXPECT_EQ(texts.size(), 100u);
}

TEST(ApiKey, text_that_is_no_key_is_refused_and_never_repeated) {
  const std::string good = make_api_key().text;
  std::string upper = good;
  upper[30] = 'F';
  std::string other = good;
  other[20] = '-';
  std::string nul = good;
  nul[40] = '\0';
  for (const std::string& text :
       {std::string(), std::string("aim_"), good.substr(0, good.size() - 1), good + "0", upper,
        other, nul, " " + good, "AIM" + good.substr(3), std::string(1U << 20U, 'a')}) {
    const auto parts = parse_api_key(text);
    ASSERT_FALSE(parts.has_value());
    EXPECT_EQ(parts.error().code, Code::unauthenticated);
    EXPECT_EQ(parts.error().message,
              "api key: not well formed; expected \"aim_\", 16 hex digits, \"_\", 64 hex digits");
  }
}

TEST(ApiKey, unknown_and_wrong_get_the_same_answer) {
  Keys keys;
  const NewApiKey key = make_api_key(), stranger = make_api_key();
  keys.add(key);
  EXPECT_EQ(authenticate(key.text, keys, kNow)->tenant.text, "acme");
  const std::string wrong = key.text.substr(0, 21) + stranger.text.substr(21);
  const auto unknown_answer = authenticate(stranger.text, keys, kNow);
  const auto wrong_answer = authenticate(wrong, keys, kNow);
  ASSERT_FALSE(unknown_answer.has_value());
  ASSERT_FALSE(wrong_answer.has_value());
  EXPECT_EQ(unknown_answer.error().code, Code::unauthenticated);
  EXPECT_EQ(unknown_answer.error().message, wrong_answer.error().message);
  EXPECT_EQ(wrong_answer.error().message.find(wrong.substr(21)), std::string::npos);
}

TEST(ApiKey, a_key_ends_at_the_instant_of_its_expiry_and_revocation) {
  Keys keys;
  const NewApiKey key = make_api_key();
  ApiKeyRecord& record = keys.add(key);
  record.expires_at = kNow;
  EXPECT_TRUE(authenticate(key.text, keys, kNow - kTick).has_value());
  EXPECT_EQ(authenticate(key.text, keys, kNow).error().message,
            "api key " + key.id + ": expired at 2026-03-15T00:00:00Z");
  record.expires_at.reset();
  record.revoked_at = kNow;
  EXPECT_TRUE(authenticate(key.text, keys, kNow - kTick).has_value());
  EXPECT_EQ(authenticate(key.text, keys, kNow).error().message,
            "api key " + key.id + ": revoked at 2026-03-15T00:00:00Z");
}

TEST(ApiKey, a_store_that_is_down_is_no_wrong_key) {
  Keys keys;
  keys.down = true;
  EXPECT_EQ(authenticate(make_api_key().text, keys, kNow).error().code, Code::unavailable);
}

TEST(ApiKey, scopes_there_and_back) {
  for (const char* name : {"meter", "read", "gateway", "act_as_tenant", "admin"}) {
    EXPECT_EQ(name_of(parse_api_scope("scope", name).value()), name);
  }
  EXPECT_EQ(
      parse_api_scope("scope", "root").error().message,
      "scope: \"root\" is not accepted; expected meter, read, gateway, act_as_tenant or admin");
  const ApiKeyRecord key{.id = "k1", .scopes = {ApiScope::read}};
  EXPECT_TRUE(require_scope(key, ApiScope::read).has_value());
  const Status refused = require_scope(key, ApiScope::admin);
  EXPECT_EQ(refused.error().code, Code::permission_denied);
  EXPECT_EQ(refused.error().message, "api key k1: has no scope admin");
}

Context with(const std::map<std::string, std::string>& headers) {
  Context context;
  context.header = [headers](std::string_view name) -> std::optional<std::string> {
    const auto found = headers.find(std::string(name));
    if (found == headers.end()) return std::nullopt;
    return found->second;
  };
  return context;
}

TEST(ApiKey, is_read_from_bearer_or_x_api_key) {
  const auto key = [](const std::map<std::string, std::string>& headers) {
    return api_key_of(with(headers)).value().value_or("none");
  };
  EXPECT_EQ(key({{"Authorization", "Bearer aim_x"}}), "aim_x");
  EXPECT_EQ(key({{"Authorization", "bEARER   aim_x"}}), "aim_x");
  EXPECT_EQ(key({{"X-Api-Key", "aim_y"}}), "aim_y");
  EXPECT_EQ(key({{"Authorization", "Bearer aim_x"}, {"X-Api-Key", "aim_x"}}), "aim_x");
  EXPECT_EQ(key({{"Authorization", "Bearer sk-other"}, {"X-Api-Key", "aim_y"}}), "aim_y");
  EXPECT_EQ(key({{"Authorization", "Basic aim_x"}}), "none");
  EXPECT_EQ(key({{"Authorization", "Bearer"}}), "none");
  EXPECT_EQ(key({{"Authorization", "Bearer "}}), "none");
  EXPECT_EQ(key({}), "none");
  const auto two = api_key_of(with({{"Authorization", "Bearer aim_x"}, {"X-Api-Key", "aim_y"}}));
  ASSERT_FALSE(two.has_value());
  EXPECT_EQ(two.error().code, Code::unauthenticated);
  EXPECT_EQ(two.error().message.find("aim_"), std::string::npos);
}

}  // namespace
}  // namespace aimeter::tenancy
