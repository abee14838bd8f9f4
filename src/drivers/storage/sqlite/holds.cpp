#include <fmt/format.h>

#include "drivers/storage/sqlite/maintenance.h"
#include "drivers/storage/sqlite/row.h"
#include "store/codec.h"

// Orphans, and the ends of detached holds that are no settlement.
namespace aimeter::drivers::sqlite {
namespace {

using store::Changed;

// The hold's parts leave `leased`; its token is remembered as over. True: its row was there.
Result<bool> end_hold(Lane& lane, const base::Key16& token, Instant now) {
  Connection& connection = *lane.connection;
  std::vector<BudgetAmount> parts;
  std::int64_t tenant = 0;
  bool there = false;
  {
    Query query(connection, "SELECT tenant, parts FROM ai_holds WHERE hold = ?1", blob_of(token));
    AIMETER_TRY(there, query.step());
    if (there && !read_amounts(query.bytes(1), parts)) {
      return fail(Code::corrupt, connection.path() + ": a row of ai_holds is damaged");
    }
    if (there) tenant = query.integer(0);
  }
  for (const BudgetAmount& part : parts) {
    AIMETER_CHECK_OK(
        run(connection,
            "UPDATE ai_budgets SET leased = leased - ?3 WHERE tenant = ?1 AND budget = "
            "?2",
            tenant, part.budget, part.amount));
  }
  AIMETER_CHECK_OK(run(connection, "DELETE FROM ai_holds WHERE hold = ?1", blob_of(token)));
  AIMETER_CHECK_OK(lane.keys.insert({token, 0, 0, now.time_since_epoch().count()}));
  return there;
}

}  // namespace

Result<Changed> put(Lane& lane, const store::PutOrphans& change, Instant /*now*/) {
  for (const store::Orphan& orphan : change.orphans) {
    AIMETER_TRY(const std::int64_t tenant, lane.names.tenant(orphan.begin.account.tenant.text));
    AIMETER_CHECK_OK(run(*lane.connection,
                         "INSERT OR IGNORE INTO ai_orphans VALUES(?1, ?2, ?3, ?4)", orphan.engine,
                         orphan.hold, tenant, Blob{store::encode(orphan.begin)}));
  }
  return Changed{.rows = static_cast<std::int64_t>(change.orphans.size())};
}

Result<Changed> put(Lane& lane, const store::DropOrphan& change, Instant /*now*/) {
  AIMETER_TRY(const auto gone,
              run(*lane.connection, "DELETE FROM ai_orphans WHERE engine = ?1 AND hold = ?2",
                  change.engine, change.hold));
  if (gone == 1) return Changed{.rows = 1};
  return fail(Code::not_found,
              fmt::format("no orphan {} of engine {}", change.hold, change.engine));
}

Result<Changed> put(Lane& lane, const store::ReleaseHold& change, Instant now) {
  if (change.token.empty()) return bad_input("token", change.token, "the token of a hold");
  const base::Key16 token = store::key_of(change.tenant.text, "hold", change.token);
  AIMETER_TRY(const auto ended, lane.keys.find(token));
  if (ended && ended->row != 0) return fail(Code::failed_precondition, "the hold is settled");
  AIMETER_TRY(const bool there, end_hold(lane, token, now));
  AIMETER_CHECK_OK(lane.keys.finish(now.time_since_epoch().count()));
  return Changed{.rows = there ? 1 : 0};
}

Result<Changed> put(Lane& lane, const store::ExpireHolds& change, Instant now) {
  std::vector<base::Key16> due;
  {
    Query query(*lane.connection,
                "SELECT hold FROM ai_holds WHERE expires_at <= ?1 ORDER BY expires_at, hold LIMIT "
                "?2",
                now.time_since_epoch().count(), change.limit + 1);
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) break;
      const std::string_view bytes = query.bytes(0);
      base::Key16& key = due.emplace_back();
      if (bytes.size() == key.size()) std::copy(bytes.begin(), bytes.end(), key.begin());
    }
  }
  const bool more = due.size() > change.limit;
  if (more) due.resize(change.limit);
  for (const base::Key16& token : due) AIMETER_CHECK_OK(end_hold(lane, token, now));
  AIMETER_CHECK_OK(lane.keys.finish(now.time_since_epoch().count()));
  return Changed{.rows = static_cast<std::int64_t>(due.size()), .more = more};
}

}  // namespace aimeter::drivers::sqlite
