// `aimeter import` and `aimeter report` as programs: rows go in once, and what is reported equals
// the file's own sums, to the token and to the last digit.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <map>

#include "aimeter/money.h"
#include "tests/data/shared_data.h"
#include "tests/flow/program.h"

namespace aimeter::flow {
namespace {

using ::testing::HasSubstr;
namespace json = boost::json;

constexpr const char* kConfiguration =
    "[providers.trace.models.fixed]\n"
    "input_price_per_1k = \"0.0025\"\n"
    "output_price_per_1k = \"0.010\"\n";

struct Sums {
  std::int64_t calls = 0, input = 0, output = 0;
  friend bool operator==(const Sums&, const Sums&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Sums& sums) {
    return out << fmt::format("{} calls, {} + {} tokens", sums.calls, sums.input, sums.output);
  }
};
Sums sums_of(const json::object& figures) {
  return {.calls = figures.at("calls").to_number<std::int64_t>(),
          .input = figures.at("input_tokens").to_number<std::int64_t>(),
          .output = figures.at("output_tokens").to_number<std::int64_t>()};
}

class ImportFlow : public ::testing::Test {
 protected:
  Ran import(const std::string& file, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"import",  file,          "--config",   config_,
                                      "--store", folder_.dsn(), "--provider", "trace",
                                      "--model", "fixed",       "--history"};
    words.insert(words.end(), more.begin(), more.end());
    return run(folder_, words);
  }
  static json::object parsed(const Ran& ran) {
    boost::system::error_code error;
    const json::value value = json::parse(ran.out, error);
    EXPECT_FALSE(error) << ran.exit << " " << ran.out << ran.err;
    return value.is_object() ? value.as_object() : json::object{};
  }
  void expect_import(const Ran& ran, std::int64_t recorded, std::int64_t duplicates,
                     std::int64_t bad) {
    const json::object tally = parsed(ran);
    ASSERT_FALSE(tally.empty());
    EXPECT_EQ(ran.exit, bad > 0 ? 5 : 0) << ran.err;
    EXPECT_EQ(tally.at("rows").to_number<std::int64_t>(), recorded + duplicates + bad);
    EXPECT_EQ(tally.at("recorded").to_number<std::int64_t>(), recorded);
    EXPECT_EQ(tally.at("duplicates").to_number<std::int64_t>(), duplicates);
    EXPECT_EQ(tally.at("bad").to_number<std::int64_t>(), bad) << ran.err;
    EXPECT_EQ(tally.at("refused").to_number<std::int64_t>(), 0);
  }
  json::object report(const std::string& group_by) {
    std::vector<std::string> words = {"report",   "--json",
                                      "--config", config_,
                                      "--store",  folder_.dsn(),
                                      "--from",   "2023-11-16T00:00:00Z",
                                      "--to",     "2023-11-17T00:00:00Z"};
    if (!group_by.empty()) words.insert(words.end(), {"--group-by", group_by});
    const Ran ran = run(folder_, words);
    EXPECT_EQ(ran.exit, 0) << ran.err;
    return parsed(ran);
  }
  std::map<std::string, Sums> groups(const std::string& by) {
    std::map<std::string, Sums> found;
    const json::object said = report(by);
    for (const json::value& group : said.at("groups").as_array()) {
      const json::object& figures = group.as_object();
      std::string name(figures.at(by).as_string());
      if (by == "minute") {  // 2023-11-16T18:17:00Z -> 2023-11-16 18:17
        name = name.substr(0, 16);
        std::ranges::replace(name, 'T', ' ');
      }
      found[name] = sums_of(figures);
    }
    return found;
  }
  static std::map<std::string, Sums> told(const json::object& groups) {
    std::map<std::string, Sums> sums;
    for (const auto& [name, value] : groups) {
      const json::object& figures = value.as_object();
      sums[name] = {.calls = figures.at("requests").to_number<std::int64_t>(),
                    .input = figures.at("input").to_number<std::int64_t>(),
                    .output = figures.at("output").to_number<std::int64_t>()};
    }
    return sums;
  }

