#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/settings.h"

namespace aimeter::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Environment environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    return at == variables.end() ? std::nullopt : std::optional(at->second);
  };
}

Result<Settings> from_file(std::string_view toml) {
  return load(toml, "aimeter.toml", environment({}));
}
Result<Settings> from_environment(std::map<std::string, std::string> variables) {
  return load("", "aimeter.toml", environment(std::move(variables)));
}

TEST(Config, AnEmptyFileGivesTheDocumentedDefaults) {
  const Result<Settings> settings = from_file("");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->default_provider, "openai");
  EXPECT_EQ(settings->storage.url, "sqlite:aimeter.db");
  EXPECT_EQ(settings->storage.prune_after_days, 365);
  EXPECT_EQ(settings->storage.batch_size, 16'384);
  EXPECT_EQ(settings->billing.overage_behavior, OverageBehavior::block);
  EXPECT_EQ(settings->billing.payment_failure_grace_period_days, 7);
  EXPECT_EQ(settings->tenancy.resolver, "null");
  EXPECT_EQ(settings->period.type, Period::Type::monthly);
  EXPECT_EQ(settings->period.alignment, Period::Alignment::calendar);
  EXPECT_EQ(settings->period.timezone, "UTC");
  EXPECT_TRUE(settings->security.validate_feature_names);
  EXPECT_TRUE(settings->security.sanitize_metadata);
  EXPECT_TRUE(settings->warnings.empty());
}

TEST(Config, EveryBadKeyIsNamedAtOnceWithItsValueAndWhatIsAccepted) {
  const Result<Settings> settings = from_file(R"(
no_such = 1
default_provider = 7
[limits]
approaching_percent = 101
first_estimate = "many"
[billing]
overage_behaviour = "block"
currency = "USD"
[period]
timezone = "Mars/Olympus"
type = "fortnightly"
)");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Code::invalid_argument);
  const std::string& all = settings.error().message;
  EXPECT_THAT(all, HasSubstr("no_such: there is no such key"));
  EXPECT_THAT(all, HasSubstr("default_provider: \"7\" is not accepted; expected text"));
  EXPECT_THAT(all,
              HasSubstr("limits.approaching_percent: \"101\" is not accepted; expected a whole "
                        "number from 1 to 100"));
  EXPECT_THAT(all, HasSubstr("limits.first_estimate: \"many\""));
  EXPECT_THAT(all, HasSubstr("billing.overage_behaviour: there is no such key; did you mean "
                             "billing.overage_behavior?"));
  EXPECT_THAT(all, HasSubstr("billing.currency: \"USD\""));
  EXPECT_THAT(all,
              HasSubstr("period.timezone: \"Mars/Olympus\" is not accepted; expected an IANA"));
  EXPECT_THAT(all,
              HasSubstr("period.type: \"fortnightly\" is not accepted; expected one of hourly"));
}

