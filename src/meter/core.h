// Package:       meter
// Units:         as in aimeter/call.h.
// Errors:        as in aimeter/call.h and aimeter/tenant_view.h.
// Thread safety: any thread.
// Ownership:     borrows everything in Deps; the app owns it and outlives every handle.
//
// The engine behind every handle: call.cpp is the sentence, records.cpp what happened elsewhere,
// reader.cpp what was stored.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aimeter/billing.h"
#include "aimeter/tenant_view.h"
#include "base/fork.h"
#include "ledger/ledger.h"
#include "meter/answers.h"
#include "meter/costing.h"
#include "meter/estimates.h"
#include "meter/facts.h"
#include "meter/options.h"
#include "tenancy/resolve.h"

namespace aimeter::meter {

class RunningCall;

class Core final : public MeterCore {
 public:
  struct Deps {
    const tenancy::Tenancy& tenancy;
    ledger::Ledger& ledger;
    store::Store& store;
    const Clock& clock;
    const Answers& answers;
    PriceShelf& prices;
    Facts& facts;
    BillingDriver* billing = nullptr;
  };
  Core(const Deps& deps, Options options);
  // The handle that calls keep, so that the engine outlives them. Before the first call.
  void bind(const std::shared_ptr<MeterCore>& self) { self_ = self; }
  [[nodiscard]] static Core& of(const std::shared_ptr<MeterCore>& handle) {
    return static_cast<Core&>(*handle);
  }

  [[nodiscard]] Result<Hold> begin(Call call) override;
  void begin(Call call, HoldDone done) override;

  [[nodiscard]] Result<std::vector<Settled>> record_batch(const TenantId& tenant,
                                                          std::span<const UsageRecord> records,
                                                          const RecordOptions& options);
  [[nodiscard]] std::vector<Result<Settled>> record_each(const TenantId& tenant,
                                                         std::span<const UsageRecord> records,
                                                         const RecordOptions& options);
  // Usage that was paid for before it came here, of any age: as record_each() with history, but no
  // wallet is touched and nothing is charged as overage.
  [[nodiscard]] std::vector<Result<Settled>> record_elsewhere(const TenantId& tenant,
                                                              std::span<const UsageRecord> records);
  [[nodiscard]] Result<Settled> adjust(const std::optional<TenantId>& tenant,
                                       const Adjustment& adjustment);
  // Detached holds; with a tenant: another's token is not_found. detached.cpp
  void settle_token(const std::optional<TenantId>& tenant, std::string_view token,
                    Answered answered, SettleDone done);
  [[nodiscard]] Result<Settled> settle_token(const std::optional<TenantId>& tenant,
                                             std::string_view token, Answered answered);
  [[nodiscard]] Result<Settled> settle_token(const std::optional<TenantId>& tenant,
                                             std::string_view token, const HttpAnswer& answer);
  [[nodiscard]] Status release_token(const std::optional<TenantId>& tenant, std::string_view token);
  [[nodiscard]] Result<RepriceReport> reprice(const RepriceOptions& options);
  [[nodiscard]] Result<Explanation> explain(const std::optional<TenantId>& tenant,
                                            std::int64_t row);
  // Adjustments of a usage that are in the store, oldest first.
  [[nodiscard]] Result<std::vector<UsageRecord>> adjustments_of(const Account& account,
                                                                Instant occurred_at,
                                                                std::int64_t row);
  // Reads wait until the store has what was settled here before.
  [[nodiscard]] std::shared_ptr<const UsageReader> reader() const;
  [[nodiscard]] Result<store::Settlement> settlement(const std::optional<TenantId>& tenant,
                                                     std::int64_t row);
  [[nodiscard]] Result<LimitCheck> check_limit(const Account& account, const Estimate& requested);
  [[nodiscard]] Result<OveragePage> overages(const OverageFilter& filter, std::string_view cursor,
                                             std::size_t limit);
  // lifecycle.cpp: what is due now, each once, whoever comes first. Says how many.
  [[nodiscard]] Result<int> run_due();
  // Limits that rose credit the overage that they cover, without a call that would. Says how many.
  [[nodiscard]] Result<int> move_allowances();
  [[nodiscard]] Result<Subscription> change_active(
      const Account& account,
      const std::function<Result<Subscription>(const Subscription&, const Period::Options&)>& how);
  // preview.cpp
  [[nodiscard]] Result<InvoicePreview> preview_invoice(const Account& account,
                                                       const PreviewOptions& options);
  // The limits in force now.
  [[nodiscard]] Result<std::shared_ptr<const budget::Terms>> terms(const Account& account);
  [[nodiscard]] Result<store::Changed> change(store::ChangeBody body);
  // failed_precondition in a forked child.
  [[nodiscard]] Status usable() const;

