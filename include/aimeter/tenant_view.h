// Package:       meter
// Units:         Tokens, Money, Instant; amounts of an Adjustment are signed.
// Errors:        invalid_argument naming the field; not_found (also when it is another tenant's);
//                failed_precondition, conflict, unavailable: nothing was done.
// Thread safety: values; any thread.
// Ownership:     share the engine.
//
// Everything of one tenant and nothing of another; Admin alone sees across tenants. Reads wait
// until the store has what this engine settled before (read your writes).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/billing.h"
#include "aimeter/call.h"
#include "aimeter/pricing.h"
#include "aimeter/wallet.h"

namespace aimeter {

// recent: at most max_lateness (90 days) old and 5 minutes ahead. history: any age, for imports.
enum class Horizon { recent, history };
// limits: as a live call at its occurred_at, its counts a strict estimate: quota_exceeded is
// possible.
enum class Enforce { nothing, limits };
struct RecordOptions {
  Horizon horizon = Horizon::recent;
  Enforce enforce = Enforce::nothing;
};

// Corrects one usage, in its own period and budgets. What would take more than is left is refused.
struct Adjustment {
  std::int64_t of = 0;  // row id of the usage
  Usage usage = {};     // signed differences
  Money cost = {};      // signed difference of the total, in the usage's currency
  std::string reason = {};
  std::string idempotency_key = {};
};

enum class When { now, period_end };
struct MigratePlanOptions {
  std::string to = {}, expect_from = {};  // expect_from empty: whatever it is
  When when = When::now;
};
struct PreviewOptions {
  std::optional<Instant> at = {};  // any time of the period; empty: now
  std::string plan = {};  // what this plan would have billed over the recorded usage; "": its own
};

// How one call was decided and priced.
struct Explanation {
  UsageRecord record = {};
  std::string tenant_found_by = {};  // "explicit", "ambient", "resolver:domain" ...
  std::string estimate_source = {};  // "given", "manual", "learned", "first", "none"
  Tokens estimate_tokens = {};
  Money estimate_cost = {};
  bool capped = false;
  Period::Span period = {};
  std::int64_t plan_version = 0;
  struct Budget {
    BudgetCheck before = {};  // used: of all settlements of this budget written before this one
    std::int64_t held = 0, counted = 0, used_after = 0;
  };
  std::vector<Budget> budgets = {};
  std::string price_model = {};         // the price row
  std::optional<CostResult> cost = {};  // the arithmetic; empty when the price version is gone
  std::vector<UsageRecord> adjustments = {};
};

class TenantView {
 public:
  TenantView(std::shared_ptr<MeterCore> core, TenantId tenant)
      : core_(std::move(core)), tenant_(std::move(tenant)) {}
  [[nodiscard]] const TenantId& id() const { return tenant_; }

  [[nodiscard]] UsageQuery usages() const;
  [[nodiscard]] Result<UsageRecord> usage(std::int64_t row) const;
  [[nodiscard]] Result<Explanation> explain(std::int64_t row) const;

  // A new subscription; started_at unset = now; trial_days of the plan set trial_ends_at, one trial
  // per account and plan. Errors: not_found (plan), failed_precondition (inactive plan, a plan or
  // mode that this version does not bill).
  [[nodiscard]] Result<Subscription> subscribe(Subscription subscription) const;
  [[nodiscard]] Result<Subscription> active_subscription(const Billable& who) const;  // not_found
  [[nodiscard]] Result<Plan> active_plan(const Billable& who) const;                  // not_found
  [[nodiscard]] Result<BillingMode> billing_mode(const Billable& who) const;          // none: plan
  // Errors: failed_precondition (on the plan already), conflict (not on expect_from), not_found.
  [[nodiscard]] Result<Subscription> migrate_plan(const Billable& who,
                                                  const MigratePlanOptions& options) const;
  // now: access ends, and SubscriptionExpired is told. period_end: at renews_at, else at the end of
  // the plan's period; until then nothing changes.
  [[nodiscard]] Result<Subscription> cancel(const Billable& who, When when) const;
  // Takes a cancellation, or a change that is to come, back while the subscription is still active.
  [[nodiscard]] Result<Subscription> renew(const Billable& who) const;
  // A failure ends it now with one grace of the configured days; a payment clears both.
  [[nodiscard]] Result<Subscription> payment_failed(const Billable& who) const;
  [[nodiscard]] Result<Subscription> payment_succeeded(const Billable& who) const;
  // Lines of overage, in pages. The tenant of the filter is this view's.
  [[nodiscard]] Result<OveragePage> overages(OverageFilter filter = {},
                                             std::string_view cursor = {},
                                             std::size_t limit = kPageMax) const;
  // What is to be paid for a period; equals to the cent what a sync sends.
  [[nodiscard]] Result<InvoicePreview> preview_invoice(const Billable& who,
                                                       const PreviewOptions& options = {}) const;
  [[nodiscard]] Status override_limits(UsageLimitOverride limits) const;
  // A plan of this tenant alone.
  [[nodiscard]] Result<Plan> create_plan(Plan plan) const;
  [[nodiscard]] Result<std::vector<Plan>> plans() const;  // its own and the operator's

