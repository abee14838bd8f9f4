// Package:       tests
// Units:         bytes
// Errors:        as base/memory_files.h; towards SQLite its own codes.
// Thread safety: any thread: one mutex of the machine.
// Ownership:     a Machine borrows its disk; a Process borrows its Machine and outlives every
//                connection that was opened through it.
//
// SQLite on a disk in memory: a VFS over MemoryFiles, so that a store and a journal lie on one disk
// that loses power. Shared memory and locks are kept per machine and end with its power; those of a
// process that is killed end with it, and what it had written stays.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/memory_files.h"
#include "base/mutex.h"
#include "store/store.h"

namespace aimeter::disk {

struct SharedFile;  // what the connections to one file share

class OpenFile;

class Machine {
 public:
  explicit Machine(base::MemoryFiles& files) : files_(files) {}
  [[nodiscard]] base::MemoryFiles& files() const { return files_; }

 private:
  friend class OpenFile;
  friend class Process;
  [[nodiscard]] std::shared_ptr<SharedFile> shared(const std::string& path)
      AIMETER_REQUIRES(mutex_);

  base::MemoryFiles& files_;
  base::Mutex mutex_;
  std::uint64_t life_ AIMETER_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::weak_ptr<SharedFile>> shared_ AIMETER_GUARDED_BY(mutex_);
};

class Process {
 public:
  explicit Process(Machine& machine);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // For StoreOptions: the store opens its file on this machine.
  [[nodiscard]] store::StoreDisk disk() const { return {.files = &machine_.files(), .vfs = name_}; }
  // `kill -9`: its connections can do nothing any more, and hold nothing.
  void kill();
  [[nodiscard]] bool killed() const { return killed_; }
  [[nodiscard]] Machine& machine() const { return machine_; }

 private:
  friend class OpenFile;
  Machine& machine_;
  const std::string name_;
  std::atomic<bool> killed_{false};
  std::set<OpenFile*> open_;  // guarded by the machine's mutex
  sqlite3_vfs vfs_ = {};
};

}  // namespace aimeter::disk
