#include "drivers/storage/sqlite/lane.h"

namespace aimeter::drivers::sqlite {

void break_off_after_failed_sync(WriterLock& lock, const Connection& connection) {
  if (!connection.saw_failed_sync()) return;
  lock.break_off({Code::corrupt, connection.path() +
                                     ": a sync failed, and what was written before it may be lost; "
                                     "open the store again and run `aimeter verify`"});
}

Result<Write> Write::begin(Lane& lane, WriterLock& lock, store::Sync sync) {
  AIMETER_TRY(WriterTurn turn, WriterTurn::take(lock));
  AIMETER_TRY(Transaction transaction, Transaction::begin(*lane.connection, sync));
  AIMETER_CHECK_OK(lane.names.begin());
  AIMETER_CHECK_OK(lane.keys.begin());
  return Write(lane, lock, std::move(transaction), std::move(turn));
}

Write::~Write() {
  if (lane_ != nullptr) lane_->names.rollback();
}

Status Write::commit() {
  const Status committed = transaction_.commit();
  if (!committed) {
    break_off_after_failed_sync(*lock_, *lane_->connection);
    return committed;
  }
  std::exchange(lane_, nullptr)->names.commit();
  return {};
}

}  // namespace aimeter::drivers::sqlite
