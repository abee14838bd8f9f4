// Package:       billing
// Units:         Money in nano-units, whole minor units of its currency where it goes to a driver.
// Errors:        unavailable (nothing was charged: try again), in_doubt (may have been charged:
//                the next attempt finds out), rate_limited (later), invalid_argument,
//                failed_precondition, unauthenticated and permission_denied (an operator must act).
// Thread safety: values. A driver is shared by threads; one batch is never sent by two at once.
// Ownership:     the engine owns its driver.
//
// The port through which money is asked for: "null", "stripe", or the host's own. Whatever fails,
// nothing is charged twice and nothing is lost: a batch is committed before it is sent, and its
// attempt number changes only when the one before it is known to have charged nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aimeter/money.h"
#include "aimeter/period.h"
#include "aimeter/plan.h"
#include "aimeter/result.h"
#include "aimeter/tenant.h"
#include "aimeter/time.h"

namespace aimeter {

struct Receipt {
  std::string id = {};  // of the charge at the billing service; empty: nothing was to be done
};

// What one charge is made of: the overage lines of an account, a period and a currency that came
// since the batch before, rounded so that all batches together are the rounded sum of all lines.
struct OverageBatch {
  std::int64_t id = 0;
  std::string key = {};  // names it anywhere and for ever, also in a store that went back in time
  Account account = {};
  Period::Span period = {};
  Money amount = {};          // negative: a credit
  std::int64_t units = 0;     // the same in minor units, as billing services take it
  std::int64_t quantity = 0;  // tokens, or nano-units of cost, that its lines count
  std::int64_t lines = 0;
  std::string description = {};
  Meta ids = {};  // of the account there: stripe_customer_id, stripe_subscription_id
  int attempt = 1;
  Instant frozen_at = {};
  std::optional<Instant> sent_at = {};  // when this attempt was first sent: it may have charged
  friend bool operator==(const OverageBatch&, const OverageBatch&) = default;
};

struct Refund {
  Account account = {};
  Money amount = {};
  std::string reason = {}, idempotency_key = {};
  std::string charge = {};  // what is given back: a payment, an invoice; empty: to the balance
  Meta ids = {};
};

struct TopUp {  // asks the account's stored payment method for money, for its wallet
  Account account = {};
  Money amount = {};
  std::string idempotency_key = {};
  Meta ids = {};
  std::optional<Instant> sent_at = {};  // when it was first asked for, where it was before
};

struct Webhook {
  std::string body = {}, signature = {};
};

// What a billing service tells, as facts: no driver changes anything by itself.
struct BillingEvent {
  enum class Kind { other, subscription, invoice_paid, payment_failed, top_up };
  std::string id = {}, type = {};  // "evt_1", "customer.subscription.updated"
  Kind kind = Kind::other;
  Instant created_at = {};
  std::string customer = {}, subscription = {}, price = {};
  Meta metadata = {};  // of the object
  // kind subscription:
  std::string status = {};  // "active", "past_due", "canceled" ...
  bool deleted = false, cancel_at_period_end = false;
  std::optional<Instant> started_at = {}, period_end = {}, cancel_at = {}, ended_at = {};
  std::optional<Instant> trial_end = {};
  // kind invoice_paid, payment_failed and top_up:
  std::string payment = {};  // the invoice or payment, the same however often it is told
  std::optional<Money> amount = {};
};

class BillingDriver {
 public:
  virtual ~BillingDriver() = default;
  // Idempotent by batch.key: with `sent_at` given it may have happened before. An error other than
  // in_doubt, unavailable and rate_limited says that this attempt has charged nothing and never
  // will.
  [[nodiscard]] virtual Result<Receipt> charge_overage(const Account& account,
                                                       const OverageBatch& batch) = 0;
  // Idempotent by refund.idempotency_key, which must not be empty.
  [[nodiscard]] virtual Result<Receipt> refund(const Refund& refund) = 0;
  // Idempotent by top_up.idempotency_key, also where its sent_at is days ago. The receipt's id is
  // that of the payment, as BillingEvent::payment names it. insufficient_credits: declined;
  // not_found: nothing was paid under this key, and it may be forgotten; in_doubt: ask again.
  [[nodiscard]] virtual Result<Receipt> top_up(const TopUp& top_up);
  // What the service calls this account; empty: it does not know it.
  [[nodiscard]] virtual Result<Meta> ids_of(const Account&) { return Meta{}; }
  // Proves the webhook and reads it. unauthenticated: the signature does not prove it.
  [[nodiscard]] virtual Result<BillingEvent> webhook(const Webhook& webhook);
};

// How amounts of a currency are written in whole numbers: `digits` behind the point, in multiples
// of `step`. usd {2, 1}, jpy {0, 1}, kwd {3, 10}, ugx {2, 100}.
struct MinorUnit {
  int digits = 2;
  std::int64_t step = 1;
  friend bool operator==(const MinorUnit&, const MinorUnit&) = default;
};
[[nodiscard]] MinorUnit minor_unit_of(std::string_view currency);
// Rounded half-even to whole minor units. Errors: out of range.
[[nodiscard]] Result<std::int64_t> to_minor_units(const Money& money);
// Errors: out of range.
[[nodiscard]] Result<Money> money_of_units(std::int64_t units, std::string_view currency);

// ---- Overage. Lines are only ever added: a correction, or a limit that rises, is a line with
// negative amounts.
struct Overage {  // one line
  std::int64_t id = 0;
  Account account = {};
  std::int64_t ai_usage_id =
      0;  // row of the usage or adjustment that wrote it; 0: a limit that rose
  Period::Span period = {};
  BudgetKind kind = BudgetKind::tokens;  // or cost: of a plan that has only a cost limit
  Tokens tokens = {};                    // signed; 0 of kind cost
  Money used_cost = {};                  // of kind cost: what was used above the limit
  Money price_per_1k_tokens = {};        // of the usage's pins; of kind cost: of 1000 units of it
  Money cost = {};                       // to be paid, signed
  std::int64_t batch = 0;                // in which it goes to the billing driver; 0: the next
  Instant created_at = {};
};

struct OverageFilter {
  std::optional<TenantId> tenant = {};
  std::optional<Billable> billable = {};
  std::optional<std::int64_t> ai_usage_id = {};
  std::optional<Instant> from = {}, to = {};  // start of the period: from <= it < to
  bool open_only = false;                     // in no batch yet
};
struct OveragePage {
  std::vector<Overage> overages = {};  // in the order in which they were written
  std::string next = {};               // cursor of the next page; "" at the end
};

// Each line, after it was committed; cost below zero is a credit.
struct OverageCharged {
  Account account = {};
  Overage overage = {};
};

// What an account is to pay for a period, and why. Parts of nano-units are rounded once for a line,
// the amount half-even by the currency's minor unit.
struct InvoiceLine {
  enum class Kind { overage, credit } kind = Kind::overage;
  BudgetKind counted = BudgetKind::tokens;
  std::int64_t quantity = 0;  // tokens, or nano-units of cost
  Money price_per_1k = {};
  Money cost = {};  // exact
  std::string plan = {};
  std::vector<std::string> price_versions = {};  // of the usage in it
  std::int64_t lines = 0;                        // of overage that it sums
};
struct InvoicePreview {
  Account account = {};
  Period::Span period = {};
  std::string plan = {};  // the plan in force at the end of what was looked at
  std::vector<InvoiceLine> lines = {};
  Money exact = {};     // the sum of the lines
  Money batched = {};   // what batches before have asked for
  Money amount = {};    // what is due: exact, rounded, minus batched
  Money rounding = {};  // amount + batched - exact
  std::int64_t used_tokens = 0;
  Money used_cost = {};
  Money credits_used = {};  // of the wallet, in the period
};

}  // namespace aimeter
