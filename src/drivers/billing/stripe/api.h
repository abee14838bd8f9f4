// Package:       drivers
// Units:         amounts in minor units of the currency.
// Errors:        by what Stripe answers: invalid_argument and not_found naming the parameter,
//                unauthenticated, permission_denied, insufficient_credits (declined), conflict
//                (same key, other parameters), rate_limited, unavailable (nothing was done),
//                in_doubt (a POST whose end is unknown).
// Thread safety: any thread.
// Ownership:     owns its connections; borrows nothing.
//
// Requests to Stripe's API: form bodies, JSON answers, one pinned version. A request is tried again
// while that may help, always with its own idempotency key. The secret key is in no message.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "aimeter/result.h"
#include "base/json.h"
#include "billing/setup.h"
#include "drivers/billing/stripe/http.h"

namespace aimeter::drivers::stripe {

// The version whose parameter names are used here: that of the npm package stripe 23.1.0.
constexpr std::string_view kVersion = "2026-10-28.endive";

using Form = std::vector<std::pair<std::string, std::string>>;

struct Post {
  std::string path = {};  // "/v1/invoiceitems"
  Form form = {};
  std::string idempotency_key = {};
};

class Api {
 public:
  explicit Api(const billing::StripeOptions& options);
  // https, or http on this machine only. Errors: invalid_argument.
  [[nodiscard]] static Status check(const billing::StripeOptions& options);

  [[nodiscard]] Result<base::Json> post(const Post& post);
  [[nodiscard]] Result<base::Json> get(const std::string& path, const Form& query);

 private:
  enum class Again { no, yes };
  struct Tried {
    Result<base::Json> result;
    Again again = Again::no;
    Duration wait = {};
  };
  [[nodiscard]] Tried attempt(const HttpRequest& request, int number);
  [[nodiscard]] Result<base::Json> repeat(const HttpRequest& request);
  [[nodiscard]] HttpRequest request_to(const std::string& path) const;

  const billing::StripeOptions options_;
  const std::string base_;
  Http http_;
};

// An answer about a request that was in doubt: it ran and was refused, or never ran. Any other
// error (a key that is no longer accepted, say) tells nothing about it.
[[nodiscard]] bool ends_doubt(Code code);
[[nodiscard]] std::string form_of(const Form& form);

}  // namespace aimeter::drivers::stripe
