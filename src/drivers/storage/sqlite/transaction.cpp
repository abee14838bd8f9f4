#include "drivers/storage/sqlite/transaction.h"

namespace aimeter::drivers::sqlite {

Result<Transaction> Transaction::begin(Connection& connection, store::Sync sync) {
  // Not prepared: the pragma acts when it is compiled, and only outside of a transaction.
  AIMETER_CHECK_OK(connection.run_script(
      sync == store::Sync::full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
  AIMETER_CHECK_OK(run(connection, "BEGIN IMMEDIATE"));
  connection.forget_row_error();
  return Transaction(&connection);
}

Result<Transaction> Transaction::snapshot(Connection& connection) {
  AIMETER_CHECK_OK(run(connection, "BEGIN"));
  return Transaction(&connection);
}

Status Transaction::commit() {
  Connection& connection = *connection_;
  auto committed = run(connection, "COMMIT");
  if (committed) {
    connection_ = nullptr;
    return {};
  }
  if (connection.in_transaction()) {  // nothing of it is durable: it can be taken back
    rollback();
    return std::unexpected(std::move(committed).error());
  }
  connection_ = nullptr;
  // A full disk is met while frames are written, before the commit's own: SQLite has rolled back.
  if ((sqlite3_errcode(connection.raw()) & 0xff) == SQLITE_FULL) {
    return std::unexpected(std::move(committed).error());
  }
  return fail(Code::in_doubt, committed.error().message + "; the commit may have happened");
}

void Transaction::rollback() {
  if (connection_ == nullptr) return;
  // A failed statement may have rolled back by itself; then there is nothing left to do.
  if (connection_->in_transaction()) (void)connection_->run_script("ROLLBACK");
  connection_ = nullptr;
}

}  // namespace aimeter::drivers::sqlite
