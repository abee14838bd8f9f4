// Package:       base
// Units:         bytes
// Errors:        as the system's, with the path and the errno that the fault stands for.
// Thread safety: any thread: one mutex.
// Ownership:     owns its files; a File holds on to the disk that it was opened on.
//
// A disk in memory that fails when told to: full after so many bytes, errors on write or sync,
// crash(), which keeps only what was synced, and power that is lost at a chosen operation. As
// strict as POSIX allows: a new or removed name is safe only after sync_folder() of its folder,
// bytes and length only after sync() of their file. A failed sync drops what it should have
// written, as the kernel does: no later sync brings it to the disk. Every other open file of the
// same bytes is told at its own next sync, once; one that is opened later is told nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/mutex.h"

namespace aimeter::base {

class MemoryFiles final : public Files {
 public:
  MemoryFiles();
  ~MemoryFiles() override;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status make_folder(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Status remove(const std::string& path) override;
  Status sync_folder(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> try_lock(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;  // never waits: asserts
  Result<bool> is_network(const std::string& path) override;

  // ---- Faults.
  void set_free_bytes(std::uint64_t bytes);  // growth of files beyond it is ENOSPC
  void fail_writes_after(int good);          // that many succeed, all later ones are EIO
  void fail_syncs_after(int good);
  void set_network(std::string folder);  // is_network() is true below it
  // The machine goes down: unsynced names and bytes are lost, but the first `kept_bytes` of the
  // writes since the last sync, in their order; locks end; files that are open answer unavailable.
  void crash(std::uint64_t kept_bytes = 0);
  // The same, but of every unsynced write the sectors of 512 bytes whose turn `keep` says survive.
  void crash_keeping_sectors(const std::function<bool(std::uint64_t sector)>& keep);

  // The power goes when the `operation`-th change or sync of this disk is asked for (1: the first
  // one from now on): that one fails, and everything after it, until power_on(). `keep` is asked
  // for every unsynced sector, length and name, in the order in which they were made (that of the
  // operation itself too, unless it is a sync), whether it survived.
  using Keep = std::function<bool()>;
  void lose_power_at(std::uint64_t operation, Keep keep);
  [[nodiscard]] bool has_power() const;
  void power_on();  // names, bytes and locks are as they survived; open files stay dead
  [[nodiscard]] std::uint64_t operations() const;  // changes and syncs so far
  [[nodiscard]] std::uint64_t life() const;        // how often it went down

  // ---- For damage by hand.
  [[nodiscard]] std::string bytes(const std::string& path) const;  // "" when absent
  void set_bytes(const std::string& path, std::string bytes);      // synced at once
  [[nodiscard]] std::uint64_t syncs() const;                       // how many there were
  [[nodiscard]] std::uint64_t writes() const;

 private:
  struct Disk;
  friend class MemoryFile;
  friend class MemoryLock;
  std::shared_ptr<Disk> disk_;
};

}  // namespace aimeter::base
