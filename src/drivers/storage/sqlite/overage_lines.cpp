#include "drivers/storage/sqlite/overage_lines.h"

#include <algorithm>

#include "drivers/storage/sqlite/catalogue.h"
#include "drivers/storage/sqlite/counters.h"

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

Result<store::OverageLine> insert(Lane& lane, const LinesOf& of, const billing::LineDraft& draft) {
  AIMETER_TRY(const std::int64_t currency, lane.names.currency(draft.price.currency));
  const store::Amount remaining = std::max<store::Amount>(0, draft.amount);
  AIMETER_CHECK_OK(run(*lane.connection,
                       "INSERT INTO ai_overages(tenant, account, budget, usage, amount,"
                       " price_nanos, currency, cost_nanos, remaining, created_at) VALUES(?1, ?2,"
                       " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                       of.tenant, of.account, of.budget, of.usage, draft.amount,
                       draft.price.nanos_per_million, currency, draft.cost_nanos, remaining,
                       of.now.time_since_epoch().count()));
  store::OverageLine line;
  line.id = lane.connection->last_id();
  line.usage = of.usage;
  line.amount = draft.amount;
  line.price = draft.price;
  line.cost_nanos = draft.cost_nanos;
  line.remaining = remaining;
  line.created_at = of.now;
  return line;
}

}  // namespace

Result<std::vector<store::OverageLine>> write_lines(Lane& lane, const LinesOf& of,
                                                    billing::OverageStep& step,
                                                    const billing::OveragePrice* price) {
  Open open(lane, of.budget);
  AIMETER_TRY(const auto drafts, billing::lines_of(step, price, open));
  if (!drafts) {
    lane.connection->note_row_error();
    return fail(Code::invalid_argument, "an overage is out of range");
  }
  std::vector<store::OverageLine> written;
  for (const billing::LineDraft& draft : *drafts) {
    AIMETER_TRY(written.emplace_back(), insert(lane, of, draft));
  }
  return written;
}

Status write_overage_state(Connection& connection, const LinesOf& of,
                           const billing::OverageState& overage) {
  if (!overage.t) return {};
  AIMETER_CHECK_OK(run(connection,
                       "UPDATE ai_budgets SET overage_t = ?3, overage_b = ?4, overage_rest = ?5,"
                       " overage_catalogue = ?6, overage_at = ?7, overage_cost = ?8 WHERE tenant ="
                       " ?1 AND budget = ?2",
                       of.tenant, of.budget, overage.t, overage.b, overage.rest,
                       overage.age.catalogue, overage.age.at.time_since_epoch().count(),
                       overage.cost_nanos));
  return {};
}

Result<store::Changed> put(Lane& lane, const store::MoveAllowance& change, Instant now) {
  Connection& connection = *lane.connection;
  store::Changed changed;
  AIMETER_TRY(const auto ids, find_ids(connection, change.key));
  AIMETER_TRY(const auto budget, find_budget(connection, change.key));
  if (!ids || !budget) return changed;
  const LinesOf of{.tenant = ids->tenant, .account = ids->account, .budget = *budget, .now = now};
  billing::OverageState state;
  store::Amount used = 0;
  {
    Query query(connection,
                "SELECT used, overage_t, overage_b, overage_rest, overage_catalogue, overage_at,"
                " overage_cost FROM ai_budgets WHERE tenant = ?1 AND budget = ?2",
                of.tenant, of.budget);
    AIMETER_TRY(const bool there, query.step());
    if (!there) return changed;
    used = query.integer(0);
    state = read_overage(query, 1);
  }
  if (state.b == 0) return changed;
  billing::OverageStep step =
      billing::step_of(state, store::usage_of(used, change.limit, change.age));
  AIMETER_TRY(changed.overages, write_lines(lane, of, step, nullptr));
  for (store::OverageLine& line : changed.overages) line.budget = change.key;
  AIMETER_CHECK_OK(write_overage_state(connection, of, step.after));
  changed.rows = static_cast<std::int64_t>(changed.overages.size());
  return changed;
}

}  // namespace aimeter::drivers::sqlite
