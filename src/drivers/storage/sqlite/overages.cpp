#include "drivers/storage/sqlite/sqlite_store.h"
#include "store/record.h"

// Pages of overage lines.
namespace aimeter::drivers::sqlite {
namespace {

std::optional<std::int64_t> micros(const std::optional<Instant>& at) {
  if (!at) return std::nullopt;
  return at->time_since_epoch().count();
}

Result<store::OverageLine> line_of(Rows& rows, const Query& query) {
  store::OverageLine line{.id = query.integer(0),
                          .usage = query.integer(2),
                          .amount = query.integer(3),
                          .price = {.nanos_per_million = query.integer(4)},
                          .cost_nanos = query.integer(6),
                          .remaining = query.integer(7),
                          .batch = query.optional_integer(8).value_or(0),
                          .created_at = Instant(Duration(query.integer(9)))};
  AIMETER_TRY(line.budget, rows.budget(query.integer(1)));
  AIMETER_TRY(line.price.currency, rows.name(query.integer(5)));
  return line;
}

constexpr const char* kOverages =
    "SELECT o.id, o.budget, o.usage, o.amount, o.price_nanos, o.currency, o.cost_nanos,"
    " o.remaining, o.batch, o.created_at FROM ai_overages o JOIN ai_budgets b USING(budget) WHERE"
    " o.id > ?1 AND (?2 IS NULL OR o.tenant = (SELECT tenant FROM ai_tenants WHERE name = ?2)) AND"
    " (?3 IS NULL OR o.account IN (SELECT account FROM ai_accounts WHERE type = ?3 AND id = ?4))"
    " AND (?5 IS NULL OR o.usage = ?5) AND (?6 IS NULL OR b.period_start >= ?6) AND"
    " (?7 IS NULL OR b.period_start < ?7) AND (?8 = 0 OR o.batch IS NULL) ORDER BY o.id LIMIT ?9";

}  // namespace

Result<store::OveragePage> SqliteStore::overages(const store::OverageFilter& filter,
                                                 std::string_view cursor, std::size_t limit) const {
  AIMETER_CHECK_OK(store::check_page(limit));
  AIMETER_TRY(const std::int64_t after, store::parse_overage_cursor(cursor));
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Rows rows(*use);
  Query query(*use, kOverages, after,
              filter.tenant ? std::optional(filter.tenant->text) : std::nullopt,
              filter.billable ? std::optional(filter.billable->type) : std::nullopt,
              filter.billable ? std::optional(filter.billable->id) : std::nullopt, filter.usage,
              micros(filter.from), micros(filter.to), filter.open_only ? 1 : 0, limit + 1);
  store::OveragePage page;
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return page;
    if (page.lines.size() == limit) {
      page.next = std::to_string(page.lines.back().id);
      return page;
    }
    AIMETER_TRY(page.lines.emplace_back(), line_of(rows, query));
  }
}

}  // namespace aimeter::drivers::sqlite
