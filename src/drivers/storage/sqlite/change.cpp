#include "base/fault.h"
#include "drivers/storage/sqlite/catalogue.h"
#include "drivers/storage/sqlite/credits.h"
#include "drivers/storage/sqlite/maintenance.h"
#include "drivers/storage/sqlite/sqlite_store.h"
#include "store/audit.h"

// One change is one transaction with full sync: the change, the catalogue's version and the audit.
namespace aimeter::drivers::sqlite {
namespace {

using namespace store;

Result<Slice> slice_for(const ChangeBody& body, Pool& pool) {
  const auto* erased = std::get_if<Erase>(&body);
  const auto* pruned = std::get_if<Prune>(&body);
  if (erased == nullptr && pruned == nullptr) return Slice{};
  AIMETER_TRY(const Pool::Use use, pool.take());
  return erased != nullptr ? slice_of(*use, *erased) : slice_of(*use, *pruned);
}

Result<Changed> changed_by(Lane& lane, const ChangeBody& body, const Slice& slice, Instant now) {
  return std::visit(Overloaded{
                        [&](const Erase& b) { return erase(lane, b, slice); },
                        [&](const Prune&) { return prune(lane, slice, now); },
                        [&](const auto& b) { return put(lane, b, now); },
                    },
                    body);
}

}  // namespace

Result<Changed> SqliteStore::change(const Change& change) {
  const std::lock_guard hold(control_mutex_);
  AIMETER_TRY(const Slice slice, slice_for(change.body, pool_));
  Lane& lane = *control_lane_;
  Connection& connection = *lane.connection;
  AIMETER_TRY(Write write, Write::begin(lane, *lock_, Sync::full));
  AIMETER_TRY(Changed changed, changed_by(lane, change.body, slice, now()));
  if (is_catalogue(change.body)) {
    AIMETER_CHECK_OK(
        run(connection, "UPDATE ai_catalogue SET version = version + 1 WHERE one = 1"));
  }
  AIMETER_TRY(const auto version,
              find_integer(connection, "SELECT version FROM ai_catalogue WHERE one = 1"));
  changed.catalogue = static_cast<std::uint64_t>(version.value_or(0));
  if (changed.repeated) return changed;  // nothing was written
  const Said said = said_of(change.body);
  AIMETER_CHECK_OK(run(connection,
                       "INSERT INTO ai_audit(at, actor, action, tenant, details) VALUES(?1, ?2, ?3,"
                       " ?4, ?5)",
                       now().time_since_epoch().count(), change.actor, said.action, said.tenant,
                       said.details));
  AIMETER_FAULT_POINT("store.before_change");
  AIMETER_CHECK_OK(write.commit());
  AIMETER_FAULT_POINT("store.after_change");
  return changed;
}

}  // namespace aimeter::drivers::sqlite
