#include "base/memory_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <limits>
#include <set>

namespace aimeter::base {
namespace {

constexpr std::uint64_t kSectorBytes = 512;

std::unexpected<Error> failure(std::string_view what, const std::string& path, int error) {
  const Code code = error == ENOENT ? Code::not_found
                    : error == EIO  ? Code::corrupt
                                    : Code::unavailable;
  return fail(code,
              fmt::format("{}: cannot {}: {} (errno {})", path, what, std::strerror(error), error));
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

void put(std::string& into, std::uint64_t offset, std::string_view bytes) {
  if (into.size() < offset + bytes.size()) into.resize(offset + bytes.size(), '\0');
  std::ranges::copy(bytes, into.begin() + static_cast<std::ptrdiff_t>(offset));
}

struct PendingWrite {
  std::uint64_t offset = 0;
  std::string bytes;
};

struct Node {
  std::string now, safe;
  std::vector<PendingWrite> pending;  // since the last sync, in order
};

bool pass_one(int& good) {
  if (good == 0) return false;
  if (good > 0) --good;
  return true;
}

}  // namespace

struct MemoryFiles::Disk {
  mutable Mutex mutex;
  std::map<std::string, std::shared_ptr<Node>> names AIMETER_GUARDED_BY(mutex);
  std::map<std::string, std::shared_ptr<Node>> safe_names AIMETER_GUARDED_BY(mutex);
  std::set<std::string> folders AIMETER_GUARDED_BY(mutex);
  std::set<std::string> locks AIMETER_GUARDED_BY(mutex);
  std::string network AIMETER_GUARDED_BY(mutex);
  std::uint64_t free_bytes AIMETER_GUARDED_BY(mutex) = std::numeric_limits<std::int64_t>::max();
  std::uint64_t life AIMETER_GUARDED_BY(mutex) = 1;
  std::uint64_t syncs AIMETER_GUARDED_BY(mutex) = 0, writes AIMETER_GUARDED_BY(mutex) = 0;
  int good_writes AIMETER_GUARDED_BY(mutex) = -1, good_syncs AIMETER_GUARDED_BY(mutex) = -1;

  bool grow(Node& node, std::uint64_t size) AIMETER_REQUIRES(mutex) {
    if (size <= node.now.size()) return true;
    const std::uint64_t more = size - node.now.size();
    if (more > free_bytes) return false;
    free_bytes -= more;
    node.now.resize(size, '\0');
    return true;
  }
  void go_down() AIMETER_REQUIRES(mutex) {
    ++life;
    locks.clear();
    names = safe_names;
    good_writes = good_syncs = -1;
    for (auto& [name, node] : names) {
      node->now = node->safe;
      node->pending.clear();
    }
  }
};

class MemoryFile final : public File {
 public:
  MemoryFile(std::shared_ptr<MemoryFiles::Disk> disk, std::string path, std::shared_ptr<Node> node,
             std::uint64_t life)
      : disk_(std::move(disk)), path_(std::move(path)), node_(std::move(node)), life_(life) {}

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    const Lock lock(disk_->mutex);
    AIMETER_CHECK_OK(alive());
    ++disk_->writes;
    if (!pass_one(disk_->good_writes)) return failure("write", path_, EIO);
    if (!disk_->grow(*node_, offset + bytes.size())) return failure("write", path_, ENOSPC);
    put(node_->now, offset, bytes);
    node_->pending.push_back({offset, std::string(bytes)});
    return {};
  }
  Result<std::string> read_at(std::uint64_t offset, std::size_t count) override {
    const Lock lock(disk_->mutex);
    AIMETER_CHECK_OK(alive());
    if (offset >= node_->now.size()) return std::string();
    return node_->now.substr(offset, count);
  }
  Status allocate(std::uint64_t size) override {
    const Lock lock(disk_->mutex);
    AIMETER_CHECK_OK(alive());
    if (!disk_->grow(*node_, size)) return failure("allocate", path_, ENOSPC);
    return {};
  }
  Status truncate(std::uint64_t size) override {
    const Lock lock(disk_->mutex);
    AIMETER_CHECK_OK(alive());
    if (size < node_->now.size()) disk_->free_bytes += node_->now.size() - size;
    if (!disk_->grow(*node_, size)) return failure("truncate", path_, ENOSPC);
    node_->now.resize(size);
    return {};
  }
  Status sync() override {
    const Lock lock(disk_->mutex);
    AIMETER_CHECK_OK(alive());
    ++disk_->syncs;
    if (!pass_one(disk_->good_syncs)) return failure("sync", path_, EIO);
    if (node_->safe.size() > node_->now.size()) node_->safe.resize(node_->now.size());
    for (const PendingWrite& write : node_->pending) {
      if (write.offset < node_->now.size()) put(node_->safe, write.offset, write.bytes);
    }
    node_->safe.resize(node_->now.size(), '\0');
    node_->pending.clear();
    return {};
  }
  Result<std::uint64_t> size() override {
    const Lock lock(disk_->mutex);
    AIMETER_CHECK_OK(alive());
    return node_->now.size();
  }

