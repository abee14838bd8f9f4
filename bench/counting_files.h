// Package:       bench
// Units:         syncs: fdatasync calls on files opened here; bytes written to them.
// Errors:        the system's files'.
// Thread safety: as base::Files.
// Ownership:     borrows nothing; stands before base::system_files().
//
// The system's files, counting what the journal waits for: calls by syncs is its mean group.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"

namespace aimeter::bench {

class CountingFile final : public base::File {
 public:
  struct Counts {
    std::atomic<std::uint64_t> syncs = 0, bytes = 0;
  };
  CountingFile(std::unique_ptr<base::File> file, Counts& counts)
      : file_(std::move(file)), counts_(counts) {}
  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    counts_.bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    return file_->write_at(offset, bytes);
  }
  Result<std::string> read_at(std::uint64_t offset, std::size_t count) override {
    return file_->read_at(offset, count);
  }
  Status allocate(std::uint64_t size) override { return file_->allocate(size); }
  Status truncate(std::uint64_t size) override { return file_->truncate(size); }
  Status sync() override {
    counts_.syncs.fetch_add(1, std::memory_order_relaxed);
    return file_->sync();
  }
  Result<std::uint64_t> size() override { return file_->size(); }

 private:
  std::unique_ptr<base::File> file_;
  Counts& counts_;
};

class CountingFiles final : public base::Files {
 public:
  [[nodiscard]] std::uint64_t syncs() const { return counts_.syncs.load(); }
  [[nodiscard]] std::uint64_t bytes() const { return counts_.bytes.load(); }

  Result<std::unique_ptr<base::File>> open(const std::string& path, base::OpenMode mode) override {
    AIMETER_TRY(std::unique_ptr<base::File> file, system_.open(path, mode));
    return std::make_unique<CountingFile>(std::move(file), counts_);
  }
  Status make_folder(const std::string& path) override { return system_.make_folder(path); }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return system_.list(folder);
  }
  Status remove(const std::string& path) override { return system_.remove(path); }
  Status sync_folder(const std::string& path) override { return system_.sync_folder(path); }
  Result<std::unique_ptr<base::FileLock>> try_lock(const std::string& path) override {
    return system_.try_lock(path);
  }
  Result<std::unique_ptr<base::FileLock>> lock(const std::string& path) override {
    return system_.lock(path);
  }
  Result<bool> is_network(const std::string& path) override { return system_.is_network(path); }

 private:
  base::Files& system_ = base::system_files();
  CountingFile::Counts counts_;
};

}  // namespace aimeter::bench
