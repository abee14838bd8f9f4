// Package:       base
// Units:         bytes
// Errors:        unavailable (ENOSPC, EACCES, EROFS ...), not_found (ENOENT), corrupt (EIO).
// Thread safety: Files: any thread. A File: one thread at a time, but sync() beside write_at().
// Ownership:     a File closes itself; a lock ends with its FileLock.
//
// The port to the file system, so that a simulator can stand in for the disk. Every error names the
// path and errno.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/result.h"

namespace aimeter::base {

class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] virtual Status write_at(std::uint64_t offset,
                                        std::string_view bytes) = 0;  // all or an error
  [[nodiscard]] virtual Result<std::string> read_at(std::uint64_t offset,
                                                    std::size_t count) = 0;  // short at the end
  [[nodiscard]] virtual Status allocate(
      std::uint64_t size) = 0;  // fallocate: bytes exist, so writes cannot hit ENOSPC
  [[nodiscard]] virtual Status truncate(std::uint64_t size) = 0;
  [[nodiscard]] virtual Status sync() = 0;  // fdatasync
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
};

class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode { read, read_write, create };  // create: made if absent, kept if there

class Files {
 public:
  virtual ~Files() = default;
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path,
                                                           OpenMode mode) = 0;
  // With parents; there: ok. Its name is safe when this returns, as is that of each parent made.
  [[nodiscard]] virtual Status make_folder(const std::string& path) = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> list(
      const std::string& folder) = 0;  // names, sorted; absent: none
  [[nodiscard]] virtual Status remove(
      const std::string& path) = 0;  // file or empty folder; absent: ok
  [[nodiscard]] virtual Status sync_folder(const std::string& path) = 0;  // fsync of the directory
  // An flock(2) on `path` (made if absent). try_lock: empty when somebody else has it. lock: waits.
  [[nodiscard]] virtual Result<std::unique_ptr<FileLock>> try_lock(const std::string& path) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  // True for NFS, SMB, 9p, FUSE ... where locks and mmap are not to be trusted (statfs f_type).
  [[nodiscard]] virtual Result<bool> is_network(const std::string& path) = 0;
};

// The system's files; lives for the whole process.
[[nodiscard]] Files& system_files();

}  // namespace aimeter::base