  Folder folder_;
  std::string config_ = folder_.write("aimeter.toml", kConfiguration);
};

TEST_F(ImportFlow, a_csv_goes_in_once_and_is_reported_to_the_last_digit) {
  // As traces come: a BOM, CRLF, seven digits of a second, no newline at the end.
  const std::string file = folder_.write("own.csv",
                                         "\xEF\xBB\xBFTIMESTAMP,ContextTokens,GeneratedTokens\r\n"
                                         "2023-11-16 18:17:03.9799600,4808,10\r\n"
                                         "2023-11-16 18:17:59.9999999,1,1\r\n"
                                         "2023-11-16 18:18:00.0000000,3,7");
  expect_import(import(file, {"--spread-tenants", "2"}), 3, 0, 0);
  expect_import(import(file, {"--spread-tenants", "2"}), 0, 3, 0);
  const json::object totals = report("").at("totals").as_object();
  EXPECT_EQ(sums_of(totals), (Sums{.calls = 3, .input = 4'812, .output = 18}));
  EXPECT_EQ(totals.at("cost").as_string(), "0.01221");  // 4812 * 0.0000025 + 18 * 0.00001
  EXPECT_EQ(groups("tenant"),
            (std::map<std::string, Sums>{{"t00", {2, 4'811, 17}}, {"t01", {1, 1, 1}}}));
  EXPECT_EQ(groups("minute"), (std::map<std::string, Sums>{{"2023-11-16 18:17", {2, 4'809, 11}},
                                                           {"2023-11-16 18:18", {1, 3, 7}}}));
}

TEST_F(ImportFlow, bad_rows_are_told_with_their_line_and_keep_nothing_else_out) {
  const std::string long_line(1'100'000, 'x');
  const struct {
    const char* sentence;
    std::string row, says;
  } rows[] = {
      {"a negative count", "2023-11-16T10:00:00Z,acme,-1,5", "\"-1\""},
      {"above int64", "2023-11-16T10:00:00Z,acme,9223372036854775808,5", "9223372036854775808"},
      {"an exponent is no count", "2023-11-16T10:00:00Z,acme,1e3,5", "\"1e3\""},
      {"a fraction is no count", "2023-11-16T10:00:00Z,acme,1.5,5", "\"1.5\""},
      {"a sum above int64", "2023-11-16T10:00:00Z,acme,9223372036854775807,5", "64 bits"},
      {"a time that is none", "yesterday,acme,1,5", "yesterday"},
      {"a leap second", "2023-11-16T23:59:60Z,acme,1,5", "23:59:60"},
      {"a year beyond 9999", "10000-01-01T00:00:00Z,acme,1,5", "10000"},
      {"a field too few", "2023-11-16T10:00:00Z,acme,1", "line 2"},
      {"a tenant of 192 bytes", "2023-11-16T10:00:00Z," + std::string(192, 't') + ",1,5", "191"},
      {"a tenant of invalid UTF-8", "2023-11-16T10:00:00Z,\xFF,1,5", "UTF-8"},
      {"a line of 1 MiB", "2023-11-16T10:00:00Z," + long_line + ",1,5", "line 2"},
  };
  int number = 0;
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const std::string file = folder_.write(fmt::format("bad{}.csv", number++),
                                           "occurred_at,tenant,input_tokens,output_tokens\n" +
                                               row.row + "\n2023-11-16T11:00:00Z,acme,1,1\n");
    const Ran ran = import(file);
    expect_import(ran, 1, 0, 1);
    EXPECT_THAT(ran.err, HasSubstr("line 2"));
    EXPECT_THAT(ran.err, HasSubstr(row.says));
    EXPECT_LT(ran.err.size(), 1'000U) << "a complaint is short, whatever came in";
  }
}

TEST_F(ImportFlow, rows_of_many_tenants_go_in_once_each_for_its_tenant) {
  constexpr int kTenants = 40, kRowsEach = 5;
  std::string text = "occurred_at,tenant,input_tokens,output_tokens\n";
  for (int row = 0; row < kTenants * kRowsEach; ++row) {
    text += fmt::format("2023-11-16T10:00:00Z,t{:02},{},1\n", row % kTenants, row % kTenants + 1);
  }
  // Refused by the engine, not by the reader: of a year without --history, and so by each tenant.
  const std::string file = folder_.write("many.csv", text);
  const Ran recent = run(folder_, {"import", file, "--config", config_, "--store", folder_.dsn(),
                                   "--provider", "trace", "--model", "fixed"});
  expect_import(recent, 0, 0, kTenants * kRowsEach);
  EXPECT_THAT(recent.err, HasSubstr("line 2: "));
  EXPECT_THAT(recent.err, HasSubstr("... and 100 more bad rows"));

  expect_import(import(file), kTenants * kRowsEach, 0, 0);
  expect_import(import(file), 0, kTenants * kRowsEach, 0);
  const std::map<std::string, Sums> of_tenant = groups("tenant");
  EXPECT_EQ(of_tenant.size(), static_cast<std::size_t>(kTenants));
  for (int i = 0; i < kTenants; ++i) {
    const auto found = of_tenant.find(fmt::format("t{:02}", i));
    ASSERT_NE(found, of_tenant.end()) << i;
    EXPECT_EQ(found->second, (Sums{kRowsEach, kRowsEach * (i + 1), kRowsEach})) << i;
  }
}

TEST_F(ImportFlow, a_file_that_cannot_be_read_as_a_whole_is_refused_and_nothing_goes_in) {
  const struct {
    const char* sentence;
    std::string name, text, says;
  } rows[] = {
      {"an empty CSV", "empty.csv", "", "a header with the names of the columns"},
      {"an empty JSON Lines file", "empty.jsonl", "", "empty"},
      {"a column is missing", "missing.csv", "occurred_at,tenant\n2023-11-16T10:00:00Z,acme\n",
       "input_tokens"},
      {"no time", "timeless.csv", "tenant,input_tokens\nacme,1\n", "occurred_at"},
      {"a doubled column", "doubled.csv",
       "occurred_at,tenant,input_tokens,input_tokens\n2023-11-16T10:00:00Z,acme,1,2\n",
       "input_tokens"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Ran ran = import(folder_.write(row.name, row.text));
    EXPECT_TRUE(ran.exit == 1 || ran.exit == 2) << ran.exit;
    EXPECT_THAT(ran.err, HasSubstr(row.says));
  }
  const Ran mapped = import(
      folder_.write("fine.csv", "occurred_at,tenant,input_tokens\n2023-11-16T10:00:00Z,acme,1\n"),
      {"--map", "output_tokens=nowhere"});
  EXPECT_NE(mapped.exit, 0);
  EXPECT_THAT(mapped.err, HasSubstr("nowhere"));
  EXPECT_TRUE(report("tenant").at("groups").as_array().empty());
}

TEST_F(ImportFlow, json_lines_are_read_strictly_each_line_for_itself) {
  const std::string good = R"({"occurred_at":"2023-11-16T10:00:00Z","tenant":"acme",)"
                           R"("input_tokens":5,"output_tokens":2})";
  const std::string depth(10'000, '[');
  const struct {
    const char* sentence;
    std::string line, says;
  } rows[] = {
      {"a doubled key",
       R"({"occurred_at":"2023-11-16T10:00:00Z","input_tokens":1,"input_tokens":2})",
       "input_tokens"},
      {"depth 10,000", depth, "line"},
      {"cached above input",
       R"({"occurred_at":"2023-11-16T10:00:00Z","tenant":"acme","input_tokens":1,)"
       R"("cached_input_tokens":2,"output_tokens":1})",
       "cached_input_tokens"},
      {"a count in quotes",
       R"({"occurred_at":"2023-11-16T10:00:00Z","tenant":"acme","input_tokens":"1"})",
       "input_tokens"},
      {"no JSON", "tenant=acme", "line"},
  };
  int number = 0;
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const std::string file =
        folder_.write(fmt::format("lines{}.jsonl", number++), row.line + "\r\n" + good);
    const Ran ran = import(file);
    expect_import(ran, 1, 0, 1);
    EXPECT_THAT(ran.err, HasSubstr("line 1"));
    EXPECT_THAT(ran.err, HasSubstr(row.says));
  }
}

TEST_F(ImportFlow, times_that_mean_nothing_are_refused) {
  const std::string file =
      folder_.write("fine.csv", "occurred_at,tenant,input_tokens\n2023-11-16 10:00:00,acme,1\n");
  const Ran zone = import(file, {"--timezone", "Mars/Olympus"});
  EXPECT_NE(zone.exit, 0);
  EXPECT_THAT(zone.err, HasSubstr("Mars/Olympus"));
  const std::vector<std::string> words = {"report", "--store", folder_.dsn()};
  for (const auto& [from, to] :
       {std::pair{"2023-11-17", "2023-11-16"}, std::pair{"2023-11-16", "2023-11-16"}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--from", from, "--to", to});
    const Ran ran = run(folder_, all);
    EXPECT_NE(ran.exit, 0) << from << " to " << to;
    EXPECT_THAT(ran.err, HasSubstr("--to"));
  }
}

class TraceFlow : public ImportFlow, public ::testing::WithParamInterface<const char*> {};

TEST_P(TraceFlow, equals_its_totals_and_a_second_import_adds_nothing) {
  const std::string name = GetParam();
  const auto text = shared_file("traces/" + name + ".csv");
  const auto all = shared_file("traces/totals.json");
  if (!text || !all) return left_out(name);
  const json::object totals = json::parse(*all).as_object().at(name + ".csv").as_object();
  const auto rows = totals.at("rows").to_number<std::int64_t>();
  const bool is_azure = name.starts_with("azure");
  std::vector<std::string> how = {"--spread-tenants", "37"};
  if (!is_azure) {
    how.insert(how.end(),
               {"--map", "offset_ms=timestamp_ms", "--starting-at", "2023-11-16T00:00:00Z"});
  }
  const std::string file = folder_.write(name + ".csv", *text);
  const Ran first = import(file, how);
  expect_import(first, rows, 0, 0);
  expect_import(import(file, how), 0, rows, 0);
  const json::object said = report("").at("totals").as_object();
  EXPECT_EQ(sums_of(said), (Sums{.calls = rows,
                                 .input = totals.at("input_tokens").to_number<std::int64_t>(),
                                 .output = totals.at("output_tokens").to_number<std::int64_t>()}));
  EXPECT_EQ(said.at("tenants").to_number<std::int64_t>(), 37);
  const Sums sums = sums_of(said);  // 2,500 and 10,000 nano-dollars a token
  EXPECT_EQ(said.at("cost").as_string(),
            Money{.nanos = sums.input * 2'500 + sums.output * 10'000}.text());
  std::cout << fmt::format("{}: {} rows, cost {}, {}", name, rows,
                           std::string(said.at("cost").as_string()), first.out);
  if (is_azure) {
    EXPECT_EQ(said.at("cost").as_string(),
              totals.at("cost_usd_at_2.50_in_10.00_out_per_mtok").as_string());
    EXPECT_EQ(groups("tenant"), told(totals.at("per_tenant").as_object()));
    EXPECT_EQ(groups("minute"), told(totals.at("per_minute").as_object()));
  } else {
    EXPECT_EQ(said.at("cached_input_tokens").to_number<std::int64_t>(),
              totals.at("cached_input_tokens").to_number<std::int64_t>());
  }
}
INSTANTIATE_TEST_SUITE_P(Traces, TraceFlow,
                         ::testing::Values("azure_2023_code", "azure_2023_conv",
                                           "mooncake_conversation", "mooncake_synthetic"),
                         [](const auto& trace) { return std::string(trace.param); });

}  // namespace
}  // namespace aimeter::flow
