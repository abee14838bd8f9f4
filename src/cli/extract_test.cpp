#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/run.h"

namespace aimeter::cli {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;
namespace json = boost::json;

struct Seen {
  int exit = 0;
  std::string out, err;
  std::vector<json::object> lines = {};
};

Seen run_with(std::vector<std::string> arguments, const std::string& input = "") {
  arguments.insert(arguments.begin(), "extract");
  std::istringstream in(input);
  std::ostringstream out, err;
  Console console({.in = &in, .out = &out, .err = &err});
  Seen seen = {.exit = run(arguments, console)};
  seen.out = out.str();
  seen.err = err.str();
  std::istringstream lines(seen.out);
  for (std::string line; seen.exit != 2 && std::getline(lines, line);)
    if (line.starts_with('{')) seen.lines.push_back(json::parse(line).as_object());
  return seen;
}

class ExtractCommand : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  void SetUp() override {
    folder_ =
        fs::path(::testing::TempDir()) /
        (std::string("extract_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_ = {};
};

TEST_F(ExtractCommand, one_line_per_file_in_order) {
  const std::string chat = file(
      "chat.json", R"({"model":"gpt-4o","usage":{"prompt_tokens":10,"completion_tokens":20}})");
  const std::string stream =
      file("stream.sse", "data: {\"model\":\"m\",\"choices\":[]}\n\ndata: [DONE]\n\n");
  const std::string bad = file("bad.json", R"({"usage":{"prompt_tokens":-1}})");
  const Seen seen = run_with({"--provider", "openai", "--api", "chat", chat, stream, bad});
  EXPECT_EQ(seen.exit, 0) << seen.err;
  EXPECT_EQ(seen.err, "");
  ASSERT_EQ(seen.lines.size(), 3U);
  EXPECT_EQ(seen.lines[0].at("file"), json::value(chat));
  EXPECT_EQ(seen.lines[0].at("model"), "gpt-4o");
  EXPECT_EQ(seen.lines[0].at("usage").at("input_tokens"), 10);
  EXPECT_EQ(seen.lines[0].at("usage").at("output_tokens"), 20);
  EXPECT_EQ(seen.lines[0].at("usage").at("total_tokens"), 30);
  EXPECT_EQ(seen.lines[0].at("error"), nullptr);
  EXPECT_EQ(seen.lines[1].at("file"), json::value(stream));
  EXPECT_EQ(seen.lines[1].at("usage"), nullptr);
  EXPECT_EQ(seen.lines[1].at("error"), nullptr);
  EXPECT_EQ(seen.lines[2].at("model"), nullptr);
  EXPECT_EQ(seen.lines[2].at("usage"), nullptr);
  EXPECT_EQ(seen.lines[2].at("error").at("code"), "invalid_argument");
  EXPECT_THAT(std::string(seen.lines[2].at("error").at("message").as_string()),
              HasSubstr("usage.prompt_tokens"));
}

TEST_F(ExtractCommand, a_failed_status_charges_nothing) {
  const std::string body = file("error.json", R"({"error":{"type":"rate_limit_error"}})");
  const Seen seen = run_with({"--provider", "anthropic", "--http-status", "429", body});
  EXPECT_EQ(seen.exit, 0);
  ASSERT_EQ(seen.lines.size(), 1U);
  EXPECT_EQ(seen.lines[0].at("usage"), nullptr);
  EXPECT_EQ(seen.lines[0].at("error"),
            (json::object{{"code", "provider_failed"},
                          {"message", "anthropic answered HTTP 429: rate_limit_error"}}));
}

TEST_F(ExtractCommand, what_an_answer_reports_beyond_the_normal_form_stands_beside_it) {
  const std::string body = file(
      "body.json", R"({"type":"message","model":"a","usage":{"input_tokens":9,"output_tokens":5,)"
                   R"("iterations":[{"input_tokens":100,"output_tokens":7},{"model":"b",)"
                   R"("input_tokens":3}]}})");
  const Seen seen = run_with({"--provider", "anthropic", body});
  ASSERT_EQ(seen.lines.size(), 1U);
  const json::value& reported = seen.lines[0].at("reported");
  EXPECT_EQ(reported.at("uncached_input_tokens"), 9);
  EXPECT_EQ(reported.at("by_model").at("a").at("input_tokens"), 100);
  EXPECT_EQ(reported.at("by_model").at("b").at("input_tokens"), 3);
  const std::string cost =
      file("cost.json", R"({"usage":{"prompt_tokens":1,"total_tokens":3,"cost":8.6e-05}})");
  const Seen costs = run_with({"--provider", "openrouter", cost});
  EXPECT_EQ(costs.lines.at(0).at("reported"),
            (json::object{{"total_tokens", 3}, {"cost", "0.000086"}, {"currency", "usd"}}));
}

TEST_F(ExtractCommand, a_stream_that_broke_off_is_a_lower_bound) {
  const Seen seen = run_with(
      {"--provider", "anthropic", "--stream", "-"},
      "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10}}}\n\n");
  ASSERT_EQ(seen.lines.size(), 1U);
  EXPECT_EQ(seen.lines[0].at("file"), "-");
  EXPECT_EQ(seen.lines[0].at("usage").at("input_tokens"), 10);
  EXPECT_EQ(seen.lines[0].at("lower_bound"), true);
  EXPECT_EQ(seen.lines[0].at("error").at("code"), "invalid_argument");
}

TEST_F(ExtractCommand, a_file_that_is_not_there_is_named_and_the_rest_goes_on) {
  const std::string body = file("body.json", R"({"usage":{"prompt_tokens":1}})");
  const std::string gone = (folder_ / "gone.json").string();
  const Seen seen = run_with({"--provider", "openai", gone, body, folder_.string()});
  EXPECT_EQ(seen.exit, 5);
  EXPECT_THAT(seen.err, HasSubstr("gone.json"));
  ASSERT_EQ(seen.lines.size(), 3U);
  EXPECT_EQ(seen.lines[0].at("error").at("code"), "not_found");
  EXPECT_EQ(seen.lines[1].at("usage").at("input_tokens"), 1);
  EXPECT_EQ(seen.lines[2].at("usage"), nullptr);
  EXPECT_EQ(seen.lines[2].at("error").at("code"), "unavailable");
}

TEST_F(ExtractCommand, a_path_that_is_no_utf8_is_still_a_line_of_json) {
  const std::string body = file("b\xff.json", "{}");
  const Seen seen = run_with({"--provider", "openai", body});
  ASSERT_EQ(seen.lines.size(), 1U);
  EXPECT_THAT(std::string(seen.lines[0].at("file").as_string()), HasSubstr("b?.json"));
}

TEST_F(ExtractCommand, wrong_usage_is_refused) {
  const std::string body = file("body.json", "{}");
  EXPECT_EQ(run_with({body}).exit, 2);
  EXPECT_EQ(run_with({"--provider", "openai"}).exit, 2);
  EXPECT_EQ(run_with({"--provider", "openai", "--http-status", "99", body}).exit, 2);
  EXPECT_EQ(run_with({"--provider", "openai", "--http-status", "600", body}).exit, 2);
  const Seen unknown = run_with({"--provider", "nobody", body});
  EXPECT_NE(unknown.exit, 0);
  EXPECT_THAT(unknown.err, HasSubstr("nobody"));
  EXPECT_THAT(unknown.err, HasSubstr("openrouter"));
}

}  // namespace
}  // namespace aimeter::cli
