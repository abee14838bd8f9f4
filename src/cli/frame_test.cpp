// The promises of the frame: options, exit codes, errors, suggestions.
#include "cli/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <sstream>

#include "cli/run.h"

namespace aimeter::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

struct Seen {
  Exit exit = Exit::done;
  std::string out, err;
};

struct Options {
  std::string month;
  std::vector<std::string> files;
};

// A program with three commands: `report` (prints what it got), `fail CODE`, and the group
// `prices`.
class Program {
 public:
  Program() : console_(options()) {}

  Seen run(const std::vector<std::string>& arguments) {
    Frame frame(console_);
    add_report(frame);
    add_fail(frame);
    CLI::App& prices = frame.add_group({"prices", "Price books", {"aimeter prices list"}});
    frame.add_under(prices, {"list", "Lists", {"aimeter prices list"}}, [this]() -> Result<Exit> {
      console_.out() << "listed\n";
      return Exit::done;
    });
    const Exit exit = frame.run(arguments);
    return {exit, out_.str(), err_.str()};
  }

 private:
  Console::Options options() { return {.in = &in_, .out = &out_, .err = &err_}; }

  static void add_report(Frame& frame) {
    auto options = std::make_shared<Options>();
    CLI::App& app = frame.add({"report", "Reports", {"aimeter report --month 2026-07"}},
                              [&frame, options]() -> Result<Exit> {
                                Console& console = frame.console();
                                console.out()
                                    << "store=" << frame.globals().store.value_or("-")
                                    << " config=" << frame.globals().config.value_or("-")
                                    << " month=" << options->month << " json=" << frame.json()
                                    << " quiet=" << console.manners().quiet
                                    << " progress=" << console.manners().progress
                                    << " yes=" << console.manners().yes;
                                for (const auto& file : options->files)
                                  console.out() << ' ' << file;
                                return Exit::done;
                              });
    app.add_option("--month", options->month, "Month");
    app.add_option("FILE", options->files, "Files");
  }

  static void add_fail(Frame& frame) {
    auto code = std::make_shared<std::string>();
    CLI::App& app =
        frame.add({"fail", "Fails", {"aimeter fail not_found"}}, [&frame, code]() -> Result<Exit> {
          if (*code == "partly") return Exit::partly;
          if (*code == "configuration") {
            return frame.report({Code::invalid_argument, "store.dsn: bad"}, Exit::configuration);
          }
          for (int i = 0; i <= static_cast<int>(Code::corrupt); ++i) {
            if (name_of(static_cast<Code>(i)) == *code) {
              return fail(static_cast<Code>(i), "it is \"so\"");
            }
          }
          return Exit::done;
        });
    app.add_option("CODE", *code, "Code")->required();
  }

  std::istringstream in_;
  std::ostringstream out_, err_;
  Console console_;
};

TEST(Frame, GlobalOptionsAreTakenBeforeAndAfterTheCommand) {
  const std::string expected =
      "store=sqlite:x.db config=c.toml month=2026-07 json=0 quiet=1 progress=0 yes=1";
  EXPECT_EQ(Program()
                .run({"--store", "sqlite:x.db", "--config", "c.toml", "--quiet", "--no-progress",
                      "--yes", "report", "--month", "2026-07"})
                .out,
            expected);
  EXPECT_EQ(Program()
                .run({"report", "--month", "2026-07", "--store", "sqlite:x.db", "--config=c.toml",
                      "--quiet", "--no-progress", "--yes"})
                .out,
            expected);
}

TEST(Frame, WithoutGlobalOptionsNothingIsSet) {
  EXPECT_EQ(Program().run({"report"}).out,
            "store=- config=- month= json=0 quiet=0 progress=1 yes=0");
}

TEST(Frame, AValueSpelledLikeACommandStaysAValue) {
  EXPECT_THAT(Program().run({"report", "fail", "prices"}).out, EndsWith(" fail prices"));
}

TEST(Frame, ExitCodesFollowTheCodeOfTheError) {
  struct Row {
    const char* code;
    int exit;
  };
  constexpr Row kRows[] = {{"fine", 0},        {"invalid_argument", 2}, {"not_found", 1},
                           {"conflict", 1},    {"quota_exceeded", 1},   {"configuration", 3},
                           {"unavailable", 4}, {"corrupt", 4},          {"partly", 5}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.code);
    EXPECT_EQ(static_cast<int>(Program().run({"fail", row.code}).exit), row.exit);
  }
}

