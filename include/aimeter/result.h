// Package:       base
// Units:         none
// Errors:        this is where they are defined; see Code.
// Thread safety: values; an Error may be copied between threads.
// Ownership:     an Error shares its immutable Refusal.
//
// Every fallible function returns Result<T> or Status. A Code tells the caller what to do next;
// no exception crosses a package border.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace aimeter {

// What the caller does next. Values are written to logs and JSON by name, never by number.
enum class Code {
  invalid_argument,      // fix the request; nothing was done
  unauthenticated,       // say who you are; nothing was done
  permission_denied,     // you may not; nothing was done
  not_found,             // also when it is another tenant's
  conflict,              // same key or name, other content; nothing was done
  quota_exceeded,        // a limit refuses; refusal says which; nothing is held
  insufficient_credits,  // the wallet refuses; nothing is held
  rate_limited,          // too many in this minute; retry later
  failed_precondition,   // the system is not in the state this needs; nothing was done
  unavailable,           // nothing was done: retry
  in_doubt,              // may have happened: look the key up before retrying
  provider_failed,       // the provider call failed; its hold was released
  corrupt                // stored data is damaged; an operator must look
};

// "quota_exceeded" and so on. `ok` is not among them.
[[nodiscard]] std::string_view name_of(Code code);

struct Refusal;  // aimeter/limit.h: why a hold was refused

struct Error {
  Code code = Code::invalid_argument;
  std::string message = {};                     // for people; names field, value, what is accepted
  std::shared_ptr<const Refusal> refusal = {};  // set with quota_exceeded, insufficient_credits
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{code, std::move(message), nullptr});
}

// "FIELD: \"VALUE\" is not accepted; expected WHAT": the one shape of an answer to bad input.
// `value` is shortened to 64 bytes and made printable.
[[nodiscard]] std::unexpected<Error> bad_input(std::string_view field, std::string_view value,
                                               std::string_view expected);

// 429 quota_exceeded and rate_limited, 402 insufficient_credits, 409 conflict, 401, 403, 404, 400,
// 503 unavailable and in_doubt, 502 provider_failed, 500 corrupt. failed_precondition is 403.
// Source: RFC 9110 section 15, RFC 6585 section 4.
[[nodiscard]] int http_status(const Error& error);
// 1 refused or failed, 2 wrong usage, 3 configuration (set by the caller), 4 store unavailable.
[[nodiscard]] int exit_code(const Error& error);

}  // namespace aimeter

#define AIMETER_CONCAT_(a, b) a##b
#define AIMETER_CONCAT(a, b) AIMETER_CONCAT_(a, b)
// AIMETER_TRY(const Plan plan, find(id)); : assigns the value or returns the error from this
// function.
#define AIMETER_TRY(declaration, ...) \
  AIMETER_TRY_(AIMETER_CONCAT(aimeter_try_, __LINE__), declaration, __VA_ARGS__)
#define AIMETER_TRY_(temporary, declaration, ...)                       \
  auto temporary = (__VA_ARGS__);                                       \
  if (!temporary) return std::unexpected(std::move(temporary).error()); \
  declaration = *std::move(temporary)
// AIMETER_CHECK_OK(save(plan)); : returns the error from this function, drops the value.
#define AIMETER_CHECK_OK(...)                                    \
  do {                                                           \
    if (auto aimeter_status = (__VA_ARGS__); !aimeter_status)    \
      return std::unexpected(std::move(aimeter_status).error()); \
  } while (false)
// Our own promise, checked in every build: prints it and ends the process.
#define AIMETER_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::aimeter::assertion_failed(#condition, __FILE__, __LINE__))

namespace aimeter {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace aimeter
