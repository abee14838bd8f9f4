#include "drivers/laravel_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>

namespace aimeter::drivers::laravel {
namespace {

struct TableCard {
  File::Rows rows = {};
  std::vector<std::string_view> needed = {}, known = {};  // columns
};

const std::array<TableCard, 7>& tables() {
  static const std::array<TableCard, 7> kTables = {{
      {{"SELECT * FROM ai_plans ORDER BY id", "ai_plans"},
       {"id", "name", "slug"},
       {"monthly_token_limit", "monthly_cost_limit", "overage_price_per_1k_tokens", "features",
        "is_active", "trial_days", "created_at", "updated_at", "deleted_at"}},
      {{"SELECT * FROM ai_subscriptions ORDER BY id", "ai_subscriptions"},
       {"id", "billable_type", "billable_id", "ai_plan_id", "started_at"},
       {"billing_mode", "renews_at", "ends_at", "trial_ends_at", "grace_period_ends_at",
        "previous_plan_id", "meta", "created_at", "updated_at", "deleted_at"}},
      {{"SELECT * FROM ai_usages ORDER BY id", "ai_usages"},
       {"id", "billable_type", "billable_id", "provider", "model", "total_cost", "occurred_at"},
       {"user_id", "tenant_id", "feature", "input_tokens", "output_tokens", "total_tokens",
        "input_cost", "output_cost", "currency", "meta", "idempotency_key", "created_at",
        "updated_at"}},
      {{"SELECT * FROM ai_credit_wallets ORDER BY id", "ai_credit_wallets"},
       {"id", "billable_type", "billable_id", "balance"},
       {"currency", "meta", "created_at", "updated_at"}},
      {{"SELECT * FROM ai_credit_transactions ORDER BY id", "ai_credit_transactions"},
       {"id", "wallet_id", "amount", "direction"},
       {"reason", "meta", "created_at", "updated_at"}},
      {{"SELECT * FROM ai_usage_limit_overrides ORDER BY id", "ai_usage_limit_overrides"},
       {"id", "billable_type", "billable_id", "period_start", "period_end"},
       {"token_limit", "cost_limit", "created_at", "updated_at"}},
      {{"SELECT * FROM ai_overages ORDER BY id", "ai_overages"},
       {"id", "billable_type", "billable_id", "tokens", "cost"},
       {"ai_usage_id", "period_start", "period_end", "currency", "stripe_invoice_item_id",
        "synced_at", "created_at", "updated_at"}},
  }};
  return kTables;
}

constexpr std::array<File::Rows, 5> kClasses = {{
    {"SELECT billable_type FROM ai_subscriptions GROUP BY 1", "ai_subscriptions"},
    {"SELECT billable_type FROM ai_usages GROUP BY 1", "ai_usages"},
    {"SELECT billable_type FROM ai_credit_wallets GROUP BY 1", "ai_credit_wallets"},
    {"SELECT billable_type FROM ai_usage_limit_overrides GROUP BY 1", "ai_usage_limit_overrides"},
    {"SELECT billable_type FROM ai_overages GROUP BY 1", "ai_overages"},
}};

}  // namespace

Result<Database> Database::open(const std::string& path) {
  AIMETER_TRY(std::unique_ptr<File> file, File::open(path));
  Database database(std::move(file));
  AIMETER_CHECK_OK(database.look());
  return database;
}

Status Database::look_at(const File::Rows& rows) {
  const auto card = std::ranges::find_if(
      tables(), [&](const TableCard& one) { return one.rows.table == rows.table; });
  AIMETER_TRY(const std::vector<std::string> columns, file_->columns(rows));
  for (const std::string_view column : card->needed) {
    if (std::ranges::find(columns, column) != columns.end()) continue;
    return bad_input("FILE", file_->path(),
                     fmt::format("a database of the package ajooda/laravel-ai-metering; its table "
                                 "{} has no column {}",
                                 rows.table, column));
  }
  for (const std::string& column : columns) {
    if (std::ranges::find(card->needed, column) != card->needed.end()) continue;
    if (std::ranges::find(card->known, column) != card->known.end()) continue;
    unknown_.push_back({std::string(rows.table), "",
                        fmt::format("its column {} is unknown here", column),
                        Leftover::Kind::attention});
  }
  return {};
}

Status Database::look() {
  for (const TableCard& card : tables()) {
    AIMETER_TRY(const bool there, file_->has_table(card.rows.table));
    if (there) {
      AIMETER_CHECK_OK(look_at(card.rows));
      tables_.emplace_back(card.rows.table);
    } else {
      unknown_.push_back({std::string(card.rows.table), "", "there is no such table"});
    }
  }
  if (!tables_.empty()) return {};
  return bad_input("FILE", file_->path(),
                   "a database of the package ajooda/laravel-ai-metering; none of its tables is "
                   "there");
}

bool Database::has(std::string_view table) const {
  return std::ranges::find(tables_, table) != tables_.end();
}

Status Database::name_types(const ReadOptions& options) {
  std::set<std::string> classes;
  for (const File::Rows& rows : kClasses) {
    if (!has(rows.table)) continue;
    AIMETER_CHECK_OK(file_->each(rows, [&](const Cells& cells) -> Status {
      if (const auto name = cells.text("billable_type")) classes.insert(*name);
      return {};
    }));
  }
  AIMETER_TRY(types_, types_of({classes.begin(), classes.end()}, options.types));
  return {};
}

Result<std::optional<Billable>> Database::billable(const Cells& cells) const {
  const std::optional<std::string> name = cells.text("billable_type");
  const std::optional<std::string> id = cells.text("billable_id");
  if (!name && !id) return std::nullopt;
  if (!name) return cells.bad("billable_type", "NULL", "a class beside billable_id");
  if (!id || id->empty()) return cells.bad("billable_id", "", "an id beside billable_type");
  return Billable{types_.at(*name), *id};
}

Status Database::check(const ReadOptions& options) {
  Leftovers scrap;
  AIMETER_TRY(const Contracts contracts, this->contracts(options, scrap));
  (void)contracts;
  AIMETER_CHECK_OK(purses(options, scrap, [](const Purse&) { return Status(); }));
  const auto forget = [&](const Used&) {
    scrap.clear();
    return Status();
  };
  AIMETER_CHECK_OK(usages(options, scrap, forget));
  return overages(options, scrap);
}

Status Database::overages(const ReadOptions& options, Leftovers& left) {
  if (!has("ai_overages")) return {};
  AIMETER_CHECK_OK(name_types(options));
  const auto list = [&](const Cells& cells) -> Status {
    AIMETER_TRY(const std::int64_t id, cells.id());
    AIMETER_TRY(const auto tokens, cells.count("tokens"));
    AIMETER_TRY(const std::string currency, cells.currency("currency", options.currency));
    AIMETER_TRY(const Money cost, cells.needed_money("cost", currency));
    AIMETER_TRY(const auto synced, cells.time("synced_at", options.zone));
    const auto item = cells.text("stripe_invoice_item_id");
    const std::string what =
        fmt::format("{} tokens, {} {}", tokens.value_or(0), cost.text(), cost.currency);
    if (synced || item) {
      left.push_back({"ai_overages", std::to_string(id),
                      fmt::format("{}: charged there ({}), never charged here", what,
                                  item.value_or("no invoice item"))});
    } else {
      left.push_back(
          {"ai_overages", std::to_string(id),
           fmt::format("{}: not charged there yet; charge it there, nothing here will", what),
           Leftover::Kind::attention});
    }
    return {};
  };
  return file_->each({"SELECT * FROM ai_overages ORDER BY id", "ai_overages"}, list);
}

}  // namespace aimeter::drivers::laravel
