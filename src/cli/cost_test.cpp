// `aimeter cost` and `aimeter prices` as they are typed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "aimeter/pricing.h"
#include "cli/console.h"
#include "cli/run.h"

namespace aimeter::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Seen {
  int exit = 0;
  std::string out, err;
};

Seen run_with(const std::vector<std::string>& arguments, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Console console({.in = &in, .out = &out, .err = &err});
  const int exit = run(arguments, console);
  return {exit, out.str(), err.str()};
}

// A file that is gone when the test ends.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    std::string name = ::testing::TempDir() + "aimeter-XXXXXX";
    const int descriptor = mkstemp(name.data());
    if (descriptor >= 0) close(descriptor);
    path_ = name;
    std::ofstream(path_, std::ios::binary) << text;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::remove(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr const char* kBook = R"({"format": "aimeter-prices/1", "version": "mine", "providers": [
 {"id": "p", "models": [{"id": "m", "rows": [
  {"prices": {"input": "2/1000000", "output": "4/1000000", "images": "0.04"}}]}]}]})";

TEST(CostCommand, prices_one_usage_to_the_last_digit) {
  const Seen seen = run_with({"cost", "openai", "gpt-4o-mini", "--input", "10", "--output", "20"});
  EXPECT_EQ(seen.exit, 0);
  EXPECT_THAT(seen.out, HasSubstr("0.0000135 usd for openai/gpt-4o-mini, prices 2026-08-21\n"));
  EXPECT_THAT(seen.err, IsEmpty());
  const Seen json =
      run_with({"--json", "cost", "openai", "gpt-4o-mini", "--input", "10", "--output", "20"});
  const auto answer = boost::json::parse(json.out).as_object();
  EXPECT_EQ(answer.at("total_cost"), "0.0000135");
  EXPECT_EQ(answer.at("input_cost"), "0.0000015");
  EXPECT_EQ(answer.at("output_cost"), "0.000012");
  EXPECT_EQ(answer.at("currency"), "usd");
  EXPECT_EQ(answer.at("provisional"), false);
  const auto& part = answer.at("parts").as_array().at(1).as_object();
  EXPECT_EQ(part.at("kind"), "output");
  EXPECT_EQ(part.at("quantity"), 20);
  EXPECT_EQ(part.at("unit_price"), "0.6");
  EXPECT_EQ(part.at("per"), 1'000'000);
  EXPECT_EQ(part.at("cost"), "0.000012");
}

TEST(CostCommand, answers_a_batch_line_by_line_and_says_which_failed) {
  const TemporaryFile book(kBook);
  const std::string lines =
      R"({"id": "a", "provider": "p", "model": "m", "usage": {"input_tokens": 3,)"
      R"( "output_tokens": 1}})"
      "\n\n"
      R"({"id": 7, "provider": "p", "model": "z", "usage": {"input_tokens": 3}})"
      "\r\n"
      R"({"id": "c", "provider": "p", "model": "m", "usage": {"input_tokens": -3}})"
      "\n"
      "nonsense\n"
      R"({"id": "e", "provider": "p", "model": "m", "at": "2026-01-01T00:00:00Z",)"
      R"( "usage": {"total_tokens": 3, "units": {"images": 2}}})"
      "\n"
      R"({"id": "f", "provider": "p", "model": "m", "usage": {"input_tokens": 9,)"
      R"( "cache_read_tokens": 4, "output_tokens": null}})";
  const Seen seen = run_with({"cost", "--batch", "--prices", book.path()}, lines);
  EXPECT_EQ(seen.exit, 5);
  std::istringstream out(seen.out);
  std::vector<boost::json::object> answers;
  for (std::string line; std::getline(out, line);) {
    answers.push_back(boost::json::parse(line).as_object());
  }
  ASSERT_EQ(answers.size(), 6U);
  EXPECT_EQ(answers[0].at("id"), "a");
  EXPECT_EQ(answers[0].at("model"), "m");
  EXPECT_EQ(answers[0].at("price_version"), "mine");
  EXPECT_EQ(answers[0].at("total_cost"), "0.00001");
  EXPECT_EQ(answers[1].at("id"), 7);
  EXPECT_EQ(answers[1].at("error").at("code"), "not_found");
  EXPECT_THAT(std::string(answers[2].at("error").at("message").as_string()),
              HasSubstr("usage.input_tokens: \"-3\""));
  EXPECT_EQ(answers[3].at("id"), nullptr);
  EXPECT_EQ(answers[3].at("error").at("code"), "invalid_argument");
  EXPECT_EQ(answers[4].at("total_cost"), "0.08001");  // 1 x 2 + 2 x 4 per million, 2 x 0.04
  EXPECT_EQ(answers[5].at("provisional"), true);      // no price for cached input
  EXPECT_EQ(answers[5].at("unpriced").at(0).at("kind"), "cached_input");
  EXPECT_EQ(answers[5].at("unpriced").at(0).at("quantity"), 4);
}

