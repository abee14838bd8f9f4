#include "tests/disk/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <utility>
#include <vector>

#include "base/hash.h"

namespace aimeter::disk {
namespace {

// A day in 2026 as SQLite counts them, in milliseconds: nothing here depends on the time.
constexpr sqlite3_int64 kNowJulian_ms = 211'639'219'200'000;
constexpr int kPathMax = 512;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

int code_of(const Error& error, int otherwise) {
  return error.message.ends_with("(errno 28)") ? SQLITE_FULL : otherwise;
}

}  // namespace

struct SharedFile {
  std::map<const OpenFile*, int> levels;         // of the database file's lock
  std::vector<std::unique_ptr<char[]>> regions;  // shared memory of the WAL's index
  std::map<const OpenFile*, unsigned> mapped;    // who has it mapped
  std::array<std::map<const OpenFile*, bool>, SQLITE_SHM_NLOCK> slots;  // true: exclusive

  void forget(const OpenFile* file) {
    levels.erase(file);
    unmap(file);
  }
  void unmap(const OpenFile* file) {
    for (auto& slot : slots) slot.erase(file);
    mapped.erase(file);
    if (mapped.empty()) regions.clear();  // the next one reads the log again
  }
};

std::shared_ptr<SharedFile> Machine::shared(const std::string& path) {
  if (std::exchange(life_, files_.life()) != files_.life()) shared_.clear();
  std::weak_ptr<SharedFile>& known = shared_[path];
  std::shared_ptr<SharedFile> file = known.lock();
  if (file == nullptr) known = file = std::make_shared<SharedFile>();
  return file;
}

// One open file of one connection.
class OpenFile {
 public:
  OpenFile(Process& process, std::string path, std::unique_ptr<base::File> file)
      : process_(process),
        machine_(process.machine_),
        path_(std::move(path)),
        file_(std::move(file)),
        life_(machine_.files_.life()) {
    const base::Lock lock(machine_.mutex_);
    shared_ = machine_.shared(path_);
    process_.open_.insert(this);
  }
  ~OpenFile() {
    const base::Lock lock(machine_.mutex_);
    shared_->forget(this);
    process_.open_.erase(this);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  void sync_its_name() { sync_name_ = true; }
  void delete_when_closed() { deleted_ = true; }
  void close() {
    if (deleted_ && alive()) (void)machine_.files_.remove(path_);
  }

  int read(void* to, int count, sqlite3_int64 offset) {
    if (!alive()) return SQLITE_IOERR_READ;
    const auto bytes =
        file_->read_at(static_cast<std::uint64_t>(offset), static_cast<std::size_t>(count));
    if (!bytes) return SQLITE_IOERR_READ;
    std::memcpy(to, bytes->data(), bytes->size());
    if (bytes->size() == static_cast<std::size_t>(count)) return SQLITE_OK;
    std::memset(static_cast<char*>(to) + bytes->size(), 0,
                static_cast<std::size_t>(count) - bytes->size());
    return SQLITE_IOERR_SHORT_READ;
  }
  int write(const void* from, int count, sqlite3_int64 offset) {
    if (!alive()) return SQLITE_IOERR_WRITE;
    const std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(count));
    const Status written = file_->write_at(static_cast<std::uint64_t>(offset), bytes);
    return written ? SQLITE_OK : code_of(written.error(), SQLITE_IOERR_WRITE);
  }
  int truncate(sqlite3_int64 size) {
    if (!alive()) return SQLITE_IOERR_TRUNCATE;
    const Status done = file_->truncate(static_cast<std::uint64_t>(size));
    return done ? SQLITE_OK : code_of(done.error(), SQLITE_IOERR_TRUNCATE);
  }
  int sync() {
    if (!alive()) return SQLITE_IOERR;  // nobody is there to see a sync fail
    if (!file_->sync()) return SQLITE_IOERR_FSYNC;
    // As SQLite's own VFS does with a journal that it has made.
    if (std::exchange(sync_name_, false) && !machine_.files_.sync_folder(folder_of(path_))) {
      return SQLITE_IOERR_DIR_FSYNC;
    }
    return SQLITE_OK;
  }
  int size(sqlite3_int64* size) {
    const auto found = alive() ? file_->size() : Result<std::uint64_t>(0);
    if (!alive() || !found) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(*found);
    return SQLITE_OK;
  }

