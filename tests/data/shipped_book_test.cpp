// The shipped book holds every fact of both catalogues about its providers (decision 0031).
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "aimeter/pricing.h"
#include "base/json.h"
#include "pricing/book.h"
#include "pricing/kind.h"
#include "tests/data/shared_data.h"

namespace aimeter {
namespace {

using base::Json;
using pricing::BookData;
using pricing::Model;
using pricing::Provider;
using pricing::Row;

constexpr const char* kAsOf = "2026-08-21";
constexpr std::array kProviders = {"openai",   "anthropic", "google", "mistral",
                                   "cohere",   "deepseek",  "x-ai",   "groq",
                                   "together", "azure",     "aws",    "vertex"};

const Provider* provider_of(const BookData& data, std::string_view id) {
  for (const Provider& provider : data.providers) {
    if (provider.id == id) return &provider;
  }
  return nullptr;
}

const Model* model_of(const BookData& data, std::string_view provider, std::string_view id) {
  const Provider* found = provider_of(data, provider);
  if (found == nullptr) return nullptr;
  for (const Model& model : found->models) {
    if (model.id == id) return &model;
  }
  return nullptr;
}

// Every price of `wanted` stands in `shipped`, amount for amount.
bool holds(const Row& shipped, const Row& wanted) {
  for (const pricing::KindCard& card : pricing::kind_cards()) {
    const pricing::UnitPrice* price = wanted.base.find(card.kind);
    const pricing::UnitPrice* known = shipped.base.find(card.kind);
    if (price != nullptr && (known == nullptr || *known != *price)) return false;
  }
  return shipped.tiers == wanted.tiers && shipped.from == wanted.from &&
         shipped.window == wanted.window && shipped.service_tier == wanted.service_tier;
}

bool holds(const Model& shipped, const Model& wanted) {
  for (std::size_t i = 0; i < wanted.rows.size(); ++i) {
    if (i >= shipped.rows.size() || !holds(shipped.rows[i], wanted.rows[i])) return false;
  }
  return true;
}

std::set<std::string> deprecated_models(const Json& catalogue) {
  std::set<std::string> names;
  for (const Json& provider : catalogue.items()) {
    for (const Json& model : provider.find("models")->items()) {
      const Json* deprecated = model.find("deprecated");
      if (deprecated == nullptr || !deprecated->boolean()) continue;
      names.insert(provider.find("id")->string() + "/" + model.find("id")->string());
    }
  }
  return names;
}

std::set<std::string> deprecated_entries(const Json& catalogue) {
  std::set<std::string> names;
  for (const auto& [key, entry] : catalogue.members()) {
    const Json* day = entry.find("deprecation_date");
    if (day != nullptr && day->string() <= kAsOf) names.insert(key);
  }
  return names;
}

TEST(ShippedBook, holds_every_model_of_genai_prices_with_all_its_prices) {
  const auto text = shared_file("prices/genai_prices_v2_data.json");
  if (!text) return left_out("facts of genai-prices");
  const auto imported = PriceBook::import(*text, {.format = BookFormat::genai_prices});
  ASSERT_TRUE(imported.has_value());
  const std::set<std::string> deprecated = deprecated_models(*Json::parse("catalogue", *text));
  int compared = 0;
  for (const char* name : kProviders) {
    const Provider* theirs = provider_of(imported->book->data(), name);
    if (theirs == nullptr) continue;  // Vertex is part of google there
    for (const Model& model : theirs->models) {
      SCOPED_TRACE(std::string(name) + "/" + model.id);
      const Model* ours = model_of(PriceBook::shipped()->data(), name, model.id);
      if (deprecated.contains(std::string(name) + "/" + model.id)) {
        // Gone, unless the other catalogue still sells it.
        EXPECT_TRUE(ours == nullptr || ours->source == "litellm");
        continue;
      }
      ASSERT_NE(ours, nullptr);
      EXPECT_EQ(ours->match, model.match);
      EXPECT_TRUE(holds(*ours, model));
      ++compared;
    }
  }
  std::cout << compared << " models of genai-prices compared\n";
  EXPECT_EQ(compared, 421);
}

TEST(ShippedBook, holds_every_entry_of_litellm_that_genai_prices_does_not_speak_of) {
  const auto text = shared_file("prices/litellm_model_prices.half.json");
  const auto first = shared_file("prices/genai_prices_v2_data.json");
  if (!text || !first) return left_out("facts of LiteLLM");
  const auto imported = PriceBook::import(*text, {.format = BookFormat::litellm});
  const auto genai = PriceBook::import(*first, {.format = BookFormat::genai_prices});
  ASSERT_TRUE(imported && genai);
  const std::set<std::string> deprecated = deprecated_entries(*Json::parse("catalogue", *text));
  int alone = 0;
  int known_to_both = 0;
  for (const char* name : kProviders) {
    for (const Model& model : provider_of(imported->book->data(), name)->models) {
      SCOPED_TRACE(std::string(name) + "/" + model.id);
      const std::string key = model.match.rules.empty() ? model.id : model.match.rules.back().text;
      if (deprecated.contains(key) || deprecated.contains(model.id)) continue;
      const auto resolved = PriceBook::shipped()->resolve(name, model.id);
      ASSERT_TRUE(resolved.has_value());
      const Model* ours = model_of(PriceBook::shipped()->data(), name, *resolved);
      if (ours != nullptr && ours->source == "litellm") {
        EXPECT_EQ(ours->id, model.id);
        EXPECT_EQ(ours->rows, model.rows);
        EXPECT_EQ(ours->match, model.match);
        ++alone;
        continue;
      }
      // genai-prices speaks of it: it is one of its models that answers.
      const char* speaker = std::string_view(name) == "vertex" ? "google" : name;
      EXPECT_EQ(genai->book->resolve(speaker, model.id).value_or(""), *resolved);
      ++known_to_both;
    }
  }
  std::cout << alone << " entries of LiteLLM alone, " << known_to_both << " known to both\n";
  EXPECT_GT(alone, 300);
}

TEST(ImportedCatalogues, every_entry_imports_or_is_listed_with_a_reason) {
  const auto text = shared_file("prices/litellm_model_prices.half.json");
  if (!text) return left_out("entries of LiteLLM");
  const auto imported = PriceBook::import(*text, {.format = BookFormat::litellm});
  ASSERT_TRUE(imported.has_value());
  std::set<std::string> accounted;
  for (const SkippedEntry& entry : imported->skipped) {
    EXPECT_FALSE(entry.reason.empty());
    accounted.insert(entry.entry);
  }
  for (const Provider& provider : imported->book->data().providers) {
    for (const Model& model : provider.models) {
      accounted.insert(model.id);
      for (const pricing::Rule& rule : model.match.rules) accounted.insert(rule.text);
    }
  }
  const auto catalogue = Json::parse("catalogue", *text);
  for (const auto& [key, entry] : catalogue->members()) {
    EXPECT_TRUE(accounted.contains(key)) << key;
  }
  EXPECT_EQ(imported->entries, 1493);
  EXPECT_EQ(imported->book->models(), 1440U);
}

}  // namespace
}  // namespace aimeter