 private:
  Status alive() const AIMETER_REQUIRES(disk_->mutex) {
    if (life_ != disk_->life) return failure("use", path_, ESTALE);
    return {};
  }

  std::shared_ptr<MemoryFiles::Disk> disk_;
  std::string path_;
  std::shared_ptr<Node> node_;
  std::uint64_t life_;
};

class MemoryLock final : public FileLock {
 public:
  MemoryLock(std::shared_ptr<MemoryFiles::Disk> disk, std::string path, std::uint64_t life)
      : disk_(std::move(disk)), path_(std::move(path)), life_(life) {}
  ~MemoryLock() override {
    const Lock lock(disk_->mutex);
    if (life_ == disk_->life) disk_->locks.erase(path_);
  }

 private:
  std::shared_ptr<MemoryFiles::Disk> disk_;
  std::string path_;
  std::uint64_t life_;
};

MemoryFiles::MemoryFiles() : disk_(std::make_shared<Disk>()) {}
MemoryFiles::~MemoryFiles() = default;

Result<std::unique_ptr<File>> MemoryFiles::open(const std::string& path, OpenMode mode) {
  const Lock lock(disk_->mutex);
  const auto found = disk_->names.find(path);
  if (found != disk_->names.end()) {
    return std::make_unique<MemoryFile>(disk_, path, found->second, disk_->life);
  }
  if (mode != OpenMode::create) return failure("open", path, ENOENT);
  if (!disk_->folders.contains(parent_of(path))) return failure("open", path, ENOENT);
  const auto node = std::make_shared<Node>();
  disk_->names[path] = node;
  return std::make_unique<MemoryFile>(disk_, path, node, disk_->life);
}

Status MemoryFiles::make_folder(const std::string& path) {
  const Lock lock(disk_->mutex);
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    disk_->folders.insert(path.substr(0, slash));
  }
  disk_->folders.insert(path);
  return {};
}

Result<std::vector<std::string>> MemoryFiles::list(const std::string& folder) {
  const Lock lock(disk_->mutex);
  std::vector<std::string> found;
  for (const auto& [path, node] : disk_->names) {
    if (parent_of(path) == folder) found.push_back(path.substr(folder.size() + 1));
  }
  for (const std::string& path : disk_->folders) {
    if (path != folder && parent_of(path) == folder)
      found.push_back(path.substr(folder.size() + 1));
  }
  std::ranges::sort(found);
  return found;
}

Status MemoryFiles::remove(const std::string& path) {
  const Lock lock(disk_->mutex);
  if (const auto found = disk_->names.find(path); found != disk_->names.end()) {
    disk_->free_bytes += found->second->now.size();
    disk_->names.erase(found);
    return {};
  }
  if (!disk_->folders.contains(path)) return {};
  for (const auto& [name, node] : disk_->names) {
    if (parent_of(name) == path) return failure("remove", path, ENOTEMPTY);
  }
  disk_->folders.erase(path);
  return {};
}

