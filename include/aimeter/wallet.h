// Package:       wallet
// Units:         Money of the wallet's currency; Instant.
// Errors:        invalid_argument naming the field, insufficient_credits (with Refusal), conflict
//                (a key with other content), not_found, failed_precondition, unavailable: nothing
//                was moved.
// Thread safety: values; a Wallet may be used from any thread.
// Ownership:     a Wallet shares its engine.
//
// Prepaid credits. A balance is what came in minus what went out, never more and never less: every
// change is a transaction with the balance after it. Money lies in lots: the lot with the lower
// priority is spent first, then the one that expires earlier, then the older.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aimeter/money.h"
#include "aimeter/tenant.h"
#include "aimeter/time.h"

namespace aimeter {

// The numbers of the enums are stored.
enum class Direction : std::uint8_t { credit = 0, debit = 1 };
enum class CreditCause : std::uint8_t {
  top_up = 1,      // paid for
  grant = 2,       // given
  usage = 3,       // a settled call
  correction = 4,  // an adjustment of a settled call
  withdrawal = 5,
  refund = 6,  // of a debit; as a debit: what a correction gave back a second time
  expiry = 7   // what was left of a lot when its time was over
};
enum class LotKind : std::uint8_t { paid = 0, promotional = 1 };

struct CreditTransaction {
  std::int64_t id = 0;  // grows within a wallet
  Direction direction = Direction::credit;
  Money amount = {}, balance_after = {};  // amount: never negative
  std::string reason = {};
  Meta meta = {};
  Instant created_at = {};
  CreditCause cause = CreditCause::top_up;
  std::int64_t usage_id = 0;  // row of the settlement; of a refund the usage of its debit
  // Of a refund its debit, of one that is taken back the correction that gave its money as well;
  // of a correction the row that it corrects.
  std::int64_t refers_to = 0;
  [[nodiscard]] bool is_credit() const { return direction == Direction::credit; }
  [[nodiscard]] bool is_debit() const { return direction == Direction::debit; }
  friend bool operator==(const CreditTransaction&, const CreditTransaction&) = default;
};

constexpr int kLotPriority = 100;  // where nobody says another
constexpr int kLotPriorityMax = 1'000;

struct LotTerms {
  LotKind kind = LotKind::paid;
  int priority = kLotPriority;             // 0..kLotPriorityMax, the lower is spent first
  std::optional<Instant> expires_at = {};  // empty: never
  friend bool operator==(const LotTerms&, const LotTerms&) = default;
};
struct CreditLot {
  std::int64_t id = 0;
  LotTerms terms = {};
  Instant granted_at = {};
  Money amount = {}, remaining = {};
  friend bool operator==(const CreditLot&, const CreditLot&) = default;
};

// As soon as the balance is below `below`, `amount` is asked of the billing driver.
struct AutoTopUp {
  Money below = {}, amount = {};
  friend bool operator==(const AutoTopUp&, const AutoTopUp&) = default;
};

struct CreditsAdded {
  Account account = {};
  CreditTransaction transaction = {};
};
struct CreditsDeducted {
  Account account = {};
  CreditTransaction transaction = {};
};

// The same key again gives the first result when it is the same change, else conflict.
struct CreditOptions {
  std::string reason = {};  // empty: what is done, such as "top-up"
  Meta meta = {};
  std::string idempotency_key = {};
};

constexpr std::size_t kCreditTransactionsMax = 10'000;  // at once

class MeterCore;

// The wallet of one account; made in billing.currency by the first change of it. Every change is
// committed when its function returns. Reads wait for what this engine settled before.
class Wallet {
 public:
  Wallet(std::shared_ptr<MeterCore> core, Account account)
      : core_(std::move(core)), account_(std::move(account)) {}
  [[nodiscard]] const Account& account() const { return account_; }

  [[nodiscard]] Result<CreditTransaction> add_credits(Money amount,
                                                      CreditOptions options = {}) const;
  // Credits with an end, a rank or a kind of their own.
  [[nodiscard]] Result<CreditTransaction> grant(Money amount, LotTerms terms,
                                                CreditOptions options = {}) const;
  // Needs a balance that has the amount beside what is set aside for calls.
  [[nodiscard]] Result<CreditTransaction> deduct_credits(Money amount,
                                                         CreditOptions options = {}) const;
  // Of a usage, a correction or a withdrawal, by the id of its transaction; all that is left of it,
  // or a part. A usage and its corrections give back what they took, once: what an adjustment gives
  // of money that was refunded before is taken back with it.
  [[nodiscard]] Result<CreditTransaction> refund(std::int64_t debit,
                                                 std::optional<Money> amount = std::nullopt,
                                                 CreditOptions options = {}) const;
  [[nodiscard]] Result<Money> balance() const;
  // Where an overdraft is allowed: always.
  [[nodiscard]] Result<bool> has_sufficient_balance(const Money& amount) const;
  // The newest, the oldest of them first.
  [[nodiscard]] Result<std::vector<CreditTransaction>> transactions(
      std::size_t newest = kCreditTransactionsMax) const;
  // Sets it, or ends it. Asked for within a second or two, once at a time, and after a decline
  // later and later. Errors: failed_precondition (billing.driver is null), invalid_argument
  // (amounts not above 0, of two currencies or another than the wallet's); nothing is changed.
  [[nodiscard]] Status set_auto_top_up(const std::optional<AutoTopUp>& rule) const;
  [[nodiscard]] Result<std::optional<AutoTopUp>> auto_top_up() const;
  // Lots of which something is left, the oldest first.
  [[nodiscard]] Result<std::vector<CreditLot>> lots() const;

 private:
  std::shared_ptr<MeterCore> core_;
  Account account_;
};

[[nodiscard]] std::string_view name_of(Direction direction);
[[nodiscard]] std::string_view name_of(CreditCause cause);
[[nodiscard]] std::string_view name_of(LotKind kind);
[[nodiscard]] Result<LotKind> parse_lot_kind(std::string_view field, std::string_view text);

}  // namespace aimeter
