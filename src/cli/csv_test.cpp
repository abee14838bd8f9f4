#include "cli/csv.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace aimeter::cli {
namespace {

// The rows as "2:a|b", a bad line as "!message"; a bad header alone as "!message".
std::vector<std::string> read(const std::string& text) {
  std::istringstream in(text);
  auto reader = CsvReader::open(in, {"id", "at"});
  if (!reader) return {"!" + reader.error().message};
  std::vector<std::string> lines;
  for (;;) {
    const auto row = reader->next();
    if (!row) {
      EXPECT_EQ(row.error().code, Code::invalid_argument);
      lines.push_back("!" + row.error().message);
      continue;
    }
    if (!*row) return lines;
    std::string line = std::to_string((*row)->line) + ":";
    for (const std::string& field : (*row)->fields) line += field + "|";
    lines.push_back(line);
  }
}
using Lines = std::vector<std::string>;

TEST(Csv, table) {
  struct Row {
    std::string_view says;
    std::string text;
    Lines expected;
  };
  const std::string long_line((1U << 20U) + 1, 'x');
  for (const Row& row : std::vector<Row>{
           {"rows", "id,at\n1,x\n2,y\n", {"2:1|x|", "3:2|y|"}},
           {"no last newline", "id,at\n1,x", {"2:1|x|"}},
           {"CRLF", "id,at\r\n1,x\r\n", {"2:1|x|"}},
           {"a byte order mark", "\xef\xbb\xbfid,at\n1,x\n", {"2:1|x|"}},
           {"only a header", "id,at\n", {}},
           {"empty fields", "id,at\n,\n", {"2:||"}},
           {"empty lines are no rows and count", "id,at\n\n\n1,x\n", {"4:1|x|"}},
           {"quotes", "id,at\n\"a,b\",\"say \"\"hi\"\"\"\n", {"2:a,b|say \"hi\"|"}},
           {"an empty quoted field", "id,at\n\"\",x\n", {"2:|x|"}},
           {"a further column", "at,x,id\n1,2,3\n", {"2:1|2|3|"}},
           {"empty", "", {"!line 1: \"\" is not accepted; expected a header with id, at"}},
           {"an empty header",
            "\n1,x\n",
            {"!line 1: \"\" is not accepted; expected a header with id, at"}},
           {"a missing column",
            "id,when\n",
            {"!line 1: \"id,when\" is not accepted; expected a column at"}},
           {"a doubled column",
            "id,at,id\n",
            {"!line 1: \"id\" is not accepted; expected each column once"}},
           {"too few fields, and on it goes",
            "id,at\n1\n2,y\n",
            {"!line 2: \"1 fields\" is not accepted; expected 2 fields as in the header",
             "3:2|y|"}},
           {"too many fields",
            "id,at\n1,2,3\n",
            {"!line 2: \"3 fields\" is not accepted; expected 2 fields as in the header"}},
           {"an open quote",
            "id,at\n\"1,x\n2,y\n",
            {"!line 2: \"\\x221,x\" is not accepted; expected a closing quote on the same line",
             "3:2|y|"}},
           {"a quote inside",
            "id,at\n1\"2,x\n",
            {"!line 2: \"1\\x222,x\" is not accepted; expected a quote only around a whole field, "
             "\"\" "
             "inside it"}},
           {"something behind a quote",
            "id,at\n\"1\"2,x\n",
            {"!line 2: \"\\x221\\x222,x\" is not accepted; expected a quote only around a whole "
             "field, "
             "\"\" inside it"}},
           {"no UTF-8",
            "id,at\n1,\xff\n",
            {"!line 2: \"1,\\xff\" is not accepted; expected UTF-8"}},
           {"a line of more than 1 MiB, and on it goes",
            "id,at\n" + long_line + "\n2,y\n",
            {"!line 2: \"1048577 bytes\" is not accepted; expected at most 1048576 bytes",
             "3:2|y|"}}}) {
    SCOPED_TRACE(row.says);
    EXPECT_EQ(read(row.text), row.expected);
  }
}

TEST(Csv, a_line_of_exactly_the_limit_is_read) {
  const std::string value((1U << 20U) - 2, 'x');
  const Lines lines = read("id,at\n1," + value + "\n");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "2:1|" + value + "|");
}

TEST(Csv, fields_are_quoted_when_they_must) {
  EXPECT_EQ(csv_field("P1"), "P1");
  EXPECT_EQ(csv_field(""), "");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("\xef\xbb\xbfid"), "\"\xef\xbb\xbfid\"") << "first in a file it would go";
  EXPECT_EQ(csv_field("say \"hi\""), "\"say \"\"hi\"\"\"");
}

}  // namespace
}  // namespace aimeter::cli