TEST(Frame, AnErrorIsTextOnStandardError) {
  const Seen seen = Program().run({"fail", "not_found"});
  EXPECT_THAT(seen.out, IsEmpty());
  EXPECT_EQ(seen.err, "aimeter: it is \"so\"\n");
}

TEST(Frame, AnErrorIsOneDocumentOnStandardOutputUnderJson) {
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"fail", "not_found", "--json"}, {"--json", "fail", "not_found"}}) {
    const Seen seen = Program().run(line);
    EXPECT_EQ(seen.out, "{\"error\":{\"code\":\"not_found\",\"message\":\"it is \\\"so\\\"\"}}\n");
    EXPECT_THAT(seen.err, IsEmpty());
  }
}

TEST(Frame, WrongUsageUnderJsonIsADocumentToo) {
  const Seen seen = Program().run({"report", "--mnth", "x", "--json"});
  EXPECT_EQ(seen.exit, Exit::usage);
  const boost::json::value document = boost::json::parse(seen.out);
  EXPECT_EQ(document.at("error").at("code").as_string(), "invalid_argument");
  EXPECT_THAT(std::string(document.at("error").at("message").as_string()),
              HasSubstr("did you mean \"--month\"?"));
  EXPECT_THAT(seen.err, IsEmpty());
}

TEST(Frame, AMistypedWordIsAnsweredWithTheNearestOne) {
  struct Row {
    std::vector<std::string> line;
    const char* hint;
  };
  const Row rows[] = {{{"reprot"}, "did you mean \"report\"?"},
                      {{"rep"}, "did you mean \"report\"?"},
                      {{"prices", "lsit"}, "did you mean \"list\"?"},
                      {{"report", "--moth=2026-07"}, "did you mean \"--month\"?"},
                      {{"report", "--qiet"}, "did you mean \"--quiet\"?"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.line.back());
    const Seen seen = Program().run(row.line);
    EXPECT_EQ(seen.exit, Exit::usage);
    EXPECT_THAT(seen.err, HasSubstr(row.hint));
    EXPECT_THAT(seen.err, HasSubstr("--help"));
  }
}

TEST(Frame, AWordLikeNoneOfOursGetsNoSuggestion) {
  const Seen seen = Program().run({"xylophone"});
  EXPECT_EQ(seen.exit, Exit::usage);
  EXPECT_THAT(seen.err, HasSubstr("xylophone"));
  EXPECT_THAT(seen.err, Not(HasSubstr("did you mean")));
}

TEST(Frame, AMissingArgumentIsNamed) {
  const Seen seen = Program().run({"fail"});
  EXPECT_EQ(seen.exit, Exit::usage);
  EXPECT_THAT(seen.err, HasSubstr("CODE"));
  EXPECT_THAT(seen.err, HasSubstr("aimeter fail --help"));
}

TEST(Frame, NoCommandPrintsTheHelpAndIsWrongUsage) {
  const Seen seen = Program().run({});
  EXPECT_EQ(seen.exit, Exit::usage);
  EXPECT_THAT(seen.err, HasSubstr("prices"));
  const Seen group = Program().run({"prices"});
  EXPECT_EQ(group.exit, Exit::usage);
  EXPECT_THAT(group.err, HasSubstr("list"));
}

TEST(Frame, HelpIsADoneCommandWithExamples) {
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"--help"}, {"report", "--help"}, {"prices", "list", "-h"}}) {
    const Seen seen = Program().run(line);
    EXPECT_EQ(seen.exit, Exit::done);
    EXPECT_THAT(seen.out, HasSubstr("Examples:\n  aimeter "));
    EXPECT_THAT(seen.err, IsEmpty());
  }
}

TEST(Frame, VersionIsOneLine) {
  const Seen seen = Program().run({"--version"});
  EXPECT_EQ(seen.exit, Exit::done);
  EXPECT_THAT(seen.out, StartsWith("aimeter 0."));
  EXPECT_THAT(seen.out, EndsWith("\n"));
}

TEST(Run, TheRealProgramAnswersWithoutACommand) {
  std::istringstream in;
  std::ostringstream out, err;
  Console console({.in = &in, .out = &out, .err = &err});
  EXPECT_EQ(run({"--version"}, console), 0);
  EXPECT_EQ(run({"no-such-command"}, console), 2);
}

}  // namespace
}  // namespace aimeter::cli
