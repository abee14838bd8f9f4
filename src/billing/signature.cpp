#include "billing/signature.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <vector>

#include "base/hash.h"

namespace aimeter::billing {
namespace {

constexpr std::size_t kSecondsDigitsMax = 12;

struct Parts {
  std::optional<std::int64_t> seconds = {};
  std::vector<std::string_view> signatures = {};
};

std::optional<std::int64_t> seconds_of(std::string_view text) {
  std::int64_t seconds = 0;
  if (text.empty() || text.size() > kSecondsDigitsMax || text.front() == '-') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

Parts parts_of(std::string_view header) {
  Parts parts;
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    const std::string_view item = header.substr(0, comma);
    header.remove_prefix(comma == std::string_view::npos ? header.size() : comma + 1);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = item.substr(0, equals), value = item.substr(equals + 1);
    if (key == "t") parts.seconds = seconds_of(value);
    if (key == "v1") parts.signatures.push_back(value);
  }
  return parts;
}

std::string expected_for(std::string_view body, std::string_view secret, std::int64_t seconds) {
  const std::string text = fmt::format("{}.", seconds).append(body);
  return base::hex(base::view_of(base::hmac_sha256(secret, text)));
}

std::unexpected<Error> refused(const std::string& why) {
  return fail(Code::unauthenticated, "webhook signature: " + why);
}

}  // namespace

Status verify_signature(const SignedBody& given, const SignatureRule& rule) {
  if (rule.secret.empty()) {
    return fail(Code::failed_precondition,
                "stripe.webhook_secret: is not set, so no webhook can "
                "be believed");
  }
  if (given.header.empty()) return refused("there is no header Stripe-Signature");
  if (given.header.size() > kSignatureHeaderMax) return refused("the header is too long");
  const Parts parts = parts_of(given.header);
  if (!parts.seconds) return refused("the header has no timestamp (t=SECONDS)");
  if (parts.signatures.empty()) return refused("the header has no signature of scheme v1");
  const std::string expected = expected_for(given.body, rule.secret, *parts.seconds);
  bool proved = false;
  for (const std::string_view signature : parts.signatures) {
    proved = base::equal_in_constant_time(signature, expected) || proved;
  }
  if (!proved) {
    return refused(
        fmt::format("none of the {} v1 fits this body and secret", parts.signatures.size()));
  }
  const std::int64_t now =
      std::chrono::floor<std::chrono::seconds>(rule.received_at).time_since_epoch().count();
  const auto tolerance = std::chrono::floor<std::chrono::seconds>(rule.tolerance).count();
  if (now - *parts.seconds > tolerance) {
    return refused(fmt::format("its timestamp is {} s old, at most {} s are accepted",
                               now - *parts.seconds, tolerance));
  }
  return {};
}

std::string signature_header(std::string_view body, std::string_view secret, Instant at) {
  const std::int64_t seconds =
      std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  return fmt::format("t={},v1={}", seconds, expected_for(body, secret, seconds));
}

}  // namespace aimeter::billing
