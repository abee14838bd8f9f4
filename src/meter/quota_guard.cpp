#include "aimeter/quota_guard.h"

#include <boost/json.hpp>

#include "meter/core.h"
#include "tenancy/scope.h"

namespace aimeter {
namespace {

using meter::Core;

constexpr int kTooManyRequests = 429;  // RFC 6585 section 4
constexpr int kPaymentRequired = 402;  // of a wallet

// "12.5" as "12.50": the reference shows money with two decimals at least.
std::string two_decimals(std::string text) {
  const std::size_t point = text.find('.');
  if (point == text.npos) return text + ".00";
  if (text.size() - point == 2) text += '0';
  return text;
}

bool by_wallet(const LimitCheck& check) { return check.reason && check.reason->balance; }

std::string message_of(const LimitCheck& check) {
  if (by_wallet(check)) return "The credits of this account are used up.";
  std::string message = "The limit of this period is used up.";
  if (check.reason && check.reason->resets_at)
    message = "The " + check.reason->budget + " limit is used up until " +
              text_of(*check.reason->resets_at) + ".";
  return message;
}

std::string json_body(const LimitCheck& check) {
  const auto quoted = [](const std::string& text) {
    return boost::json::serialize(boost::json::value(text));
  };
  const std::string tokens =
      check.remaining_tokens ? std::to_string(check.remaining_tokens->count) : "null";
  const std::string cost =
      check.remaining_cost ? quoted(two_decimals(check.remaining_cost->text())) : "null";
  const std::string error = by_wallet(check) ? "insufficient_credits" : "quota_exceeded";
  return "{\"error\": \"" + error + "\", \"message\": " + quoted(message_of(check)) +
         ", \"remaining_tokens\": " + tokens + ", \"remaining_cost\": " + cost +
         ", \"usage_percentage\": " + check.usage_percentage.text() + "}";
}

Result<std::optional<Account>> account_of_request(Core& core, const Context& context) {
  AIMETER_TRY(const tenancy::Resolved found,
              core.deps().tenancy.find(
                  {.explicit_tenant = {}, .ambient = tenancy::ambient(), .context = &context}));
  if (found.tenant.text.empty() && context.user.empty()) return std::optional<Account>();
  AIMETER_TRY(Account account, meter::account_of(found.tenant, std::nullopt, context.user));
  return std::optional(std::move(account));
}

void refuse(Admission& admission, const LimitCheck& check, const Context& context) {
  admission.admitted = false;
  admission.status = by_wallet(check) ? kPaymentRequired : kTooManyRequests;
  admission.content_type = context.expects_json ? "application/json" : "text/plain; charset=utf-8";
  admission.body = context.expects_json ? json_body(check) : message_of(check);
  admission.headers = quota_headers(check);
}

}  // namespace

Result<Admission> QuotaGuard::admit(const Context& context) const {
  Core& core = Core::of(core_);
  Admission admission;
  AIMETER_CHECK_OK(core.usable());
  AIMETER_TRY(const std::optional<Account> account, account_of_request(core, context));
  if (!account) return admission;
  admission.tenant = account->tenant;
  admission.billable = account->billable;
  AIMETER_TRY(const LimitCheck check, core.check_limit(*account, {}));
  if (!check.allowed) refuse(admission, check, context);
  return admission;
}

Headers QuotaGuard::headers(const Admission& admission) const {
  if (!admission.billable) return {};
  const Account account{admission.tenant.value_or(TenantId{}), *admission.billable};
  const Result<LimitCheck> check = Core::of(core_).check_limit(account, {});
  if (!check) return {};
  return quota_headers(*check);
}

Headers quota_headers(const LimitCheck& check) {
  return {{"X-Remaining-Tokens",
           check.remaining_tokens ? std::to_string(check.remaining_tokens->count) : "unlimited"},
          {"X-Remaining-Cost", check.remaining_cost ? check.remaining_cost->text() : "unlimited"},
          {"X-Usage-Percentage", check.usage_percentage.text()}};
}

}  // namespace aimeter
