// Package:       sim
// Units:         bytes
// Errors:        as the disk's; unavailable once the process is gone.
// Thread safety: none: one thread does everything.
// Ownership:     borrows the machine's disk; owns the locks that its process has.
//
// The files of one process: gone() is what `kill -9` does to them: locks end, nothing more is read
// or written, what was written stays with the disk.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/files.h"

namespace aimeter::sim {

class ProcessFiles final : public base::Files {
 public:
  explicit ProcessFiles(base::Files& disk);
  ~ProcessFiles() override;

  Result<std::unique_ptr<base::File>> open(const std::string& path, base::OpenMode mode) override;
  Status make_folder(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Status remove(const std::string& path) override;
  Status sync_folder(const std::string& path) override;
  Result<std::unique_ptr<base::FileLock>> try_lock(const std::string& path) override;
  Result<std::unique_ptr<base::FileLock>> lock(const std::string& path) override;
  Result<bool> is_network(const std::string& path) override;

  void gone();

 private:
  struct Life;
  friend class ProcessFile;
  friend class ProcessLock;
  [[nodiscard]] Status alive() const;

  base::Files& disk_;
  std::shared_ptr<Life> life_;
};

}  // namespace aimeter::sim
