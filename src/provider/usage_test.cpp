#include <gtest/gtest.h>

#include "aimeter/provider.h"

namespace aimeter {
namespace {

TEST(Usage, TextFormHasEveryCountAndOnlyGivenUnits) {
  Usage usage = {.input_tokens = {10}, .output_tokens = {20}, .total_tokens = {30}};
  EXPECT_EQ(
      usage.to_json(),
      "{\"input_tokens\": 10, \"cached_input_tokens\": 0, \"cache_write_tokens\": 0, "
      "\"cache_write_5m_tokens\": 0, \"cache_write_1h_tokens\": 0, \"input_audio_tokens\": 0, "
      "\"cached_input_audio_tokens\": 0, \"output_tokens\": 20, \"reasoning_tokens\": 0, "
      "\"output_audio_tokens\": 0, \"total_tokens\": 30}");
  usage.units = {{"images", 1}, {"searches", 2}};
  usage.service_tier = "flex";
  EXPECT_NE(usage.to_json().find("\"units\": {\"images\": 1, \"searches\": 2}"), std::string::npos);
  EXPECT_NE(usage.to_json().find("\"service_tier\": \"flex\""), std::string::npos);
}

TEST(Usage, TextFormComesBackEqual) {
  Usage usage = {.input_tokens = {2006},
                 .cached_input_tokens = {1000},
                 .cache_write_tokens = {900},
                 .cache_write_5m_tokens = {100},
                 .cache_write_1h_tokens = {300},
                 .input_audio_tokens = {50},
                 .cached_input_audio_tokens = {7},
                 .output_tokens = {300},
                 .reasoning_tokens = {200},
                 .output_audio_tokens = {3},
                 .total_tokens = {2306},
                 .units = {{"images", 1}},
                 .source = UsageSource::manual,
                 .service_tier = "batch"};
  const Result<Usage> back = Usage::from_json(usage.to_json());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, usage);
  const Usage total_only = {
      .total_tokens = {31}, .total_only = true, .source = UsageSource::manual};
  EXPECT_EQ(*Usage::from_json(total_only.to_json()), total_only);
}

struct Accepted {
  const char* why;
  const char* json;
  std::int64_t input, output, total, cache_write;
  bool total_only;
};
constexpr Accepted kAccepted[] = {
    {"an empty object is no tokens", "{}", 0, 0, 0, 0, false},
    {"null is as good as absent", R"({"input_tokens":5,"output_tokens":null})", 5, 0, 5, 0, false},
    {"the total is filled in", R"({"input_tokens":5,"output_tokens":7})", 5, 7, 12, 0, false},
    {"a right total is accepted", R"({"input_tokens":5,"output_tokens":7,"total_tokens":12})", 5, 7,
     12, 0, false},
    {"only a total is a total only", R"({"total_tokens":12})", 0, 0, 12, 0, true},
    {"a total only may stand beside its halves",
     R"({"input_tokens":1,"output_tokens":2,"total_tokens":3,"total_only":true})", 1, 2, 3, 0,
     true},
    {"the largest count is accepted", R"({"input_tokens":9223372036854775807})",
     9223372036854775807, 0, 9223372036854775807, 0, false},
    {"cache writes by term add up to their whole",
     R"({"input_tokens":9,"cache_write_5m_tokens":4,"cache_write_1h_tokens":5})", 9, 0, 9, 9,
     false},
    {"cache writes may leave some of unknown term",
     R"({"input_tokens":9,"cache_write_tokens":9,"cache_write_5m_tokens":4})", 9, 0, 9, 9, false},
    {"a part equal to its whole is accepted",
     R"({"input_tokens":9,"cached_input_tokens":9,"output_tokens":3,)"
     R"("reasoning_tokens":3})",
     9, 3, 12, 0, false},
    {"read and written parts may overlap: a real answer did",
     R"({"input_tokens":9,"cached_input_tokens":9,"cache_write_tokens":9})", 9, 0, 9, 9, false},
};

TEST(Usage, FromJsonAccepts) {
  for (const Accepted& row : kAccepted) {
    SCOPED_TRACE(row.why);
    const Result<Usage> usage = Usage::from_json(row.json);
    ASSERT_TRUE(usage) << usage.error().message;
    EXPECT_EQ(usage->input_tokens.count, row.input);
    EXPECT_EQ(usage->output_tokens.count, row.output);
    EXPECT_EQ(usage->total_tokens.count, row.total);
    EXPECT_EQ(usage->cache_write_tokens.count, row.cache_write);
    EXPECT_EQ(usage->total_only, row.total_only);
    EXPECT_EQ(usage->source, UsageSource::manual);
    EXPECT_TRUE(usage->check());
  }
}

struct Refused {
  const char* why;
  std::string json;
  const char* field;  // in the message
  const char* value;  // in the message
};

const Refused kRefused[] = {
    {"negative", R"({"input_tokens":-1})", "input_tokens", "-1"},
    {"one above int64", R"({"output_tokens":9223372036854775808})", "output_tokens",
     "9223372036854775808"},
    {"far above int64", R"({"output_tokens":99999999999999999999999})", "output_tokens",
     "99999999999999999999999"},
    {"an exponent", R"({"input_tokens":1e3})", "input_tokens", "1e3"},
    {"a fraction", R"({"input_tokens":1.5})", "input_tokens", "1.5"},
    {"a whole number with a point", R"({"input_tokens":28.0})", "input_tokens", "28.0"},
    {"text", R"({"input_tokens":"12"})", "input_tokens", "12"},
    {"a key twice", R"({"input_tokens":1,"input_tokens":2})", "input_tokens", ""},
    {"an unknown field", R"({"input_token":1})", "input_token", ""},
    {"cached above input", R"({"input_tokens":5,"cached_input_tokens":6})", "cached_input_tokens",
     "at most input_tokens, which is 5"},
    {"written above input", R"({"input_tokens":5,"cache_write_tokens":6})", "cache_write_tokens",
     "input_tokens"},
    {"terms above the whole",
     R"({"input_tokens":9,"cache_write_tokens":5,"cache_write_5m_tokens":3,)"
     R"("cache_write_1h_tokens":3})",
     "cache_write_5m_tokens", "which is 2"},
    {"audio above input", R"({"input_tokens":5,"input_audio_tokens":6})", "input_audio_tokens",
     "input_tokens"},
    {"cached audio above cached",
     R"({"input_tokens":9,"input_audio_tokens":9,"cached_input_tokens":2,)"
     R"("cached_input_audio_tokens":3})",
     "cached_input_audio_tokens", "cached_input_tokens"},
    {"cached audio above audio",
     R"({"input_tokens":9,"input_audio_tokens":2,"cached_input_tokens":9,)"
     R"("cached_input_audio_tokens":3})",
     "cached_input_audio_tokens", "input_audio_tokens"},
    {"reasoning above output", R"({"output_tokens":5,"reasoning_tokens":6})", "reasoning_tokens",
     "output_tokens"},
    {"output audio above output", R"({"output_tokens":5,"output_audio_tokens":6})",
     "output_audio_tokens", "output_tokens"},
    {"a wrong total", R"({"input_tokens":5,"output_tokens":6,"total_tokens":12})", "total_tokens",
     "which is 11"},
    {"a sum above int64", R"({"input_tokens":9223372036854775807,"output_tokens":1})",
     "total_tokens", "above int64"},
    {"units that are no object", R"({"units":[1]})", "units", ""},
    {"a negative unit", R"({"units":{"images":-1}})", "units.images", "-1"},
    {"a unit with a bad name", R"({"units":{"Images!":1}})", "units", "Images!"},
    {"total only beside what is not its halves",
     R"({"input_tokens":1,"total_tokens":3,"total_only":true})", "total_only", "input_tokens"},
    {"a tier of spaces", R"({"service_tier":"a b"})", "service_tier", "a b"},
    {"no object", "[1]", "", ""},
    {"nothing", "", "usage", ""},
    {"truncated", R"({"input_tokens":12)", "usage", ""},
    {"a byte order mark", "\xef\xbb\xbf{}", "usage", ""},
    {"invalid UTF-8", "{\"units\":{\"\xff\":1}}", "usage", ""},
    {"deep nesting", std::string(10000, '['), "usage", ""},
    {"a NUL", std::string("{}\0", 3), "usage", ""},
};

TEST(Usage, FromJsonRefusesAndNamesFieldAndValue) {
  for (const Refused& row : kRefused) {
    SCOPED_TRACE(row.why);
    const Result<Usage> usage = Usage::from_json(row.json);
    ASSERT_FALSE(usage);
    EXPECT_EQ(usage.error().code, Code::invalid_argument);
    EXPECT_NE(usage.error().message.find(row.field), std::string::npos) << usage.error().message;
    EXPECT_NE(usage.error().message.find(row.value), std::string::npos) << usage.error().message;
  }
}

TEST(Usage, CheckRefusesWhatOnlyCodeCanMake) {
  const Usage negative = {.input_tokens = {-1}, .total_tokens = {-1}};
  EXPECT_EQ(negative.check().error().code, Code::invalid_argument);
  EXPECT_NE(negative.check().error().message.find("input_tokens"), std::string::npos);
  const Usage unit = {.units = {{"images", -1}}};
  EXPECT_NE(unit.check().error().message.find("units.images"), std::string::npos);
}

}  // namespace
}  // namespace aimeter
