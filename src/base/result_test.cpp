// Codes, their names and mappings, and the macros that pass errors on.
#include "aimeter/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace aimeter {
namespace {

TEST(Result, EveryCodeHasItsNameStatusAndExitCode) {
  struct Row {
    Code code;
    const char* name;
    int http, exit;
  };
  constexpr Row kRows[] = {
      {Code::invalid_argument, "invalid_argument", 400, 2},
      {Code::unauthenticated, "unauthenticated", 401, 1},
      {Code::permission_denied, "permission_denied", 403, 1},
      {Code::not_found, "not_found", 404, 1},
      {Code::conflict, "conflict", 409, 1},
      {Code::quota_exceeded, "quota_exceeded", 429, 1},
      {Code::insufficient_credits, "insufficient_credits", 402, 1},
      {Code::rate_limited, "rate_limited", 429, 1},
      {Code::failed_precondition, "failed_precondition", 403, 1},
      {Code::unavailable, "unavailable", 503, 4},
      {Code::in_doubt, "in_doubt", 503, 4},
      {Code::provider_failed, "provider_failed", 502, 1},
      {Code::corrupt, "corrupt", 500, 4},
  };
  std::set<std::string_view> names;
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const Error error{row.code, "x", nullptr};
    EXPECT_EQ(name_of(row.code), row.name);
    EXPECT_EQ(http_status(error), row.http);
    EXPECT_EQ(exit_code(error), row.exit);
    names.insert(row.name);
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Code::corrupt) + 1);
}

TEST(Result, BadInputNamesFieldValueAndWhatIsAccepted) {
  const Error error = bad_input("month", "2026-13", "YYYY-MM").error();
  EXPECT_EQ(error.code, Code::invalid_argument);
  EXPECT_EQ(error.message, "month: \"2026-13\" is not accepted; expected YYYY-MM");
}

TEST(Result, BadInputShowsAtMost64BytesAndNoControls) {
  EXPECT_EQ(bad_input("f", std::string(64, 'x'), "y").error().message,
            "f: \"" + std::string(64, 'x') + "\" is not accepted; expected y");
  EXPECT_EQ(bad_input("f", std::string(65, 'x'), "y").error().message,
            "f: \"" + std::string(64, 'x') + "...\" is not accepted; expected y");
  EXPECT_EQ(bad_input("f", std::string("a\0\n\"\\", 5), "y").error().message,
            "f: \"a\\x00\\x0a\\x22\\x5c\" is not accepted; expected y");
}

TEST(Result, BadInputNeverCutsACharacterInTwo) {
  const std::string value =
      std::string(63, 'x') + "\xc3\xa9";  // 65 bytes; the cut would fall inside
  EXPECT_EQ(bad_input("f", value, "y").error().message,
            "f: \"" + std::string(63, 'x') + "...\" is not accepted; expected y");
  EXPECT_EQ(bad_input("f", "caf\xe9", "y").error().message,
            "f: \"caf\\xe9\" is not accepted; expected y");
}

Result<int> half(int number) {
  if (number % 2 != 0) return fail(Code::failed_precondition, "odd");
  return number / 2;
}

Result<std::unique_ptr<int>> quarter(int number) {
  AIMETER_TRY(const int once, half(number));
  AIMETER_TRY(auto twice, half(once));
  return std::make_unique<int>(twice);
}

Status check_quarter(int number) {
  AIMETER_CHECK_OK(quarter(number));
  return {};
}

TEST(Result, TryAssignsOrReturnsTheError) {
  EXPECT_EQ(**quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(6).error().code, Code::failed_precondition);
}

TEST(Result, CheckOkDropsTheValueOrReturnsTheError) {
  EXPECT_TRUE(check_quarter(8));
  EXPECT_EQ(check_quarter(7).error().message, "odd");
}

TEST(ResultDeathTest, ABrokenPromiseEndsTheProcess) {
  EXPECT_DEATH(AIMETER_ASSERT(1 + 1 == 3), "broken invariant: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace aimeter
