// What every extractor in drivers/builtin.inc must keep, whatever it is fed: it neither throws nor
// grows without bound, what it finds is in normal form, and the cut into pieces changes nothing.
#include <gtest/gtest.h>
#include <malloc.h>

#include <random>

#include "base/hash.h"
#include "drivers/builtin.h"

namespace aimeter {
namespace {

constexpr std::uint64_t kSeed = 20260722;

struct Input {
  const char* why;
  std::string body;
};

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

std::string message_of(const std::string& payload) {
  std::string bytes = big_endian(static_cast<std::uint32_t>(16 + payload.size())) + big_endian(0);
  bytes += big_endian(base::crc32(bytes)) + payload;
  return bytes + big_endian(base::crc32(bytes));
}

const std::string kChat =
    R"({"model":"m","usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}})";

const Input kInputs[] = {
    {"nothing", ""},
    {"spaces", " \r\n \t"},
    {"a byte order mark", "\xef\xbb\xbf"},
    {"half a byte order mark", "\xef\xbb"},
    {"a byte order mark and an answer", "\xef\xbb\xbf" + kChat},
    {"chat", kChat},
    {"chat as an event", "data: " + kChat + "\n\ndata: [DONE]\n\n"},
    {"chat as an event with CRLF", ": ping\r\n\r\ndata: " + kChat + "\r\n\r\n"},
    {"chat as an event with CR", "data: " + kChat + "\r\rdata: [DONE]\r\r"},
    {"chat as a line", kChat + "\n" + kChat + "\n"},
    {"chat as an array", "[" + kChat + ",\n" + kChat + "]"},
    {"chat as a message", message_of(kChat)},
    {"a message and half of one", message_of(kChat) + message_of(kChat).substr(0, 20)},
    {"messages", R"({"type":"message","usage":{"input_tokens":1,"cache_read_input_tokens":2,)"
                 R"("output_tokens":3}})"},
    {"generateContent", R"({"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}})"},
    {"converse", R"({"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}})"},
    {"usage that is a text", R"({"usage":"10"})"},
    {"usage that is an array", R"({"usage":[{"prompt_tokens":1}]})"},
    {"every count is an object", R"({"usage":{"prompt_tokens":{"prompt_tokens":{}}}})"},
    {"usage twice", R"({"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}})"},
    {"negative", R"({"usage":{"prompt_tokens":-1,"input_tokens":-1,"inputTokens":-1}})"},
    {"above int64", R"({"usage":{"prompt_tokens":9223372036854775808}})"},
    {"sums above int64",
     R"({"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}})"},
    {"cached above input", R"({"usage":{"prompt_tokens":1,"cached_tokens":2}})"},
    {"depth 10,000", std::string(10000, '[') + std::string(10000, ']')},
    {"objects 10,000 deep, open",
     [] {
       std::string text;
       for (int i = 0; i < 10000; ++i) text += "{\"usage\":";
       return text;
     }()},
    {"invalid UTF-8", "{\"usage\":{\"prompt_tokens\":1},\"x\":\"\xc3\x28\"}"},
    {"NULs", std::string(100, '\0')},
    {"a NUL in an event", std::string("data: {\"usage\":\0}\n\n", 19)},
    {"a prelude of a huge message", big_endian(0x00ffffff) + big_endian(0)},
    {"an HTML page", "<!DOCTYPE html><html><body>Bad Gateway</body></html>"},
    {"truncated", kChat.substr(0, 60)},
    {"truncated event", "data: " + kChat.substr(0, 60)},
    {"an error", R"({"error":{"type":"x","code":7}})"},
    {"errors of every kind",
     R"([{"error":null},{"error":[]},{"error":[1]},{"error":"x"},{"error":7},{"error":true}])"},
};

using Pieces = std::vector<std::size_t>;

Extracted extract(const Extractor& extractor, std::string_view body, const Pieces& pieces) {
  const auto reader = extractor.reader({});
  for (std::size_t at = 0, i = 0; at < body.size(); ++i) {
    const std::size_t size = pieces.empty() ? body.size() : pieces[i % pieces.size()];
    reader->feed(body.substr(at, size));
    at += size;
  }
  return reader->finish();
}

