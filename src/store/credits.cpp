#include "store/credits.h"

#include <fmt/format.h>

#include <algorithm>

#include "aimeter/limit.h"
#include "base/ids.h"
#include "time/zone.h"

namespace aimeter::store {
namespace {

Status check_money(const Money& money) {
  const std::string& currency = money.currency;
  const bool good = currency.size() == 3 &&
                    std::ranges::all_of(currency, [](char c) { return c >= 'a' && c <= 'z'; });
  if (!good) {
    return bad_input("currency", currency, "a currency of ISO 4217 in lower case, such as \"usd\"");
  }
  if (money.nanos <= 0) return bad_input("amount", money.text(), "more than 0");
  return {};
}

template <class Change>
Status check_words(const Change& change) {
  if (!change.account.tenant.text.empty()) {
    AIMETER_CHECK_OK(base::check_id("tenant", change.account.tenant.text));
  }
  AIMETER_CHECK_OK(base::check_id("billable.type", change.account.billable.type));
  AIMETER_CHECK_OK(base::check_id("billable.id", change.account.billable.id));
  if (!change.idempotency_key.empty()) {
    AIMETER_CHECK_OK(base::check_id("idempotency_key", change.idempotency_key));
  }
  if (change.reason.size() <= kCreditReasonBytesMax) return {};
  return bad_input("reason", change.reason.substr(0, 40),
                   fmt::format("at most {} bytes", kCreditReasonBytesMax));
}

std::uint64_t digest_of(std::string_view text) {
  const base::Digest digest = base::sha256(text);
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < 8; ++i) first = first << 8U | digest[i];
  return first;
}

std::string text_of(const Account& account) {
  return account.billable.type + '\n' + account.billable.id;
}

}  // namespace

BudgetKey wallet_key(const Account& account, std::string_view currency) {
  return {.account = account,
          .kind = BudgetKind::credits,
          .span = {.start = time::kFirstInstant, .end = time::kLastInstant},
          .currency = std::string(currency)};
}

Status check(const AddCredits& change, Instant now) {
  AIMETER_CHECK_OK(check_words(change));
  AIMETER_CHECK_OK(check_money(change.amount));
  const LotTerms& terms = change.terms;
  if (terms.priority < 0 || terms.priority > kLotPriorityMax) {
    return bad_input("priority", std::to_string(terms.priority),
                     fmt::format("0 to {}", kLotPriorityMax));
  }
  if (terms.expires_at && *terms.expires_at <= now) {
    return bad_input("expires_at", aimeter::text_of(*terms.expires_at), "a time to come");
  }
  return {};
}

Status check(const PutAutoTopUp& change) {
  AIMETER_CHECK_OK(base::check_id("billable.type", change.account.billable.type));
  AIMETER_CHECK_OK(base::check_id("billable.id", change.account.billable.id));
  if (!change.rule) return {};
  AIMETER_CHECK_OK(check_money(change.rule->below));
  AIMETER_CHECK_OK(check_money(change.rule->amount));
  if (change.rule->below.currency == change.rule->amount.currency) return {};
  return bad_input("currency", change.rule->amount.currency, "the same for threshold and amount");
}

AddCredits credits_of(const EndTopUp& paid) {
  AddCredits credits{.account = paid.account, .amount = paid.amount, .reason = "auto top-up"};
  credits.idempotency_key = paid.receipt.empty() ? paid.key : payment_key(paid.receipt);
  if (!paid.receipt.empty()) credits.meta = {{"payment", paid.receipt}};
  return credits;
}

std::string payment_key(const std::string& payment) { return "payment:" + payment; }

std::string new_top_up_key() {
  constexpr std::size_t kKeyBytes = 16;
  return "auto-top-up-" + base::hex(base::random_bytes(kKeyBytes));
}

Duration top_up_back_off(std::int64_t declined) {
  Duration back_off = kTopUpFirstBackOff;
  for (std::int64_t i = 1; i < declined && back_off < kTopUpLongestBackOff; ++i) back_off *= 2;
  return std::min(back_off, kTopUpLongestBackOff);
}

Status check(const DeductCredits& change) {
  AIMETER_CHECK_OK(check_words(change));
  return check_money(change.amount);
}

Status check(const RefundCredits& change) {
  AIMETER_CHECK_OK(check_words(change));
  return change.amount ? check_money(*change.amount) : Status();
}

std::uint64_t content_of(const AddCredits& change) {
  const Instant expires = change.terms.expires_at.value_or(Instant());
  return digest_of(fmt::format("add\n{}\n{} {}\n{} {} {} {}", text_of(change.account),
                               change.amount.nanos, change.amount.currency,
                               static_cast<int>(change.cause), static_cast<int>(change.terms.kind),
                               change.terms.priority, expires.time_since_epoch().count()));
}

std::uint64_t content_of(const DeductCredits& change) {
  return digest_of(fmt::format("deduct\n{}\n{} {}", text_of(change.account), change.amount.nanos,
                               change.amount.currency));
}

std::uint64_t content_of(const RefundCredits& change) {
  const Money all{-1, ""};
  const Money amount = change.amount.value_or(all);
  return digest_of(fmt::format("refund\n{}\n{}\n{} {}", text_of(change.account), change.debit,
                               amount.nanos, amount.currency));
}

std::unexpected<Error> not_enough_credits(const Money& balance, Amount leased,
                                          const Money& required) {
  auto why = std::make_shared<Refusal>();
  why->budget = "credits";
  why->balance = balance;
  why->required = required;
  std::string message = fmt::format("credits: the balance of {} {} does not have {}",
                                    balance.text(), balance.currency, required.text());
  if (leased > 0) {
    message += fmt::format("; {} of it is set aside for calls", Money{leased, ""}.text());
  }
  return std::unexpected(Error{Code::insufficient_credits, std::move(message), std::move(why)});
}

Result<Amount> refund_amount(const RefundCredits& change, const CreditTransaction& debit,
                             Amount left) {
  const bool of_no_cost = debit.cause == CreditCause::expiry || debit.cause == CreditCause::refund;
  if (debit.is_credit() || of_no_cost) {
    return fail(Code::failed_precondition,
                fmt::format("debit: transaction {} is a {}; expected a usage, a correction or a "
                            "withdrawal",
                            debit.id, name_of(debit.cause)));
  }
  const Money most{std::max<Amount>(0, left), debit.amount.currency};
  const Money amount = change.amount.value_or(most);
  if (amount.currency != most.currency) {
    return bad_input("currency", amount.currency, most.currency + ", the wallet's");
  }
  if (most.nanos == 0 || amount.nanos > most.nanos) {
    return fail(Code::failed_precondition,
                fmt::format("amount: {} is more than what is left of debit {}, {}", amount.text(),
                            debit.id, most.text()));
  }
  return amount.nanos;
}

std::int64_t usage_of(const CreditTransaction& debit) {
  if (debit.cause == CreditCause::usage) return debit.usage_id;
  return debit.cause == CreditCause::correction ? debit.refers_to : 0;
}

}  // namespace aimeter::store
