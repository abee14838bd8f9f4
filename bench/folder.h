// Package:       bench
// Units:         bytes
// Errors:        std::filesystem's exceptions end the program: without files there is no figure.
// Thread safety: one thread.
// Ownership:     the folder is gone with its owner.
//
// Where a scenario's files stand: in AIMETER_BENCH_FOLDER, else in the current folder. On a disk:
// on a file system in memory fdatasync is free and every figure wrong.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace aimeter::bench {

class Folder {
 public:
  Folder() {
    const char* where = std::getenv("AIMETER_BENCH_FOLDER");  // NOLINT(concurrency-mt-unsafe)
    path_ = std::filesystem::path(where == nullptr ? "." : where) / "aimeter-bench-files";
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace aimeter::bench