std::string text_of(const Extracted& found) {
  std::string text = found.model + "|";
  if (found.usage) {
    text += found.usage->to_json();
    text += found.usage->source == UsageSource::provider ? " final" : " estimated";
  }
  for (const NamedCount& further : found.further)
    text += "|" + further.name + std::to_string(further.count);
  if (found.error) text += "|" + found.error->message;
  return text;
}

void expect_normal_form(const Extracted& found) {
  if (found.usage) {
    EXPECT_TRUE(found.usage->check());
    EXPECT_NE(found.usage->source, UsageSource::missing);
    EXPECT_NE(found.usage->source, UsageSource::manual);
  }
  if (found.error) {
    EXPECT_TRUE(found.error->code == Code::provider_failed ||
                found.error->code == Code::invalid_argument);
    EXPECT_LE(found.error->message.size(), 300U);
  }
}

TEST(ExtractorContract, TheCutIntoPiecesChangesNothing) {
  std::mt19937_64 random(kSeed);
  for (const std::string_view name : drivers::extractor_names()) {
    const Extractor& extractor = *drivers::find_extractor(name);
    for (const Input& input : kInputs) {
      SCOPED_TRACE(std::string(name) + ": " + input.why);
      const Extracted whole = extract(extractor, input.body, {});
      expect_normal_form(whole);
      const int cuts = input.body.size() > 1000 ? 2 : 6;
      for (int i = 0; i < cuts; ++i) {
        Pieces pieces = {input.body.size() > 1000 ? 97U : 1U};
        for (int k = 0; i > 0 && k < 8; ++k) pieces.push_back(1 + random() % 40);
        EXPECT_EQ(text_of(extract(extractor, input.body, pieces)), text_of(whole));
      }
    }
  }
}

TEST(ExtractorContract, AFailedStatusIsAnErrorAndNeverUsage) {
  for (const std::string_view name : drivers::extractor_names())
    for (const Input& input : kInputs) {
      SCOPED_TRACE(std::string(name) + ": " + input.why);
      const auto reader = drivers::find_extractor(name)->reader({.http_status = 500});
      reader->feed(input.body);
      const Extracted found = reader->finish();
      EXPECT_FALSE(found.usage);
      ASSERT_TRUE(found.error);
      EXPECT_EQ(found.error->code, Code::provider_failed);
      EXPECT_EQ(found.error->message.rfind(std::string(name) + " answered HTTP 500", 0), 0U);
    }
}

TEST(ExtractorContract, FinishWithoutAnythingFedFindsNothing) {
  for (const std::string_view name : drivers::extractor_names()) {
    const Extracted found = drivers::find_extractor(name)->reader({})->finish();
    EXPECT_FALSE(found.usage) << name;
    EXPECT_FALSE(found.error) << name;
  }
}

std::size_t bytes_held() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(ExtractorContract, EndlessAnswersHoldBoundedMemory) {
  struct Endless {
    const char* why;
    std::string head, part;
    std::size_t held_most;
  };
  const std::string megabyte(std::size_t{1} << 20, 'x');
  const Endless rows[] = {
      {"one text in a body", "{\"x\":\"", megabyte, std::size_t{160} << 20},
      {"one line of data", "data: {\"x\":\"", megabyte, std::size_t{48} << 20},
      {"lines of data without a blank one", "data: a\n", "data: " + megabyte + "\n",
       std::size_t{80} << 20},
      {"many events", "data: a\n\n", "data: " + megabyte + "\n\n", std::size_t{16} << 20},
      {"one line after a document", "{}\n", megabyte, std::size_t{48} << 20},
      {"a message that never ends",
       big_endian(std::uint32_t{16} << 20) + big_endian(0) +
           big_endian(base::crc32(big_endian(std::uint32_t{16} << 20) + big_endian(0))),
       megabyte, std::size_t{64} << 20},
  };
  for (const Endless& row : rows) {
    SCOPED_TRACE(row.why);
    const auto reader = drivers::find_extractor("openai")->reader({});
    const std::size_t before = bytes_held();
    reader->feed(row.head);
    std::size_t most = 0;
    for (int i = 0; i < 100; ++i) {
      reader->feed(row.part);
      most = std::max(most, bytes_held() - std::min(before, bytes_held()));
    }
    EXPECT_LE(most, row.held_most);
    const Extracted found = reader->finish();
    EXPECT_FALSE(found.usage);
  }
}

}  // namespace
}  // namespace aimeter
