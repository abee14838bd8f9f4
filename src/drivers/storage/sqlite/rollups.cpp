#include <boost/unordered/unordered_flat_map.hpp>
#include <limits>

#include "drivers/storage/sqlite/sqlite_store.h"
#include "store/record.h"

// Roll-ups: cells are summed by their interned numbers first, so that a name is looked up once for
// each group and not once for each of its quarters of an hour.
namespace aimeter::drivers::sqlite {
namespace {

struct CellKey {
  std::int64_t account = 0, model = 0, feature = 0, currency = 0, bucket = 0;
  friend bool operator==(const CellKey&, const CellKey&) = default;
};
struct HashCell {
  std::size_t operator()(const CellKey& key) const {
    return base::mix64({reinterpret_cast<const char*>(&key), sizeof key});
  }
};
using Cells = boost::unordered_flat_map<CellKey, store::RollupRow, HashCell>;

constexpr const char* kOfTenant =
    "SELECT account, model, feature, currency, bucket, calls, input_tokens, cached_input_tokens,"
    " output_tokens, cost_nanos, estimated, provisional FROM ai_usage_rollups WHERE tenant = "
    "(SELECT"
    " tenant FROM ai_tenants WHERE name = ?1) AND bucket >= ?2 AND bucket < ?3 AND (?4 IS NULL OR"
    " account IN (SELECT account FROM ai_accounts a WHERE a.type = ?4 AND a.id = ?5))";
// For operators only: every tenant.
constexpr const char* kOfAll =
    "SELECT account, model, feature, currency, bucket, calls, input_tokens, cached_input_tokens,"
    " output_tokens, cost_nanos, estimated, provisional FROM ai_usage_rollups WHERE ?1 IS NULL AND"
    " bucket >= ?2 AND bucket < ?3 AND (?4 IS NULL OR account IN (SELECT account FROM ai_accounts a"
    " WHERE a.type = ?4 AND a.id = ?5))";

std::int64_t micros(const std::optional<Instant>& at, std::int64_t otherwise) {
  return at ? at->time_since_epoch().count() : otherwise;
}

Status add_cell(Cells& cells, const Query& query, bool by_bucket) {
  const std::int64_t bucket = query.integer(4);
  const CellKey key{query.integer(0), query.integer(1), query.integer(2), query.integer(3),
                    by_bucket ? bucket : 0};
  store::RollupRow cell{.calls = query.integer(5),
                        .input_tokens = query.integer(6),
                        .cached_input_tokens = query.integer(7),
                        .output_tokens = query.integer(8)};
  cell.bucket = Instant(Duration(bucket));
  cell.cost_nanos = query.integer(9);
  cell.estimated = query.integer(10);
  cell.provisional = query.integer(11);
  const auto [sum, fresh] = cells.try_emplace(key, cell);
  if (fresh || store::add_to(sum->second, cell)) return {};
  return fail(Code::corrupt, "a sum of roll-ups is out of range");
}

Result<std::vector<store::RollupRow>> named(Rows& rows, const Cells& cells) {
  std::vector<store::RollupRow> all;
  all.reserve(cells.size());
  for (const auto& [key, sums] : cells) {
    store::RollupRow& row = all.emplace_back(sums);
    AIMETER_TRY(row.account, rows.account(key.account));
    AIMETER_TRY(const std::string model, rows.name(key.model));
    if (const auto end = model.find(kProviderEnd); end != std::string::npos) {
      row.provider = model.substr(0, end);
      row.model = model.substr(end + 1);
    }
    AIMETER_TRY(row.feature, rows.name(key.feature));
    AIMETER_TRY(row.currency, rows.name(key.currency));
  }
  return all;
}

}  // namespace

Result<std::vector<store::RollupRow>> SqliteStore::rollups(
    const store::RollupFilter& filter) const {
  AIMETER_CHECK_OK(store::check(filter));
  const UsageFilter& usage = filter.usage;
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Cells cells;
  {
    using Limits = std::numeric_limits<std::int64_t>;
    Query query(*use, usage.tenant ? kOfTenant : kOfAll,
                usage.tenant ? std::optional(usage.tenant->text) : std::nullopt,
                micros(usage.from, Limits::min()), micros(usage.to, Limits::max()),
                usage.billable ? std::optional(usage.billable->type) : std::nullopt,
                usage.billable ? std::optional(usage.billable->id) : std::nullopt);
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) break;
      AIMETER_CHECK_OK(add_cell(cells, query, filter.by_bucket));
    }
  }
  Rows rows(*use);
  AIMETER_TRY(const auto all, named(rows, cells));
  return store::group(filter, all);
}

}  // namespace aimeter::drivers::sqlite
