#include "meter/estimates.h"

#include <gtest/gtest.h>

#include <string>

namespace aimeter::meter {
namespace {

constexpr Estimates::Key kKey{"acme", "openai", "gpt-4o-mini", "chat"};

TEST(Estimates, nothing_is_guessed_before_twenty_calls) {
  Estimates estimates;
  for (std::uint32_t i = 1; i < Estimates::kCallsMin; ++i) estimates.learn(kKey, {100, 7});
  EXPECT_FALSE(estimates.of(kKey));
  estimates.learn(kKey, {100, 7});
  ASSERT_TRUE(estimates.of(kKey));
  EXPECT_EQ(estimates.of(kKey)->tokens, 100);
  EXPECT_EQ(estimates.of(kKey)->cost_nanos, 7);
}

TEST(Estimates, the_guess_is_the_95th_percentile_of_the_last_calls) {
  Estimates estimates;
  for (std::int64_t i = 1; i <= 20; ++i) estimates.learn(kKey, {i, 1'000 + i});
  EXPECT_EQ(estimates.of(kKey)->tokens, 19);  // 19 of 20 do not exceed it
  EXPECT_EQ(estimates.of(kKey)->cost_nanos, 1'019);
}

TEST(Estimates, old_calls_are_forgotten) {
  Estimates estimates;
  for (int i = 0; i < 20; ++i) estimates.learn(kKey, {1'000'000, 1});
  for (std::size_t i = 0; i < Estimates::kWindow; ++i) estimates.learn(kKey, {10, 1});
  EXPECT_EQ(estimates.of(kKey)->tokens, 10);
}

TEST(Estimates, tenant_model_and_feature_learn_apart) {
  Estimates estimates;
  for (int i = 0; i < 20; ++i) estimates.learn(kKey, {100, 7});
  const struct {
    std::string_view sentence;
    Estimates::Key key;
  } rows[] = {
      {"another tenant", {"other", "openai", "gpt-4o-mini", "chat"}},
      {"another provider", {"acme", "azure", "gpt-4o-mini", "chat"}},
      {"another model", {"acme", "openai", "gpt-4o", "chat"}},
      {"another feature", {"acme", "openai", "gpt-4o-mini", "mail"}},
      {"no feature", {"acme", "openai", "gpt-4o-mini", ""}},
      {"names that run together", {"acm", "eopenai", "gpt-4o-mini", "chat"}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_FALSE(estimates.of(row.key));
  }
  EXPECT_TRUE(estimates.of(kKey));
}

TEST(Estimates, memory_is_bounded_by_forgetting) {
  Estimates estimates;
  for (std::size_t i = 0; i < Estimates::kKeysMax + 5'000; ++i) {
    const std::string tenant = "t" + std::to_string(i);
    estimates.learn({tenant, "openai", "m", ""}, {1, 1});
  }
  for (int i = 0; i < 20; ++i) estimates.learn(kKey, {100, 7});
  EXPECT_EQ(estimates.of(kKey)->tokens, 100);
}

}  // namespace
}  // namespace aimeter::meter
