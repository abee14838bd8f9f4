// bad_input.txt, row by row: what comes in wrong through the program or the library is refused with
// the field, the value and what would be accepted; what only looks wrong is kept byte by byte.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"
#include "base/hash.h"
#include "cli/csv.h"
#include "tests/flow/program.h"
#include "tests/spec/made_token.h"

namespace aimeter {
namespace {

namespace json = boost::json;
using flow::Folder;
using flow::Ran;
using testing::openai_answer;
using testing::TestEngine;

// ---------------------------------------------------------------- the table

struct Row {
  int line = 0;
  std::string section = {}, face = {}, sentence = {}, input = {}, outcome = {};
  std::vector<std::string> names = {};  // all of them stand in the answer
};

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

// {192*t} is 192 times t.
std::string repeated(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t count = 0;
    const char* begin = text.data() + at + 1;
    const auto number = std::from_chars(begin, text.data() + text.size(), count);
    if (text[at] != '{' || number.ec != std::errc{} || *number.ptr != '*') {
      out += text[at++];
      continue;
    }
    const std::string_view rest(number.ptr + 1, text.data() + text.size());
    const bool closing = rest.starts_with("}}");  // a brace may be what is repeated
    const std::string_view what = rest.substr(0, closing ? 1 : rest.find('}'));
    for (std::size_t i = 0; i < count; ++i) out += what;
    at = static_cast<std::size_t>(what.data() + what.size() + 1 - text.data());
  }
  return out;
}

std::string unescaped(const std::string& cell) {
  constexpr std::string_view kFrom = "nrt0ps\\", kTo = std::string_view("\n\r\t\0| \\", 7);
  std::string text;
  for (std::size_t i = 0; i < cell.size(); ++i) {
    if (cell[i] != '\\' || i + 1 == cell.size()) {
      text += cell[i];
      continue;
    }
    const char next = cell[++i];
    if (next == 'x') {
      text += static_cast<char>(std::stoi(cell.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else if (const std::size_t which = kFrom.find(next); which != std::string_view::npos) {
      text += kTo[which];
    } else {
      ADD_FAILURE() << "no such escape: " << cell;
    }
  }
  return repeated(text);
}

std::vector<Row> read_table() {
  std::ifstream file(AIMETER_SOURCE_DIR "/tests/spec/bad_input.txt");
  std::vector<Row> rows;
  std::string section;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line.starts_with("#")) continue;
    if (line.starts_with("[") && line.ends_with("]")) {
      section = line.substr(1, line.size() - 2);
      continue;
    }
    std::vector<std::string> cells;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find(" |", at), line.size());
      cells.push_back(trimmed(line.substr(at, end - at)));
      at = end + 2;
    }
    EXPECT_EQ(cells.size(), 7U) << "line " << number << ": a row has seven cells";
    if (cells.size() != 7) continue;
    Row row{number, section, cells[0], cells[1], unescaped(cells[2]), cells[3]};
    for (std::size_t i = 4; i < 7; ++i) {
      if (cells[i] != "-") row.names.push_back(unescaped(cells[i]));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// ---------------------------------------------------------------- the faces

struct Answer {
  std::string outcome = {}, text = {};
};

constexpr const char* kGoodJson =
    R"({"occurred_at":"2023-11-16T11:00:00Z","tenant":"good","input_tokens":1,"output_tokens":1})";

Answer of(const Ran& ran) { return {fmt::format("exit {}", ran.exit), ran.out + ran.err}; }
Answer of(const Error& error) { return {std::string(name_of(error.code)), error.message}; }

Ran import_file(const Folder& folder, const std::string& file) {
  return flow::run(folder, {"import", file, "--provider", "openai", "--model", "gpt-4o-mini",
                            "--history", "--store", folder.dsn()});
}

// The bad row is told; the good one beside it would go in.
Answer import_beside_good(const std::string& name, const std::string& text) {
  const Folder folder;
  const Ran ran = flow::run(folder, {"import", folder.write(name, text), "--provider", "openai",
                                     "--model", "gpt-4o-mini", "--dry-run"});
  EXPECT_NE(ran.out.find(R"("rows":2,)"), std::string::npos) << ran.out << ran.err;
  EXPECT_NE(ran.out.find(R"("bad":1,)"), std::string::npos) << ran.out << ran.err;
  return of(ran);
}

Answer csv_row(const std::string& row) {
  return import_beside_good(
      "rows.csv", "occurred_at,tenant,input_tokens,cached_input_tokens,output_tokens\n" + row +
                      "\n2023-11-16T11:00:00Z,good,1,,1\n");
}
Answer csv_file(const std::string& text) {
  const Folder folder;
  return of(import_file(folder, folder.write("whole.csv", text)));
}
// What only the engine knows: it is told in the same way.
Answer recorded_row(const std::string& row) {
  return csv_file("occurred_at,tenant,input_tokens,cached_input_tokens,output_tokens\n" + row +
                  "\n");
}
Answer csv_count(const std::string& count) {
  return csv_row("2023-11-16T10:00:00Z,acme," + count + ",,5");
}
Answer jsonl_row(const std::string& line) {
  return import_beside_good("rows.jsonl", line + "\n" + kGoodJson + "\n");
}
Answer jsonl_file(const std::string& text) {
  const Folder folder;
  return of(import_file(folder, folder.write("whole.jsonl", text)));
}
Answer cost_line(const std::string& line) {
  const Folder folder;
  const std::string file = folder.write("usages.jsonl", line + "\n");
  return of(flow::run(folder, {"cost", "--batch", file, "--store", folder.dsn()}));
}
Answer period_file(const std::string& text) {
  const Folder folder;
  return of(flow::run(folder, {"period", "--batch", folder.write("periods.csv", text)}));
}
Answer period_row(const std::string& row) {
  return period_file("id,type,alignment,timezone,anchor_utc,week_start,reference_utc\n" + row +
                     "\n");
}
Answer price_file(const std::string& text) {
  const Folder folder;
  return of(flow::run(folder, {"prices", "import", folder.write("book.json", text), "--format",
                               "aimeter", "--dry-run", "--store", folder.dsn()}));
}
Answer plan_file(const std::string& text) {
  const Folder folder;
  return of(flow::run(
      folder, {"sync-plans", "--from", folder.write("plans.toml", text), "--store", folder.dsn()}));
}
Answer config_file(const std::string& text) {
  const Folder folder;
  return of(flow::run(folder, {"config", "check", "--config", folder.write("aimeter.toml", text)}));
}
// Words divided by blanks; x.csv is a file that is right.
Answer command(const std::string& line) {
  const Folder folder;
  std::vector<std::string> words;
  std::istringstream in(line);
  for (std::string word; std::getline(in, word, ' ');) {
    if (word == "x.csv") {
      word = folder.write(word, "occurred_at,tenant,input_tokens\n2023-11-16T10:00:00Z,acme,1\n");
    }
    words.push_back(word);
  }
  words.insert(words.end(), {"--store", folder.dsn()});
  Answer answer = of(flow::run(folder, words));
  words.emplace_back("--json");  // the same words for programs
  const Ran told = flow::run(folder, words);
  boost::system::error_code problem;
  const json::value document = json::parse(told.out, problem);
  if (problem || !document.is_object() || !document.as_object().contains("error")) {
    ADD_FAILURE() << "no error as JSON: " << told.out;
    return answer;
  }
  const std::string message(document.at("error").at("message").as_string());
  EXPECT_NE(answer.text.find(message), std::string::npos) << message;
  return answer;
}

std::vector<std::string> words_of(const Folder& folder, const std::string& line) {
  std::vector<std::string> words;
  std::istringstream in(line);
  for (std::string word; in >> word;) {
    if (word == "x.csv") {
      word = folder.write(word, "occurred_at,tenant,input_tokens\n2023-11-16T10:00:00Z,acme,1\n");
    }
    if (word == "plans.toml") word = folder.write(word, "[[plans]]\nname = \"Pro\"\n");
    if (word == "answer.json") word = folder.write(word, openai_answer(1, 1));
    words.push_back(word);
  }
  return words;
}

// Any command with a configuration that cannot be used.
Answer misconfigured(const std::string& line) {
  const Folder folder;
  std::vector<std::string> words = words_of(folder, line);
  words.insert(words.end(),
               {"--config", folder.write("aimeter.toml", "[storage]\nurll = \"x\"\n")});
  return of(flow::run(folder, words));
}

// The same command with a configuration whose store is no database: it works on that store, and on
// no other.
Answer on_a_text(const std::string& line) {
  const Folder folder;
  std::vector<std::string> words = words_of(folder, line);
  const std::string text = "a letter to the tax office, " + std::string(200, 'x');
  (void)folder.write("usage.db", text);
  words.insert(words.end(),
               {"--yes", "--config",
                folder.write("aimeter.toml", "[storage]\nurl = \"" + folder.dsn() + "\"\n")});
  Answer answer = of(flow::run(folder, words));
  std::ifstream after(folder.file("usage.db"), std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(after), {}), text) << "it was changed";
  return answer;
}

Meter ready(TestEngine& engine) {
  return engine->meter().for_user("u").for_tenant("acme").using_provider("openai", "gpt-4o-mini");
}

// Each setter of a call that takes an id: the callback does not run, nothing is counted.
Answer call(const std::string& id) {
  TestEngine engine;
  const std::pair<const char*, Meter> setters[] = {
      {"user", ready(engine).for_user(id)},
      {"tenant", ready(engine).for_tenant(id)},
      {"provider", ready(engine).using_provider(id, "m")},
      {"feature", ready(engine).feature(id)},
      {"api_key", ready(engine).api_key(id)},
      {"session", ready(engine).session(id)},
      {"idempotency_key", ready(engine).with_idempotency_key(id)},
      {"billable.type", ready(engine).billable({id, "7"})},
      {"billable.id", ready(engine).billable({"team", id})}};
  Answer answer{.outcome = "invalid_argument"};
  for (const auto& [field, meter] : setters) {
    bool ran = false;
    const auto reply = meter.copy().call([&] { return ran = true, openai_answer(1, 1); });
    EXPECT_FALSE(ran) << field;
    if (reply) return {"accepted as " + std::string(field), ""};
    if (reply.error().code != Code::invalid_argument) return of(reply.error());
    EXPECT_TRUE(reply.error().message.starts_with(std::string(field) + ": \""))
        << field << ", but " << reply.error().message;
    answer.text = answer.text.empty() ? reply.error().message : answer.text;
  }
  EXPECT_EQ(engine->tenant(id).usages().get().has_value(), id.empty()) << "a view of no tenant";
  EXPECT_TRUE(engine->admin().usages({})->records.empty());
  return answer;
}

Answer manual_usage(const std::string& text) {
  TestEngine engine;
  const Result<Usage> usage = Usage::from_json(text);
  if (!usage) return of(usage.error());
  const auto reply = ready(engine).with_manual_usage(*usage).call([] {});
  if (!reply) return of(reply.error());
  return {"accepted", ""};
}

// An answer is never lost for what it says of its usage: the hold stands in, and the event tells.
Answer provider_answer(const std::string& text) {
  TestEngine engine;
  std::string why;
  const Listener listener = engine->events().on<UsageEstimated>(
      [&](const UsageEstimated& event) { why = event.problem; });
  const auto reply = ready(engine).call([&] { return text; });
  if (!reply) return of(reply.error());
  const bool estimated = reply->record().usage.source == UsageSource::estimated;
  return {estimated ? "estimated" : "as it says", why};
}

void record(TestEngine& engine, const std::string& id, std::string& problem) {
  const auto reply = engine->meter()
                         .for_tenant(id)
                         .for_user(id)
                         .billable({"team", id})
                         .session(id)
                         .with_idempotency_key(id)
                         .using_provider("openai", "gpt-4o-mini")
                         .call([] { return openai_answer(1, 1); });
  if (!reply) problem = reply.error().message;
}

std::vector<UsageRecord> records_of(TestEngine& engine, const std::string& id) {
  return engine->tenant(id).usages().get().value_or(std::vector<UsageRecord>{});
}

// What the program keeps of the same id, from a file and back.
Ran usage_through_program(const Folder& folder, const std::vector<std::string>& ids) {
  std::string text = "occurred_at,tenant,user,billable_type,billable_id,input_tokens\n";
  for (const std::string& id : ids) {
    const std::string cell = cli::csv_field(id);
    text += fmt::format("2023-11-16T10:00:00Z,{},{},team,{},1\n", cell, cell, cell);
  }
  const Ran ran = import_file(folder, folder.write("ids.csv", text));
  EXPECT_EQ(ran.exit, 0) << ran.out << ran.err;
  return flow::run(
      folder, {"report", "--json", "--group-by", "tenant,billable,user", "--from", "2023-11-01",
               "--to", "2023-12-01", "--store", folder.dsn(), "--tenant=" + ids.front()});
}

Answer kept(const std::string& id) {
  TestEngine engine;
  std::string problem;
  record(engine, id, problem);
  const std::vector<UsageRecord> records = records_of(engine, id);
  if (records.size() != 1) return {"not found by its id", problem};
  const UsageRecord& one = records.front();
  for (const std::string& text : {one.account.tenant.text, one.account.billable.id, one.user_id}) {
    if (text != id) return {"changed to " + text, ""};
  }
  const Folder folder;
  const Ran report = usage_through_program(folder, {id});
  if (report.exit != 0) return of(report);
  const json::value said = json::parse(report.out);
  for (const char* field : {"tenant", "user"}) {
    const std::string text(said.at("groups").at(0).at(field).as_string());
    if (text != id) return {"the program changed it to " + text, ""};
  }
  return {"kept", ""};
}

// "ONE <> OTHER": what one does is nowhere at the other.
Answer apart(const std::string& both) {
  const std::size_t at = both.find(" <> ");
  const std::string one = both.substr(0, at), other = both.substr(at + 4);
  TestEngine engine;
  std::string problem;
  record(engine, one, problem);
  if (!records_of(engine, other).empty()) return {"the same tenant", ""};
  record(engine, other, problem);
  if (!problem.empty()) return {"refused", problem};
  const auto mine = records_of(engine, one), theirs = records_of(engine, other);
  if (mine.size() != 1 || theirs.size() != 1) return {"not one call each", ""};
  if (theirs.front().duplicate) return {"the same key", ""};
  const Folder folder;
  const Ran report = usage_through_program(folder, {one, other});
  if (report.exit != 0) return of(report);
  const json::value said = json::parse(report.out);
  if (said.at("totals").at("calls").to_number<int>() != 1) return {"the same for the program", ""};
  return {"apart", ""};
}

Answer jwt(const std::string& words) {
  const Folder folder;
  const MadeToken made = make_token(words, TestEngine::default_start());
  OpenOptions options{.tenant_resolver = "jwt"};
  options.tenancy.jwt = {.key_file = folder.write("key", made.key),
                         .audience = "aimeter",
                         .algorithms = {made.algorithm}};
  TestEngine engine(std::move(options));
  Context context;
  context.header = [&](std::string_view name) -> std::optional<std::string> {
    if (name != "Authorization") return std::nullopt;
    return "Bearer " + made.text;
  };
  bool ran = false;
  const auto reply = engine->meter(context).using_provider("openai", "gpt-4o-mini").call([&] {
    return ran = true, openai_answer(1, 1);
  });
  EXPECT_EQ(ran, reply.has_value());
  if (!reply) return of(reply.error());
  return {"tenant " + reply->record().account.tenant.text, ""};
}

const std::map<std::string, std::function<Answer(const std::string&)>> kFaces = {
    {"kept", kept},
    {"apart", apart},
    {"call", call},
    {"usage", manual_usage},
    {"answer", provider_answer},
    {"jwt", jwt},
    {"command", command},
    {"csv row", csv_row},
    {"recorded row", recorded_row},
    {"csv count", csv_count},
    {"csv file", csv_file},
    {"jsonl row", jsonl_row},
    {"jsonl file", jsonl_file},
    {"cost line", cost_line},
    {"period row", period_row},
    {"period file", period_file},
    {"price file", price_file},
    {"plan file", plan_file},
    {"config", config_file},
    {"misconfigured", misconfigured},
    {"on a text", on_a_text},
};

// ---------------------------------------------------------------- the tests

void expect_section(const std::string& section, std::size_t at_least) {
  std::size_t seen = 0;
  for (const Row& row : read_table()) {
    if (row.section != section) continue;
    ++seen;
    SCOPED_TRACE(fmt::format("bad_input.txt:{}: {}: {}", row.line, row.face, row.sentence));
    const auto face = kFaces.find(row.face);
    ASSERT_NE(face, kFaces.end()) << "no such face";
    const Answer answer = face->second(row.input);
    EXPECT_EQ(answer.outcome, row.outcome) << answer.text;
    for (const std::string& name : row.names) {
      EXPECT_NE(answer.text.find(name), std::string::npos)
          << "no " << name << " in " << answer.text;
    }
    EXPECT_LT(answer.text.size(), 1'000U) << "an answer is short, whatever came in";
  }
  EXPECT_GE(seen, at_least) << "the table has lost rows of " << section;
}

TEST(BadInput, ids) { expect_section("ids", 36); }
TEST(BadInput, counts) { expect_section("counts", 52); }
TEST(BadInput, files) { expect_section("files", 35); }
TEST(BadInput, times) { expect_section("times", 28); }
TEST(BadInput, configuration) { expect_section("configuration", 16); }
TEST(BadInput, every_command) { expect_section("every command", 48); }
TEST(BadInput, jwt) { expect_section("jwt", 12); }

TEST(BadInput, every_refusal_names_field_value_and_what_would_be_accepted) {
  for (const Row& row : read_table()) {
    const bool nothing_refused = row.outcome == "kept" || row.outcome == "apart" ||
                                 row.outcome == "exit 0" || row.outcome.starts_with("tenant ");
    EXPECT_EQ(row.names.size(), nothing_refused ? 0U : 3U) << "bad_input.txt:" << row.line;
  }
}

}  // namespace
}  // namespace aimeter
