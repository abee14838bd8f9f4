// What an account is to pay for a period: from the lines that are there, or as another plan would
// have made them over the same usage.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "billing/rounding.h"
#include "ledger/charges.h"
#include "meter/core.h"

namespace aimeter::meter {
namespace {

constexpr std::int64_t kThousand = 1'000;

// Lines of one kind and price, in the order in which they came.
class Lines {
 public:
  explicit Lines(std::string currency) : currency_(std::move(currency)) {}

  [[nodiscard]] Status add(const store::OverageLine& line, const std::string& plan,
                           const std::string& price_version) {
    if (line.price.currency != currency_) {
      if (lines_.empty()) currency_ = line.price.currency;
      if (line.price.currency != currency_) {
        return fail(Code::failed_precondition,
                    fmt::format("invoice: the period has overage in {} and in {}; each is billed "
                                "for itself",
                                currency_, line.price.currency));
      }
    }
    const bool credit = line.amount < 0;
    InvoiceLine& sum = lines_[{line.budget.kind, credit, line.price.nanos_per_million, plan}];
    sum.kind = credit ? InvoiceLine::Kind::credit : InvoiceLine::Kind::overage;
    sum.counted = line.budget.kind;
    sum.plan = plan;
    sum.price_per_1k = {line.price.nanos_per_million / kThousand, currency_};
    sum.cost.currency = currency_;
    sum.quantity += line.amount;
    sum.cost.nanos += line.cost_nanos;
    ++sum.lines;
    if (!price_version.empty() &&
        std::ranges::find(sum.price_versions, price_version) == sum.price_versions.end()) {
      sum.price_versions.push_back(price_version);
    }
    exact_ += line.cost_nanos;
    if (line.batch != 0) batched_ += line.cost_nanos;
    return {};
  }
  // Batches before are the rounded sum of their lines, so what is due is the difference.
  [[nodiscard]] Status finish(InvoicePreview& preview) const {
    AIMETER_TRY(const std::int64_t all, billing::rounded_units(exact_, currency_));
    AIMETER_TRY(const std::int64_t before, billing::rounded_units(batched_, currency_));
    AIMETER_TRY(const std::int64_t due, billing::next_batch_units(exact_, before, currency_));
    for (const auto& [key, line] : lines_) preview.lines.push_back(line);
    preview.exact = {static_cast<std::int64_t>(exact_), currency_};
    AIMETER_TRY(preview.batched, money_of_units(before, currency_));
    AIMETER_TRY(preview.amount, money_of_units(due, currency_));
    AIMETER_TRY(const Money rounded, money_of_units(all, currency_));
    preview.rounding = {rounded.nanos - preview.exact.nanos, currency_};
    return {};
  }

 private:
  std::string currency_;
  std::map<std::tuple<BudgetKind, bool, std::int64_t, std::string>, InvoiceLine> lines_;
  Int128 exact_ = 0, batched_ = 0;
};

// The lines of a plan that nobody had: as a store would have written them.
class Replay final : public billing::OpenLines {
 public:
  Result<std::optional<billing::OpenLine>> newest(const billing::OveragePrice* price) override {
    for (std::size_t i = open_.size(); i > 0; --i) {
      const store::OverageLine& line = lines[open_[i - 1]];
      if (price != nullptr && line.price != *price) continue;
      return std::optional(
          billing::OpenLine{static_cast<std::int64_t>(open_[i - 1]), line.remaining, line.price});
    }
    return std::nullopt;
  }
  Status take(std::int64_t line, store::Amount amount) override {
    const auto index = static_cast<std::size_t>(line);
    lines[index].remaining -= amount;
    if (lines[index].remaining == 0) std::erase(open_, index);
    return {};
  }
  // One usage under its limits.
  [[nodiscard]] Status count(const UsageRecord& record, const plans::ConcreteBudget& budget) {
    const store::Amount amount = budget.kind == BudgetKind::tokens ? record.usage.total_tokens.count
                                                                   : record.total_cost.nanos;
    const std::optional<billing::OveragePrice> price =
        budget.charged ? std::optional(billing::OveragePrice{budget.charged->nanos_per_million,
                                                             budget.charged->currency})
                       : std::nullopt;
    const billing::CountedUsage usage{
        .used_before = used_,
        .used_after = used_ + amount,
        .limit = budget.charged ? std::optional(budget.charged->allowance) : budget.limit,
        .charges = budget.charged ? billing::Charges::yes : billing::Charges::no,
        .moves = record.adjustment ? billing::Moves::nothing : billing::Moves::limit,
        .age = {1, record.occurred_at}};
    billing::OverageStep step = billing::step_of(state_, usage);
    AIMETER_TRY(const auto drafts, billing::lines_of(step, price ? &*price : nullptr, *this));
    if (!drafts) return fail(Code::invalid_argument, "invoice: an overage is out of range");
    used_ += amount;
    state_ = step.after;
    for (const billing::LineDraft& draft : *drafts) {
      if (draft.amount > 0) open_.push_back(lines.size());
      lines.push_back({.budget = {.kind = budget.kind},
                       .amount = draft.amount,
                       .price = draft.price,
                       .cost_nanos = draft.cost_nanos,
                       .remaining = std::max<store::Amount>(0, draft.amount)});
    }
    return {};
  }
  std::vector<store::OverageLine> lines;

