#include "drivers/billing/stripe/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/log.h"

namespace aimeter::drivers::stripe {
namespace {

constexpr std::string_view kStripe = "https://api.stripe.com";
constexpr int kTriesMax = 3;
constexpr Duration kFirstWait = std::chrono::milliseconds(500);
constexpr Duration kWaitMax = std::chrono::seconds(10);  // longer ones are the next sync's

bool is_local(std::string_view rest) {
  const std::string_view host = rest.substr(0, rest.find_first_of(":/"));
  return host == "127.0.0.1" || host == "localhost" || rest.starts_with("[::1]");
}

std::string text_at(const base::Json& object, std::string_view key) {
  const base::Json* found = object.find(key);
  return found != nullptr && found->kind() == base::Json::Kind::string ? found->string() : "";
}

struct Complaint {
  std::string type, code, param, message;
};
Complaint complaint_of(const std::string& body) {
  const Result<base::Json> parsed = base::Json::parse("answer", body);
  const base::Json* error = parsed ? parsed->find("error") : nullptr;
  if (error == nullptr) return {.message = "no error object in the answer"};
  Complaint complaint{.type = text_at(*error, "type"),
                      .code = text_at(*error, "code"),
                      .param = text_at(*error, "param"),
                      .message = text_at(*error, "message")};
  const std::string declined = text_at(*error, "decline_code");
  if (!declined.empty()) complaint.code += "/" + declined;
  return complaint;
}

std::string words_of(long status, const Complaint& complaint) {
  std::string words = fmt::format("stripe: HTTP {}", status);
  if (!complaint.param.empty()) words += ": " + complaint.param;
  if (!complaint.message.empty()) words += ": " + base::masked(complaint.message);
  if (!complaint.code.empty()) words += " (" + complaint.code + ")";
  return words;
}

Error error_of(long status, const std::string& body, bool changes) {
  const Complaint complaint = complaint_of(body);
  const std::string words = words_of(status, complaint);
  if (complaint.type == "idempotency_error") return {.code = Code::conflict, .message = words};
  switch (status) {
    case 401:
      return {.code = Code::unauthenticated,
              .message = "stripe: HTTP 401: stripe.secret_key is not accepted"};
    case 402:
      return {.code = Code::insufficient_credits, .message = words};
    case 403:
      return {.code = Code::permission_denied, .message = words};
    case 404:
      return {.code = Code::not_found, .message = words};
    case 409:
      return {.code = Code::unavailable, .message = words};
    case 429:
      return {.code = Code::rate_limited, .message = words};
    default:
      break;
  }
  if (status >= 500) {
    return {.code = changes ? Code::in_doubt : Code::unavailable, .message = words};
  }
  return {.code = Code::invalid_argument, .message = words};
}

std::optional<Duration> seconds_of(const std::string& text) {
  std::int64_t seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, seconds);
  if (text.empty() || error != std::errc() || at != end || seconds < 0 || seconds > 86'400)
    return std::nullopt;
  return std::chrono::seconds(seconds);
}

Duration wait_of(const HttpReply* reply, int number) {
  if (reply != nullptr) {
    if (const auto asked = seconds_of(reply->retry_after)) return *asked;
  }
  return kFirstWait * (1 << (number - 1));
}

bool may_help(const HttpReply& reply) {
  if (reply.should_retry == "true") return true;
  if (reply.should_retry == "false") return false;
  return reply.status == 409 || reply.status == 429 || reply.status >= 500;
}

}  // namespace

bool ends_doubt(Code code) {
  return code == Code::invalid_argument || code == Code::not_found ||
         code == Code::insufficient_credits;
}

std::string form_of(const Form& form) {
  std::string text;
  for (const auto& [name, value] : form) {
    if (!text.empty()) text += '&';
    text.append(percent_encoded(name)).append("=").append(percent_encoded(value));
  }
  return text;
}

Status Api::check(const billing::StripeOptions& options) {
  if (options.secret_key.empty()) {
    return fail(Code::failed_precondition,
                "stripe.secret_key: is not set (STRIPE_SECRET); billing.driver = stripe needs it");
  }
  const bool one_line =
      std::ranges::all_of(options.secret_key, [](unsigned char c) { return 0x20 < c && c < 0x7f; });
  if (!one_line) return bad_input("stripe.secret_key", "[redacted]", "printable characters only");
  const std::string_view base = options.api_base;
  const bool good = base.empty() || base.starts_with("https://") ||
                    (base.starts_with("http://") && is_local(base.substr(7)));
  if (good) return {};
  return bad_input("stripe.api_base", base, "https://..., or http:// of this machine");
}

Api::Api(const billing::StripeOptions& options)
    : options_(options),
      base_(options.api_base.empty() ? std::string(kStripe) : options.api_base) {}

HttpRequest Api::request_to(const std::string& path) const {
  HttpRequest request{.url = base_ + path, .timeout = options_.timeout};
  request.headers = {"Authorization: Bearer " + options_.secret_key,
                     "Stripe-Version: " + std::string(kVersion), "User-Agent: aimeter", "Expect:"};
  return request;
}

Api::Tried Api::attempt(const HttpRequest& request, int number) {
  const bool changes = request.method == "POST";
  Result<HttpReply> reply = http_.send(request);
  if (!reply) {
    Error error = std::move(reply).error();
    if (!changes && error.code == Code::in_doubt) error.code = Code::unavailable;
    return {.result = std::unexpected(std::move(error)),
            .again = Again::yes,
            .wait = wait_of(nullptr, number)};
  }
  if (reply->status < 200 || reply->status >= 300) {
    Error error = error_of(reply->status, reply->body, changes);
    if (changes && reply->maybe_sent_before && !ends_doubt(error.code)) error.code = Code::in_doubt;
    return {.result = std::unexpected(std::move(error)),
            .again = may_help(*reply) ? Again::yes : Again::no,
            .wait = wait_of(&*reply, number)};
  }
  Result<base::Json> parsed = base::Json::parse("stripe: answer", reply->body);
  if (parsed) return {.result = std::move(parsed)};
  // Done, but what was done cannot be read: the same key gives the same answer again.
  const Code code = changes ? Code::in_doubt : Code::unavailable;
  return {.result = fail(code, parsed.error().message),
          .again = Again::yes,
          .wait = wait_of(nullptr, number)};
}

// A later failure tells less than an earlier doubt: once in doubt, only an answer ends it.
Result<base::Json> Api::repeat(const HttpRequest& request) {
  std::optional<Error> doubt;
  for (int number = 1;; ++number) {
    Tried tried = attempt(request, number);
    if (tried.result) return std::move(tried.result);
    const Error& error = tried.result.error();
    if (error.code == Code::in_doubt) doubt = error;
    const bool last = tried.again == Again::no || number == kTriesMax || tried.wait > kWaitMax;
    if (last) {
      if (doubt && !ends_doubt(error.code)) return std::unexpected(*doubt);
      return std::move(tried.result);
    }
    if (options_.pause) {
      options_.pause(tried.wait);
    } else {
      std::this_thread::sleep_for(tried.wait);
    }
  }
}

Result<base::Json> Api::post(const Post& post) {
  HttpRequest request = request_to(post.path);
  request.method = "POST";
  request.body = form_of(post.form);
  request.headers.emplace_back("Content-Type: application/x-www-form-urlencoded");
  if (!post.idempotency_key.empty())
    request.headers.push_back("Idempotency-Key: " + post.idempotency_key);
  return repeat(request);
}

Result<base::Json> Api::get(const std::string& path, const Form& query) {
  return repeat(request_to(query.empty() ? path : path + "?" + form_of(query)));
}

}  // namespace aimeter::drivers::stripe
