// Package:       tests
// Units:         none
// Errors:        none: the process ends when no port is to be had.
// Thread safety: any thread.
// Ownership:     owns its threads and sockets; borrows the books.
//
// The books over HTTP on 127.0.0.1 and a free port, with faults as the test wants them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/stripe/books.h"

namespace aimeter::testing {

enum class Fault {
  none,
  lost_before,  // the connection ends when the request has come; nothing is done
  lost_after,   // it is done, then the connection ends
  half,         // it is done, half of the answer comes
  silent,       // it is done, the answer never comes: the client's time runs out
  error_500,    // execution begins and fails; the answer is remembered
  gateway_502,  // it is done, but something in between answers, with HTML
  limited_429,  // nothing is done; Retry-After: 0
  patient_429,  // nothing is done; Retry-After: 600
  busy_409,     // another request with the same key is under way
};
constexpr int kFaults = 10;

class Server {
 public:
  using Faults = std::function<Fault(const ApiRequest&)>;
  Server(Books& books, Faults faults);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::string base() const;  // "http://127.0.0.1:PORT"
  [[nodiscard]] std::size_t requests() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aimeter::testing
