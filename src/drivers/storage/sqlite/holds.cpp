#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "drivers/storage/sqlite/maintenance.h"
#include "drivers/storage/sqlite/row.h"
#include "drivers/storage/sqlite/rows.h"
#include "store/codec.h"

// Orphans, and the ends of detached holds that are no settlement.
namespace aimeter::drivers::sqlite {
namespace {

using store::Changed;

// Of the key blob: number, time and secret of each key, the newest first. A store is made with one
// bare secret: key 1, as old as the store.
constexpr std::size_t kSecretBytes = std::tuple_size_v<base::Digest>;
constexpr std::size_t kKeyBytes = sizeof(std::uint32_t) + sizeof(std::int64_t) + kSecretBytes;

struct Ended {
  bool there = false;
  std::int64_t tenant = 0;
  HoldParts parts = {};
};

// The hold's parts leave `leased`; its token is remembered as over.
Result<Ended> end_hold(Lane& lane, const base::Key16& token, Instant now, std::uint64_t how) {
  Connection& connection = *lane.connection;
  Ended ended;
  {
    Query query(connection, "SELECT tenant, parts FROM ai_holds WHERE hold = ?1", blob_of(token));
    AIMETER_TRY(ended.there, query.step());
    if (ended.there && !read_hold(query.bytes(1), ended.parts)) {
      return fail(Code::corrupt, connection.path() + ": a row of ai_holds is damaged");
    }
    if (ended.there) ended.tenant = query.integer(0);
  }
  for (const BudgetAmount& part : ended.parts.amounts) {
    AIMETER_CHECK_OK(
        run(connection,
            "UPDATE ai_budgets SET leased = leased - ?3 WHERE tenant = ?1 AND budget = "
            "?2",
            ended.tenant, part.budget, part.amount));
  }
  AIMETER_CHECK_OK(run(connection, "DELETE FROM ai_holds WHERE hold = ?1", blob_of(token)));
  AIMETER_CHECK_OK(lane.keys.insert({token, 0, how, now.time_since_epoch().count()}));
  return ended;
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
  const base::Key16 token = store::hold_key_of(change.tenant, change.token);
  AIMETER_TRY(const auto ended, lane.keys.find(token));
  if (ended && ended->row != 0) return fail(Code::failed_precondition, "the hold is settled");
  AIMETER_TRY(const Ended over, end_hold(lane, token, now, store::kHoldReleased));
  AIMETER_CHECK_OK(lane.keys.finish(now.time_since_epoch().count()));
  return Changed{.rows = over.there ? 1 : 0};
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
  Changed changed{.rows = static_cast<std::int64_t>(due.size()), .more = more};
  Rows rows(*lane.connection);
  for (const base::Key16& token : due) {
    AIMETER_TRY(const Ended over, end_hold(lane, token, now, store::kHoldExpired));
    store::EndedHold& ended = changed.ended.emplace_back();
    ended.hold = token;
    AIMETER_TRY(ended.account, rows.account(over.parts.account));
    for (const BudgetAmount& part : over.parts.amounts) {
      AIMETER_TRY(store::BudgetKey key, rows.budget(part.budget));
      ended.parts.push_back({std::move(key), part.amount});
    }
  }
  AIMETER_CHECK_OK(lane.keys.finish(now.time_since_epoch().count()));
  return changed;
}

Result<std::vector<store::HoldKey>> read_hold_keys(Connection& connection) {
  Query query(connection,
              "SELECT hold_key, (SELECT min(applied_at) FROM ai_migrations) FROM ai_catalogue "
              "WHERE one = 1");
  AIMETER_TRY(const bool there, query.step());
  const std::string_view bytes = there ? query.bytes(0) : std::string_view();
  std::vector<store::HoldKey> keys;
  if (bytes.size() == kSecretBytes) {
    keys.push_back({.number = 1, .made_at = Instant(Duration(query.integer(1)))});
    std::ranges::copy(bytes, keys.back().secret.begin());
    return keys;
  }
  if (bytes.empty() || bytes.size() % kKeyBytes != 0) {
    return fail(Code::corrupt, connection.path() + ": ai_catalogue.hold_key is damaged");
  }
  for (std::size_t at = 0; at < bytes.size(); at += kKeyBytes) {
    store::HoldKey& key = keys.emplace_back();
    std::int64_t made_at = 0;
    std::memcpy(&key.number, &bytes[at], sizeof key.number);
    std::memcpy(&made_at, &bytes[at + sizeof key.number], sizeof made_at);
    key.made_at = Instant(Duration(made_at));
    std::ranges::copy(bytes.substr(at + kKeyBytes - kSecretBytes, kSecretBytes),
                      key.secret.begin());
  }
  return keys;
}

Result<Changed> put(Lane& lane, const store::RotateHoldKeys& change, Instant now) {
  AIMETER_TRY(std::vector<store::HoldKey> keys, read_hold_keys(*lane.connection));
  if (keys.front().made_at >= change.before) return Changed{};
  keys.insert(keys.begin(), store::new_hold_key(keys.front().number + 1, now));
  keys.resize(std::min(keys.size(), store::kHoldKeysKept));
  std::string bytes;
  for (const store::HoldKey& key : keys) {
    const std::int64_t made_at = key.made_at.time_since_epoch().count();
    bytes.append(reinterpret_cast<const char*>(&key.number), sizeof key.number);
    bytes.append(reinterpret_cast<const char*>(&made_at), sizeof made_at);
    bytes.append(base::view_of(key.secret));
  }
  AIMETER_CHECK_OK(
      run(*lane.connection, "UPDATE ai_catalogue SET hold_key = ?1 WHERE one = 1", Blob{bytes}));
  return Changed{.rows = 1};
}

}  // namespace aimeter::drivers::sqlite
