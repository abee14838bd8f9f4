// Tables, bars, progress, questions: what reaches the terminal.
#include "cli/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <sstream>

#include "cli/progress.h"
#include "cli/suggest.h"
#include "time/manual_clock.h"

namespace aimeter::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kEllipsis = "\xe2\x80\xa6";
const std::string kUnknown = "\xef\xbf\xbd";

Table sample() {
  Table table({{"tenant"}, {"feature"}, {"tokens", Table::Align::right}});
  table.add({"acme", "email_reply_to_customers", "1200"});
  table.add({"b\xc3\xa9ta", "chat", "7"});
  return table;
}

TEST(Table, AlignsTextLeftAndFiguresRight) {
  EXPECT_EQ(sample().text(0),
            "tenant  feature                   tokens\n"
            "acme    email_reply_to_customers    1200\n"
            "b\xc3\xa9ta    chat                           7\n");
}

TEST(Table, CutsTextToFitAndNeverFigures) {
  EXPECT_EQ(sample().text(40), sample().text(0));
  EXPECT_EQ(sample().text(30),
            "tenant  feature         tokens\n"
            "acme    email_reply_t" +
                kEllipsis +
                "    1200\n"
                "b\xc3\xa9ta    chat                 7\n");
  EXPECT_THAT(sample().text(5), HasSubstr("1200"));
}

TEST(Table, WideCharactersCountTwo) {
  Table table({{"a"}, {"n", Table::Align::right}});
  table.add({"\xe6\x97\xa5\xe6\x9c\xac", "1"});
  table.add({"abcd", "2"});
  EXPECT_EQ(table.text(0), "a     n\n\xe6\x97\xa5\xe6\x9c\xac  1\nabcd  2\n");
}

