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
          .rest = query.integer(first + 2)};
}

}  // namespace aimeter::drivers::sqlite
