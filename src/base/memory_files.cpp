#include "base/memory_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <utility>

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

// Of a file since its last sync.
struct Pending {
  enum class What : std::uint8_t { write, resize } what = What::write;
  std::uint64_t offset = 0;  // resize: the new length
  std::string bytes = {};
  bool dropped = false;  // by a failed sync: on the disk by luck only
};

struct Node {
  std::string now, safe;
  std::vector<Pending> pending;    // in order
  std::uint64_t failed_syncs = 0;  // each open file is told of them once

  void all_safe() {
    for (const Pending& change : pending) {
      if (change.what == Pending::What::resize || change.dropped) continue;
      if (change.offset < now.size()) put(safe, change.offset, change.bytes);
    }
    safe.resize(now.size(), '\0');
    pending.clear();
  }
  // A sector reaches the disk as a whole, in any of the states that it had since the last sync.
  void keep_some(const MemoryFiles::Keep& keep) {
    std::string seen = safe;
    for (const Pending& change : pending) {
      if (change.what == Pending::What::resize) {
        seen.resize(change.offset, '\0');
        if (keep()) safe.resize(change.offset, '\0');
        continue;
      }
      put(seen, change.offset, change.bytes);
      const std::uint64_t end = change.offset + change.bytes.size();
      for (std::uint64_t at = change.offset / kSectorBytes * kSectorBytes; at < end;
           at += kSectorBytes) {
        if (keep()) put(safe, at, std::string_view(seen).substr(at, kSectorBytes));
      }
    }
  }
};

bool pass_one(int& good) {
  if (good == 0) return false;
  if (good > 0) --good;
  return true;
}

bool is_root(const std::string& folder) { return folder.empty() || folder == "."; }

}  // namespace

struct MemoryFiles::Disk {
  using Names = std::map<std::string, std::shared_ptr<Node>>;  // a folder's node is null

  mutable Mutex mutex;
  Names names AIMETER_GUARDED_BY(mutex), safe_names AIMETER_GUARDED_BY(mutex);
  std::set<std::string> locks AIMETER_GUARDED_BY(mutex);
  std::string network AIMETER_GUARDED_BY(mutex);
  std::uint64_t free_bytes AIMETER_GUARDED_BY(mutex) = std::numeric_limits<std::int64_t>::max();
  std::uint64_t life AIMETER_GUARDED_BY(mutex) = 1;
  std::uint64_t syncs AIMETER_GUARDED_BY(mutex) = 0, writes AIMETER_GUARDED_BY(mutex) = 0;
  std::uint64_t operations AIMETER_GUARDED_BY(mutex) = 0;
  int good_writes AIMETER_GUARDED_BY(mutex) = -1, good_syncs AIMETER_GUARDED_BY(mutex) = -1;
  bool power AIMETER_GUARDED_BY(mutex) = true;
  std::uint64_t power_until AIMETER_GUARDED_BY(mutex) = 0;  // 0: it stays
  Keep keep AIMETER_GUARDED_BY(mutex) = {};

  bool has_folder(const std::string& path) AIMETER_REQUIRES(mutex) {
    if (is_root(path)) return true;
    const auto found = names.find(path);
    return found != names.end() && found->second == nullptr;
  }
  // Before every change and sync: false when the power goes with this one.
  bool begin_operation() AIMETER_REQUIRES(mutex) {
    return ++operations != power_until || power_until == 0;
  }
  bool grow(Node& node, std::uint64_t size) AIMETER_REQUIRES(mutex) {
    if (size <= node.now.size()) return true;
    const std::uint64_t more = size - node.now.size();
    if (more > free_bytes) return false;
    free_bytes -= more;
    node.now.resize(size, '\0');
    return true;
  }
  void resize(Node& node, std::uint64_t size) AIMETER_REQUIRES(mutex) {
    if (size < node.now.size()) free_bytes += node.now.size() - size;
    node.now.resize(size, '\0');
    node.pending.push_back({.what = Pending::What::resize, .offset = size});
  }
  void sync_names(const std::string& folder) AIMETER_REQUIRES(mutex) {
    std::erase_if(safe_names, [&](const auto& entry) { return parent_of(entry.first) == folder; });
    for (const auto& entry : names) {
      if (parent_of(entry.first) == folder) safe_names.insert(entry);
    }
  }
  void lose_power() AIMETER_REQUIRES(mutex) {
    std::set<std::string> all;
    for (const auto& [path, node] : names) all.insert(path);
    for (const auto& [path, node] : safe_names) all.insert(path);
    for (const std::string& path : all) {
      const auto now = names.find(path);
      const auto safe = safe_names.find(path);
      const bool same =
          now != names.end() && safe != safe_names.end() && now->second == safe->second;
      if (same || !keep()) continue;
      if (safe != safe_names.end()) safe_names.erase(safe);
      if (now != names.end()) safe_names.insert(*now);
    }
    for (const auto& [path, node] : safe_names) {
      if (node != nullptr) node->keep_some(keep);
    }
    go_down();
    power = false;
  }
  void go_down() AIMETER_REQUIRES(mutex) {
    ++life;
    locks.clear();
    // What lies in a folder that is gone is gone; parents stand before their children.
    for (auto entry = safe_names.begin(); entry != safe_names.end();) {
      const std::string parent = parent_of(entry->first);
      const bool reachable = is_root(parent) || safe_names.contains(parent);
      entry = reachable ? std::next(entry) : safe_names.erase(entry);
    }
    names = safe_names;
    good_writes = good_syncs = -1;
    power_until = 0;
    for (auto& [name, node] : names) {
      if (node == nullptr) continue;
      node->now = node->safe;
      node->pending.clear();
    }
  }
};