TEST(CostCommand, bad_usages_name_field_value_and_what_is_expected) {
  struct Row {
    const char* sentence;
    const char* usage;
    const char* message;
  };
  constexpr Row kRows[] = {
      {"a fraction", R"({"input_tokens": 1.5})", "usage.input_tokens: \"1.5\""},
      {"an exponent", R"({"input_tokens": 1e3})", "usage.input_tokens: \"1e3\""},
      {"above int64", R"({"input_tokens": 9223372036854775808})", "9223372036854775808"},
      {"text", R"({"input_tokens": "5"})", "usage.input_tokens"},
      {"a field nobody knows", R"({"tokens": 5})", "usage.tokens"},
      {"a key twice", R"({"input_tokens": 1, "input_tokens": 2})", "input_tokens"},
      {"cached above input", R"({"input_tokens": 1, "cached_input_tokens": 2})",
       "cached_input_tokens: \"2\""},
      {"a sum that is none", R"({"input_tokens": 1, "output_tokens": 1, "total_tokens": 3})",
       "usage.total_tokens: \"3\""},
      {"a negative unit", R"({"units": {"images": -1}})", "usage.units.images: \"-1\""},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Seen seen = run_with(
        {"cost", "--batch", "-"},
        std::string(R"({"provider": "openai", "model": "gpt-4o", "usage": )") + row.usage + "}\n");
    EXPECT_EQ(seen.exit, 1);
    const auto answer = boost::json::parse(seen.out).as_object();
    EXPECT_EQ(answer.at("error").at("code"), "invalid_argument");
    EXPECT_THAT(std::string(answer.at("error").at("message").as_string()), HasSubstr(row.message));
  }
}

TEST(CostCommand, refuses_what_it_cannot_do) {
  struct Row {
    std::vector<std::string> arguments;
    int exit;
    const char* message;
  };
  const Row rows[] = {
      {{"cost"}, 2, "PROVIDER"},
      {{"cost", "openai"}, 2, "MODEL"},
      {{"cost", "openai", "nothing-like-it", "--input", "1"}, 1, "no price for model"},
      {{"cost", "openai", "gpt-4o", "--input", "-1"}, 2, "input_tokens: \"-1\""},
      {{"cost", "openai", "gpt-4o", "--unit", "images"}, 2, "NAME=COUNT"},
      {{"cost", "openai", "gpt-4o", "--at", "soon"}, 2, "--at: \"soon\""},
      {{"cost", "openai", "gpt-4o", "--prices", "/nowhere/x.json"}, 1, "cannot be read"},
      {{"cost", "--batch", "/nowhere/x.jsonl"}, 1, "cannot be read"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.message);
    const Seen seen = run_with(row.arguments);
    EXPECT_EQ(seen.exit, row.exit);
    EXPECT_THAT(seen.err, HasSubstr(row.message));
    EXPECT_THAT(seen.out, IsEmpty());
  }
}

TEST(PricesCommand, list_show_export_and_diff) {
  const TemporaryFile mine(kBook);
  const Seen list = run_with({"prices", "list", "--json"});
  EXPECT_EQ(boost::json::parse(list.out).as_array().at(0).at("version"), "2026-08-21");
  const Seen show = run_with({"prices", "show", "p", "m", "--prices", mine.path()});
  EXPECT_EQ(show.exit, 0);
  EXPECT_THAT(show.out, HasSubstr("input 2/1000000, output 4/1000000, images 0.04"));
  EXPECT_THAT(run_with({"prices", "show", "nobody"}).err, HasSubstr("nobody"));
  const Seen exported = run_with({"prices", "export", "--prices", mine.path()});
  const TemporaryFile again(exported.out);
  EXPECT_EQ(run_with({"prices", "export", "--prices", again.path()}).out, exported.out);
  const Seen same = run_with({"prices", "diff", mine.path(), again.path()});
  EXPECT_EQ(same.out, "0 differences\n");
  std::string dearer = kBook;
  dearer.replace(dearer.find("4/1000000"), 1, "5");
  const TemporaryFile other(dearer);
  const Seen diff = run_with({"prices", "diff", mine.path(), other.path(), "--json"});
  const auto changes = boost::json::parse(diff.out).as_array();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].at("change"), "changed");
  EXPECT_EQ(changes[0].at("after").at("prices"), "input 2/1000000, output 5/1000000, images 0.04");
}

