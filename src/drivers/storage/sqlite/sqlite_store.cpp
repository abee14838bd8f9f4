#include "drivers/storage/sqlite/sqlite_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "drivers/storage/sqlite/migrations.h"

namespace aimeter::drivers::sqlite {
namespace {

constexpr std::size_t kIdleReadersMax = 8;
// Source: https://www.sqlite.org/fileformat2.html section 1.3, read 2026-03-01.
constexpr std::size_t kHeaderBytes = 100;
constexpr std::string_view kMagic{"SQLite format 3\0", 16};

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<std::uint8_t>(c);
  return value;
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool has_bytes(base::Files& files, const std::string& path) {
  const auto file = files.open(path, base::OpenMode::read);
  return file && (*file)->size().value_or(0) > 0;
}

// Whether a connection may have the file open. By the folder's names: no look may open the file or
// its index, since closing either ends all locks of this process on it.
// Source: https://www.sqlite.org/howtocorrupt.html section 2.2, read 2026-11-30.
bool may_be_open(base::Files& files, const std::string& path) {
  const auto names = files.list(folder_of(path));
  const auto slash = path.rfind('/');
  const std::string index = (slash == std::string::npos ? path : path.substr(slash + 1)) + "-shm";
  return names && std::ranges::find(*names, index) != names->end();
}

// What SQLite would only meet later: no database at all, or one that was cut. With a log or a
// journal beside it, or while it is open, SQLite decides: the power may have gone while the file
// was begun.
Status check_file(base::Files& files, const std::string& path) {
  if (may_be_open(files, path)) return {};
  const auto file = files.open(path, base::OpenMode::read);
  if (!file && file.error().code == Code::not_found) return {};
  if (!file) return fail(Code::unavailable, file.error().message);
  AIMETER_TRY(const std::uint64_t there, (*file)->size());
  if (there == 0) return {};
  if (has_bytes(files, path + "-wal") || has_bytes(files, path + "-journal")) return {};
  AIMETER_TRY(const std::string bytes, (*file)->read_at(0, kHeaderBytes));
  if (bytes.size() < kHeaderBytes) {
    return fail(Code::corrupt, path + ": is no SQLite database (it is too short)");
  }
  const std::string_view header = bytes;
  if (!header.starts_with(kMagic)) return fail(Code::corrupt, path + ": is no SQLite database");
  const std::uint64_t page = big_endian(header.substr(16, 2));
  const std::uint64_t size = (page == 1 ? 65'536 : page) * big_endian(header.substr(28, 4));
  if (there >= size) return {};
  return fail(Code::corrupt,
              fmt::format("{}: is cut off: {} of {} bytes are there", path, there, size));
}

Status check_path(base::Files& files, const std::string& path) {
  if (path.empty() || path.front() == ':' || path.starts_with("file:")) {
    return bad_input("store", "sqlite:" + path, "sqlite:PATH of a file, or memory:");
  }
  AIMETER_TRY(const bool network, files.is_network(folder_of(path)));
  if (network) {
    return fail(Code::failed_precondition,
                path +
                    ": is on a network file system, where SQLite's locks cannot be trusted; "
                    "use a local disk");
  }
  return check_file(files, path);
}

Result<std::unique_ptr<Lane>> open_lane(const Database& database, const Tuning& tuning) {
  AIMETER_TRY(auto connection, Connection::open(database, Access::write));
  return std::make_unique<Lane>(std::move(connection), tuning.keys_per_table);
}

}  // namespace

Pool::Use::~Use() {
  if (connection_ == nullptr) return;
  snapshot_.rollback();
  const std::lock_guard hold(pool_->mutex_);
  if (pool_->idle_.size() < kIdleReadersMax) pool_->idle_.push_back(std::move(connection_));
}

Result<Pool::Use> Pool::take() {
  std::unique_ptr<Connection> connection;
  {
    const std::lock_guard hold(mutex_);
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (connection == nullptr) {
    AIMETER_TRY(connection, Connection::open(database_, Access::read));
  }
  AIMETER_TRY(Transaction snapshot, Transaction::snapshot(*connection));
  return Use(*this, std::move(connection), std::move(snapshot));
}

Result<std::unique_ptr<store::Store>> SqliteStore::open(const std::string& path,
                                                        const store::StoreOptions& options,
                                                        const Tuning& tuning) {
  base::Files& files = options.disk.files != nullptr ? *options.disk.files : base::system_files();
  AIMETER_CHECK_OK(check_path(files, path));
  const Clock& clock = options.clock != nullptr ? *options.clock : system_clock();
  AIMETER_CHECK_OK(files.make_folder(path + ".aimeter"));
  auto mark = std::make_unique<SyncMark>(files, path);
  const Database database{.path = path, .vfs = options.disk.vfs, .mark = mark.get()};
  AIMETER_TRY(auto lock, database.vfs.empty() ? WriterLock::open(path + ".aimeter")
                                              : WriterLock::of_threads(path));
  std::unique_ptr<SqliteStore> store(
      new SqliteStore(database, std::move(mark), clock, std::move(lock)));
  AIMETER_CHECK_OK(store->open_lanes(options, database, tuning));
  return store;
}

Status SqliteStore::open_lanes(const store::StoreOptions& options, const Database& database,
                               const Tuning& tuning) {
  AIMETER_TRY(const WriterTurn turn, WriterTurn::take(*lock_));
  AIMETER_CHECK_OK(mark_->write_log_again());
  AIMETER_TRY(control_lane_, open_lane(database, tuning));
  AIMETER_CHECK_OK(migrate(*control_lane_->connection, options, clock_));
  AIMETER_TRY(apply_lane_, open_lane(database, tuning));
  log_pages_max_ = tuning.log_pages_max;
  return {};
}

// What is still in the log is copied while a sync that fails is seen. A store that wrote nothing
// leaves it to others.
SqliteStore::~SqliteStore() {
  bool copied = false;
  for (Lane* const lane : {control_lane_.get(), apply_lane_.get()}) {
    if (lane == nullptr || copied) continue;
    if (sqlite3_total_changes64(lane->connection->raw()) == 0) continue;
    copied = lane->connection->checkpoint().value_or(false);
  }
  for (Lane* const lane : {control_lane_.get(), apply_lane_.get()}) {
    if (lane != nullptr && copied) lane->connection->let_log_go();
  }
}

}  // namespace aimeter::drivers::sqlite