TEST(Config, WrongTypesAndBrokenFilesAreErrorsNeverDefaults) {
  struct Row {
    const char* sentence;
    const char* toml;
    const char* says;
  };
  constexpr Row kRows[] = {
      {"a number with a fraction is no whole number", "[limits]\nfirst_estimate = 1.5",
       "limits.first_estimate"},
      {"a table is no text", "[default_provider]\nx = 1",
       "default_provider.x: there is no such key"},
      {"a list of numbers is no list of texts", "[tenancy]\nchain = [1]", "tenancy.chain"},
      {"broken TOML names file and line", "a = \n", "aimeter.toml:1"},
      {"a key twice is broken TOML", "default_provider = 'a'\ndefault_provider = 'b'",
       "aimeter.toml:2"},
      {"a price as a number with a fraction would lose digits",
       "[providers.trace.models.fixed]\ninput_price_per_1k = 0.0025\noutput_price_per_1k = \"1\"",
       "providers.trace.models.fixed.input_price_per_1k"},
      {"half a price is no price", "[providers.trace.models.fixed]\ninput_price_per_1k = \"1\"",
       "providers.trace.models.fixed.output_price_per_1k: it is missing"},
      {"a negative price is none",
       "[providers.t.models.f]\ninput_price_per_1k = \"-1\"\noutput_price_per_1k = \"1\"",
       "providers.t.models.f.input_price_per_1k"},
      {"a rate of zero is none", "[billing.currency_rates]\nusd_eur = \"0\"",
       "billing.currency_rates.usd_eur"},
      {"a default price must be given to be used", "[pricing]\nunknown_model = \"default_price\"",
       "pricing.default_price"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Result<Settings> settings = from_file(row.toml);
    ASSERT_FALSE(settings);
    EXPECT_EQ(settings.error().code, Code::invalid_argument);
    EXPECT_THAT(settings.error().message, HasSubstr(row.says));
  }
}

TEST(Config, WhatComesLaterIsRefusedNeverFaked) {
  struct Row {
    const char* toml;
    const char* says;
  };
  constexpr Row kRows[] = {
      {"[rate_limit]\nenabled = true", "rate limits come with a later version"},
      {"[security]\nrate_limit_enabled = true", "rate limits come with a later version"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.toml);
    const Result<Settings> settings = from_file(row.toml);
    ASSERT_FALSE(settings);
    EXPECT_THAT(settings.error().message, HasSubstr(row.says));
  }
}

TEST(Config, TheReferencesVariablesKeepTheirNamesAndWinOverTheFile) {
  const Result<Settings> settings =
      load("default_provider = \"anthropic\"\n[period]\ntype = \"daily\"", "aimeter.toml",
           environment({{"AI_METERING_DEFAULT_PROVIDER", "mistral"},
                        {"AI_METERING_TENANT_RESOLVER", "App\\Tenancy\\NullTenantResolver"},
                        {"AI_METERING_BILLING_DRIVER", "NullBillingDriver"},
                        {"AI_METERING_PERIOD_ALIGNMENT", "rolling"},
                        {"AI_METERING_TIMEZONE", "Europe/Berlin"},
                        {"AI_METERING_OVERAGE_BEHAVIOR", "charge"},
                        {"AI_METERING_BATCH_SIZE", "100"},
                        {"AI_METERING_QUEUE_RECORDING", "metering"},
                        {"AI_METERING_SANITIZE_METADATA", "(false)"},
                        {"AI_METERING_CURRENCY", "null"},
                        {"STRIPE_SECRET", "sk_test_1"}}));
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->default_provider, "mistral");
  EXPECT_EQ(settings->tenancy.resolver, "null");
  EXPECT_EQ(settings->period.type, Period::Type::daily);
  EXPECT_EQ(settings->period.alignment, Period::Alignment::rolling);
  EXPECT_EQ(settings->period.timezone, "Europe/Berlin");
  EXPECT_EQ(settings->billing.overage_behavior, OverageBehavior::charge);
  EXPECT_EQ(settings->billing.currency, "usd") << "null is not set";
  EXPECT_EQ(settings->storage.batch_size, 100);
  EXPECT_EQ(settings->storage.durability, ledger::Durability::memory);
  EXPECT_FALSE(settings->security.sanitize_metadata);
  EXPECT_EQ(settings->stripe.secret_key, "sk_test_1");
}

TEST(Config, BillingDriversAreNamedAsTheReferenceNamesThemOrByTheApplication) {
  struct Row {
    const char* sentence;
    const char* given;
    const char* driver;
  };
  constexpr Row kRows[] = {
      {"the reference's class of none", "App\\Billing\\NullBillingDriver", "null"},
      {"the reference's class of Stripe", "App\\Billing\\CashierBillingDriver", "stripe"},
      {"a built-in one", "stripe", "stripe"},
      {"one that the application registers", "paddle_2", "paddle_2"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Result<Settings> settings = from_environment({{"AI_METERING_BILLING_DRIVER", row.given}});
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->billing.driver, row.driver);
  }
  const Result<Settings> odd = from_file("[billing]\ndriver = \"Pay Pal\"");
  ASSERT_FALSE(odd);
  EXPECT_THAT(odd.error().message, HasSubstr("billing.driver"));
}

TEST(Config, AnotherClassIsAnErrorThatNamesTheKey) {
  const Result<Settings> settings =
      from_environment({{"AI_METERING_BILLING_DRIVER", "App\\Billing\\PaddleDriver"}});
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message, HasSubstr("AI_METERING_BILLING_DRIVER"));
}

TEST(Config, PricesKeepEveryDigitAndConnectionsHaveNames) {
  const Result<Settings> settings = from_file(R"(
[storage]
connection = "main"
[connections]
main = "sqlite:/var/lib/usage.db"
[providers.trace]
extractor = "openai"
[providers.trace.models."fixed.1"]
input_price_per_1k = "0.00000000000000000000025"
output_price_per_1k = 1
)");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->storage.url, "sqlite:/var/lib/usage.db");
  ASSERT_EQ(settings->prices.size(), 1U);
  EXPECT_EQ(settings->prices[0].model, "fixed.1");
  EXPECT_EQ(settings->prices[0].input_price_per_1k, "0.00000000000000000000025");
  EXPECT_EQ(settings->prices[0].output_price_per_1k, "1");
  EXPECT_EQ(settings->extractors.at("trace"), "openai");
}