TEST(PricesCommand, an_imported_book_prices_usages_from_its_day_on) {
  const TemporaryFile place("");
  std::remove(place.path().c_str());
  const std::string store = "sqlite:" + place.path();
  const TemporaryFile mine(kBook);
  const Seen import = run_with(
      {"prices", "import", mine.path(), "--effective-from", "2026-09-01", "--store", store});
  EXPECT_EQ(import.exit, 0) << import.err;
  const auto cost = [&](const char* at) {
    return run_with({"cost", "p", "m", "--input", "1", "--at", at, "--store", store});
  };
  EXPECT_THAT(cost("2026-09-01").out, HasSubstr("0.000002 usd for p/m, prices mine"));
  EXPECT_THAT(cost("2026-08-31").err, HasSubstr("no price for model"));  // the shipped book's day
  const Seen list = run_with({"prices", "list", "--json", "--store", store});
  const auto books = boost::json::parse(list.out).as_array();
  ASSERT_EQ(books.size(), 2U);
  EXPECT_EQ(books[1].at("version"), "mine");
  EXPECT_EQ(books[1].at("effective_from"), "2026-09-01T00:00:00Z");
  // The same again changes nothing; other prices under its name are a conflict.
  EXPECT_EQ(run_with({"prices", "import", mine.path(), "--effective-from", "2026-09-01", "--store",
                      store})
                .exit,
            0);
  const Seen other = run_with({"prices", "import", mine.path(), "--store", store});
  EXPECT_EQ(other.exit, 1);
  EXPECT_THAT(other.err, HasSubstr("version \"mine\" is there with other prices"));
  std::filesystem::remove_all(place.path() + ".aimeter");
}

// A folder with a configuration; gone when the test ends.
class Configured : public ::testing::Test {
 protected:
  Configured() { std::filesystem::create_directories(folder_); }
  ~Configured() override {
    unsetenv("AI_METERING_DB_CONNECTION");
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  [[nodiscard]] std::string url(const std::string& name) const {
    return "sqlite:" + (folder_ / name).string();
  }
  std::filesystem::path folder_ = std::filesystem::path(::testing::TempDir()) /
                                  ("aimeter-configured-" + std::to_string(getpid()));
};

TEST_F(Configured, the_store_of_prices_is_option_then_environment_then_file) {
  const std::string config = write("aimeter.toml", "[storage]\nurl = \"" + url("file.db") + "\"\n");
  const auto imported = [&](const char* version, std::vector<std::string> more) {
    std::string book = kBook;
    book.replace(book.find("mine"), 4, version);
    more.insert(more.begin(), {"prices", "import", write("book.json", book), "--effective-from",
                               "2020-01-01", "--config", config});
    const Seen seen = run_with(more);
    EXPECT_EQ(seen.exit, 0) << seen.err;
  };
  imported("of-file", {});
  setenv("AI_METERING_DB_CONNECTION", url("environment.db").c_str(), 1);
  imported("of-environment", {});
  imported("of-option", {"--store", url("option.db")});
  const auto asked = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"cost", "p", "m", "--input", "1", "--config", config});
    return run_with(more).out;
  };
  EXPECT_THAT(asked({"--store", url("option.db")}), HasSubstr("prices of-option"));
  EXPECT_THAT(asked({}), HasSubstr("prices of-environment"));
  unsetenv("AI_METERING_DB_CONNECTION");
  EXPECT_THAT(asked({}), HasSubstr("prices of-file"));
  EXPECT_THAT(run_with({"prices", "list", "--config", config}).out, HasSubstr("of-file"));
}

