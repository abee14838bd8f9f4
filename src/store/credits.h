// Package:       store
// Units:         Money of the wallet's currency; amounts in its nano-units; Instant.
// Errors:        check: invalid_argument naming the field.
// Thread safety: values and pure functions.
// Ownership:     none.
//
// Wallets as the store knows them. A wallet is a budget of kind credits without a period:
// balance = credited - used, where `used` is what settlements took and `credited` everything else.
// Each change of either is one transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aimeter/wallet.h"
#include "base/hash.h"
#include "store/settlement.h"

namespace aimeter::store {

// The wallet of an account in a currency. An account has one.
[[nodiscard]] BudgetKey wallet_key(const Account& account, std::string_view currency);
[[nodiscard]] inline bool is_wallet(const BudgetKey& key) {
  return key.kind == BudgetKind::credits;
}

// Changes. The same idempotency key of a tenant again: the first result when its content is the
// same (what is done, with whom and how much), else conflict. Amounts are more than 0.
// A wallet is made by its first change; another currency than its own is invalid_argument.
struct AddCredits {
  Account account = {};
  Money amount = {};
  CreditCause cause = CreditCause::top_up;  // or grant
  LotTerms terms = {};
  std::string reason = {};
  Meta meta = {};
  std::string idempotency_key = {};
};
// insufficient_credits: balance - leased is less.
struct DeductCredits {
  Account account = {};
  Money amount = {};
  std::string reason = {};
  Meta meta = {};
  std::string idempotency_key = {};
};
// Of a usage or a withdrawal, by the id of its transaction. What it gives back, and what
// adjustments of that usage gave back before, is never more than the debit: failed_precondition.
struct RefundCredits {
  Account account = {};
  std::int64_t debit = 0;
  std::optional<Money> amount = {};  // empty: all that is left of it
  std::string reason = {};
  Meta meta = {};
  std::string idempotency_key = {};
};
// Takes what is left of lots that are over, a transaction each; what is leased stays until it comes
// back. `limit` wallets at once.
struct ExpireCredits {
  std::size_t limit = 1'000;
};

// Sets or ends what a wallet asks for by itself; of the wallet's currency, both more than 0.
struct PutAutoTopUp {
  Account account = {};
  std::optional<AutoTopUp> rule = {};
};
// Claims wallets whose balance is below their rule's, each for `again_after`: nobody else asks for
// it until then. One that was claimed before and not ended keeps its key.
struct BeginTopUps {
  std::size_t limit = 100;
  Duration again_after = std::chrono::minutes(10);
};
// How the claim of this key ended. paid: the credits come in, once per key. declined: nothing was
// taken, the next is claimed after a back-off. unknown: asked again with the same key, a minute on.
struct EndTopUp {
  enum class How : std::uint8_t { paid, declined, unknown } how = How::unknown;
  Account account = {};
  Money amount = {};
  std::string key = {}, receipt = {};
};
constexpr Duration kTopUpFirstBackOff = std::chrono::minutes(1);
constexpr Duration kTopUpLongestBackOff = std::chrono::hours(24);
[[nodiscard]] Duration top_up_back_off(std::int64_t declined);  // how often in a row, 1 or more

struct TopUpState {
  Account account = {};
  AutoTopUp rule = {};
  std::string key = {};     // of the claim under way
  Money amount = {};        // that was claimed, else the rule's
  Instant claimed_at = {};  // first
  Instant not_before = {};
  std::int64_t declined = 0;  // in a row
  bool due = false;
};
struct TopUpFilter {
  std::optional<TenantId> tenant = {};
  std::optional<Billable> billable = {};
  bool due = false;  // only those
};
// The credits of one payment come in once, whoever tells of it.
[[nodiscard]] std::string payment_key(const std::string& payment);
[[nodiscard]] Status check(const PutAutoTopUp& change);
[[nodiscard]] AddCredits credits_of(const EndTopUp& paid);
[[nodiscard]] std::string new_top_up_key();

[[nodiscard]] Status check(const AddCredits& change, Instant now);
[[nodiscard]] Status check(const DeductCredits& change);
[[nodiscard]] Status check(const RefundCredits& change);
constexpr std::size_t kCreditReasonBytesMax = 255;

// What a repeat must have in common with the first.
[[nodiscard]] std::uint64_t content_of(const AddCredits& change);
[[nodiscard]] std::uint64_t content_of(const DeductCredits& change);
[[nodiscard]] std::uint64_t content_of(const RefundCredits& change);
template <class Change>
[[nodiscard]] std::optional<base::Key16> key_of(const Change& change) {
  if (change.idempotency_key.empty()) return std::nullopt;
  return key_of(change.account.tenant.text, "credits", change.idempotency_key);
}

struct CreditMove {
  Account account = {};
  CreditTransaction transaction = {};
};

struct WalletState {
  Account account = {};
  std::string currency = {};
  Amount credited = 0, used = 0, leased = 0;
  Amount debt = 0;  // in the balance already; the next credit pays it
  std::int64_t transactions = 0;
  [[nodiscard]] Money balance() const { return {credited - used, currency}; }
  // What a withdrawal may take.
  [[nodiscard]] Money available() const { return {credited - used - leased, currency}; }
  friend bool operator==(const WalletState&, const WalletState&) = default;
};

struct WalletFilter {
  std::optional<TenantId> tenant = {};  // empty: all
  std::optional<Billable> billable = {};
};
enum class CreditOrder : std::uint8_t { oldest_first, newest_first };
struct CreditFilter {
  WalletFilter wallet = {};
  std::optional<std::int64_t> id = {};
  std::int64_t after = 0;  // ids beyond it, in the order asked for; 0: from the start
  CreditOrder order = CreditOrder::oldest_first;
};
enum class Lots : std::uint8_t { open, all };  // open: something is left

// Errors of a refund that the store has to ask about.
[[nodiscard]] std::unexpected<Error> not_enough_credits(const Money& balance, Amount leased,
                                                        const Money& required);
// `left`: what may still be given back of the debit.
[[nodiscard]] Result<Amount> refund_amount(const RefundCredits& change,
                                           const CreditTransaction& debit, Amount left);
// The row of the usage that a debit is of, itself or as a correction; 0: of none.
[[nodiscard]] std::int64_t usage_of(const CreditTransaction& debit);
constexpr std::string_view kRefundedBefore = "refunded before";  // the reason of what is taken back

}  // namespace aimeter::store