TEST(Config, KeysWithoutEffectAreAcceptedAndSaid) {
  const Result<Settings> settings =
      from_file("[performance]\ncache_ttl = 60\n[security]\nprevent_race_conditions = false\n");
  ASSERT_TRUE(settings) << settings.error().message;
  ASSERT_EQ(settings->warnings.size(), 2U);
  EXPECT_THAT(settings->warnings[0], HasSubstr("performance.cache_ttl"));
  EXPECT_THAT(settings->warnings[1], HasSubstr("prevent_race_conditions"));
}

TEST(Config, KeysOfALaterVersionAreAcceptedAndSaidWhenTheyAskForSomething) {
  struct Row {
    const char* toml;
    const char* says;
  };
  constexpr Row kRows[] = {
      {"[stripe]\npublishable_key = \"pk_live_1\"", "stripe.publishable_key"},
      {"[logging]\nlog_failures = false", "logging.log_failures"},
      {"[features]\nsoft_deletes = true", "features.soft_deletes"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.toml);
    const Result<Settings> settings = from_file(row.toml);
    ASSERT_TRUE(settings) << settings.error().message;
    ASSERT_EQ(settings->warnings.size(), 1U);
    EXPECT_THAT(settings->warnings[0], HasSubstr(std::string(row.says) + " has no effect yet: "));
    EXPECT_THAT(settings->warnings[0], Not(HasSubstr("pk_live")));
  }
  const Result<Settings> defaults =
      from_file("[billing]\noverage_sync_strategy = \"batch\"\n[features]\nsoft_deletes = false\n");
  ASSERT_TRUE(defaults);
  EXPECT_TRUE(defaults->warnings.empty()) << "the default asks for nothing";
}

TEST(Config, ASecretOfAWrongTypeIsNotRepeated) {
  const Result<Settings> settings = from_file("[stripe]\nsecret_key = [\"sk_live_secret\", 1]");
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message, HasSubstr("stripe.secret_key"));
  EXPECT_THAT(settings.error().message, Not(HasSubstr("sk_live")));
}

TEST(Config, ShowNamesEachSourceAndNeverASecret) {
  const auto shown =
      show("default_provider = \"xai\"", "aimeter.toml",
           environment({{"STRIPE_SECRET", "sk_live_secret"}, {"AI_METERING_CURRENCY", "eur"}}));
  ASSERT_TRUE(shown);
  std::map<std::string, Shown> by_key;
  for (const Shown& row : *shown) {
    EXPECT_EQ(row.value.find("sk_live"), std::string::npos);
    by_key[row.key] = row;
  }
  EXPECT_EQ(by_key["default_provider"].source, "file");
  EXPECT_EQ(by_key["billing.currency"].source, "environment AI_METERING_CURRENCY");
  EXPECT_EQ(by_key["stripe.secret_key"].value, "[redacted]");
  EXPECT_EQ(by_key["period.type"].source, "default");
}

TEST(Config, TheStarterFileIsTheDefaultsAndEveryLineOfItIsAccepted) {
  std::string uncommented;
  std::string line;
  for (const char c : starter_file() + "\n") {
    if (c != '\n') {
      line += c;
      continue;
    }
    const bool assignment = line.starts_with("# ") && line.find(" = ") != std::string::npos &&
                            line.find("(AI_") == std::string::npos;
    const bool example =
        line.starts_with("# [") || line.starts_with("# input_") || line.starts_with("# output_");
    if (assignment && !example) line.erase(0, 2);
    uncommented += line + "\n";
    line.clear();
  }
  // These two have no default value that could be written down.
  for (const std::string name : {"price_per_1k = \"\"", "required = "}) {
    for (std::size_t at = 0; (at = uncommented.find(name)) != std::string::npos;) {
      const std::size_t begin = uncommented.rfind('\n', at) + 1;
      uncommented.erase(begin, uncommented.find('\n', at) - begin);
    }
  }
  const Result<Settings> settings = from_file(uncommented);
  ASSERT_TRUE(settings) << settings.error().message << "\n" << uncommented;
  EXPECT_EQ(settings->waits.hold_wait_ms, 2'500);
}

}  // namespace
}  // namespace aimeter::config
