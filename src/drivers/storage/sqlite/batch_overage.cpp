#include <algorithm>

#include "drivers/storage/sqlite/batch.h"

// Lines of overage: written as they come, so that the next one sees what remains of them. Whatever
// fails later takes them back with the transaction.
namespace aimeter::drivers::sqlite {
namespace {

class Open final : public billing::OpenLines {
 public:
  Open(Lane& lane, std::int64_t budget) : lane_(lane), budget_(budget) {}

  Result<std::optional<billing::OpenLine>> newest(const billing::OveragePrice* price) override {
    std::optional<std::int64_t> nanos, currency;
    if (price != nullptr) {
      nanos = price->nanos_per_million;
      AIMETER_TRY(currency, lane_.names.currency(price->currency));
    }
    Query query(*lane_.connection,
                "SELECT o.id, o.remaining, o.price_nanos, n.text FROM ai_overages o LEFT JOIN"
                " ai_names n ON n.name = o.currency WHERE o.budget = ?1 AND o.remaining > 0 AND"
                " (?2 IS NULL OR (o.price_nanos = ?2 AND o.currency = ?3)) ORDER BY o.id DESC"
                " LIMIT 1",
                budget_, nanos, currency);
    AIMETER_TRY(const bool there, query.step());
    if (!there) return std::nullopt;
    return std::optional(
        billing::OpenLine{query.integer(0), query.integer(1), {query.integer(2), query.text(3)}});
  }
  Status take(std::int64_t line, store::Amount amount) override {
    AIMETER_CHECK_OK(run(*lane_.connection,
                         "UPDATE ai_overages SET remaining = remaining - ?2 WHERE id = ?1", line,
                         amount));
    return {};
  }

 private:
  Lane& lane_;
  std::int64_t budget_;
};

}  // namespace

Status Batch::step_overage(const Line& line, const store::Settlement& row,
                           const store::BudgetPart& part, Counter& counter) {
  if (line.repeat) return {};
  const billing::CountedUsage usage = store::usage_of(row, part, counter.state.used, counts_);
  const bool own = usage.charges == billing::Charges::yes;
  if (!own && !counter.state.overage.t) return {};
  billing::OverageStep step = billing::step_of(counter.state.overage, usage);
  Open open(lane_, counter.budget);
  AIMETER_TRY(const auto drafts, billing::lines_of(step, own ? &*row.pins.overage : nullptr, open));
  if (!drafts) {
    connection_.note_row_error();
    return fail(Code::invalid_argument, "an overage is out of range");
  }
  counter.state.overage = step.after;
  for (const billing::LineDraft& draft : *drafts) {
    AIMETER_CHECK_OK(write_overage(line, draft, counter));
  }
  return {};
}

Status Batch::write_overage(const Line& line, const billing::LineDraft& draft,
                            const Counter& counter) {
  AIMETER_TRY(const std::int64_t currency, lane_.names.currency(draft.price.currency));
  const store::Amount remaining = std::max<store::Amount>(0, draft.amount);
  AIMETER_CHECK_OK(run(connection_,
                       "INSERT INTO ai_overages(tenant, account, budget, usage, amount,"
                       " price_nanos, currency, cost_nanos, remaining, created_at) VALUES(?1, ?2,"
                       " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                       line.tenant, line.account, counter.budget, line.id, draft.amount,
                       draft.price.nanos_per_million, currency, draft.cost_nanos, remaining,
                       now_.time_since_epoch().count()));
  store::OverageLine& told = overages_.emplace_back();
  told.id = sqlite3_last_insert_rowid(connection_.raw());
  if (counter.key != nullptr) told.budget = *counter.key;
  told.usage = line.id;
  told.amount = draft.amount;
  told.price = draft.price;
  told.cost_nanos = draft.cost_nanos;
  told.remaining = remaining;
  told.created_at = now_;
  return {};
}

Status Batch::write_overage_state(const Counter& counter) {
  const billing::OverageState& overage = counter.state.overage;
  if (!overage.t) return {};
  AIMETER_CHECK_OK(run(connection_,
                       "UPDATE ai_budgets SET overage_t = ?3, overage_b = ?4, overage_rest = ?5,"
                       " overage_catalogue = ?6, overage_at = ?7 WHERE tenant = ?1 AND budget = ?2",
                       counter.tenant, counter.budget, overage.t, overage.b, overage.rest,
                       overage.age.catalogue, overage.age.at.time_since_epoch().count()));
  return {};
}

}  // namespace aimeter::drivers::sqlite
