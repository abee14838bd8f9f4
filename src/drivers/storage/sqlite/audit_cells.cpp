#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "drivers/storage/sqlite/audit.h"
#include "drivers/storage/sqlite/sqlite_store.h"

// The checks of roll-ups and keys.
namespace aimeter::drivers::sqlite {

// Its rows may be gone, so that the cell is compared only within its account's total.
bool Audit::is_sealed(std::int64_t account, std::int64_t bucket) const {
  const auto periods = sealed_periods_.find(account);
  if (periods == sealed_periods_.end()) return false;
  return std::ranges::any_of(periods->second, [&](const Sealed& sealed) {
    constexpr std::int64_t kBucket = store::kBucketMinutes * 60 * 1'000'000;
    return bucket + kBucket > sealed.starts && bucket < sealed.ends;
  });
}

std::string Audit::place_of(const CellKey& key) {
  const auto account = names_.account(key.account);
  return fmt::format("tenant \"{}\", {} {}, {}",
                     account ? account->tenant.text : std::to_string(key.tenant),
                     account ? account->billable.type : "account",
                     account ? account->billable.id : std::to_string(key.account),
                     aimeter::text_of(Instant(Duration(key.bucket))));
}

Status Audit::rollups() {
  std::map<AccountCurrency, Sums> totals;
  const auto text = [](const Sums& sums) {
    return fmt::format(
        "{} calls, {} + {} tokens ({} cached), {} nanos, {} estimated, {} provisional", sums.calls,
        sums.input, sums.output, sums.cached, sums.cost, sums.estimated, sums.provisional);
  };
  std::map<AccountCurrency, Sums> rows;
  for (const auto& [key, sums] : cells_) rows[{key.tenant, key.account, key.currency}].add(sums);
  Query query(connection_,
              "SELECT tenant, bucket, account, model, feature, currency, calls, input_tokens,"
              " cached_input_tokens, output_tokens, cost_nanos, estimated, provisional FROM"
              " ai_usage_rollups");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    const CellKey key{query.integer(0), query.integer(1), query.integer(2),
                      query.integer(3), query.integer(4), query.integer(5)};
    const Sums sums{.calls = query.integer(6),
                    .input = query.integer(7),
                    .cached = query.integer(8),
                    .output = query.integer(9),
                    .cost = query.integer(10),
                    .estimated = query.integer(11),
                    .provisional = query.integer(12)};
    totals[{key.tenant, key.account, key.currency}].add(sums);
    const auto cell = cells_.find(key);
    const Sums counted = cell == cells_.end() ? Sums{} : cell->second;
    if (cell != cells_.end()) cells_.erase(cell);
    if (sums == counted || is_sealed(key.account, key.bucket)) continue;
    find("roll-ups = rows", place_of(key),
         fmt::format("the roll-up has {}; the rows have {}", text(sums), text(counted)));
  }
  for (const auto& [key, sums] : cells_) {
    find("roll-ups = rows", place_of(key),
         fmt::format("there is no roll-up; the rows have {}", text(sums)));
  }
  for (const auto& [key, sums] : sealed_) {
    Sums expected = sums;
    if (const auto found = rows.find(key); found != rows.end()) expected.add(found->second);
    const Sums there = totals[key];
    if (there == expected) continue;
    find("seals", place_of({.tenant = key.tenant, .account = key.account}),
         fmt::format("the roll-ups have {}; rows and seals have {}", text(there), text(expected)));
  }
  return {};
}

Status Audit::key_of_row(std::int64_t id, const base::Key16& key) {
  AIMETER_TRY(const auto seen, keys_.find(key));
  if (!seen) {
    find("keys unique", fmt::format("row {}", id), "its key is not known");
  } else if (seen->row != id) {
    find("keys unique", fmt::format("row {}", id), fmt::format("its key names row {}", seen->row));
  }
  return {};
}

// The row, or the dead settlement, has this key, or the token that it is of.
Result<bool> Audit::is_key_of(std::int64_t row, const base::Key16& key) {
  Query query(connection_, "SELECT key FROM ai_usages WHERE id = ?1", row);
  AIMETER_TRY(const bool there, query.step());
  if (there) {
    if (query.bytes(0) == blob_of(key).bytes) return true;
    query.reset();
    AIMETER_TRY(const auto found, names_.read(row));
    return found && store::key_of(found->settlement.account.tenant.text, "hold",
                                  found->settlement.token) == key;
  }
  AIMETER_TRY(const auto dead,
              find_integer(connection_, "SELECT 1 FROM ai_dead_settlements WHERE id = ?1", row));
  if (dead) return true;
  const auto sealed = sealed_ids_.find(row >> store::kSeqBits);
  return sealed != sealed_ids_.end() && sealed->second.first <= row && row <= sealed->second.second;
}

Status Audit::one_key(std::int64_t table, const base::Key16& key, std::int64_t ref) {
  const std::string where =
      fmt::format("ai_keys_seen_{}, key {}", table, base::hex(blob_of(key).bytes));
  if (ref != 0) {
    AIMETER_TRY(const bool right, is_key_of(ref, key));
    if (!right) find("keys unique", where, fmt::format("row {} does not have this key", ref));
  }
  AIMETER_TRY(const int tables, keys_.count_of(key));
  if (tables != 1) find("keys unique", where, fmt::format("it is there {} times", tables));
  return {};
}

Status Audit::keys() {
  AIMETER_CHECK_OK(keys_.begin());
  for (const std::int64_t table : keys_.tables()) {
    std::int64_t count = 0;
    AIMETER_CHECK_OK(keys_.each(table, [&](const base::Key16& key, std::int64_t ref) {
      ++count;
      return one_key(table, key, ref);
    }));
    AIMETER_TRY(
        const auto said,
        find_integer(connection_, "SELECT keys FROM ai_key_tables WHERE number = ?1", table));
    if (said == count) continue;
    find("keys unique", fmt::format("ai_keys_seen_{}", table),
         fmt::format("{} keys were counted, {} are there", said.value_or(0), count));
  }
  return {};
}

Result<store::Verified> SqliteStore::verify(const store::Progress& progress) const {
  AIMETER_TRY(const Pool::Use use, pool_.take());
  Audit audit(*use, progress, now());
  return audit.run();
}

}  // namespace aimeter::drivers::sqlite
