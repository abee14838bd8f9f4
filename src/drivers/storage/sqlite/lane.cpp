#include "drivers/storage/sqlite/lane.h"

namespace aimeter::drivers::sqlite {

Result<Write> Write::begin(Lane& lane, WriterLock& lock, store::Sync sync) {
  AIMETER_TRY(WriterTurn turn, WriterTurn::take(lock));
  AIMETER_TRY(Transaction transaction, Transaction::begin(*lane.connection, sync));
  AIMETER_CHECK_OK(lane.names.begin());
  AIMETER_CHECK_OK(lane.keys.begin());
  return Write(lane, std::move(turn), std::move(transaction));
}

Write::~Write() {
  if (lane_ != nullptr) lane_->names.rollback();
}

Status Write::commit() {
  AIMETER_CHECK_OK(transaction_.commit());
  std::exchange(lane_, nullptr)->names.commit();
  return {};
}

}  // namespace aimeter::drivers::sqlite
