#include "drivers/storage/sqlite/rows.h"

#include <fmt/format.h>

#include <cstring>

namespace aimeter::drivers::sqlite {
namespace {

constexpr std::uint64_t kSeqMask = (1ULL << store::kSeqBits) - 1;

// Columns of kReadRow.
enum Column {
  kTenant,
  kAccount,
  kOccurredAt,
  kModel,
  kFeature,
  kUser,
  kFlags,
  kInput,
  kCached,
  kOutput,
  kCost,
  kCurrency,
  kPins,
  kRef,
  kKey,
  kExtra
};
constexpr const char* kReadRow =
    "SELECT tenant, account, occurred_at, model, feature, user, flags, input_tokens,"
    " cached_input_tokens, output_tokens, cost_nanos, currency, pins, ref, key, extra"
    " FROM ai_usages WHERE id = ?1";

}  // namespace

std::unexpected<Error> Rows::damaged(std::string_view what, std::int64_t id) const {
  return fail(Code::corrupt, fmt::format("{}: {} {} is missing or damaged; run `aimeter verify`",
                                         connection_.path(), what, id));
}

Result<const Rows::Named*> Rows::named(std::int64_t id) {
  const auto [found, fresh] = names_.try_emplace(id);
  if (!fresh) return &found->second;
  Query query(connection_, "SELECT text, kind FROM ai_names WHERE name = ?1", id);
  AIMETER_TRY(const bool there, query.step());
  if (!there) {
    names_.erase(id);
    return damaged("name", id);
  }
  found->second = {query.text(0), static_cast<NameKind>(query.integer(1))};
  return &found->second;
}

Result<std::string> Rows::name(std::int64_t id) {
  if (id == 0) return std::string();
  AIMETER_TRY(const Named* found, named(id));
  return found->text;
}

Result<std::string> Rows::tenant(std::int64_t id) {
  if (const auto found = tenants_.find(id); found != tenants_.end()) return found->second;
  Query query(connection_, "SELECT name FROM ai_tenants WHERE tenant = ?1", id);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return damaged("tenant", id);
  return tenants_.emplace(id, query.text(0)).first->second;
}

Result<Account> Rows::account(std::int64_t id) {
  if (const auto found = accounts_.find(id); found != accounts_.end()) return found->second;
  Query query(connection_, "SELECT tenant, type, id FROM ai_accounts WHERE account = ?1", id);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return damaged("account", id);
  Account account{.billable = {query.text(1), query.text(2)}};
  AIMETER_TRY(account.tenant.text, tenant(query.integer(0)));
  accounts_.emplace(id, account);
  return account;
}

Result<store::BudgetKey> Rows::budget(std::int64_t id) {
  if (const auto found = budgets_.find(id); found != budgets_.end()) return found->second;
  Query query(connection_,
              "SELECT account, kind, scope, currency, period_start, period_end, plan FROM "
              "ai_budgets WHERE budget = ?1",
              id);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return damaged("budget", id);
  store::BudgetKey key;
  AIMETER_TRY(key.account, account(query.integer(0)));
  key.kind = static_cast<BudgetKind>(query.integer(1));
  if (const std::int64_t scope = query.integer(2); scope != 0) {
    AIMETER_TRY(const Named* found, named(scope));
    key.scope = scope_of(found->kind);
    key.name = found->text;
  }
  AIMETER_TRY(key.currency, name(query.integer(3)));
  key.span = {Instant(Duration(query.integer(4))), Instant(Duration(query.integer(5)))};
  key.plan = query.integer(6);
  budgets_.emplace(id, key);
  return key;
}

Result<const Rows::Pinned*> Rows::pins(std::int64_t id) {
  const auto [found, fresh] = pins_.try_emplace(id);
  if (!fresh) return &found->second;
  Query query(connection_, "SELECT body FROM ai_pins WHERE pins = ?1", id);
  AIMETER_TRY(const bool there, query.step());
  if (!there || !read_pins(query.bytes(0), found->second.pins, found->second.budgets)) {
    pins_.erase(id);
    return damaged("pins", id);
  }
  return &found->second;
}

Status Rows::fill_budgets(const Pinned& pinned, store::Settlement& settlement) {
  settlement.pins = pinned.pins;
  settlement.budgets.resize(pinned.budgets.size());
  for (std::size_t i = 0; i < pinned.budgets.size(); ++i) {
    store::BudgetPart& part = settlement.budgets[i];
    AIMETER_TRY(part.key, budget(pinned.budgets[i].budget));
    part.limit = pinned.budgets[i].limit;
    part.blocking = pinned.budgets[i].blocking;
    part.shadow = pinned.budgets[i].shadow;
    part.allowance = pinned.budgets[i].allowance;
  }
  return {};
}

Status Rows::fill_names(const Query& query, StoredRow& row) {
  store::Settlement& settlement = row.settlement;
  AIMETER_TRY(settlement.account, account(row.account));
  AIMETER_TRY(const std::string model, name(row.model));
  if (const auto end = model.find(kProviderEnd); end != std::string::npos) {
    settlement.provider = model.substr(0, end);
    settlement.model = model.substr(end + 1);
  }
  AIMETER_TRY(settlement.feature, name(row.feature));
  AIMETER_TRY(settlement.user, name(row.user));
  AIMETER_TRY(settlement.total_cost.currency, name(row.currency));
  settlement.total_cost.nanos = query.integer(kCost);
  return {};
}

Result<std::optional<StoredRow>> Rows::read(std::int64_t id) {
  Query query(connection_, kReadRow, id);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return std::nullopt;
  StoredRow row{.id = id,
                .tenant = query.integer(kTenant),
                .account = query.integer(kAccount),
                .model = query.integer(kModel),
                .feature = query.integer(kFeature),
                .currency = query.integer(kCurrency),
                .user = query.integer(kUser)};
  store::Settlement& settlement = row.settlement;
  settlement.seq = static_cast<std::uint64_t>(id) & kSeqMask;
  settlement.flags = static_cast<std::uint32_t>(query.integer(kFlags));
  settlement.occurred_at = Instant(Duration(query.integer(kOccurredAt)));
  settlement.adjusts = query.optional_integer(kRef).value_or(0);
  settlement.usage.input_tokens.count = query.integer(kInput);
  settlement.usage.cached_input_tokens.count = query.integer(kCached);
  settlement.usage.output_tokens.count = query.integer(kOutput);
  if (const std::string_view key = query.bytes(kKey); key.size() == sizeof(base::Key16)) {
    std::memcpy(settlement.key.emplace().key.data(), key.data(), key.size());
  }
  AIMETER_CHECK_OK(fill_names(query, row));
  AIMETER_TRY(const Pinned* pinned, pins(query.integer(kPins)));
  AIMETER_CHECK_OK(fill_budgets(*pinned, settlement));
  row.budgets = pinned->budgets;
  ExtraIds ids;
  if (!read_extra(query.bytes(kExtra), settlement, ids)) return damaged("usage", id);
  AIMETER_TRY(settlement.api_key, name(ids.api_key));
  AIMETER_TRY(settlement.session, name(ids.session));
  return row;
}

}  // namespace aimeter::drivers::sqlite