  int lock(int level) {
    if (!alive()) return SQLITE_IOERR_LOCK;
    const base::Lock lock(machine_.mutex_);
    if (process_.killed_) return SQLITE_IOERR_LOCK;
    int& mine = shared_->levels[this];
    if (mine >= level) return SQLITE_OK;
    int others = SQLITE_LOCK_NONE;
    for (const auto& [file, held] : shared_->levels) {
      if (file != this) others = std::max(others, held);
    }
    if (level == SQLITE_LOCK_SHARED) {
      if (others >= SQLITE_LOCK_PENDING) return SQLITE_BUSY;
    } else if (others >= SQLITE_LOCK_RESERVED) {
      return SQLITE_BUSY;
    }
    if (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
      mine = SQLITE_LOCK_PENDING;
      return SQLITE_BUSY;
    }
    mine = level;
    return SQLITE_OK;
  }
  int unlock(int level) {
    const base::Lock lock(machine_.mutex_);
    const auto mine = shared_->levels.find(this);
    if (mine != shared_->levels.end()) mine->second = std::min(mine->second, level);
    return SQLITE_OK;
  }
  int is_reserved(int* answer) {
    const base::Lock lock(machine_.mutex_);
    *answer = std::ranges::any_of(
        shared_->levels, [](const auto& entry) { return entry.second >= SQLITE_LOCK_RESERVED; });
    return SQLITE_OK;
  }

  int map(std::size_t region, std::size_t bytes, bool extend, void volatile** at) {
    *at = nullptr;
    if (!alive()) return SQLITE_IOERR_SHMMAP;
    const base::Lock lock(machine_.mutex_);
    shared_->mapped.emplace(this, 1);
    if (region >= shared_->regions.size() && !extend) return SQLITE_OK;
    while (region >= shared_->regions.size()) {
      shared_->regions.push_back(std::make_unique<char[]>(bytes));
    }
    *at = shared_->regions[region].get();
    return SQLITE_OK;
  }
  int lock_slots(std::size_t first, std::size_t count, int flags) {
    if (!alive()) return SQLITE_IOERR_SHMLOCK;
    const base::Lock lock(machine_.mutex_);
    const auto begin = shared_->slots.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(count);
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
      std::for_each(begin, end, [&](auto& slot) { slot.erase(this); });
      return SQLITE_OK;
    }
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    const bool busy = std::any_of(begin, end, [&](const auto& slot) {
      return std::ranges::any_of(slot, [&](const auto& holder) {
        return holder.first != this && (exclusive || holder.second);
      });
    });
    if (busy) return SQLITE_BUSY;
    std::for_each(begin, end, [&](auto& slot) { slot[this] = exclusive; });
    return SQLITE_OK;
  }
  int unmap() {
    const base::Lock lock(machine_.mutex_);
    shared_->unmap(this);
    return SQLITE_OK;
  }

 private:
  [[nodiscard]] bool alive() const { return !process_.killed_ && life_ == machine_.files_.life(); }
  friend class aimeter::disk::Process;

  Process& process_;
  Machine& machine_;
  const std::string path_;
  std::unique_ptr<base::File> file_;
  const std::uint64_t life_;
  std::shared_ptr<SharedFile> shared_;
  bool sync_name_ = false, deleted_ = false;
};

namespace {

struct Handle {
  sqlite3_file base;  // SQLite's part, first
  OpenFile* file;
};
OpenFile& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file)->file; }

// As the system's VFS reports: writing a sector does not touch its neighbours.
constexpr int kSectorBytes = 4096;

const sqlite3_io_methods& methods() {
  static const sqlite3_io_methods kMethods = {
      .iVersion = 2,
      .xClose =
          [](sqlite3_file* f) {
            of(f).close();
            delete std::exchange(reinterpret_cast<Handle*>(f)->file, nullptr);
            return SQLITE_OK;
          },
      .xRead = [](sqlite3_file* f, void* to, int n,
                  sqlite3_int64 at) { return of(f).read(to, n, at); },
      .xWrite = [](sqlite3_file* f, const void* from, int n,
                   sqlite3_int64 at) { return of(f).write(from, n, at); },
      .xTruncate = [](sqlite3_file* f, sqlite3_int64 size) { return of(f).truncate(size); },
      .xSync = [](sqlite3_file* f, int) { return of(f).sync(); },
      .xFileSize = [](sqlite3_file* f, sqlite3_int64* size) { return of(f).size(size); },
      .xLock = [](sqlite3_file* f, int level) { return of(f).lock(level); },
      .xUnlock = [](sqlite3_file* f, int level) { return of(f).unlock(level); },
      .xCheckReservedLock = [](sqlite3_file* f, int* out) { return of(f).is_reserved(out); },
      .xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; },
      .xSectorSize = [](sqlite3_file*) { return kSectorBytes; },
      .xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; },
      .xShmMap =
          [](sqlite3_file* f, int region, int bytes, int extend, void volatile** at) {
            return of(f).map(static_cast<std::size_t>(region), static_cast<std::size_t>(bytes),
                             extend != 0, at);
          },
      .xShmLock =
          [](sqlite3_file* f, int first, int count, int flags) {
            return of(f).lock_slots(static_cast<std::size_t>(first),
                                    static_cast<std::size_t>(count), flags);
          },
      .xShmBarrier = [](sqlite3_file*) { std::atomic_thread_fence(std::memory_order_seq_cst); },
      .xShmUnmap = [](sqlite3_file* f, int) { return of(f).unmap(); },
      .xFetch = nullptr,
      .xUnfetch = nullptr};
  return kMethods;
}