 private:
  std::vector<std::size_t> open_;
  billing::OverageState state_ = {};
  store::Amount used_ = 0;
};

// The account's contract, had it been on `plan` all the time.
plans::Contract on_plan(plans::Contract contract, const Plan& plan) {
  for (Subscription& one : contract.subscriptions) {
    one.plan = plan.slug;
    one.next_plan.clear();
    one.changes_at.reset();
  }
  if (contract.subscriptions.empty()) contract.subscriptions = {{.id = 1, .plan = plan.slug}};
  contract.plans = {plan};
  contract.prices.clear();
  contract.overages.clear();
  return contract;
}

Status each_usage(const store::Store& store, const UsageFilter& filter,
                  const std::function<Status(const UsageRecord&)>& row) {
  std::string cursor;
  do {
    AIMETER_TRY(const UsagePage page, store.usages(filter, cursor, kPageMax));
    for (const UsageRecord& record : page.records) AIMETER_CHECK_OK(row(record));
    cursor = page.next;
  } while (!cursor.empty());
  return {};
}

Status replay(const store::Store& store, const plans::Contract& contract,
              const plans::LimitOptions& options, InvoicePreview& preview) {
  Replay replay;
  std::optional<plans::EffectiveLimits> limits;
  const UsageFilter filter{.tenant = preview.account.tenant,
                           .billable = preview.account.billable,
                           .from = preview.period.start,
                           .to = preview.period.end};
  AIMETER_CHECK_OK(each_usage(store, filter, [&](const UsageRecord& record) -> Status {
    if (!limits || !limits->valid.contains(record.occurred_at)) {
      limits = plans::effective_limits(contract, options, record.occurred_at);
    }
    const auto charging = std::ranges::find_if(
        limits->budgets, [](const plans::ConcreteBudget& one) { return one.charged.has_value(); });
    return replay.count(record,
                        charging != limits->budgets.end() ? *charging : limits->budgets.front());
  }));
  Lines lines(options.currency);
  for (const store::OverageLine& line : replay.lines) {
    AIMETER_CHECK_OK(lines.add(line, preview.plan, ""));
  }
  return lines.finish(preview);
}

Status recorded(const store::Store& store, const plans::LimitOptions& options,
                InvoicePreview& preview) {
  Lines lines(options.currency);
  const store::OverageFilter filter{.tenant = preview.account.tenant,
                                    .billable = preview.account.billable,
                                    .from = preview.period.start,
                                    .to = preview.period.start + Duration(1)};
  std::string cursor;
  do {
    AIMETER_TRY(const store::OveragePage page, store.overages(filter, cursor, kPageMax));
    for (const store::OverageLine& line : page.lines) {
      if (line.budget.span != preview.period) continue;
      std::optional<store::Settlement> usage;
      if (line.usage != 0) {
        AIMETER_TRY(usage, store.settlement(line.usage, preview.account.tenant));
      }
      AIMETER_CHECK_OK(lines.add(line, usage ? usage->pins.plan_slug : "",
                                 usage ? usage->pins.price_version : ""));
    }
    cursor = page.next;
  } while (!cursor.empty());
  return lines.finish(preview);
}

}  // namespace

Result<InvoicePreview> Core::preview_invoice(const Account& account,
                                             const PreviewOptions& options) {
  AIMETER_CHECK_OK(usable());
  AIMETER_CHECK_OK(deps_.ledger.drain());
  const Instant at = options.at.value_or(deps_.clock.now());
  AIMETER_TRY(const store::AccountState state, deps_.store.load_account(account, at));
  plans::Contract contract = state.contract;
  if (!options.plan.empty()) {
    AIMETER_TRY(const std::optional<Plan> plan,
                deps_.store.find_plan(account.tenant, options.plan));
    if (!plan) return fail(Code::not_found, fmt::format("plan: there is no \"{}\"", options.plan));
    contract = on_plan(std::move(contract), *plan);
  }
  const plans::EffectiveLimits limits = plans::effective_limits(contract, options_.limits, at);
  InvoicePreview preview{.account = account, .period = limits.budgets.front().span};
  if (limits.plan) preview.plan = limits.plan->slug;
  if (options.plan.empty()) {
    AIMETER_CHECK_OK(recorded(deps_.store, options_.limits, preview));
  } else {
    AIMETER_CHECK_OK(replay(deps_.store, contract, options_.limits, preview));
  }
  const UsageFilter of_period{.tenant = account.tenant,
                              .billable = account.billable,
                              .from = preview.period.start,
                              .to = preview.period.end};
  AIMETER_TRY(const std::vector<UsageTotals> totals, totals_of(deps_.store, of_period));
  for (const UsageTotals& sum : totals) {
    preview.used_tokens += sum.total_tokens.count;
    if (sum.total_cost.currency == preview.exact.currency) preview.used_cost = sum.total_cost;
  }
  store::CreditFilter filter{.wallet = {account.tenant, account.billable}};
  for (bool more = true; more;) {
    AIMETER_TRY(const auto moves, deps_.store.credit_transactions(filter, kPageMax));
    for (const store::CreditMove& move : moves) {
      filter.after = move.transaction.id;
      if (!preview.period.contains(move.transaction.created_at)) continue;
      preview.credits_used.currency = move.transaction.amount.currency;
      const CreditCause cause = move.transaction.cause;
      if (cause != CreditCause::usage && cause != CreditCause::correction) continue;
      const std::int64_t nanos = move.transaction.amount.nanos;
      preview.credits_used.nanos += move.transaction.is_credit() ? -nanos : nanos;
    }
    more = moves.size() == kPageMax;
  }
  return preview;
}

}  // namespace aimeter::meter

namespace aimeter {

Result<InvoicePreview> TenantView::preview_invoice(const Billable& who,
                                                   const PreviewOptions& options) const {
  return meter::Core::of(core_).preview_invoice(account(who), options);
}

}  // namespace aimeter
