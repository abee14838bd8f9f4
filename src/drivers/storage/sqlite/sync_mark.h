// Package:       drivers
// Units:         bytes
// Errors:        the disk's, with the path.
// Thread safety: leave() from any thread; the rest under the writer's lock.
// Ownership:     borrows the files.
//
// After a failed sync the kernel counts what it could not write as written: whoever opens the log
// later reads it, adds to it, syncs with success, and stands on bytes that the disk does not have.
// Who sees a sync fail leaves a mark beside the store. Who opens next and finds it writes the log's
// bytes again, so that they are to be synced again. Decision 0161.
#pragma once

#include <string>
#include <utility>

#include "base/files.h"

namespace aimeter::drivers::sqlite {

class SyncMark {
 public:
  SyncMark(base::Files& files, std::string database)
      : files_(files), database_(std::move(database)) {}

  void leave() const;  // lost with the power, as is what it is about
  // If there is a mark: the log is on the disk after it, and the mark is gone. An error leaves it.
  [[nodiscard]] Status write_log_again() const;

 private:
  [[nodiscard]] std::string path() const { return database_ + ".aimeter/sync-failed"; }

  base::Files& files_;
  const std::string database_;
};

}  // namespace aimeter::drivers::sqlite
