#include "meter/content.h"

#include <gtest/gtest.h>

namespace aimeter::meter {
namespace {

const Account kAccount{{"acme"}, {"team", "9"}};

Call call() {
  return {.user = "42",
          .provider = "openai",
          .model = "gpt-4o-mini",
          .feature = "chat",
          .meta = {{"a", "1"}},
          .idempotency_key = "k"};
}

template <class Change>
store::KeyRef changed(Change change) {
  Call other = call();
  Account account = kAccount;
  change(other, account);
  return key_of_call(other, account);
}

TEST(Content, hints_do_not_change_it) {
  const store::KeyRef plain = key_of_call(call(), kAccount);
  EXPECT_EQ(plain, changed([](Call& c, Account&) { c.expected.tokens = Tokens{7}; }));
  EXPECT_EQ(plain, changed([](Call& c, Account&) { c.if_recorded = OnRepeat::refuse; }));
  EXPECT_EQ(plain, changed([](Call& c, Account&) { c.ambient = TenantId{"acme"}; }));
}

TEST(Content, everything_the_caller_said_does) {
  const store::KeyRef plain = key_of_call(call(), kAccount);
  const struct {
    std::string_view sentence;
    store::KeyRef other;
  } rows[] = {
      {"the user", changed([](Call& c, Account&) { c.user = "43"; })},
      {"the provider", changed([](Call& c, Account&) { c.provider = "azure"; })},
      {"the model", changed([](Call& c, Account&) { c.model = "gpt-4o"; })},
      {"the feature", changed([](Call& c, Account&) { c.feature = ""; })},
      {"the API key", changed([](Call& c, Account&) { c.api_key = "x"; })},
      {"the session", changed([](Call& c, Account&) { c.session = "x"; })},
      {"a value of the metadata", changed([](Call& c, Account&) { c.meta["a"] = "2"; })},
      {"more metadata", changed([](Call& c, Account&) { c.meta["b"] = "2"; })},
      {"the mode", changed([](Call& c, Account&) { c.billing_mode = BillingMode::plan; })},
      {"manual usage", changed([](Call& c, Account&) { c.manual_usage = Usage{}; })},
      {"the account", changed([](Call&, Account& a) { a.billable.id = "8"; })},
      {"names that run together", changed([](Call& c, Account&) {
         c.provider = "open";
         c.model = "aigpt-4o-mini";
       })},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_NE(row.other.content, plain.content);
    EXPECT_EQ(row.other.key, plain.key);
  }
  Usage cheap, dear;
  cheap.total_cost = Money{1, "usd"};
  dear.total_cost = Money{2, "usd"};
  EXPECT_NE(changed([&](Call& c, Account&) { c.manual_usage = cheap; }).content,
            changed([&](Call& c, Account&) { c.manual_usage = dear; }).content);
}

TEST(Content, a_key_belongs_to_its_tenant) {
  const store::KeyRef plain = key_of_call(call(), kAccount);
  EXPECT_NE(plain.key, changed([](Call&, Account& a) { a.tenant = {"other"}; }).key);
  EXPECT_NE(plain.key, changed([](Call& c, Account&) { c.idempotency_key = "l"; }).key);
}

}  // namespace
}  // namespace aimeter::meter
