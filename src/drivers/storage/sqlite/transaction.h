// Package:       drivers
// Units:         none.
// Errors:        unavailable (nothing was written), in_doubt (the commit gave no answer).
// Thread safety: as the connection's.
// Ownership:     borrows the connection; rolls back when destroyed without commit.
//
// One write or one read snapshot. A write sets the syncing that its facts need: relaxed only for
// what a journal can replay.
#pragma once

#include <utility>

#include "drivers/storage/sqlite/connection.h"
#include "store/store.h"

namespace aimeter::drivers::sqlite {

class Transaction {
 public:
  // Requires: the writer's lock.
  [[nodiscard]] static Result<Transaction> begin(Connection& connection, store::Sync sync);
  [[nodiscard]] static Result<Transaction> snapshot(Connection& connection);
  Transaction(Transaction&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction() { rollback(); }

  [[nodiscard]] Status commit();
  void rollback();

 private:
  explicit Transaction(Connection* connection) : connection_(connection) {}
  Connection* connection_;
};

}  // namespace aimeter::drivers::sqlite