  [[nodiscard]] const Deps& deps() const { return deps_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] Estimates& estimates() { return estimates_; }
  [[nodiscard]] std::shared_ptr<MeterCore> self() const { return self_.lock(); }

 private:
  friend class RunningCall;
  [[nodiscard]] Result<std::shared_ptr<RunningCall>> prepare(Call&& asked);
  // What one record takes part in.
  struct Incoming;
  struct Written;
  enum class Billed { here, elsewhere };
  struct How {
    RecordOptions options = {};
    Billed billed = Billed::here;
  };
  [[nodiscard]] std::vector<Result<Settled>> record_all(const TenantId& tenant,
                                                        std::span<const UsageRecord> records,
                                                        const How& how);
  [[nodiscard]] Result<Incoming> incoming(const TenantId& tenant, const UsageRecord& record,
                                          const RecordOptions& options);
  [[nodiscard]] Result<Written> write(Incoming incoming, const RecordOptions& options);
  [[nodiscard]] Result<Written> write_keyed(Incoming incoming, const RecordOptions& options);
  [[nodiscard]] Result<Written> write_held(Incoming incoming);
  // The row that `repeat` was settled as before. Where it was pruned: what the repeat says, under
  // the row's id and marked as a duplicate.
  [[nodiscard]] Result<Settled> original(UsageRecord repeat, std::int64_t row);
  struct Difference;
  [[nodiscard]] Result<Settled> adjust_by(const store::Settlement& original, std::int64_t row,
                                          Difference difference);
  [[nodiscard]] Status count_converted(const store::Settlement& original,
                                       store::Settlement& adjustment);
  struct Repriced;
  [[nodiscard]] Result<Repriced> reprice_row(const UsageRecord& row, Run run);
  void hold(std::shared_ptr<RunningCall> running, HoldDone done);
  struct Claimed;
  [[nodiscard]] Result<ledger::HoldClaim> open_token(const std::optional<TenantId>& tenant,
                                                     std::string_view token);
  [[nodiscard]] Claimed claimed(ledger::HoldClaim claim, Answered answered) const;
  [[nodiscard]] Result<Settled> conclude(Claimed claimed, Result<ledger::DetachedOutcome> written);
  [[nodiscard]] Status check_names(const Call& call) const;
  [[nodiscard]] Result<tenancy::Resolved> resolve(const Call& call) const;

  Deps deps_;
  Options options_;
  std::weak_ptr<MeterCore> self_;
  base::ForkMark born_;
  Estimates estimates_;
  base::Mutex adjusting_;  // what is left of a usage is read and written by one at a time
};

// One sum a currency.
[[nodiscard]] Result<std::vector<UsageTotals>> totals_of(const store::Store& store,
                                                         const UsageFilter& filter);
// Who pays: the explicit billable, else the tenant, else the user. Errors: invalid_argument.
[[nodiscard]] Result<Account> account_of(const TenantId& tenant,
                                         const std::optional<Billable>& billable,
                                         std::string_view user);
[[nodiscard]] Status check_billable(const Billable& who);
[[nodiscard]] Status check_feature(std::string_view name, FeatureNames how);
// What a settlement takes from the terms of its hold.
void pin_terms(store::Settlement& settlement, const budget::Terms& terms,
               std::optional<BillingMode> mode = std::nullopt);  // mode: the call's own
// The rates that convert the settlement's cost for its budgets, those that it has already kept. A
// budget that has none counts nothing, and the settlement is provisional.
void pin_rates(store::Settlement& settlement, const budget::Terms& terms,
               const currency::Rates* rates);
void set_price(store::Settlement& settlement, Priced price);
// What cannot be billed: a model without a price or a price
// without a rate where an account has a cost limit or pays with credits.
[[nodiscard]] Status check_billed(const budget::Terms& terms, const Guess& guess,
                                  std::optional<BillingMode> mode = std::nullopt);

}  // namespace aimeter::meter
