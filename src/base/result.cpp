#include "aimeter/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/ids.h"

namespace aimeter {
namespace {

struct CodeRow {
  Code code;
  std::string_view name;
  int http_status;
  int exit_code;
};

constexpr std::array kCodes = {
    CodeRow{Code::invalid_argument, "invalid_argument", 400, 2},
    CodeRow{Code::unauthenticated, "unauthenticated", 401, 1},
    CodeRow{Code::permission_denied, "permission_denied", 403, 1},
    CodeRow{Code::not_found, "not_found", 404, 1},
    CodeRow{Code::conflict, "conflict", 409, 1},
    CodeRow{Code::quota_exceeded, "quota_exceeded", 429, 1},
    CodeRow{Code::insufficient_credits, "insufficient_credits", 402, 1},
    CodeRow{Code::rate_limited, "rate_limited", 429, 1},
    CodeRow{Code::failed_precondition, "failed_precondition", 403, 1},
    CodeRow{Code::unavailable, "unavailable", 503, 4},
    CodeRow{Code::in_doubt, "in_doubt", 503, 4},
    CodeRow{Code::provider_failed, "provider_failed", 502, 1},
    CodeRow{Code::corrupt, "corrupt", 500, 4},
};

const CodeRow& row_of(Code code) {
  const CodeRow& row = kCodes.at(static_cast<std::size_t>(code));
  AIMETER_ASSERT(row.code == code);
  return row;
}

constexpr std::size_t kShownBytesMax = 64;

// At most kShownBytesMax bytes, whole characters; what is no UTF-8 and every control is written
// out.
std::string shown(std::string_view value) {
  std::string text;
  std::size_t taken = 0;
  while (taken < value.size() && taken < kShownBytesMax) {
    const std::size_t bytes = base::character_bytes(value.substr(taken));
    const std::string_view next = value.substr(taken, std::max<std::size_t>(bytes, 1));
    if (taken + next.size() > kShownBytesMax) break;
    taken += next.size();
    if (bytes == 0 || next == "\"" || next == "\\" || base::has_control(next)) {
      for (const char c : next) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      text += next;
    }
  }
  return taken < value.size() ? text + "..." : text;
}

}  // namespace

std::string_view name_of(Code code) { return row_of(code).name; }
int http_status(const Error& error) { return row_of(error.code).http_status; }
int exit_code(const Error& error) { return row_of(error.code).exit_code; }

std::unexpected<Error> bad_input(std::string_view field, std::string_view value,
                                 std::string_view expected) {
  return fail(Code::invalid_argument, fmt::format("{}: \"{}\" is not accepted; expected {}", field,
                                                  shown(value), expected));
}

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "aimeter: broken invariant: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace aimeter
