#include "drivers/storage/sqlite/counters.h"

namespace aimeter::drivers::sqlite {

Result<std::optional<BudgetIds>> find_ids(Connection& connection, const store::BudgetKey& key) {
  BudgetIds ids{.kind = static_cast<std::int64_t>(key.kind),
                .start = key.span.start.time_since_epoch().count(),
                .end = key.span.end.time_since_epoch().count(),
                .plan = key.plan};
  const auto find_name = [&](std::int64_t tenant, NameKind kind, const std::string& text) {
    return find_integer(connection,
                        "SELECT name FROM ai_names WHERE tenant = ?1 AND kind = ?2 AND text = ?3",
                        tenant, static_cast<std::int64_t>(kind), text);
  };
  AIMETER_TRY(const auto tenant,
              find_integer(connection, "SELECT tenant FROM ai_tenants WHERE name = ?1",
                           key.account.tenant.text));
  if (!tenant) return std::nullopt;
  ids.tenant = *tenant;
  AIMETER_TRY(
      const auto account,
      find_integer(connection,
                   "SELECT account FROM ai_accounts WHERE tenant = ?1 AND type = ?2 AND id = ?3",
                   *tenant, key.account.billable.type, key.account.billable.id));
  if (!account) return std::nullopt;
  ids.account = *account;
  if (key.scope != BudgetScope::account || !key.name.empty()) {
    AIMETER_TRY(const auto scope, find_name(*tenant, kind_of(key.scope), key.name));
    if (!scope) return std::nullopt;
    ids.scope = *scope;
  }
  if (!key.currency.empty()) {
    AIMETER_TRY(const auto currency, find_name(0, NameKind::currency, key.currency));
    if (!currency) return std::nullopt;
    ids.currency = *currency;
  }
  return ids;
}

Result<std::optional<std::int64_t>> find_budget(Connection& connection,
                                                const store::BudgetKey& key) {
  AIMETER_TRY(const auto ids, find_ids(connection, key));
  if (!ids) return std::nullopt;
  return find_integer(connection,
                      "SELECT budget FROM ai_budgets WHERE tenant = ?1 AND account = ?2 AND kind ="
                      " ?3 AND scope = ?4 AND currency = ?5 AND period_start = ?6 AND period_end ="
                      " ?7 AND plan = ?8",
                      ids->tenant, ids->account, ids->kind, ids->scope, ids->currency, ids->start,
                      ids->end, ids->plan);
}

billing::OverageState read_overage(const Query& query, int first) {
  return {.t = query.optional_integer(first),
          .b = query.integer(first + 1),
          .age = {.catalogue = static_cast<std::uint64_t>(query.integer(first + 3)),
                  .at = Instant(Duration(query.integer(first + 4)))},
          .cost_nanos = query.integer(first + 5),
          .rest = query.integer(first + 2)};
}

Result<std::vector<plans::OverageSoFar>> overages_of(Connection& connection, const Account& account,
                                                     Instant at) {
  Query query(connection,
              "SELECT b.kind, b.period_start, b.period_end, n.text, b.plan, b.overage_t,"
              " b.overage_b, b.overage_cost, b.used FROM ai_tenants t JOIN ai_accounts a"
              " USING(tenant) JOIN ai_budgets b ON b.tenant = t.tenant AND b.account = a.account"
              " LEFT JOIN ai_names n ON n.name = b.currency WHERE t.name = ?1 AND a.type = ?2 AND"
              " a.id = ?3 AND b.kind IN (?4, ?5) AND b.scope = 0 AND b.period_start <= ?6 AND"
              " b.period_end > ?6",
              account.tenant.text, account.billable.type, account.billable.id,
              static_cast<std::int64_t>(BudgetKind::tokens),
              static_cast<std::int64_t>(BudgetKind::cost), at.time_since_epoch().count());
  std::vector<plans::OverageSoFar> found;
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return found;
    found.push_back(
        {.kind = static_cast<BudgetKind>(query.integer(0)),
         .span = {Instant(Duration(query.integer(1))), Instant(Duration(query.integer(2)))},
         .currency = query.text(3),
         .plan = query.integer(4),
         .t = query.optional_integer(5),
         .b = query.integer(6),
         .cost_nanos = query.integer(7),
         .used = query.integer(8)});
  }
}

}  // namespace aimeter::drivers::sqlite