TEST(Table, CutsOnlyBetweenCharacters) {
  struct Row {
    const char* sentence;
    std::string text;
    int columns;
    std::string shown;
  };
  const Row rows[] = {
      {"fits", "abc", 3, "abc"},
      {"one too long", "abcd", 3, "ab" + kEllipsis},
      {"two bytes a character", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 3,
       "\xc3\xa9\xc3\xa9" + kEllipsis},
      {"a wide one does not fit into one column", "\xe6\x97\xa5\xe6\x9c\xac", 3,
       "\xe6\x97\xa5" + kEllipsis},
      {"a combining mark stays with its letter",
       "e\xcc\x81"
       "abc",
       3,
       "e\xcc\x81"
       "a" +
           kEllipsis},
      {"no columns", "abc", 0, ""},
      {"invalid UTF-8", "a\xff", 3, "a" + kUnknown},
      {"an escape sequence is not passed on", "\x1b[2J", 9, kUnknown + "[2J"},
      {"a C1 control is not passed on",
       "\xc2\x9b"
       "2J",
       9, kUnknown + "2J"},
      {"text that turns around is not passed on",
       "a\xe2\x80\xae"
       "b",
       9, "a" + kUnknown + "b"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(cut_to(row.text, row.columns), row.shown);
    EXPECT_LE(display_width(cut_to(row.text, row.columns)), row.columns);
  }
}

TEST(Bar, HasEighths) {
  struct Row {
    std::int64_t value, whole;
    const char* shown;
  };
  constexpr Row kRows[] = {{0, 100, "    "},
                           {100, 100, "\u2588\u2588\u2588\u2588"},
                           {50, 100, "\u2588\u2588  "},
                           {1, 32, "\u258f   "},
                           {31, 32, "\u2588\u2588\u2588\u2589"},
                           {1, 1'000'000, "\u258f   "},
                           {200, 100, "\u2588\u2588\u2588\u2588"},
                           {-5, 100, "    "},
                           {5, 0, "    "},
                           {INT64_MAX, INT64_MAX, "\u2588\u2588\u2588\u2588"}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.shown);
    EXPECT_EQ(bar(row.value, row.whole, 4), row.shown);
  }
  EXPECT_EQ(bar(1, 1, 0), "");
}

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("report", "report"), 0U);
  EXPECT_EQ(edit_distance("reprot", "report"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(nearest("zzz", {"report"}), std::nullopt);
  EXPECT_EQ(nearest(std::string(65, 'a'), {"report"}), std::nullopt);
  EXPECT_EQ(nearest("ver", {"verify", "validate"}), "verify");
}

class Terminal : public testing::Test {
 protected:
  Console console(bool terminal) {
    return Console({.in = &in_,
                    .out = &out_,
                    .err = &err_,
                    .in_terminal = terminal,
                    .out_terminal = terminal,
                    .err_terminal = terminal,
                    .columns = 80,
                    .color = terminal,
                    .interrupted = &interrupted_,
                    .clock = &clock_});
  }
  std::istringstream in_;
  std::ostringstream out_, err_;
  std::atomic<bool> interrupted_ = false;
  time::ManualClock clock_{Instant{}};
};

TEST_F(Terminal, ProgressShowsSpeedAndTimeLeftAndLeavesNothing) {
  Console console = this->console(true);
  {
    Progress progress(console, "rows", 1000);
    clock_.advance(std::chrono::milliseconds(199));
    progress.at(1);
    EXPECT_THAT(err_.str(), IsEmpty());
    clock_.advance(std::chrono::milliseconds(1801));
    progress.at(500);
    EXPECT_EQ(err_.str(), "\r\x1b[K500 of 1000 rows (50 %), 250/s, 0:02 left");
    progress.at(501);
    EXPECT_EQ(err_.str(), "\r\x1b[K500 of 1000 rows (50 %), 250/s, 0:02 left");
  }
  EXPECT_TRUE(err_.str().ends_with("left\r\x1b[K"));
}

TEST_F(Terminal, ProgressWithoutATotalShowsSpeed) {
  Console console = this->console(true);
  Progress progress(console, "rows", std::nullopt);
  clock_.advance(std::chrono::seconds(2));
  progress.at(500);
  EXPECT_EQ(err_.str(), "\r\x1b[K500 rows, 250/s");
}

TEST_F(Terminal, ProgressIsSilentWhereNobodyLooks) {
  const Console::Manners rows[] = {{.json = true}, {.quiet = true}, {.progress = false}};
  for (const Console::Manners& manners : rows) {
    Console console = this->console(true);
    console.set_manners(manners);
    Progress progress(console, "rows", 10);
    clock_.advance(std::chrono::seconds(2));
    progress.at(5);
  }
  Console pipe = this->console(false);
  Progress progress(pipe, "rows", 10);
  clock_.advance(std::chrono::seconds(2));
  progress.at(5);
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(Terminal, AQuestionTakesOnlyAYesForYes) {
  struct Row {
    const char* answer;
    bool yes;
  };
  constexpr Row kRows[] = {{"y\n", true}, {"yes\n", true}, {"Y\n", true},   {"n\n", false},
                           {"\n", false}, {"", false},     {"yep\n", false}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.answer);
    in_.clear();
    in_.str(row.answer);
    Console console = this->console(true);
    const Status status = console.confirm("Remove 12 rows?");
    EXPECT_EQ(status.has_value(), row.yes);
    if (!row.yes) {
      EXPECT_EQ(status.error().code, Code::failed_precondition);
    }
  }
  EXPECT_THAT(err_.str(), HasSubstr("Remove 12 rows? [y/N] "));
}

TEST_F(Terminal, WithoutATerminalAQuestionNeedsYes) {
  Console console = this->console(false);
  const Status refused = console.confirm("Remove 12 rows?");
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("add --yes"));
  console.set_manners({.yes = true});
  EXPECT_TRUE(console.confirm("Remove 12 rows?"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(Terminal, ColoursOnlyWhereTheyAreWanted) {
  EXPECT_EQ(console(true).paint(Style::red, "no"), "\x1b[31mno\x1b[0m");
  EXPECT_EQ(console(false).paint(Style::red, "no"), "no");
}

TEST_F(Terminal, NotesAreSilencedAndWarningsAreNot) {
  Console console = this->console(true);
  console.set_manners({.quiet = true});
  console.note("done");
  console.warn("clock is off");
  EXPECT_EQ(err_.str(), "warning: clock is off\n");
}

TEST_F(Terminal, CtrlCIsSeen) {
  const Console console = this->console(true);
  EXPECT_FALSE(console.interrupted());
  interrupted_ = true;
  EXPECT_TRUE(console.interrupted());
}

TEST(SystemConsole, NoColorAndCtrlC) {
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(system_console().options().color);
  unsetenv("NO_COLOR");
  const Console console = system_console();
  EXPECT_FALSE(console.interrupted());
  catch_interrupts();
  std::raise(SIGINT);
  EXPECT_TRUE(console.interrupted());
}

}  // namespace
}  // namespace aimeter::cli
