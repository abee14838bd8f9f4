// Package:       pricing
// Units:         USD per single unit
// Errors:        none
// Thread safety: pure functions.
// Ownership:     none.
//
// What the price fields of LiteLLM's catalogue mean: KIND[_above_1hr][_above_Nk_tokens][_TIER].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pricing/kind.h"

namespace aimeter::pricing {

struct LitellmField {
  enum class Sort { price, no_price, not_understood };
  Sort sort = Sort::no_price;
  Kind kind = Kind::input;
  std::int64_t above_tokens = 0;       // 0: the base price
  std::string_view service_tier = {};  // empty: the default one
};

[[nodiscard]] LitellmField litellm_field(std::string_view name);

struct LitellmProvider {
  std::string id = {};     // in our books: "aws" for bedrock, bedrock_converse, bedrock_mantle
  std::string alias = {};  // as LiteLLM says
};
[[nodiscard]] LitellmProvider litellm_provider(std::string_view name);
// Further names that our extractors use for a provider; empty when none.
[[nodiscard]] std::string_view extractor_name(std::string_view provider_id);

}  // namespace aimeter::pricing