TEST_F(Configured, prices_of_the_configuration_win_as_they_do_in_an_engine) {
  const std::string config =
      write("aimeter.toml", "[storage]\nurl = \"" + url("usage.db") +
                                "\"\n[providers.openai.models.\"gpt-4o-mini\"]\n"
                                "input_price_per_1k = \"7\"\noutput_price_per_1k = \"9\"\n"
                                "[providers.house]\nextractor = \"openai\"\n"
                                "[providers.house.models.own]\n"
                                "input_price_per_1k = \"0.5\"\noutput_price_per_1k = \"1\"\n");
  const Seen cost = run_with(
      {"cost", "openai", "gpt-4o-mini", "--input", "1000", "--output", "1000", "--config", config});
  EXPECT_THAT(cost.out, HasSubstr("16 usd for openai/gpt-4o-mini, prices configuration"));
  const TemporaryFile batch(
      R"({"id": 1, "provider": "house", "model": "own", "usage": {"input_tokens": 2}})");
  EXPECT_THAT(run_with({"cost", "--batch", batch.path(), "--config", config}).out,
              HasSubstr(R"("total_cost":"0.001")"));
  const Seen show = run_with({"prices", "show", "house", "--config", config});
  EXPECT_THAT(show.out, HasSubstr("input 0.5/1000, output 1/1000"));
  EXPECT_THAT(show.out, HasSubstr("configuration"));
  EXPECT_THAT(run_with({"prices", "show", "openai", "gpt-4o-mini", "--config", config}).out,
              HasSubstr("input 7/1000, output 9/1000"));
  // A book that is named stands alone.
  const TemporaryFile mine(kBook);
  EXPECT_THAT(run_with({"cost", "house", "own", "--input", "1", "--prices", mine.path(), "--config",
                        config})
                  .err,
              HasSubstr("no price for model \"own\""));
  const TemporaryFile answer(R"({"model": "own", "object": "chat.completion",
      "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})");
  EXPECT_THAT(run_with({"extract", "--provider", "house", answer.path(), "--config", config}).out,
              HasSubstr(R"("input_tokens":3)"));
}

TEST_F(Configured, a_configuration_that_cannot_be_used_is_exit_3_everywhere) {
  const std::string config = write("aimeter.toml", "[storage]\nurll = \"sqlite:x.db\"\n");
  const TemporaryFile answer("{}");
  const std::vector<std::string> rows[] = {{"cost", "openai", "gpt-4o-mini", "--input", "1"},
                                           {"prices", "list"},
                                           {"prices", "show", "openai"},
                                           {"prices", "export"},
                                           {"extract", "--provider", "openai", answer.path()}};
  for (std::vector<std::string> words : rows) {
    SCOPED_TRACE(words.front() + " " + words.back());
    words.insert(words.end(), {"--config", config});
    const Seen seen = run_with(words);
    EXPECT_EQ(seen.exit, 3);
    EXPECT_THAT(seen.err, HasSubstr("storage.urll: there is no such key; did you mean"));
  }
}

TEST(PricesCommand, import_checks_a_whole_book_and_lists_what_it_leaves_out) {
  const TemporaryFile litellm(R"({"a": {"litellm_provider": "x", "input_cost_per_token": 1e-06},
                                  "b": {"litellm_provider": "x"}})");
  const Seen seen = run_with({"prices", "import", litellm.path(), "--format", "litellm",
                              "--effective-from", "2026-09-01", "--dry-run", "--json"});
  EXPECT_EQ(seen.exit, 0);
  const auto summary = boost::json::parse(seen.out).as_object();
  EXPECT_EQ(summary.at("version"), "litellm-2026-09-01");
  EXPECT_EQ(summary.at("effective_from"), "2026-09-01T00:00:00Z");
  EXPECT_EQ(summary.at("entries"), 2);
  EXPECT_EQ(summary.at("models"), 1);
  EXPECT_EQ(summary.at("skipped").at(0).at("reason"), "has no price");
  const TemporaryFile bad(R"({"a": {"litellm_provider": "x", "input_cost_per_token": -1}})");
  const Seen refused = run_with({"prices", "import", bad.path(), "--dry-run"});
  EXPECT_EQ(refused.exit, 2);
  EXPECT_THAT(refused.err, HasSubstr("prices.a.input_cost_per_token: \"-1\""));
}

}  // namespace
}  // namespace aimeter::cli
