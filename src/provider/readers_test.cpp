// The readers of the formats: lines, keys, server-sent events, AWS event streams, base64, JSON
// views.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "provider/answer.h"
#include "provider/base64.h"
#include "provider/event_stream.h"
#include "provider/figures.h"
#include "provider/json.h"
#include "provider/scan.h"
#include "provider/sse.h"

namespace aimeter::provider {
namespace {

TEST(FindLineEnd, FindsTheFirstEndAtEveryPlace) {
  for (std::size_t size = 0; size < 50; ++size)
    for (std::size_t at = 0; at < size; ++at)
      for (const char end : {'\n', '\r'}) {
        std::string text(size, 'x');
        text[at] = end;
        EXPECT_EQ(find_line_end(text), at) << size;
      }
  EXPECT_EQ(find_line_end(std::string(40, 'x')), std::string_view::npos);
}

TEST(FindLineEnd, FindsTheFirstEndOfALongText) {
  std::string text(3'000, 'x');
  EXPECT_EQ(find_line_end(text), std::string_view::npos);
  for (const std::size_t at : {2'999U, 2'560U, 1'024U, 1'023U, 513U, 512U, 511U, 1U}) {
    text[at] = at % 2 == 0 ? '\n' : '\r';
    EXPECT_EQ(find_line_end(text), at);
  }
}

struct FilterRow {
  const char* why;
  const char* json;
  bool hit;
};
constexpr FilterRow kFilterRows[] = {
    {"no key of ours", R"({"choices":[{"delta":{"content":"us er usage"}}]})", false},
    {"a key of ours", R"({"usage":{"total_tokens":1}})", true},
    {"a key that begins like ours", R"({"usageMetadata":{}})", true},
    {"null does not count", R"({"usage":null,"x":1})", false},
    {"null with spaces does not count", "{\"usage\" :\t\n null}", false},
    {"null first, an object later", R"({"usage":null,"response":{"usage":{"a":1}}})", true},
    {"something that only begins like null is a hit as far as it goes", R"({"usage":nul)", true},
    {"an error", R"({"error":{"type":"x"}})", true},
    {"an error of null", R"({"error":null})", false},
    {"a key spelled with an escape", R"({"usag\u0065":{}})", true},
    {"any escape may spell a key", R"({"text":"\u00e9"})", true},
    {"other escapes cannot", R"({"text":"a\nb\"c\\d"})", false},
    {"a value is no key, but parsing it does no harm", R"(["usage"])", true},
    {"cut inside the key's value", R"({"usage":)", true},
    {"cut inside the key", R"({"usag)", false},
    {"cut behind a quote", R"({"a":1,")", false},
    {"an escape that is none", R"({"text":"\e"})", false},
    {"empty", "", false},
};

TEST(KeyFilter, HitsWhatCanCarryUsage) {
  constexpr std::array<std::string_view, 2> kKeys = {"usage", "error"};
  const KeyFilter filter(kKeys);
  for (const FilterRow& row : kFilterRows) {
    SCOPED_TRACE(row.why);
    for (std::size_t pad = 0; pad < 70; ++pad) {  // at every place of a block
      EXPECT_EQ(filter.hit(std::string(pad, ' ') + row.json), row.hit) << pad;
    }
  }
}

class Events final : public EventSink {
 public:
  void on_event(std::string_view name, std::string& data) override {
    got.push_back(std::string(name) + "|" + data);
  }
  std::vector<std::string> got = {};
};

struct SseRow {
  const char* why;
  std::string text;
  std::vector<std::string> events;
};

TEST(SseReader, ReadsEventsHoweverTheyAreCut) {
  const SseRow rows[] = {
      {"two events", "data: a\n\ndata: b\n\n", {"|a", "|b"}},
      {"the space is optional, only one is taken", "data:a\n\ndata:  b\n\n", {"|a", "| b"}},
      {"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", {"|a", "|b"}},
      {"CR alone", "data: a\r\rdata: b\r\r", {"|a", "|b"}},
      {"named events", "event: error\ndata: a\n\ndata: b\n\n", {"error|a", "|b"}},
      {"lines of data are joined", "data: a\ndata: b\n\n", {"|a\nb"}},
      {"an empty line of data counts", "data: a\ndata\ndata: b\n\n", {"|a\n\nb"}},
      {"comments, ids and unknown fields are skipped",
       ": ping\nid: 7\nretry: 1\nfoo: bar\ndata: a\n\n",
       {"|a"}},
      {"a comment alone is no event", ": ping\n\n: ping\n\n", {}},
      {"no newline at the end", "data: a\n\ndata: b", {"|a", "|b"}},
      {"no blank line at the end", "data: a\n\ndata: b\n", {"|a", "|b"}},
      {"blank lines between", "\n\n\ndata: a\n\n\n\ndata: b\n\n", {"|a", "|b"}},
      {"a NUL is data", std::string("data: a\0b\n\n", 11), {std::string("|a\0b", 4)}},
  };
  for (const SseRow& row : rows) {
    SCOPED_TRACE(row.why);
    for (std::size_t piece = 1; piece <= row.text.size(); ++piece) {
      SseReader reader;
      Events events;
      for (std::size_t at = 0; at < row.text.size(); at += piece)
        reader.feed(std::string_view(row.text).substr(at, piece), events);
      reader.finish(events);
      EXPECT_EQ(events.got, row.events) << "pieces of " << piece;
      EXPECT_FALSE(reader.too_large());
    }
  }
}

TEST(SseReader, AnEventAboveTheLimitIsDroppedAndReported) {
  SseReader reader;
  Events events;
  const std::string part(1 << 20, 'x');
  reader.feed("data: ", events);
  for (int i = 0; i < 17; ++i) reader.feed(part, events);
  reader.feed("\n\ndata: b\n\n", events);
  EXPECT_EQ(events.got, std::vector<std::string>{"|b"});
  EXPECT_TRUE(reader.too_large());
}

TEST(SseReader, ALineAtTheLimitIsTakenWholeOrNotAtAllHoweverItIsCut) {
  const std::string field = "data:";
  for (const std::size_t above : {0, 1}) {
    const std::string long_line = field + std::string(kEventBytesMax - field.size() + above, 'x');
    const std::string text = "data:a\n" + long_line + "\n\ndata:b\n\n";
    for (const std::size_t piece : {text.size(), std::size_t{5'000'000}, long_line.size() + 7}) {
      SCOPED_TRACE(std::to_string(piece) + (above == 0 ? " fits" : " is too long"));
      SseReader reader;
      Events events;
      for (std::size_t at = 0; at < text.size(); at += piece)
        reader.feed(std::string_view(text).substr(at, piece), events);
      reader.finish(events);
      EXPECT_EQ(reader.too_large(), above == 1);
      ASSERT_EQ(events.got.size(), above == 1 ? 1U : 2U);
      EXPECT_EQ(events.got.back(), "|b");
      if (above == 0) {
        EXPECT_TRUE(events.got[0] == "|a\n" + long_line.substr(field.size()));
      }
    }
  }
  SseReader reader;
  Events events;
  const std::string comment(kEventBytesMax + 1, ':');
  reader.feed("data:a\n" + comment, events);  // the limit is passed before the line's end
  reader.feed("\n", events);                  // no blank line: the event goes on
  reader.feed("data:b\n\ndata:c\n\n", events);
  reader.feed(comment, events);
  reader.finish(events);
  EXPECT_EQ(events.got, std::vector<std::string>{"|c"});
}

// A line above the limit is no document, even where its beginning alone would be one.
TEST(Answer, ALineAboveTheLimitIsDroppedHoweverItIsCut) {
  static constexpr Dialect kDialects[] = {read_ollama};
  static constexpr ProviderCard kCard = {.name = "ollama", .dialects = kDialects};
  const std::unique_ptr<Extractor> extractor = make_extractor(kCard);
  const std::string first = R"({"done":true,"prompt_eval_count":1,"eval_count":2})";
  const std::string last = R"({"done":true,"prompt_eval_count":3,"eval_count":4})";
  for (const std::size_t above : {0, 1}) {
    const std::string padded = last + std::string(kEventBytesMax - last.size() + above, ' ');
    const std::string text = first + "\n" + padded + "\n";
    for (const std::size_t piece : {text.size(), std::size_t{5'000'000}, text.size() - 1}) {
      SCOPED_TRACE(std::to_string(above) + " in pieces of " + std::to_string(piece));
      const auto reader = extractor->reader({.stream = true});
      for (std::size_t at = 0; at < text.size(); at += piece)
        reader->feed(std::string_view(text).substr(at, piece));
      const Extracted found = reader->finish();
      ASSERT_TRUE(found.usage);
      EXPECT_EQ(found.usage->input_tokens.count, above == 1 ? 1 : 3);
      EXPECT_EQ(found.usage->source, above == 1 ? UsageSource::estimated : UsageSource::provider);
      EXPECT_EQ(found.error.has_value(), above == 1);
      if (found.error) {
        EXPECT_EQ(found.error->message,
                  "answer of ollama: usage cannot be read: it is larger than what is accepted");
      }
    }
  }
}

std::string bytes_of(std::uint32_t value, int size) {
  std::string bytes;
  for (int i = size - 1; i >= 0; --i) bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return bytes;
}

std::string text_header(std::string_view name, std::string_view value) {
  return bytes_of(std::uint32_t(name.size()), 1) + std::string(name) + "\7" +
         bytes_of(std::uint32_t(value.size()), 2) + std::string(value);
}

std::string message_of(const std::string& headers, const std::string& payload) {
  const auto total = static_cast<std::uint32_t>(16 + headers.size() + payload.size());
  std::string bytes = bytes_of(total, 4) + bytes_of(std::uint32_t(headers.size()), 4);
  bytes += bytes_of(base::crc32(bytes), 4) + headers + payload;
  return bytes + bytes_of(base::crc32(bytes), 4);
}

class Messages final : public MessageSink {
 public:
  void on_message(const StreamMessage& message) override {
    got.push_back(std::string(message.message_type) + "|" + std::string(message.event_type) + "|" +
                  std::string(message.exception_type) + "|" + std::string(message.payload));
  }
  std::vector<std::string> got = {};
};

const std::string kEventHeaders = text_header(":event-type", "chunk") +
                                  text_header(":message-type", "event") + std::string("\1a\0", 3) +
                                  std::string("\1b\4\0\0\0\1", 7);

TEST(EventStreamReader, ReadsMessagesHoweverTheyAreCut) {
  const std::string stream =
      message_of(kEventHeaders, "{\"a\":1}") + message_of(kEventHeaders, "") +
      message_of(text_header(":message-type", "exception") + text_header(":exception-type", "boom"),
                 "x");
  const std::vector<std::string> expected = {"event|chunk||{\"a\":1}", "event|chunk||",
                                             "exception||boom|x"};
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    EventStreamReader reader;
    Messages messages;
    for (std::size_t at = 0; at < stream.size(); at += piece)
      reader.feed(std::string_view(stream).substr(at, piece), messages);
    reader.finish();
    EXPECT_EQ(messages.got, expected) << "pieces of " << piece;
    EXPECT_EQ(reader.failure(), "");
  }
}

TEST(EventStreamReader, EveryFlippedBitIsFound) {
  const std::string stream = message_of(kEventHeaders, "{\"usage\":1}");
  for (std::size_t bit = 0; bit < stream.size() * 8; ++bit) {
    std::string damaged = stream;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    EventStreamReader reader;
    Messages messages;
    reader.feed(damaged, messages);
    reader.finish();
    EXPECT_NE(reader.failure(), "") << bit;
    EXPECT_TRUE(messages.got.empty()) << bit;
  }
}

std::string prelude_of(std::uint32_t total, std::uint32_t headers) {
  const std::string lengths = bytes_of(total, 4) + bytes_of(headers, 4);
  return lengths + bytes_of(base::crc32(lengths), 4);
}

TEST(EventStreamReader, LyingLengthsAreRefusedBeforeTheyAreBelieved) {
  struct Row {
    const char* why;
    std::string bytes;
    const char* failure;
  };
  std::string bad_header = message_of(std::string("\1a\7\xff\xff", 5), "x");
  const Row rows[] = {
      {"shorter than its own frame", prelude_of(15, 0), "length"},
      {"larger than any message", prelude_of((16U << 20) + 1, 0), "length"},
      {"headers longer than the message", prelude_of(100, 85), "headers longer"},
      {"headers above AWS's limit", prelude_of(1U << 20, (128U << 10) + 1), "headers longer"},
      {"a header value longer than the headers", bad_header, "headers"},
      {"a header of an unknown type", message_of(std::string("\1a\x0a", 3), "x"), "headers"},
      {"a header name longer than the headers", message_of("\x50z", "x"), "headers"},
      {"cut inside a message", message_of(kEventHeaders, "abc").substr(0, 40), "ends inside"},
      {"cut inside a prelude", prelude_of(100, 0).substr(0, 7), "ends inside"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.why);
    EventStreamReader reader;
    Messages messages;
    reader.feed(row.bytes, messages);
    reader.finish();
    EXPECT_NE(reader.failure().find(row.failure), std::string_view::npos) << reader.failure();
    EXPECT_TRUE(messages.got.empty());
  }
}

TEST(Base64, KnownVectorsAndBadText) {
  EXPECT_EQ(from_base64(""), "");
  EXPECT_EQ(from_base64("Zg=="), "f");  // RFC 4648 section 10
  EXPECT_EQ(from_base64("Zm8="), "fo");
  EXPECT_EQ(from_base64("Zm9vYmFy"), "foobar");
  for (const char* bad : {"Z", "Zg=", "Zg==Zg==", "Zm9v!mFy", "====", "Zm 9"})
    EXPECT_EQ(from_base64(bad), std::nullopt) << bad;
}

TEST(Json, ViewsTellKindsAndCounts) {
  std::string text = R"({"a":1,"b":-1,"c":1.5,"d":28.0,"e":18446744073709551615,"f":"x","g":null,)"
                     R"("h":true,"i":[1,2],"j":{"k":7},"l":9223372036854775807,"m":1e300})";
  const std::optional<Json> root = parse_json(text);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->find("a").count(), 1);
  EXPECT_EQ(root->find("b").count(), std::nullopt);
  EXPECT_EQ(root->find("c").whole(), std::nullopt);
  EXPECT_EQ(root->find("d").count(), std::nullopt);
  EXPECT_EQ(root->find("d").whole(), 28);
  EXPECT_EQ(root->find("e").count(), std::nullopt);
  EXPECT_EQ(root->find("e").brief(64), "18446744073709551615");
  EXPECT_EQ(root->find("f").text(), "x");
  EXPECT_FALSE(root->find("g").has_value());
  EXPECT_TRUE(root->find("h").truth());
  EXPECT_EQ(root->find("j").find("k").count(), 7);
  EXPECT_EQ(root->find("l").count(), 9223372036854775807);
  EXPECT_EQ(root->find("m").whole(), std::nullopt);
  EXPECT_TRUE(root->find("none").is(Json::Kind::absent));
  EXPECT_TRUE(root->find("f").find("x").is(Json::Kind::absent));
  std::int64_t sum = 0;
  for (Items at = root->find("i").items(); at.next();) sum += at.value().count().value_or(0);
  EXPECT_EQ(sum, 3);
  EXPECT_FALSE(root->find("f").items().next());
}

