// Strict JSON: what is refused, what stays exact, and how an error reads.
#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aimeter::base {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string error_of(std::string_view text) {
  const Result<Json> json = Json::parse("body", text);
  if (json) return "accepted";
  EXPECT_EQ(json.error().code, Code::invalid_argument);
  return json.error().message;
}

TEST(Json, RefusesWhatIsNoStrictJson) {
  struct Row {
    const char* sentence;
    std::string text;
    const char* reason;
  };
  const Row rows[] = {
      {"an empty text is no document", "", "ends too early"},
      {"blanks are no document", " \n", "ends too early"},
      {"a document that ends too early", R"({"a":)", "ends too early"},
      {"text behind the document", "{} x", "text behind the document"},
      {"two documents", "{}{}", "text behind the document"},
      {"a key twice", R"({"a":1,"b":2,"a":3})", "key \"a\" comes twice"},
      {"a key twice, once escaped", R"({"a":1,"\u0061":3})", "key \"a\" comes twice"},
      {"a key twice, deep inside", R"({"x":[{"a":1,"a":1}]})", "key \"a\" comes twice"},
      {"the empty key twice", R"({"":1,"":1})", "comes twice"},
      {"a byte order mark", "\xef\xbb\xbf{}", "line 1, column"},
      {"invalid UTF-8 in a string", "\"\xff\"", "line 1, column"},
      {"an overlong slash", "\"\xc0\xaf\"", "line 1, column"},
      {"a surrogate in UTF-8", "\"\xed\xa0\x80\"", "line 1, column"},
      {"half a surrogate pair", R"("\ud800")", "line 1, column"},
      {"a raw control character", "\"a\nb\"", "line 1, column"},
      {"NaN", "NaN", "line 1, column"},
      {"a leading zero", "[01]", "line 1, column"},
      {"a plus sign", "+1", "line 1, column"},
      {"no digit behind the point", "[1.]", "line 1, column"},
      {"a trailing comma", "[1,]", "line 1, column"},
      {"a comment", "[1/*x*/]", "line 1, column"},
      {"single quotes", "{'a':1}", "line 1, column"},
      {"depth 65", nested(65), "nested deeper than 64"},
      {"depth 10,000", nested(10'000), "nested deeper than 64"},
      {"10,000 objects deep, never closed",
       [] {
         std::string text;
         for (int i = 0; i < 10'000; ++i) text += R"({"a":)";
         return text;
       }(),
       "nested deeper than 64"},
      {"a million brackets", std::string(1'000'000, '['), "nested deeper than 64"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_THAT(error_of(row.text),
                AllOf(StartsWith("body: "), HasSubstr("expected JSON"), HasSubstr(row.reason)));
  }
}

TEST(Json, AcceptsDepth64AndBlanksAround) {
  EXPECT_EQ(error_of(nested(64)), "accepted");
  EXPECT_EQ(error_of(" \r\n\t{} \n"), "accepted");
  EXPECT_EQ(error_of(R"("\ud83d\ude00")"), "accepted");
}

TEST(Json, AnErrorTellsLineAndColumn) {
  EXPECT_THAT(error_of("{\n  \"a\": nope\n}"), HasSubstr("line 2, column 8"));
}

TEST(Json, ATextAboveTheLimitIsRefusedUnread) {
  const Json::Limits limits{.bytes = 4, .depth = 2};
  EXPECT_TRUE(Json::parse("body", "[12]", limits));
  const auto big = Json::parse("body", "[123]", limits);
  ASSERT_FALSE(big);
  EXPECT_EQ(big.error().message,
            "body: \"5 bytes\" is not accepted; expected JSON of at most 4 bytes");
  EXPECT_FALSE(Json::parse("body", "[[[", limits));
}

TEST(Json, KeepsEveryDigitOfANumber) {
  for (const std::string& literal :
       {std::string("0.00000000000000000000001"), std::string("12345678901234567890123456789"),
        std::string("-0"), std::string("-0.0"), std::string("1.50"), std::string("1e3"),
        std::string("1E-7"), std::string("2.5e+10"), std::string("9223372036854775807"),
        std::string("18446744073709551615"), std::string("0.1"), std::string(400, '7')}) {
    SCOPED_TRACE(literal);
    for (const std::string& text : {literal, "[" + literal + "]", "{\"a\":" + literal + " }"}) {
      const auto json = Json::parse("body", text);
      ASSERT_TRUE(json) << json.error().message;
      const Json& number = json->kind() == Json::Kind::array    ? json->items()[0]
                           : json->kind() == Json::Kind::object ? *json->find("a")
                                                                : *json;
      ASSERT_EQ(number.kind(), Json::Kind::number);
      EXPECT_EQ(number.literal(), literal);
    }
  }
}

TEST(Json, AnIntegerIsALiteralWithoutFractionOrExponentInRange) {
  struct Row {
    const char* text;
    bool integer, count, wide;  // int64, int64 >= 0, uint64
  };
  constexpr Row kRows[] = {
      {"0", true, true, true},
      {"-0", true, true, false},
      {"-1", true, false, false},
      {"9223372036854775807", true, true, true},
      {"9223372036854775808", false, false, true},
      {"18446744073709551615", false, false, true},
      {"18446744073709551616", false, false, false},
      {"-9223372036854775808", true, false, false},
      {"-9223372036854775809", false, false, false},
      {"1e3", false, false, false},
      {"1E3", false, false, false},
      {"1.5", false, false, false},
      {"1.0", false, false, false},
      {"\"1\"", false, false, false},
      {"null", false, false, false},
      {"true", false, false, false},
      {"[1]", false, false, false},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.text);
    const Json json = *Json::parse("body", row.text);
    EXPECT_EQ(json.integer("n").has_value(), row.integer);
    EXPECT_EQ(json.count("n").has_value(), row.count);
    EXPECT_EQ(json.unsigned_integer("n").has_value(), row.wide);
  }
}

TEST(Json, AnErrorNamesFieldValueAndWhatIsAccepted) {
  const Json json =
      *Json::parse("body", R"({"input_tokens":1e3,"model":7,"on":"yes","rate":"1,5"})");
  JsonFields fields = *JsonFields::of(json, "usage");
  EXPECT_EQ(fields.count("input_tokens").error().message,
            "usage.input_tokens: \"1e3\" is not accepted; expected an integer from 0 to "
            "9223372036854775807, without fraction or exponent");
  EXPECT_EQ(fields.string("model").error().message,
            "usage.model: \"7\" is not accepted; expected a string");
  EXPECT_THAT(fields.boolean("on").error().message, HasSubstr("expected true or false"));
  EXPECT_THAT(fields.decimal("rate").error().message, HasSubstr("usage.rate: "));
  EXPECT_EQ(fields.integer("gone").error().message,
            "usage.gone: \"\" is not accepted; expected a value: the field is required");
  EXPECT_EQ(JsonFields::of(*json.find("model"), "x").error().message,
            "x: \"7\" is not accepted; expected an object");
}

TEST(Json, AnOptionalFieldIsEmptyWhenAbsentOrNullAndNeverZero) {
  const Json json = *Json::parse("body", R"({"a":null,"b":0,"s":"","f":false,"o":{"x":1}})");
  JsonFields fields = *JsonFields::of(json, "");
  EXPECT_EQ(fields.optional_count("a"), std::nullopt);
  EXPECT_EQ(fields.optional_count("missing"), std::nullopt);
  EXPECT_EQ(fields.optional_count("b"), 0);
  EXPECT_EQ(fields.optional_integer("b"), 0);
  EXPECT_EQ(fields.optional_string("s"), "");
  EXPECT_EQ(fields.optional_boolean("f"), false);
  EXPECT_EQ(fields.optional_decimal("b"), "0");
  EXPECT_FALSE(fields.optional_count("s"));
  EXPECT_EQ((*fields.optional_object("o"))->count("x"), 1);
  EXPECT_EQ(fields.integer("a").error().message,
            "a: \"null\" is not accepted; expected a value: the field is required");
}

TEST(Json, AFieldNobodyAskedForIsRefusedByName) {
  const Json json = *Json::parse("body", R"({"model":"m","modle":"n"})");
  JsonFields fields = *JsonFields::of(json, "call");
  EXPECT_EQ(fields.string("model"), "m");
  EXPECT_EQ(fields.optional_string("user"), std::nullopt);
  EXPECT_EQ(
      fields.refuse_others().error().message,
      "call.modle: \"\\x22n\\x22\" is not accepted; expected no such field; one of model, user");
  EXPECT_EQ(fields.string("modle"), "n");
  EXPECT_TRUE(fields.refuse_others());
}

TEST(Json, ADecimalIsPlainText) {
  struct Row {
    const char* text;
    const char* value;  // nullptr: refused
  };
  constexpr Row kRows[] = {{"0.00015", "0.00015"}, {"\"12.50\"", "12.50"}, {"-3", "-3"},
                           {"1e-7", nullptr},      {"\"\"", nullptr},      {"\"1.\"", nullptr},
                           {"\".5\"", nullptr},    {"\" 1\"", nullptr},    {"\"1.2.3\"", nullptr},
                           {"true", nullptr},      {"\"--1\"", nullptr}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.text);
    const auto decimal = Json::parse("body", row.text)->decimal("rate");
    EXPECT_EQ(decimal.value_or("refused"), row.value != nullptr ? row.value : "refused");
  }
}

TEST(Json, KeepsOrderAndContentOfTheText) {
  const Json json = *Json::parse("body", R"({"z":[true,null,"\u0000\n"],"a":{"b":""}})");
  ASSERT_EQ(json.members().size(), 2U);
  EXPECT_EQ(json.members()[0].first, "z");
  EXPECT_EQ(json.find("z")->items()[2].string(), std::string("\0\n", 2));
  EXPECT_EQ(json.find("a")->find("b")->string(), "");
  EXPECT_EQ(json.find("b"), nullptr);
  EXPECT_EQ(json.find("z")->find("b"), nullptr);
  EXPECT_EQ(json.excerpt(), R"({"z":[true,null,"\u0000\n"],"a":{"b":""}})");
}

TEST(Json, ManyMembersAreReadOnce) {
  std::string text = "{";
  for (int i = 0; i < 20'000; ++i)
    text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  text += "\"k0\":1}";
  EXPECT_THAT(error_of(text), HasSubstr("key \"k0\" comes twice"));
}

}  // namespace
}  // namespace aimeter::base
