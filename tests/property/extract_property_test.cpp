// Random damage to answers of every family: never a crash, always normal form, the same result for
// every cut, and never a number as final that the whole answer does not tell.
#include <gtest/gtest.h>

#include <random>

#include "drivers/builtin.h"

namespace aimeter {
namespace {

constexpr std::uint64_t kSeed = 7177135;
constexpr int kRounds = 400;

const char* const kBodies[] = {
    R"({"model":"m","usage":{"prompt_tokens":1149,"completion_tokens":261,"total_tokens":1410,)"
    R"("prompt_tokens_details":{"cached_tokens":1024}}})",
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n"
    "data: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":398,"
    "\"completion_tokens\":10}}\n\ndata: [DONE]\n\n",
    "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\","
    "\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\r\n\r\nevent: message_delta\r\n"
    "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\r\n\r\n",
    "{\"model\":\"l\",\"done\":false}\n{\"model\":\"l\",\"done\":true,\"prompt_eval_count\":17,"
    "\"eval_count\":66}\n",
    R"([{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"thoughtsTokenCount":3}}])",
    R"({"usage":{"inputTokens":3,"outputTokens":61,"cacheReadInputTokens":2074}})",
    R"({"meta":{"billed_units":{"input_tokens":7,"output_tokens":129}}})",
};

void damage_once(std::string& body, std::mt19937_64& random) {
  const std::size_t at = random() % body.size();
  switch (random() % 6) {
    case 0:
      body[at] = static_cast<char>(random());
      break;
    case 1:
      body.erase(at, 1 + random() % 8);
      break;
    case 2:
      body.insert(at, 1, "{}[]\",:\\0\n-.e"[random() % 13]);
      break;
    case 3:
      body.resize(at);
      break;
    case 4:
      body.insert(at, body.substr(random() % body.size(), random() % 40));
      break;
    default:
      std::swap(body[at], body[random() % body.size()]);
      break;
  }
}

std::string damaged(std::string body, std::mt19937_64& random) {
  const int times = 1 + static_cast<int>(random() % 3);
  for (int i = 0; i < times && !body.empty(); ++i) damage_once(body, random);
  return body;
}

// In pieces of random size, or whole.
Extracted extract(const Extractor& extractor, std::string_view body, std::mt19937_64* random) {
  const auto reader = extractor.reader({});
  while (!body.empty()) {
    const std::size_t size = random == nullptr ? body.size() : 1 + (*random)() % 30;
    reader->feed(body.substr(0, size));
    body.remove_prefix(std::min(size, body.size()));
  }
  return reader->finish();
}

std::string text_of(const Extracted& found) {
  std::string text = found.usage ? found.usage->to_json() : "none";
  if (found.usage && found.usage->source == UsageSource::estimated) text += " estimated";
  return text + (found.error ? found.error->message : "") + found.model;
}

TEST(ExtractProperty, DamageNeverCrashesAndTheCutNeverMatters) {
  std::mt19937_64 random(kSeed);
  const std::vector<std::string_view> names = drivers::extractor_names();
  for (int round = 0; round < kRounds; ++round)
    for (const char* const original : kBodies) {
      const std::string body = damaged(original, random);
      const Extractor& extractor = *drivers::find_extractor(names[random() % names.size()]);
      SCOPED_TRACE(std::string(extractor.name()) + ": " + body);
      const Extracted whole = extract(extractor, body, nullptr);
      if (whole.usage) {
        EXPECT_TRUE(whole.usage->check());
      }
      for (int cut = 0; cut < 3; ++cut)
        EXPECT_EQ(text_of(extract(extractor, body, &random)), text_of(whole));
    }
}

TEST(ExtractProperty, AnAnswerCutAnywhereNeverTellsAnotherNumberAsFinal) {
  for (const std::string_view name : drivers::extractor_names())
    for (const char* const original : kBodies) {
      const Extractor& extractor = *drivers::find_extractor(name);
      const std::string_view body = original;
      const Extracted whole = extract(extractor, body, nullptr);
      for (std::size_t size = 0; size < body.size(); ++size) {
        const Extracted cut = extract(extractor, body.substr(0, size), nullptr);
        if (!cut.usage || cut.usage->source == UsageSource::estimated) continue;
        SCOPED_TRACE(std::string(name) + ": " + std::string(body.substr(0, size)));
        ASSERT_TRUE(whole.usage);
        EXPECT_EQ(cut.usage->to_json(), whole.usage->to_json());
      }
    }
}

TEST(ExtractProperty, RandomBytesNeverCrash) {
  std::mt19937_64 random(kSeed + 1);
  constexpr std::string_view kAlphabet = "{}[]\":,0123456789-.eutrfalsn \r\n\\data:usage";
  for (const std::string_view name : drivers::extractor_names())
    for (int round = 0; round < 100; ++round) {
      std::string body(random() % 300, ' ');
      for (char& c : body)
        c = round % 2 == 0 ? static_cast<char>(random()) : kAlphabet[random() % kAlphabet.size()];
      const Extractor& extractor = *drivers::find_extractor(name);
      EXPECT_EQ(text_of(extract(extractor, body, &random)),
                text_of(extract(extractor, body, nullptr)));
    }
}

}  // namespace
}  // namespace aimeter