struct MoneyRow {
  const char* number;
  std::int64_t nanos;
};
constexpr MoneyRow kMoneyRows[] = {{"0", 0},
                                   {"1", 1'000'000'000},
                                   {"0.00015", 150'000},
                                   {"8.6e-05", 86'000},
                                   {"1176500e-10", 117'650},
                                   {"1e-9", 1},
                                   {"5e-10", 0},
                                   {"15e-10", 2},
                                   {"6e-10", 1},
                                   {"25e-10", 2},
                                   {"1.5E+2", 150'000'000'000},
                                   {"0.0076509169000000005", 7'650'917},
                                   {"-0.5", -500'000'000},
                                   {"1e-99", 0},
                                   {"9223372036.854775807", 9223372036854775807}};

TEST(MoneyOf, RoundsHalfEvenToNanoUnits) {
  for (const MoneyRow& row : kMoneyRows) {
    const Result<Money> money = money_of(row.number);
    ASSERT_TRUE(money) << row.number;
    EXPECT_EQ(money->nanos, row.nanos) << row.number;
  }
  for (const char* bad : {"", "-", ".", "1e", "1e+", "1x", "1e9999", "9223372036.854775808", "1e20",
                          "1234567890123456789012345678901"})
    EXPECT_FALSE(money_of(bad)) << bad;
}

}  // namespace
}  // namespace aimeter::provider
