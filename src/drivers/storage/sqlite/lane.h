// Package:       drivers
// Units:         none.
// Errors:        the lock's, the connection's and the transaction's.
// Thread safety: a Lane is used by one thread at a time; lanes take turns by the WriterLock.
// Ownership:     a Lane owns its connection and caches; a Write borrows lane and lock.
//
// A write connection with what it knows of names and keys. A Write is the writer's turn and one
// transaction; destroyed without commit() it leaves file and caches as they were.
#pragma once

#include <memory>

#include "drivers/storage/sqlite/connection.h"
#include "drivers/storage/sqlite/keys.h"
#include "drivers/storage/sqlite/names.h"
#include "drivers/storage/sqlite/transaction.h"
#include "drivers/storage/sqlite/writer_lock.h"

namespace aimeter::drivers::sqlite {

struct Lane {
  Lane(std::unique_ptr<Connection> opened, std::int64_t keys_per_table)
      : connection(std::move(opened)), names(*connection), keys(*connection, keys_per_table) {}
  std::unique_ptr<Connection> connection;
  Names names;
  Keys keys;
};

// Breaks the lock off when the connection saw a sync fail.
void break_off_after_failed_sync(WriterLock& lock, const Connection& connection);

class Write {
 public:
  [[nodiscard]] static Result<Write> begin(Lane& lane, WriterLock& lock, store::Sync sync);
  Write(Write&& other) noexcept
      : lane_(std::exchange(other.lane_, nullptr)),
        lock_(other.lock_),
        turn_(std::move(other.turn_)),
        transaction_(std::move(other.transaction_)) {}
  Write& operator=(Write&&) = delete;
  ~Write();
  [[nodiscard]] Status commit();

 private:
  Write(Lane& lane, WriterLock& lock, Transaction transaction, WriterTurn turn)
      : lane_(&lane), lock_(&lock), turn_(std::move(turn)), transaction_(std::move(transaction)) {}
  Lane* lane_;  // null once committed
  WriterLock* lock_;
  WriterTurn turn_;  // given up after the transaction has ended
  Transaction transaction_;
};

}  // namespace aimeter::drivers::sqlite