class MemoryFile final : public File {
 public:
  MemoryFile(std::shared_ptr<MemoryFiles::Disk> disk, std::string path, std::shared_ptr<Node> node,
             std::uint64_t life)
      : disk_(std::move(disk)),
        path_(std::move(path)),
        node_(std::move(node)),
        told_(node_->failed_syncs),
        life_(life) {}

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    const Lock lock(disk_->mutex);
    AIMETER_CHECK_OK(alive());
    ++disk_->writes;
    const bool power = disk_->begin_operation();
    if (!pass_one(disk_->good_writes)) return failure("write", path_, EIO);
    if (!disk_->grow(*node_, offset + bytes.size())) return failure("write", path_, ENOSPC);
    put(node_->now, offset, bytes);
    node_->pending.push_back({.offset = offset, .bytes = std::string(bytes)});
    return power ? Status{} : gone("write");
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
    const bool power = disk_->begin_operation();
    const std::uint64_t before = node_->now.size();
    if (!disk_->grow(*node_, size)) return failure("allocate", path_, ENOSPC);
    if (size > before) {
      node_->pending.push_back({.what = Pending::What::resize, .offset = size});
    }
    return power ? Status{} : gone("allocate");
  }
  Status truncate(std::uint64_t size) override {
    const Lock lock(disk_->mutex);
    AIMETER_CHECK_OK(alive());
    const bool power = disk_->begin_operation();
    if (!disk_->grow(*node_, size)) return failure("truncate", path_, ENOSPC);
    disk_->resize(*node_, size);
    return power ? Status{} : gone("truncate");
  }
  Status sync() override {
    const Lock lock(disk_->mutex);
    AIMETER_CHECK_OK(alive());
    ++disk_->syncs;
    if (!disk_->begin_operation()) return gone("sync");
    if (!pass_one(disk_->good_syncs)) {
      for (Pending& change : node_->pending) change.dropped = true;
      told_ = ++node_->failed_syncs;
      return failure("sync", path_, EIO);
    }
    node_->all_safe();
    if (std::exchange(told_, node_->failed_syncs) == node_->failed_syncs) return {};
    return failure("sync", path_, EIO);  // that of another who has it open
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
  Status gone(std::string_view what) AIMETER_REQUIRES(disk_->mutex) {
    disk_->lose_power();
    return failure(what, path_, ESTALE);
  }

  std::shared_ptr<MemoryFiles::Disk> disk_;
  std::string path_;
  std::shared_ptr<Node> node_;
  std::uint64_t told_;  // of failed syncs; those from before it was opened are not told
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
  if (!disk_->power) return failure("open", path, ESTALE);
  const auto found = disk_->names.find(path);
  if (found != disk_->names.end()) {
    if (found->second == nullptr) return fail(Code::unavailable, path + ": is a folder");
    return std::make_unique<MemoryFile>(disk_, path, found->second, disk_->life);
  }
  if (mode != OpenMode::create) return failure("open", path, ENOENT);
  if (!disk_->has_folder(parent_of(path))) return failure("open", path, ENOENT);
  const bool power = disk_->begin_operation();
  const auto node = std::make_shared<Node>();
  disk_->names[path] = node;
  if (!power) {
    disk_->lose_power();
    return failure("open", path, ESTALE);
  }
  return std::make_unique<MemoryFile>(disk_, path, node, disk_->life);
}

Status MemoryFiles::make_folder(const std::string& path) {
  const Lock lock(disk_->mutex);
  if (!disk_->power) return failure("make folder", path, ESTALE);
  for (std::size_t slash = 0; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string folder = path.substr(0, slash);
    const bool made = !disk_->has_folder(folder);
    bool power = true;
    if (made) {
      power = disk_->begin_operation();
      disk_->names.emplace(folder, nullptr);
    }
    if (power && (made || slash == std::string::npos)) {
      power = disk_->begin_operation();
      if (power) disk_->sync_names(parent_of(folder));
    }
    if (power) continue;
    disk_->lose_power();
    return failure("make folder", path, ESTALE);
  }
  return {};
}