Status MemoryFiles::sync_folder(const std::string& path) {
  const Lock lock(disk_->mutex);
  if (!disk_->folders.contains(path)) return failure("open", path, ENOENT);
  ++disk_->syncs;
  if (!pass_one(disk_->good_syncs)) return failure("sync", path, EIO);
  std::erase_if(disk_->safe_names,
                [&](const auto& entry) { return parent_of(entry.first) == path; });
  for (const auto& entry : disk_->names) {
    if (parent_of(entry.first) == path) disk_->safe_names.insert(entry);
  }
  return {};
}

Result<std::unique_ptr<FileLock>> MemoryFiles::try_lock(const std::string& path) {
  const Lock lock(disk_->mutex);
  if (!disk_->folders.contains(parent_of(path))) return failure("open the lock", path, ENOENT);
  auto& node = disk_->names[path];
  if (!node) node = std::make_shared<Node>();
  if (!disk_->locks.insert(path).second) return std::unique_ptr<FileLock>();
  return std::make_unique<MemoryLock>(disk_, path, disk_->life);
}

Result<std::unique_ptr<FileLock>> MemoryFiles::lock(const std::string& path) {
  AIMETER_TRY(auto held, try_lock(path));
  AIMETER_ASSERT(held != nullptr);  // one thread would wait for itself
  return held;
}

Result<bool> MemoryFiles::is_network(const std::string& path) {
  const Lock lock(disk_->mutex);
  return !disk_->network.empty() && path.starts_with(disk_->network);
}

void MemoryFiles::set_free_bytes(std::uint64_t bytes) {
  const Lock lock(disk_->mutex);
  disk_->free_bytes = bytes;
}
void MemoryFiles::fail_writes_after(int good) {
  const Lock lock(disk_->mutex);
  disk_->good_writes = good;
}
void MemoryFiles::fail_syncs_after(int good) {
  const Lock lock(disk_->mutex);
  disk_->good_syncs = good;
}
void MemoryFiles::set_network(std::string folder) {
  const Lock lock(disk_->mutex);
  disk_->network = std::move(folder);
}

void MemoryFiles::crash(std::uint64_t kept_bytes) {
  const Lock lock(disk_->mutex);
  for (const auto& [name, node] : disk_->safe_names) {
    for (const PendingWrite& write : node->pending) {
      const std::string_view kept = std::string_view(write.bytes).substr(0, kept_bytes);
      put(node->safe, write.offset, kept);
      kept_bytes -= kept.size();
    }
  }
  disk_->go_down();
}

void MemoryFiles::crash_keeping_sectors(const std::function<bool(std::uint64_t)>& keep) {
  const Lock lock(disk_->mutex);
  for (const auto& [name, node] : disk_->safe_names) {
    const std::string now = node->now;
    std::set<std::uint64_t> touched;
    for (const PendingWrite& write : node->pending) {
      const std::uint64_t end = write.offset + write.bytes.size();
      for (std::uint64_t at = write.offset / kSectorBytes; at * kSectorBytes < end; ++at) {
        touched.insert(at);
      }
    }
    for (const std::uint64_t sector : touched) {
      if (!keep(sector)) continue;
      const std::uint64_t offset = sector * kSectorBytes;
      put(node->safe, offset, std::string_view(now).substr(offset, kSectorBytes));
    }
  }
  disk_->go_down();
}

std::string MemoryFiles::bytes(const std::string& path) const {
  const Lock lock(disk_->mutex);
  const auto found = disk_->names.find(path);
  return found == disk_->names.end() ? "" : found->second->now;
}

void MemoryFiles::set_bytes(const std::string& path, std::string bytes) {
  const Lock lock(disk_->mutex);
  auto& node = disk_->names[path];
  if (!node) node = std::make_shared<Node>();
  node->now = node->safe = std::move(bytes);
  node->pending.clear();
  disk_->safe_names[path] = node;
}

std::uint64_t MemoryFiles::syncs() const {
  const Lock lock(disk_->mutex);
  return disk_->syncs;
}
std::uint64_t MemoryFiles::writes() const {
  const Lock lock(disk_->mutex);
  return disk_->writes;
}

}  // namespace aimeter::base
