#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/files.h"

namespace aimeter::base {
namespace {

std::unexpected<Error> failure(std::string_view what, const std::string& path, int error) {
  const Code code = error == ENOENT ? Code::not_found
                    : error == EIO  ? Code::corrupt
                                    : Code::unavailable;
  return fail(code,
              fmt::format("{}: cannot {}: {} (errno {})", path, what, std::strerror(error), error));
}

// Calls again what a signal interrupted.
template <class Call>
auto uninterrupted(const Call& call) {
  auto done = call();
  while (done < 0 && errno == EINTR) done = call();
  return done;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

class SystemFile final : public File {
 public:
  SystemFile(std::string path, int descriptor) : path_(std::move(path)), file_(descriptor) {}

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t done = uninterrupted([&] {
        return pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      });
      if (done < 0) return failure("write", path_, errno);
      bytes.remove_prefix(static_cast<std::size_t>(done));
      offset += static_cast<std::uint64_t>(done);
    }
    return {};
  }

  Result<std::string> read_at(std::uint64_t offset, std::size_t count) override {
    AIMETER_TRY(const std::uint64_t end, size());
    std::string bytes(std::min<std::uint64_t>(count, end - std::min(end, offset)), '\0');
    std::size_t have = 0;
    while (have < bytes.size()) {
      const ssize_t done = uninterrupted([&] {
        return pread(file_.get(), bytes.data() + have, bytes.size() - have,
                     static_cast<off_t>(offset + have));
      });
      if (done < 0) return failure("read", path_, errno);
      if (done == 0) break;
      have += static_cast<std::size_t>(done);
    }
    bytes.resize(have);
    return bytes;
  }

  Status allocate(std::uint64_t size) override {
    const int error = posix_fallocate(file_.get(), 0, static_cast<off_t>(size));
    if (error != 0) return failure("allocate", path_, error);
    return {};
  }

  Status truncate(std::uint64_t size) override {
    const int done =
        uninterrupted([&] { return ftruncate(file_.get(), static_cast<off_t>(size)); });
    if (done < 0) return failure("truncate", path_, errno);
    return {};
  }

  Status sync() override {
    // Not called again after an error: the kernel has dropped the pages that it could not write.
    if (fdatasync(file_.get()) < 0) return failure("sync", path_, errno);
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat about{};
    if (fstat(file_.get(), &about) < 0) return failure("stat", path_, errno);
    return static_cast<std::uint64_t>(about.st_size);
  }

 private:
  std::string path_;
  Descriptor file_;
};

class SystemLock final : public FileLock {
 public:
  explicit SystemLock(int descriptor) : file_(descriptor) {}

 private:
  Descriptor file_;  // closing ends the flock
};

// f_type of file systems whose locks and mmap other machines do not see.
// Source: linux/magic.h and statfs(2) of Linux 6.1, read 2026-07-29.
constexpr std::uint32_t kNetworkTypes[] = {
    0x6969,      // NFS
    0x517b,      // SMB
    0xff534d42,  // CIFS
    0xfe534d42,  // SMB2
    0x01021997,  // 9p
    0x65735546,  // FUSE
    0x5346414f,  // AFS
    0x00c36400,  // Ceph
    0x0bd00bd0,  // Lustre
    0x01161970,  // GFS2
    0x7461636f,  // OCFS2
};

class SystemFiles final : public Files {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    const int flags = mode == OpenMode::read         ? O_RDONLY
                      : mode == OpenMode::read_write ? O_RDWR
                                                     : O_RDWR | O_CREAT;
    const int descriptor =
        uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); });
    if (descriptor < 0) return failure("open", path, errno);
    auto file = std::make_unique<SystemFile>(path, descriptor);
    struct stat about{};
    if (fstat(descriptor, &about) < 0) return failure("stat", path, errno);
    if (S_ISDIR(about.st_mode)) return fail(Code::unavailable, path + ": is a folder");
    return file;
  }

  Status make_folder(const std::string& path) override {
    const std::filesystem::path folder = path;
    std::error_code error;
    const bool there = std::filesystem::is_directory(folder, error);
    const std::string parent = folder.parent_path().string();
    if (!there && !parent.empty() && parent != path) {
      if (!std::filesystem::is_directory(parent, error)) AIMETER_CHECK_OK(make_folder(parent));
    }
    if (!there && ::mkdir(path.c_str(), 0755) < 0) {
      const int why = errno;  // somebody else may have made it meanwhile
      if (!std::filesystem::is_directory(folder, error)) return failure("make folder", path, why);
    }
    // Also when it was there: who made it may have been killed before this.
    return sync_folder(parent.empty() ? "." : parent);
  }

  Result<std::vector<std::string>> list(const std::string& folder) override {
    std::error_code error;
    std::vector<std::string> names;
    std::filesystem::directory_iterator entry(folder, error);
    while (!error && entry != std::filesystem::directory_iterator()) {
      names.push_back(entry->path().filename().string());
      entry.increment(error);
    }
    if (error.value() == ENOENT) return std::vector<std::string>();
    if (error) return failure("list", folder, error.value());
    std::ranges::sort(names);
    return names;
  }

  Status remove(const std::string& path) override {
    if (::remove(path.c_str()) < 0 && errno != ENOENT) return failure("remove", path, errno);
    return {};
  }

  Status sync_folder(const std::string& path) override {
    const Descriptor folder(
        uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (folder.get() < 0) return failure("open", path, errno);
    if (fsync(folder.get()) < 0) return failure("sync", path, errno);
    return {};
  }

  Result<std::unique_ptr<FileLock>> try_lock(const std::string& path) override {
    return locked(path, LOCK_EX | LOCK_NB);
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    return locked(path, LOCK_EX);
  }

  Result<bool> is_network(const std::string& path) override {
    std::filesystem::path there = path;
    struct statfs about{};
    while (statfs(there.empty() ? "." : there.c_str(), &about) < 0) {
      if (errno != ENOENT || there.empty() || there == there.parent_path()) {
        return failure("look at the file system of", path, errno);
      }
      there = there.parent_path();  // what is not made yet will stand on its parent's
    }
    const auto type = static_cast<std::uint32_t>(about.f_type);
    return std::ranges::find(kNetworkTypes, type) != std::ranges::end(kNetworkTypes);
  }

 private:
  static Result<std::unique_ptr<FileLock>> locked(const std::string& path, int operation) {
    const int descriptor =
        uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); });
    if (descriptor < 0) return failure("open the lock", path, errno);
    auto held = std::make_unique<SystemLock>(descriptor);
    const int done = uninterrupted([&] { return flock(descriptor, operation); });
    if (done < 0 && errno == EWOULDBLOCK) return std::unique_ptr<FileLock>();
    if (done < 0) return failure("lock", path, errno);
    return held;
  }
};

}  // namespace

Files& system_files() {
  static SystemFiles files;
  return files;
}

}  // namespace aimeter::base