Result<std::vector<std::string>> MemoryFiles::list(const std::string& folder) {
  const Lock lock(disk_->mutex);
  if (!disk_->power) return failure("list", folder, ESTALE);
  std::vector<std::string> found;
  for (const auto& [path, node] : disk_->names) {
    if (path != folder && parent_of(path) == folder)
      found.push_back(path.substr(folder.size() + 1));
  }
  std::ranges::sort(found);
  return found;
}

Status MemoryFiles::remove(const std::string& path) {
  const Lock lock(disk_->mutex);
  if (!disk_->power) return failure("remove", path, ESTALE);
  const auto found = disk_->names.find(path);
  if (found == disk_->names.end()) return {};
  for (const auto& [name, node] : disk_->names) {
    if (parent_of(name) == path) return failure("remove", path, ENOTEMPTY);
  }
  const bool power = disk_->begin_operation();
  if (found->second != nullptr) disk_->free_bytes += found->second->now.size();
  disk_->names.erase(found);
  if (power) return {};
  disk_->lose_power();
  return failure("remove", path, ESTALE);
}

Status MemoryFiles::sync_folder(const std::string& path) {
  const Lock lock(disk_->mutex);
  const std::string folder = path == "/" ? "" : path;
  if (!disk_->power) return failure("open", path, ESTALE);
  if (!disk_->has_folder(folder)) return failure("open", path, ENOENT);
  ++disk_->syncs;
  if (!disk_->begin_operation()) {
    disk_->lose_power();
    return failure("sync", path, ESTALE);
  }
  if (!pass_one(disk_->good_syncs)) return failure("sync", path, EIO);
  disk_->sync_names(folder);
  return {};
}

Result<std::unique_ptr<FileLock>> MemoryFiles::try_lock(const std::string& path) {
  const Lock lock(disk_->mutex);
  if (!disk_->power) return failure("open the lock", path, ESTALE);
  if (!disk_->has_folder(parent_of(path))) return failure("open the lock", path, ENOENT);
  const auto [entry, made] = disk_->names.try_emplace(path, std::make_shared<Node>());
  if (entry->second == nullptr) return failure("open the lock", path, EISDIR);
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
    if (node == nullptr) continue;
    for (const Pending& change : node->pending) {
      if (change.what == Pending::What::resize) continue;
      const std::string_view kept = std::string_view(change.bytes).substr(0, kept_bytes);
      put(node->safe, change.offset, kept);
      kept_bytes -= kept.size();
    }
  }
  disk_->go_down();
}

void MemoryFiles::crash_keeping_sectors(const std::function<bool(std::uint64_t)>& keep) {
  const Lock lock(disk_->mutex);
  for (const auto& [name, node] : disk_->safe_names) {
    if (node == nullptr) continue;
    const std::string now = node->now;
    std::set<std::uint64_t> touched;
    for (const Pending& change : node->pending) {
      const std::uint64_t end = change.offset + change.bytes.size();
      if (change.what == Pending::What::resize) continue;
      for (std::uint64_t at = change.offset / kSectorBytes; at * kSectorBytes < end; ++at) {
        touched.insert(at);
      }
    }
    for (const std::uint64_t sector : touched) {
      const std::uint64_t offset = sector * kSectorBytes;
      if (offset >= now.size() || !keep(sector)) continue;
      put(node->safe, offset, std::string_view(now).substr(offset, kSectorBytes));
    }
  }
  disk_->go_down();
}

void MemoryFiles::lose_power_at(std::uint64_t operation, Keep keep) {
  const Lock lock(disk_->mutex);
  disk_->power_until = disk_->operations + operation;
  disk_->keep = std::move(keep);
}
bool MemoryFiles::has_power() const {
  const Lock lock(disk_->mutex);
  return disk_->power;
}
void MemoryFiles::power_on() {
  const Lock lock(disk_->mutex);
  disk_->power = true;
}
std::uint64_t MemoryFiles::operations() const {
  const Lock lock(disk_->mutex);
  return disk_->operations;
}
std::uint64_t MemoryFiles::life() const {
  const Lock lock(disk_->mutex);
  return disk_->life;
}

std::string MemoryFiles::bytes(const std::string& path) const {
  const Lock lock(disk_->mutex);
  const auto found = disk_->names.find(path);
  return found == disk_->names.end() || found->second == nullptr ? "" : found->second->now;
}

void MemoryFiles::set_bytes(const std::string& path, std::string bytes) {
  const Lock lock(disk_->mutex);
  auto& node = disk_->names[path];
  if (!node) node = std::make_shared<Node>();
  node->now = node->safe = std::move(bytes);
  node->pending.clear();
  disk_->safe_names[path] = node;
  // And the folders that it lies in.
  for (std::string folder = parent_of(path); !is_root(folder); folder = parent_of(folder)) {
    disk_->names.emplace(folder, nullptr);
    disk_->safe_names.emplace(folder, nullptr);
  }
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