Process& process_of(sqlite3_vfs* vfs) { return *static_cast<Process*>(vfs->pAppData); }

int open_file(Process& process, const char* name, sqlite3_file* file, int flags) {
  auto* handle = reinterpret_cast<Handle*>(file);
  handle->base.pMethods = nullptr;
  if (name == nullptr || process.killed()) return SQLITE_CANTOPEN;
  const bool creates = (flags & SQLITE_OPEN_CREATE) != 0;
  auto opened = process.machine().files().open(
      name, creates ? base::OpenMode::create : base::OpenMode::read_write);
  if (!opened) return SQLITE_CANTOPEN;
  handle->file = new OpenFile(process, name, *std::move(opened));
  constexpr int kJournals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL | SQLITE_OPEN_SUPER_JOURNAL;
  if (creates && (flags & kJournals) != 0) handle->file->sync_its_name();
  if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0) handle->file->delete_when_closed();
  handle->base.pMethods = &methods();
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  Process& process = process_of(vfs);
  base::MemoryFiles& files = process.machine().files();
  if (process.killed()) return SQLITE_IOERR_DELETE;
  if (!files.open(name, base::OpenMode::read)) return SQLITE_IOERR_DELETE_NOENT;
  if (!files.remove(name)) return SQLITE_IOERR_DELETE;
  if (sync_folder != 0 && !files.sync_folder(folder_of(name))) return SQLITE_IOERR_DIR_FSYNC;
  return SQLITE_OK;
}

int look_for(sqlite3_vfs* vfs, const char* name, int flags, int* answer) {
  *answer = 0;
  Process& process = process_of(vfs);
  if (process.killed()) return SQLITE_IOERR_ACCESS;
  const auto file = process.machine().files().open(name, base::OpenMode::read);
  if (!file) return SQLITE_OK;
  *answer = flags != SQLITE_ACCESS_EXISTS || (*file)->size().value_or(0) > 0 ? 1 : 0;
  return SQLITE_OK;
}

std::string next_name() {
  static std::atomic<int> last{0};
  return fmt::format("aimeter-memory-{}", ++last);
}

}  // namespace

Process::Process(Machine& machine) : machine_(machine), name_(next_name()) {
  vfs_ = {.iVersion = 2,
          .szOsFile = sizeof(Handle),
          .mxPathname = kPathMax,
          .pNext = nullptr,
          .zName = name_.c_str(),
          .pAppData = this,
          .xOpen =
              [](sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
                if (out != nullptr) *out = flags;
                return open_file(process_of(vfs), name, file, flags);
              },
          .xDelete = delete_file,
          .xAccess = look_for,
          .xFullPathname =
              [](sqlite3_vfs*, const char* name, int room, char* out) {
                sqlite3_snprintf(room, out, "%s", name);
                return SQLITE_OK;
              },
          .xDlOpen = nullptr,
          .xDlError = nullptr,
          .xDlSym = nullptr,
          .xDlClose = nullptr,
          .xRandomness =
              [](sqlite3_vfs*, int count, char* out) {
                std::memset(out, 0x5a, static_cast<std::size_t>(count));
                return count;
              },
          .xSleep = [](sqlite3_vfs*, int microseconds) { return microseconds; },
          .xCurrentTime =
              [](sqlite3_vfs*, double* days) {
                *days = static_cast<double>(kNowJulian_ms) / 86'400'000;
                return SQLITE_OK;
              },
          .xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; },
          .xCurrentTimeInt64 =
              [](sqlite3_vfs*, sqlite3_int64* ms) {
                *ms = kNowJulian_ms;
                return SQLITE_OK;
              },
          .xSetSystemCall = nullptr,
          .xGetSystemCall = nullptr,
          .xNextSystemCall = nullptr};
  sqlite3_vfs_register(&vfs_, 0);
}

Process::~Process() { sqlite3_vfs_unregister(&vfs_); }

void Process::kill() {
  const base::Lock lock(machine_.mutex_);
  killed_ = true;
  for (OpenFile* file : open_) file->shared_->forget(file);
}

}  // namespace aimeter::disk
