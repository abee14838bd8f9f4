#include "drivers/storage/sqlite/maintenance.h"
#include "drivers/storage/sqlite/rows.h"
#include "store/codec.h"

// Erasing people: user and meta of rows, dead settlements and orphans. What was counted stays.
namespace aimeter::drivers::sqlite {
namespace {

using store::Erase;
using store::Settlement;

struct Who {
  const Account& account;
  const std::string& user;
  Instant at;
};

bool is_meant(const Erase& change, const Who& who) {
  return who.account.tenant == change.tenant && (!change.user || who.user == *change.user) &&
         (!change.billable || who.account.billable == *change.billable) &&
         (!change.older_than || who.at < *change.older_than);
}

bool is_meant(const Erase& change, const Settlement& row) {
  if (row.user.empty() && row.meta.empty()) return false;
  return is_meant(change, {row.account, row.user, row.occurred_at});
}

Status choose_rows(Connection& connection, const Erase& change, Slice& slice) {
  Rows rows(connection);
  Query query(connection,
              "SELECT b.id FROM ai_tenants t JOIN ai_accounts a USING(tenant) JOIN"
              " ai_usages_by_account b ON b.tenant = t.tenant AND b.account = a.account JOIN"
              " ai_usages u ON u.id = b.id WHERE t.name = ?1 AND (?2 IS NULL OR (a.type = ?2 AND"
              " a.id = ?3)) AND (?4 IS NULL OR u.user = (SELECT name FROM ai_names n WHERE n.tenant"
              " = t.tenant AND n.kind = 3 AND n.text = ?4)) AND (?5 IS NULL OR b.occurred_at < ?5)"
              " ORDER BY b.id",
              change.tenant.text,
              change.billable ? std::optional(change.billable->type) : std::nullopt,
              change.billable ? std::optional(change.billable->id) : std::nullopt, change.user,
              change.older_than ? std::optional(change.older_than->time_since_epoch().count())
                                : std::nullopt);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return {};
    AIMETER_TRY(const auto row, rows.read(query.integer(0)));
    if (!row || !is_meant(change, row->settlement)) continue;
    if (slice.size() == change.limit) {
      slice.more = true;
      return {};
    }
    slice.rows.push_back(row->id);
  }
}

Status choose_dead(Connection& connection, const Erase& change, Slice& slice) {
  Query query(
      connection,
      "SELECT d.id, d.frame FROM ai_dead_settlements d JOIN ai_tenants t USING(tenant) WHERE"
      " t.name = ?1 ORDER BY d.id",
      change.tenant.text);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return {};
    AIMETER_TRY(const Settlement settlement, store::decode_settlement(query.bytes(1)));
    if (!is_meant(change, settlement)) continue;
    if (slice.size() == change.limit) {
      slice.more = true;
      return {};
    }
    slice.dead.push_back(query.integer(0));
  }
}

Status choose_orphans(Connection& connection, const Erase& change, Slice& slice) {
  Query query(connection,
              "SELECT o.engine, o.hold, o.frame FROM ai_orphans o JOIN ai_tenants t USING(tenant)"
              " WHERE t.name = ?1 ORDER BY o.engine, o.hold",
              change.tenant.text);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return {};
    AIMETER_TRY(store::Begin begin, store::decode_begin(query.bytes(2)));
    if (begin.user.empty() || !is_meant(change, {begin.account, begin.user, begin.opened_at})) {
      continue;
    }
    if (slice.size() == change.limit) {
      slice.more = true;
      return {};
    }
    begin.user.clear();
    slice.orphans.push_back({static_cast<store::EngineId>(query.integer(0)),
                             static_cast<std::uint64_t>(query.integer(1)), std::move(begin)});
  }
}

Status erase_row(Lane& lane, Rows& rows, std::int64_t id) {
  AIMETER_TRY(auto row, rows.read(id));
  if (!row) return {};
  row->settlement.meta.clear();
  ExtraIds ids;
  AIMETER_TRY(ids.api_key,
              lane.names.name(row->tenant, NameKind::api_key, row->settlement.api_key));
  AIMETER_TRY(ids.session,
              lane.names.name(row->tenant, NameKind::session, row->settlement.session));
  std::string extra;
  write_extra(extra, row->settlement, ids);
  AIMETER_CHECK_OK(run(*lane.connection,
                       "UPDATE ai_usages SET user = 0, extra = ?3 WHERE id = ?1 AND tenant = ?2",
                       id, row->tenant, Blob{extra}));
  return {};
}

Status erase_dead(Lane& lane, std::int64_t id) {
  std::string frame;
  {
    Query query(*lane.connection, "SELECT frame FROM ai_dead_settlements WHERE id = ?1", id);
    AIMETER_TRY(const bool there, query.step());
    if (!there) return {};
    AIMETER_TRY(Settlement settlement, store::decode_settlement(query.bytes(0)));
    settlement.user.clear();
    settlement.meta.clear();
    frame = store::encode(settlement);
  }
  AIMETER_CHECK_OK(run(*lane.connection, "UPDATE ai_dead_settlements SET frame = ?2 WHERE id = ?1",
                       id, Blob{frame}));
  return {};
}

// The name itself goes too, unless a counter of the user's own still needs it. What no id can hold
// stands in for it, so that a row that came in between still has a name.
Status forget_name(Lane& lane, const Erase& change) {
  Connection& connection = *lane.connection;
  AIMETER_TRY(const auto gone,
              run(connection,
                  "UPDATE ai_names SET text = char(31) || name WHERE tenant = (SELECT tenant FROM"
                  " ai_tenants WHERE name = ?1) AND kind = 3 AND text = ?2 AND NOT EXISTS(SELECT 1"
                  " FROM ai_budgets b WHERE b.tenant = ai_names.tenant AND b.scope ="
                  " ai_names.name)",
                  change.tenant.text, *change.user));
  if (gone == 0) return {};
  AIMETER_CHECK_OK(run(connection, "UPDATE ai_catalogue SET names = names + 1 WHERE one = 1"));
  return {};
}

}  // namespace

Result<Slice> slice_of(Connection& connection, const Erase& change) {
  if (!change.user && !change.billable && !change.older_than) {
    return bad_input("erase", "", "a user, a billable or an age");
  }
  if (change.limit == 0) return bad_input("limit", "0", "1 or more");
  Slice slice;
  AIMETER_CHECK_OK(choose_rows(connection, change, slice));
  AIMETER_CHECK_OK(choose_dead(connection, change, slice));
  AIMETER_CHECK_OK(choose_orphans(connection, change, slice));
  return slice;
}

Result<store::Changed> erase(Lane& lane, const Erase& change, const Slice& slice) {
  Rows rows(*lane.connection);
  for (const std::int64_t id : slice.rows) AIMETER_CHECK_OK(erase_row(lane, rows, id));
  for (const std::int64_t id : slice.dead) AIMETER_CHECK_OK(erase_dead(lane, id));
  for (const store::Orphan& orphan : slice.orphans) {
    AIMETER_CHECK_OK(run(*lane.connection,
                         "UPDATE ai_orphans SET frame = ?3 WHERE engine = ?1 AND hold = ?2",
                         orphan.engine, orphan.hold, Blob{store::encode(orphan.begin)}));
  }
  const bool whole_user = change.user && !change.billable && !change.older_than;
  if (whole_user && !slice.more) AIMETER_CHECK_OK(forget_name(lane, change));
  return store::Changed{.rows = static_cast<std::int64_t>(slice.size()), .more = slice.more};
}

}  // namespace aimeter::drivers::sqlite
