// Package:       drivers
// Units:         bytes; Durations.
// Errors:        unavailable (nothing was sent), in_doubt (something was sent, no whole answer
//                came). An answer of any status is no error.
// Thread safety: any thread; a connection is used by one at a time.
// Ownership:     owns its connections.
//
// One HTTP request over libcurl. What matters for money is which side of "sent" a failure is on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aimeter/result.h"
#include "aimeter/time.h"

namespace aimeter::drivers::stripe {

struct HttpRequest {
  std::string method = "GET", url = {}, body = {};
  std::vector<std::string> headers = {};  // "Name: value"
  Duration timeout = std::chrono::seconds(30);
};
struct HttpReply {
  long status = 0;
  std::string body = {};
  std::string retry_after = {}, should_retry = {};  // headers Retry-After, Stripe-Should-Retry
  // libcurl sends once more, unasked, when a connection that it had kept dies without an answer:
  // the first sending may have been executed.
  bool maybe_sent_before = false;
};

class Http {
 public:
  Http();
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;
  [[nodiscard]] Result<HttpReply> send(const HttpRequest& request);

 private:
  struct Idle;
  std::unique_ptr<Idle> idle_;
};

// As a part of a query or of a form.
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace aimeter::drivers::stripe