  // Looks and holds nothing.
  [[nodiscard]] Result<LimitCheck> check_limit(const Billable& who,
                                               const Estimate& requested = {}) const;
  template <HasBillable T>
  [[nodiscard]] Result<LimitCheck> check_limit(const T& who, const Estimate& requested = {}) const {
    return check_limit(Billable(billable_of(who)), requested);
  }

  [[nodiscard]] Wallet wallet(const Billable& who) const;
  template <HasBillable T>
  [[nodiscard]] Wallet wallet(const T& who) const {
    return wallet(Billable(billable_of(who)));
  }

  // Usage that happened elsewhere; never refused by a limit (but see Enforce). A key that was
  // recorded before gives the original record, duplicate() set.
  [[nodiscard]] Result<Settled> record(UsageRecord record, const RecordOptions& options = {}) const;
  // All or, when one of them is bad (its index is named), none; one wait for the durability of all.
  [[nodiscard]] Result<std::vector<Settled>> record_batch(std::span<const UsageRecord> records,
                                                          const RecordOptions& options = {}) const;
  // Each on its own: a bad or refused one does not keep the others out.
  [[nodiscard]] std::vector<Result<Settled>> record_each(std::span<const UsageRecord> records,
                                                         const RecordOptions& options = {}) const;
  [[nodiscard]] Result<Settled> adjust(const Adjustment& adjustment) const;

  // Detached holds, as in engine.h; a token of another tenant is not_found.
  [[nodiscard]] Result<Settled> settle(std::string_view token, const Usage& usage) const;
  [[nodiscard]] Result<Settled> settle(std::string_view token, const HttpAnswer& answer) const;
  void settle(std::string_view token, Answered answered, SettleDone done) const;
  [[nodiscard]] Status release(std::string_view token) const;

  // Clears the user of rows; counters, roll-ups and money stay. Returns how many rows.
  [[nodiscard]] Result<std::int64_t> erase_user(std::string_view user) const;

 private:
  [[nodiscard]] Account account(const Billable& who) const { return {tenant_, who}; }
  std::shared_ptr<MeterCore> core_;
  TenantId tenant_;
};

enum class Which { provisional_or_estimated, all };
enum class Run { write, dry };
struct RepriceOptions {
  UsageFilter filter = {};
  Which which = Which::provisional_or_estimated;
  Run run = Run::write;
  std::function<bool(std::int64_t done)> progress = {};  // false: stop after this row
};
struct RepriceReport {
  struct Line {
    Account account = {};
    std::int64_t rows = 0;  // whose cost changes
    Money before = {}, after = {};
  };
  std::int64_t seen = 0, changed = 0, unpriced = 0;  // unpriced: still without a price
  bool interrupted = false;
  std::vector<Line> accounts = {};  // one an account and currency
};

// Across tenants: for operators.
class Admin {
 public:
  explicit Admin(std::shared_ptr<MeterCore> core) : core_(std::move(core)) {}

  [[nodiscard]] Result<Plan> create_plan(Plan plan) const;  // tenant "": visible to all
  // A new version of the plan of that tenant and slug; acts at the next hold.
  [[nodiscard]] Result<Plan> change_plan(Plan plan) const;
  [[nodiscard]] Result<std::vector<Plan>> plans() const;  // of all tenants
  [[nodiscard]] Result<std::vector<TenantId>> tenants() const;
  // `work` runs inside a TenantScope of each; its first error stops.
  [[nodiscard]] Status for_each_tenant(const std::function<Status(const TenantView&)>& work) const;
  [[nodiscard]] Result<UsagePage> usages(const UsageFilter& filter, std::string_view cursor = {},
                                         std::size_t limit = kPageMax) const;
  [[nodiscard]] Result<std::vector<UsageTotals>> totals(const UsageFilter& filter) const;
  [[nodiscard]] Result<Explanation> explain(std::int64_t row) const;
  [[nodiscard]] Result<OveragePage> overages(const OverageFilter& filter = {},
                                             std::string_view cursor = {},
                                             std::size_t limit = kPageMax) const;
  // Does what is due now: changes that were to come, ends by time, renewals. Says how many. The
  // engine does the same once a second; each is done once, whoever comes first.
  [[nodiscard]] Result<int> run_due() const;
  // Prices rows again by the book in force at their occurred_at and writes the difference as
  // adjustments. Run twice it changes nothing.
  [[nodiscard]] Result<RepriceReport> reprice(const RepriceOptions& options) const;

 private:
  std::shared_ptr<MeterCore> core_;
};

}  // namespace aimeter
