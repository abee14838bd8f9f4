#include "drivers/storage/sqlite/names.h"

#include "store/credits.h"

#include <algorithm>

#include "drivers/storage/sqlite/bytes.h"

namespace aimeter::drivers::sqlite {
namespace {

// First byte of a cache key: what is interned.
enum Space : char { kTenant = 't', kAccount = 'a', kName = 'n', kPins = 'p' };

}  // namespace

NameKind kind_of(BudgetScope scope) {
  switch (scope) {
    case BudgetScope::user:
      return NameKind::user;
    case BudgetScope::key:
      return NameKind::api_key;
    case BudgetScope::feature:
      return NameKind::feature;
    case BudgetScope::session:
      return NameKind::session;
    case BudgetScope::account:
      return NameKind::account_part;
    case BudgetScope::model:
      break;
  }
  return NameKind::model_alone;
}

BudgetScope scope_of(NameKind kind) {
  switch (kind) {
    case NameKind::user:
      return BudgetScope::user;
    case NameKind::api_key:
      return BudgetScope::key;
    case NameKind::feature:
      return BudgetScope::feature;
    case NameKind::session:
      return BudgetScope::session;
    case NameKind::account_part:
      return BudgetScope::account;
    default:
      return BudgetScope::model;
  }
}

std::size_t Names::HashBudget::operator()(const BudgetIds& ids) const {
  static_assert(sizeof(BudgetIds) == 8 * sizeof(std::int64_t), "hashed as bytes: no padding");
  return base::mix64({reinterpret_cast<const char*>(&ids), sizeof ids});
}

Status Names::begin() {
  AIMETER_TRY(const auto generation,
              find_integer(connection_, "SELECT names FROM ai_catalogue WHERE one = 1"));
  if (generation.value_or(0) != generation_ || known_.size() + budgets_.size() > kNamesMax) {
    known_.clear();
    budgets_.clear();
    generation_ = generation.value_or(0);
  }
  return {};
}

void Names::commit() {
  added_.clear();
  added_budgets_.clear();
}

void Names::rollback() { rollback_to({}); }

void Names::rollback_to(Mark mark) {
  for (std::size_t i = mark.names; i < added_.size(); ++i) known_.erase(added_[i]);
  for (std::size_t i = mark.budgets; i < added_budgets_.size(); ++i) {
    budgets_.erase(added_budgets_[i]);
  }
  added_.resize(mark.names);
  added_budgets_.resize(mark.budgets);
}

template <class Find, class Insert>
Result<std::int64_t> Names::intern(const Find& find, const Insert& insert) {
  AIMETER_TRY(const std::optional<std::int64_t> there, find());
  std::int64_t number = 0;
  if (there) {
    number = *there;
  } else {
    AIMETER_CHECK_OK(insert());
    number = connection_.last_id();
  }
  remember(number);
  return number;
}

void Names::remember(std::int64_t number) {
  known_.emplace(key_, number);
  added_.push_back(key_);
}

Result<std::int64_t> Names::tenant(std::string_view name) {
  key_.assign(1, kTenant);
  key_ += name;
  if (const auto found = known_.find(std::string_view(key_)); found != known_.end()) {
    return found->second;
  }
  return intern(
      [&] {
        return find_integer(connection_, "SELECT tenant FROM ai_tenants WHERE name = ?1", name);
      },
      [&] { return run(connection_, "INSERT INTO ai_tenants(name) VALUES(?1)", name); });
}

Result<AccountIds> Names::account(const Account& account) {
  AIMETER_TRY(const std::int64_t owner, tenant(account.tenant.text));
  key_.assign(1, kAccount);
  ByteWriter writer(key_);
  writer.integer(owner);
  writer.text(account.billable.type);
  key_ += account.billable.id;
  if (const auto found = known_.find(std::string_view(key_)); found != known_.end()) {
    return AccountIds{owner, found->second};
  }
  AIMETER_TRY(
      const std::int64_t number,
      intern(
          [&] {
            return find_integer(
                connection_,
                "SELECT account FROM ai_accounts WHERE tenant = ?1 AND type = ?2 AND id = ?3",
                owner, account.billable.type, account.billable.id);
          },
          [&] {
            return run(connection_, "INSERT INTO ai_accounts(tenant, type, id) VALUES(?1, ?2, ?3)",
                       owner, account.billable.type, account.billable.id);
          }));
  return AccountIds{owner, number};
}

Result<std::int64_t> Names::name(std::int64_t tenant, NameKind kind, std::string_view text) {
  if (text.empty()) return 0;
  return any_name(tenant, kind, text);
}

Result<std::int64_t> Names::any_name(std::int64_t tenant, NameKind kind, std::string_view text) {
  key_.assign(1, kName);
  key_ += static_cast<char>(kind);
  ByteWriter(key_).integer(tenant);
  key_ += text;
  if (const auto found = known_.find(std::string_view(key_)); found != known_.end()) {
    return found->second;
  }
  const auto number = static_cast<std::int64_t>(kind);
  return intern(
      [&] {
        return find_integer(
            connection_, "SELECT name FROM ai_names WHERE tenant = ?1 AND kind = ?2 AND text = ?3",
            tenant, number, text);
      },
      [&] {
        return run(connection_, "INSERT INTO ai_names(tenant, kind, text) VALUES(?1, ?2, ?3)",
                   tenant, number, text);
      });
}

Result<std::int64_t> Names::model(std::int64_t tenant, std::string_view provider,
                                  std::string_view model) {
  if (provider.empty() && model.empty()) return 0;
  key_.assign(1, kName);
  key_ += static_cast<char>(NameKind::model);
  ByteWriter(key_).integer(tenant);
  const std::size_t start = key_.size();
  key_ += provider;
  key_ += kProviderEnd;
  key_ += model;
  if (const auto found = known_.find(std::string_view(key_)); found != known_.end()) {
    return found->second;
  }
  const std::string text = key_.substr(start);
  return any_name(tenant, NameKind::model, text);
}

Result<std::int64_t> Names::currency(std::string_view text) {
  return name(0, NameKind::currency, text);
}

Result<std::int64_t> Names::pins(std::int64_t tenant, const store::Settlement& settlement,
                                 std::string_view body) {
  key_.assign(1, kPins);
  ByteWriter(key_).integer(tenant);
  key_ += body;
  if (const auto found = known_.find(std::string_view(key_)); found != known_.end()) {
    return found->second;
  }
  const base::Key16 digest = base::first16(base::sha256(body));
  const Blob bytes{{reinterpret_cast<const char*>(digest.data()), digest.size()}};
  const Period::Span period = settlement.pins.period;
  Instant closes_at = period.end;
  for (const auto& part : settlement.budgets) {
    if (store::is_wallet(part.key)) continue;  // never closes, and keeps no row from going
    closes_at = std::max(closes_at, part.key.span.end);
  }
  return intern(
      [&] {
        return find_integer(connection_,
                            "SELECT pins FROM ai_pins WHERE tenant = ?1 AND digest = ?2", tenant,
                            bytes);
      },
      [&] {
        return run(connection_,
                   "INSERT INTO ai_pins(tenant, digest, period_start, period_end, closes_at, body) "
                   "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                   tenant, bytes, period.start.time_since_epoch().count(),
                   period.end.time_since_epoch().count(), closes_at.time_since_epoch().count(),
                   Blob{body});
      });
}

Result<BudgetIds> Names::ids_of(const store::BudgetKey& key) {
  AIMETER_TRY(const AccountIds owner, account(key.account));
  BudgetIds ids{.tenant = owner.tenant,
                .account = owner.account,
                .kind = static_cast<std::int64_t>(key.kind),
                .start = key.span.start.time_since_epoch().count(),
                .end = key.span.end.time_since_epoch().count(),
                .plan = key.plan};
  if (key.scope != BudgetScope::account || !key.name.empty()) {
    AIMETER_TRY(ids.scope, any_name(owner.tenant, kind_of(key.scope), key.name));
  }
  AIMETER_TRY(ids.currency, currency(key.currency));
  return ids;
}

Result<std::int64_t> Names::budget(const BudgetIds& ids) {
  if (const auto found = budgets_.find(ids); found != budgets_.end()) return found->second;
  AIMETER_TRY(const auto there,
              find_integer(connection_,
                           "SELECT budget FROM ai_budgets WHERE tenant = ?1 AND account = ?2 AND "
                           "kind = ?3 AND scope = ?4 AND currency = ?5 AND period_start = ?6 AND "
                           "period_end = ?7 AND plan = ?8",
                           ids.tenant, ids.account, ids.kind, ids.scope, ids.currency, ids.start,
                           ids.end, ids.plan));
  std::int64_t number = 0;
  if (there) {
    number = *there;
  } else {
    AIMETER_CHECK_OK(run(connection_,
                         "INSERT INTO ai_budgets(tenant, account, kind, scope, currency, "
                         "period_start, period_end, plan) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                         ids.tenant, ids.account, ids.kind, ids.scope, ids.currency, ids.start,
                         ids.end, ids.plan));
    number = connection_.last_id();
  }
  budgets_.emplace(ids, number);
  added_budgets_.push_back(ids);
  return number;
}

}  // namespace aimeter::drivers::sqlite
